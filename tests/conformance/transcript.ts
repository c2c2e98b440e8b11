/**
 * The notation in which the conformance corpus is written: a scenario reads like a session at a prompt.
 *
 * ```text
 * # a comment
 * set k "two words\r\n"          connection a sends it and reads one reply
 * get k | get absent             both in one write; a reply each is read
 * b> get k                       connection b, which is opened when it is first named
 * b> subscribe x y => 2          two frames are read
 * b> blpop k 0 => blocked        nothing is read; goes on once the server says that one more client is blocked
 * b> :read 1                     reads one frame
 * quit => closed                 reads until the server ends the connection
 * :raw "*1\r\n$4\r\nPING\r\n"    bytes as they are; one frame is read
 * :sleep 30                      lets 30 ms pass
 * :end                           the client ends connection a
 * ```
 *
 * Words stand between blanks. A word in double quotes may hold blanks and the escapes `\\ \" \r \n \t \xff`, and is the
 * only way to write an empty one. A value put in with `${…}` is one word, however long. All text is one byte a character.
 *
 * @module
 */

import { assert } from "@std/assert";
import { escape } from "./resp_frames.ts";

/** What is read after a step: so many frames, nothing but the state of being blocked, or all until the end. */
export type Expectation = number | "blocked" | "closed";

/** One line of a transcript. Text has one character a byte. */
export interface Step {
  /** The line as it was written, values cut short: names the step in messages and in the list of differences. */
  readonly line: string;
  readonly connection: string;
  /** `send` has `commands`, or `raw` bytes. `read` only reads, `sleep` waits `ms`, `end` closes from our side. */
  readonly kind: "send" | "read" | "sleep" | "end";
  readonly commands: readonly (readonly string[])[];
  readonly raw?: string;
  readonly ms?: number;
  readonly expects: Expectation;
}

/** Steps with a name, on an empty database. */
export interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** Scenarios about one thing. */
export interface Group {
  readonly name: string;
  readonly scenarios: readonly Scenario[];
}

/** Longest value that `Step.line` shows whole. */
const SHOWN_MAX_LENGTH = 24;

/** Gathers transcripts under their names. */
export function group(name: string, transcripts: Readonly<Record<string, readonly Step[]>>): Group {
  return { name, scenarios: Object.entries(transcripts).map(([name, steps]) => ({ name, steps })) };
}

/** Stands in a line for a value: nothing that a transcript is written with has this character. */
const MARK = "\uE000";

/** Reads a transcript: see the module's comment. */
export function transcript(text: TemplateStringsArray, ...values: string[]): Step[] {
  let used = 0;
  const steps: Step[] = [];
  for (const each of text.raw.join(MARK).split("\n")) {
    const line = each.trim();
    const count = line.split(MARK).length - 1;
    const inserted = values.slice(used, used += count);
    if (line !== "" && !line.startsWith("#")) steps.push(parseLine(line, inserted));
  }
  return steps;
}

function parseLine(line: string, values: readonly string[]): Step {
  const shown = values.reduce((text, value) => text.replace(MARK, () => brief(value)), line);
  const [, connection = "a", rest = ""] = /^(?:([a-z])> )?(.*)$/.exec(line)!;
  const words = splitWords(rest, [...values]);
  let expected: Expectation | undefined;
  if (words.at(-2) === "=>") {
    const text = words.pop()!;
    words.pop();
    expected = text === "blocked" || text === "closed" ? text : Number(text);
    assert(typeof expected === "string" || Number.isInteger(expected), `Cannot read "${line}"`);
  }
  const common = { line: shown, connection, commands: [] };
  switch (words[0]) {
    case ":raw":
      return { ...common, kind: "send", raw: words.slice(1).join(""), expects: expected ?? 1 };
    case ":read":
      return { ...common, kind: "read", expects: words[1] === "closed" ? "closed" : Number(words[1]) };
    case ":sleep":
      return { ...common, kind: "sleep", ms: Number(words[1]), expects: 0 };
    case ":end":
      return { ...common, kind: "end", expects: 0 };
  }
  const commands = [[]] as string[][];
  for (const word of words) {
    if (word === "|") commands.push([]);
    else commands.at(-1)!.push(word);
  }
  assert(commands.every((command) => command.length > 0), `Cannot read "${line}": a command is missing`);
  return { ...common, kind: "send", commands, expects: expected ?? commands.length };
}

function brief(value: string): string {
  return value.length <= SHOWN_MAX_LENGTH ? escape(value) : `${escape(value.slice(0, 8))}…(${value.length} bytes)`;
}

function splitWords(line: string, values: string[]): string[] {
  const words: string[] = [];
  for (const [word] of line.matchAll(/"(?:[^"\\]|\\.)*"|\S+/g)) {
    if (word === MARK) words.push(values.shift()!);
    else if (word.startsWith('"')) words.push(unquote(word.replaceAll(MARK, () => values.shift()!)));
    else words.push(word.replaceAll(MARK, () => values.shift()!));
  }
  return words;
}

const ESCAPES: Readonly<Record<string, string>> = { r: "\r", n: "\n", t: "\t", '"': '"', "\\": "\\" };

function unquote(word: string): string {
  return word.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|.)/g, (escape, name: string) => {
    if (name.length === 3) return String.fromCharCode(parseInt(name.slice(1), 16));
    const found = ESCAPES[name];
    assert(found !== undefined, `Cannot read the escape "${escape}" in ${word}`);
    return found;
  });
}
