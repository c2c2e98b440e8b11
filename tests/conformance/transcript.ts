/**
 * The notation of the conformance corpus. A scenario reads like a session at a prompt.
 *
 * ```text
 * # a comment
 * set k "two words\r\n"          connection a sends it and reads one reply
 * get k | get absent             sends both in one write, and reads one reply for each
 * b> get k                       uses connection b, which is opened when it is first named
 * b> subscribe x y => 2          reads two frames
 * b> blpop k 0 => blocked        reads nothing; continues when the server reports one more blocked client
 * b> :read 1                     reads one frame
 * quit => closed                 reads until the server ends the connection
 * :raw "*1\r\n$4\r\nPING\r\n"    sends the bytes as they are; reads one frame
 * :sleep 30                      waits for 30 ms
 * :end                           the client ends connection a
 * ```
 *
 * Spaces separate words. A word in double quotes may contain spaces and the escapes `\\ \" \r \n \t \xff`; an empty
 * word must be written this way. A value inserted with `${…}` is one word of any length. All text has one character per
 * byte.
 *
 * @module
 */

import { assert } from "@std/assert";
import { escape } from "../support/resp_frames.ts";

/** What is read after a step: a number of frames, nothing until the client is blocked, or everything until the end. */
export type Expectation = number | "blocked" | "closed";

/** One line of a transcript. Text has one character per byte. */
export interface Step {
  /** The line as written, with long values shortened. It names the step in messages and in the list of differences. */
  readonly line: string;
  readonly connection: string;
  /**
   * A step of kind `send` has `commands` or `raw` bytes, `read` only reads, `sleep` waits `ms`, and `end` closes our
   * side.
   */
  readonly kind: "send" | "read" | "sleep" | "end";
  readonly commands: readonly (readonly string[])[];
  readonly raw?: string;
  readonly ms?: number;
  readonly expects: Expectation;
}

/** The steps of one test with a name. They begin with an empty database. */
export interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** Scenarios on one subject. */
export interface Group {
  readonly name: string;
  readonly scenarios: readonly Scenario[];
}

/** The longest value that `Step.line` shows completely, in characters. */
const SHOWN_MAX_LENGTH = 24;

/** Creates a group from transcripts by their names. */
export function group(name: string, transcripts: Readonly<Record<string, readonly Step[]>>): Group {
  return { name, scenarios: Object.entries(transcripts).map(([name, steps]) => ({ name, steps })) };
}

/** Replaces a value in a line. No transcript contains this character. */
const MARK = "\uE000";

/** Parses a transcript, as a tag of a template literal. */
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
