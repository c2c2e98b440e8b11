/**
 * What the Tab key offers: names of commands, groups for `help`, and the options of a command.
 *
 * @module
 */

import { COMMANDS } from "../command/specification.ts";
import { findCommand, GROUPS, LOCAL_COMMANDS, usage } from "./help.ts";

const NAMES: readonly string[] = [
  ...COMMANDS.flatMap((command) => [command.name, ...command.aliases]),
  ...LOCAL_COMMANDS.map((command) => command.name),
].sort();

const TOPICS: readonly string[] = [
  ...NAMES,
  ...GROUPS.map((group) => `@${group}`),
];

/**
 * The completions of a line whose cursor is at its end.
 *
 * @returns the words that the last one may become, and that last word as it stands. Where nothing can be completed, the
 * words are the command's syntax and a blank, which `node:readline` shows without inserting anything
 */
export function complete(line: string): [string[], string] {
  const words = line.trimStart().split(/\s+/);
  const last = words.at(-1) ?? "";
  const first = words[0] ?? "";
  if (words.length === 1) return [continuations(NAMES, last), last];
  if (first.toLowerCase() === "help") return words.length === 2 ? [continuations(TOPICS, last), last] : [[], last];
  const command = findCommand(first);
  if (command === undefined) return [[], last];
  const options = command.syntax.match(/\b[A-Z]{2,}\b/g) ?? [];
  const upper = last.toUpperCase();
  // Options follow the required arguments, the first of which is never one.
  const found = last === "" || words.length <= Math.abs(command.arity)
    ? []
    : options.filter((option) => option.startsWith(upper));
  if (found.length > 0) return [found.map((option) => `${option} `), last];
  return last === "" ? [[usage(command), " "], ""] : [[], last];
}

function continuations(names: readonly string[], begun: string): string[] {
  const lower = begun.toLowerCase();
  return names.filter((name) => name.startsWith(lower)).map((name) => `${name} `);
}
