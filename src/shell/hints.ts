/**
 * The hint after a line that is being typed: the arguments that are still to come, or the rest of the only word that
 * the last one can become.
 *
 * ```text
 * set greeting ▏value [EX seconds | PX ms | …] [NX | XX] [GET]
 * config reset▏stat
 * ```
 *
 * @module
 */

import { HINTED_LINE_MAX_CHARACTERS } from "../limits.ts";
import { NAMES } from "./completion.ts";
import { findCommand, LOCAL_COMMANDS } from "./help.ts";
import { expectedNext, restOf, syntaxText } from "./syntax_guide.ts";
import { splitTyped } from "./typed_words.ts";

/** Returns the hint for a line whose cursor is at its end; empty if there is none. */
export function hintFor(line: string): string {
  if (line.length > HINTED_LINE_MAX_CHARACTERS || line.includes("\n") || /^\s*#/.test(line)) return "";
  const { words, last, openQuote } = splitTyped(line);
  if (openQuote !== "") return "";
  const [name, ...given] = words;
  if (name === undefined) return last === "" ? "" : hintForName(last);
  const command = findCommand(name);
  if (command === undefined) {
    const local = LOCAL_COMMANDS.find((each) => each.name === name.toLowerCase());
    return local !== undefined && given.length === 0 && last === "" ? local.syntax : "";
  }
  if (last === "") return syntaxText(restOf(command, given) ?? []);
  const after = restOf(command, [...given, last]);
  if (after !== undefined) return after.length === 0 ? "" : ` ${syntaxText(after)}`;
  const expected = expectedNext(restOf(command, given) ?? []);
  return onlyContinuation(expected.flatMap(({ word = [] }) => word), last);
}

function hintForName(last: string): string {
  const command = findCommand(last) ?? LOCAL_COMMANDS.find(({ name }) => name === last.toLowerCase());
  if (command !== undefined) return command.syntax === "" ? "" : ` ${command.syntax}`;
  return onlyContinuation(NAMES, last);
}

/** Returns the rest of the only word that begins with these letters, in their case; empty if there are more. */
function onlyContinuation(words: readonly string[], begun: string): string {
  const found = new Set(words.filter((word) => word.toLowerCase().startsWith(begun.toLowerCase())));
  const [word = ""] = found.size === 1 ? found : [];
  const rest = word.slice(begun.length);
  return begun === begun.toUpperCase() ? rest.toUpperCase() : rest.toLowerCase();
}
