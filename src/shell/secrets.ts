/**
 * Which lines are not remembered, because they hold a password.
 *
 * What counts is what would be executed, so a line is judged by its words as the tokenizer reads them: `"\x61uth" pw` and
 * `a"uth" pw` are `auth pw`. The command specification says which commands carry a secret, and where. A line that no
 * command understands is judged by whether it may have been meant for one that does, since people type the password once
 * more after `auht pw`: such a line is of little use in the history, and its password is not.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import { COMMANDS } from "../catalog/specification.ts";
import type { Secret } from "../catalog/specification.ts";
import { findCommand, LOCAL_COMMANDS } from "./help.ts";
import { tokenize } from "./tokenizer.ts";
import { encodeTyped } from "./typed_text.ts";

/** A word that is the name of a secret, or of what is given together with one. */
const TELLING = /auth|pass|pwd|secret|token/;
/** Words of commands that this server does not have: a password in an address, after an option, or of an access list. */
const TELLING_ELSEWHERE = /:\/\/.*@|^-a$|^[<>#]./;
/** Settings of Redis that hold passwords. */
const SECRET_SETTINGS = ["requirepass", "masterauth"];

/** Typing errors by which one of these words is still meant, at most. */
const SLIPS_MAX_COUNT = 2;

const NAMES: readonly string[] = [
  ...COMMANDS.flatMap(({ name, aliases }) => [name, ...aliases]),
  ...LOCAL_COMMANDS.map(({ name }) => name),
];

/**
 * Whether the line must not be remembered: it holds a password, or may do so, or begins with a blank, by which people
 * mark what shall not be remembered.
 *
 * @param line as the line editor has it, without a line break
 */
export function isSecret(line: string): boolean {
  if (/^\s/.test(line)) return true;
  let words: string[];
  try {
    words = tokenize(encodeTyped(line)).map((word) => decodeText(word).toLowerCase());
  } catch {
    return isSecretUnread(line);
  }
  return words.length > 0 && isSecretCommand(words);
}

/** Whether the line is a command for a password without one: the next line may be just that. */
export function asksForSecret(line: string): boolean {
  const [name, ...others] = line.trim().toLowerCase().split(/\s+/);
  return others.length === 0 && findCommand(name!)?.secret === "arguments";
}

/** Whether the line is a single word that is no command. */
export function isLoneWord(line: string): boolean {
  const [name, ...others] = line.trim().toLowerCase().split(/\s+/);
  return others.length === 0 && findCommand(name!) === undefined &&
    LOCAL_COMMANDS.every((local) => local.name !== name);
}

function isSecretCommand(words: readonly string[]): boolean {
  const [name = "", ...args] = words;
  const command = findCommand(name);
  if (command !== undefined) return CARRIES[command.secret](args);
  if (LOCAL_COMMANDS.some((local) => local.name === name)) return false;
  return TELLING.test(name) || isMeantForAuth(name) ||
    words.some((word) => TELLING_ELSEWHERE.test(word)) || args.some((word) => tells(word) || isSecretSetting(word));
}

/** Whether a command's arguments, in lower case, hold its secret. */
const CARRIES: Readonly<Record<Secret, (args: readonly string[]) => boolean>> = {
  none: () => false,
  arguments: () => true,
  // Whatever else is among them may be a password after a misspelled AUTH.
  words: (args) => !/^(\d+( |$))?(setname [^ ]*)?$/.test(args.join(" ")),
  settings: ([verb = "", ...args]) => {
    const isReading = ["get", "help", "resetstat", "rewrite"].includes(verb);
    return !isReading && args.some((word) => tells(word) || isSecretSetting(word));
  },
  command: ([verb = "", ...args]) => verb.startsWith("getkeys") && args.length > 0 && isSecretCommand(args),
};

function tells(word: string): boolean {
  return TELLING.test(word) || countSlips(word, "auth") <= 1;
}

function isSecretSetting(word: string): boolean {
  return SECRET_SETTINGS.some((name) => countSlips(word, name) <= SLIPS_MAX_COUNT);
}

/** Whether `auth` is among the names that come nearest to what was typed. */
function isMeantForAuth(name: string): boolean {
  const slips = countSlips(name, "auth");
  return slips <= SLIPS_MAX_COUNT && NAMES.every((other) => countSlips(name, other) >= slips);
}

/** A line that cannot be read is judged by its letters: what is quoted or escaped in it, and how, is not known. */
function isSecretUnread(line: string): boolean {
  const text = line.replace(/\\x([0-9a-f]{2})/gi, (_all, digits) => String.fromCharCode(Number.parseInt(digits, 16)))
    .replace(/["'\\]/g, "").toLowerCase();
  return TELLING.test(text) || isSecretCommand(text.split(/\s+/));
}

/** Fewest letters inserted, removed, replaced, or exchanged with the next one, that turn one word into the other. */
function countSlips(from: string, to: string): number {
  // Words of such different lengths are far from each other.
  if (Math.abs(from.length - to.length) > SLIPS_MAX_COUNT) return Infinity;
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      const isExchanged = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const exchanged = isExchanged ? before[j - 2]! + 1 : Infinity;
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1, exchanged));
    }
    before = row;
    row = next;
  }
  return row[to.length]!;
}
