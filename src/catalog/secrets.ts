/**
 * Finds the words of a request that are secret, for places that show requests: the slow log and `monitor`.
 *
 * The row of a command says where its secrets are (`Secret`). When in doubt, a word counts as secret: a request may be
 * wrong, and the password in it right.
 *
 * | secret | words |
 * |---|---|
 * | `arguments` | all arguments |
 * | `words` | the user and the password after AUTH, and all from a word on that is out of place |
 * | `settings` | the values of settings that are not known to be harmless, and words in the places of their names that cannot be names |
 * | `command` | the secrets of the command that the arguments are |
 *
 * @module
 */

import { decodeText, equalsIgnoringCase } from "../bytes.ts";
import { CommandIndex } from "./command_index.ts";
import { type Call, COMMANDS } from "./specification.ts";

const index = new CommandIndex();

/** Returns whether the word at this index is, or may be, a secret. */
export type IsSecret = (index: number) => boolean;

/** Matches the names of settings whose values are shown. The values of all others may be passwords. */
const HARMLESS_SETTINGS =
  /^(append|auto-aof|client-|hz$|latency-|lazyfree-|max|notify-|proto-|save$|slowlog-|timeout$)/;

/** The settings of Redis that hold secrets. Their names are shown. Any other unknown name may be a password itself. */
const SECRET_SETTINGS = ["requirepass", "masterauth", "masteruser", "tls-key-file-pass", "tls-client-key-file-pass"];

/** The most bytes of a word that are looked at. The names of settings are shorter. */
const SETTING_NAME_MAX_BYTES = 64;

/** Returns the function that finds the secret words of a call; `undefined` if the command has none. */
export function secretsOf(call: Call): IsSecret | undefined {
  return secretsFrom(call, 0);
}

/** Does what {@linkcode secretsOf} does, for the command whose name is the word at `from`. */
function secretsFrom(call: Call, from: number): IsSecret | undefined {
  if (from >= call.count) return undefined;
  const position = index.find(call.bytes, call.starts[from]!, call.lengths[from]!);
  // A name that does not exist may be a misspelled one.
  if (position === -1) return (at) => at > from;
  switch (COMMANDS[position]!.secret) {
    case "none":
      return undefined;
    case "arguments":
      return (at) => at > from;
    case "words":
      return wordsAfterAuth(call, from);
    case "settings":
      return settingValues(call, from);
    case "command":
      return isAbout(call, from) ? secretsFrom(call, from + 2) : undefined;
  }
}

/** Returns whether the arguments of `command` are another command: `command getkeys auth password`. */
function isAbout(call: Call, from: number): boolean {
  return from + 1 < call.count && textOf(call, from + 1).startsWith("getkeys");
}

/** Finds the two words after each AUTH, and everything from the first word on that has no place in `hello`. */
function wordsAfterAuth(call: Call, from: number): IsSecret {
  const hidden = new Set<number>();
  let next = from + 1;
  if (next < call.count && isVersion(call, next)) next++;
  for (; next < call.count; next++) {
    if (isWord(call, next, "auth")) {
      for (let i = 1; i <= 2; i++) hidden.add(++next);
    } else if (isWord(call, next, "setname")) {
      next++;
    } else {
      break;
    }
  }
  return (at) => hidden.has(at) || at >= next;
}

function isVersion(call: Call, at: number): boolean {
  return /^[0-9]$/.test(textOf(call, at));
}

/** Finds the values of settings that are not known to be harmless, and words that cannot be names of settings. */
function settingValues(call: Call, from: number): IsSecret | undefined {
  if (from + 1 >= call.count || !isWord(call, from + 1, "set")) return undefined;
  return (at) => {
    if (at < from + 2) return false;
    const isName = (at - from) % 2 === 0;
    const name = textOf(call, isName ? at : at - 1);
    if (!isName) return !HARMLESS_SETTINGS.test(name);
    return at + 1 === call.count || !isSettingName(call, at) ||
      !(HARMLESS_SETTINGS.test(name) || SECRET_SETTINGS.includes(name));
  };
}

function isSettingName(call: Call, at: number): boolean {
  return call.lengths[at]! <= SETTING_NAME_MAX_BYTES && /^[a-z]+(-[a-z]+)*$/.test(textOf(call, at));
}

function textOf({ bytes, starts, lengths }: Call, at: number): string {
  return decodeText(bytes, starts[at]!, Math.min(lengths[at]!, SETTING_NAME_MAX_BYTES)).toLowerCase();
}

function isWord({ bytes, starts, lengths }: Call, at: number, word: string): boolean {
  return equalsIgnoringCase(bytes, starts[at]!, lengths[at]!, word);
}
