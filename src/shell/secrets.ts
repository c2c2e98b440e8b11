/**
 * Decides which lines are not stored in the history, because they contain a password.
 *
 * A line is judged by what would be executed: by its words as the tokenizer reads them, so that `"\x61uth" pw` and
 * `a"uth" pw` are `auth pw`. The command specification marks the commands that carry a secret, and where. A line that
 * is not a valid command is judged by whether it may have been meant for such a command, since people type the password
 * again after `auht pw`: such a line is of little use in the history, while its password is still valid.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import type { Secret } from "../catalog/row.ts";
import { COMMANDS } from "../catalog/specification.ts";
import { encodeTyped } from "../terminal/typed_text.ts";
import { findCommand, LOCAL_COMMANDS } from "./help.ts";
import { countSlips, SLIPS_MAX_COUNT } from "./spelling.ts";
import { tokenize } from "./tokenizer.ts";

/** Matches words that name a secret, or accompany one. */
const TELLING = /auth|pass|pwd|secret|token/;
/**
 * Matches words of commands that this server does not have: a password in an address, after an option, or in an access
 * list.
 */
const TELLING_ELSEWHERE = /:\/\/.*@|^-a$|^[<>#]./;
/** The settings of Redis that hold passwords. */
const SECRET_SETTINGS = ["requirepass", "masterauth"];

const NAMES: readonly string[] = [
  ...COMMANDS.flatMap(({ name, aliases }) => [name, ...aliases]),
  ...LOCAL_COMMANDS.map(({ name }) => name),
];

/**
 * Returns whether the line must not be stored: it contains or may contain a password, or begins with a blank, which
 * marks lines that should not be stored.
 *
 * @param line the line of the line editor, without a line break
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

/** Returns whether the line is a command for a password without one, so that the next line may be the password. */
export function asksForSecret(line: string): boolean {
  const [name, ...others] = line.trim().toLowerCase().split(/\s+/);
  return others.length === 0 && findCommand(name!)?.secret === "arguments";
}

/** Returns whether the line is a single word that is not a command. */
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

/** The functions that find out whether a command's arguments, in lower case, contain its secret. */
const CARRIES: Readonly<Record<Secret, (args: readonly string[]) => boolean>> = {
  none: () => false,
  arguments: () => true,
  // Any other word may be a password after a misspelled AUTH.
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

/** Returns whether `auth` is among the names that are closest to the typed one. */
function isMeantForAuth(name: string): boolean {
  const slips = countSlips(name, "auth");
  return slips <= SLIPS_MAX_COUNT && NAMES.every((other) => countSlips(name, other) >= slips);
}

/** Judges a line that cannot be tokenized by its letters, since its quotes and escapes are unclear. */
function isSecretUnread(line: string): boolean {
  const text = line.replace(/\\x([0-9a-f]{2})/gi, (_all, digits) => String.fromCharCode(Number.parseInt(digits, 16)))
    .replace(/["'\\]/g, "").toLowerCase();
  return TELLING.test(text) || isSecretCommand(text.split(/\s+/));
}
