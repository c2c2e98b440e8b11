/**
 * Completions of the Tab key: names of commands, groups for `help`, and the options of a command.
 *
 * @module
 */

import { COMMANDS } from "../catalog/specification.ts";
import { columnsOf } from "../terminal/typed_text.ts";
import { findCommand, GROUPS, LOCAL_COMMANDS, PROMPT_TOPIC, usage } from "./help.ts";

const NAMES: readonly string[] = [
  ...COMMANDS.flatMap((command) => [command.name, ...command.aliases]),
  ...LOCAL_COMMANDS.map((command) => command.name),
].sort();

const TOPICS: readonly string[] = [
  ...NAMES,
  ...GROUPS.map((group) => `@${group}`),
  PROMPT_TOPIC,
];

/** The completion of a line. */
export interface Completion {
  /** The words that the last one may become. */
  readonly words: readonly string[];
  /** The last word as it was typed. */
  readonly last: string;
  /** The command's syntax, which is shown if there is nothing to complete. */
  readonly hint?: string;
}

/** Returns the completions of a line whose cursor is at its end. */
export function complete(line: string): Completion {
  const words = line.trimStart().split(/\s+/);
  const last = words.at(-1) ?? "";
  const first = words[0] ?? "";
  if (words.length === 1) return { words: continuations(NAMES, last), last };
  if (first.toLowerCase() === "help") return { words: words.length === 2 ? continuations(TOPICS, last) : [], last };
  const command = findCommand(first);
  if (command === undefined) return { words: [], last };
  const upper = last.toUpperCase();
  // Options follow the required arguments, the first of which is never an option.
  const found = last === "" || words.length <= Math.abs(command.arity)
    ? []
    : command.options.filter((option) => option.startsWith(upper));
  if (found.length > 0) return { words: found.map((option) => `${option} `), last };
  return last === "" ? { words: [], last, hint: usage(command) } : { words: [], last };
}

function continuations(names: readonly string[], begun: string): string[] {
  const lower = begun.toLowerCase();
  return names.filter((name) => name.startsWith(lower)).map((name) => `${name} `);
}

/** Returns the longest common beginning of all words. */
export function commonPrefix(words: readonly string[]): string {
  const [first = "", ...others] = words;
  let length = first.length;
  for (const word of others) while (!word.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}

/** Arranges words in columns as wide as the widest, one row after another. */
export function inColumns(words: readonly string[], columns: number): string {
  const width = Math.max(...words.map((word) => columnsOf(word.trimEnd()))) + 2;
  const perRow = Math.max(1, Math.floor(columns / width));
  const rows: string[] = [];
  for (let at = 0; at < words.length; at += perRow) {
    const row = words.slice(at, at + perRow).map((word) => word.trimEnd().padEnd(width)).join("");
    rows.push(row.trimEnd());
  }
  return rows.join("\r\n");
}
