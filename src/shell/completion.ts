/**
 * Completions of the Tab key: names of commands, topics of `help`, the words of a command's syntax, and names that the
 * server has.
 *
 * This module knows the words; `live_names.ts` asks the server for the names.
 *
 * @module
 */

import type { SyntaxArgument } from "../catalog/command_syntax.ts";
import type { Group } from "../catalog/row.ts";
import { COMMANDS } from "../catalog/specification.ts";
import type { CommandSpecification } from "../catalog/specification.ts";
import { columnsOf, cutToColumns, padToColumns } from "../terminal/typed_text.ts";
import { findCommand, GROUPS, LOCAL_COMMANDS, PROMPT_TOPIC, usage } from "./help.ts";
import { type Expected, expectedNext, restOf } from "./syntax_guide.ts";
import { splitTyped } from "./typed_words.ts";

/** The names of all commands, in order. */
export const NAMES: readonly string[] = [
  ...new Set([
    ...COMMANDS.flatMap((command) => [command.name, ...command.aliases]),
    ...LOCAL_COMMANDS.map((command) => command.name),
  ]),
].sort();

const TOPICS: readonly string[] = [
  ...NAMES,
  ...GROUPS.map((group) => `@${group}`),
  PROMPT_TOPIC,
];

/** The types of values, as `scan` and `type` name them. */
const TYPES = ["string", "list", "hash", "set"] as const;

/** Names that the server knows. */
export interface NameSource {
  readonly kind: "key" | "channel" | "setting";
  /** The type of the keys, if others would be of no use. */
  readonly type?: typeof TYPES[number];
}

/** The completion of a line. */
export interface Completion {
  /** The words that the last one may become. */
  readonly words: readonly string[];
  /** The last word as it was typed. */
  readonly last: string;
  /** The beginning that all words have in common, if it is not simply that of their letters. */
  readonly common?: string;
  /** The names that the last word may become as well. */
  readonly names?: NameSource;
  /** The command's syntax, which is shown if there is nothing to complete. */
  readonly hint?: string;
  /** A line to show after the words. */
  readonly note?: string;
}

/** Returns the completions of a line whose cursor is at its end. */
export function complete(line: string): Completion {
  const { words, last } = splitTyped(line);
  const [name, ...given] = words;
  if (name === undefined) return { words: continuations(NAMES, last), last };
  if (name.toLowerCase() === "help") return { words: given.length === 0 ? continuations(TOPICS, last) : [], last };
  const local = LOCAL_COMMANDS.find((each) => each.name === name.toLowerCase());
  if (local !== undefined) return { words: continuations(local.syntax.match(/--[a-z]+/g) ?? [], last), last };
  const command = findCommand(name);
  const rest = command === undefined ? undefined : restOf(command, given);
  if (command === undefined || rest === undefined) return { words: [], last };
  const expected = expectedNext(rest);
  const found = continuations(expected.flatMap((each) => wordsOf(each, command)), last);
  const names = expected.map(({ value }) => value && sourceOf(value, command)).find((source) => source !== undefined);
  return {
    words: found,
    last,
    ...(names === undefined ? {} : { names }),
    ...(last === "" && found.length === 0 ? { hint: usage(command) } : {}),
  };
}

/** Returns the words that an expected argument may be, as far as they are known without a server. */
function wordsOf({ word, value }: Expected, { name }: CommandSpecification): readonly string[] {
  if (word !== undefined) return [word];
  if (value!.name === "type") return TYPES;
  const takesNames = name === "command" || name === "latency";
  return takesNames && (value!.name === "name" || value!.name === "command") ? NAMES : [];
}

/** The type of the keys of each group of commands that works with one type only. */
const TYPE_OF_GROUP: Readonly<Partial<Record<Group, typeof TYPES[number]>>> = {
  list: "list",
  hash: "hash",
  set: "set",
};

/** Returns the source of the names that a value may be; `undefined` if there is none. */
function sourceOf(value: SyntaxArgument, { name, group }: CommandSpecification): NameSource | undefined {
  if (value.type === "key") {
    const type = TYPE_OF_GROUP[group];
    return type === undefined ? { kind: "key" } : { kind: "key", type };
  }
  if (name === "config") return value.name === "value" ? undefined : { kind: "setting" };
  const isChannel = value.type === "channel" || (value.type === "pattern" && group === "channel");
  return isChannel ? { kind: "channel" } : undefined;
}

function continuations(words: readonly string[], begun: string): string[] {
  const lower = begun.toLowerCase();
  return [...new Set(words)].filter((word) => word.toLowerCase().startsWith(lower)).map((word) => `${word} `);
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
  const cells = words.map((word) => cutToColumns(word.trimEnd(), columns - 1));
  const width = Math.max(...cells.map(columnsOf)) + 2;
  const perRow = Math.max(1, Math.floor(columns / width));
  const rows: string[] = [];
  for (let at = 0; at < cells.length; at += perRow) {
    const row = cells.slice(at, at + perRow).map((cell) => padToColumns(cell, width)).join("");
    rows.push(row.trimEnd());
  }
  return rows.join("\r\n");
}
