/**
 * Advises the user after a refusal, in a line or two below the server's own words.
 *
 * ```text
 * (error) ERR unknown command 'sett', with args beginning with: 'a' 'b'
 * hint: did you mean "set"?
 *
 * (error) ERR wrong number of arguments for 'get' command
 * usage: get key
 * ```
 *
 * One call, the prompt and lines from a pipe use this module, so that all three give the same advice. The advice
 * depends on the code of the refusal, or for `ERR` on its text, and on the words that were sent. Words that come from
 * the user are shown without characters that a terminal would obey.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import { COMMANDS, type CommandSpecification } from "../catalog/specification.ts";
import { commandOf } from "../client/reply_delay.ts";
import type { ReplyError } from "../errors.ts";
import { clientOptions } from "../role/option_tables.ts";
import { printable } from "../terminal/printable_text.ts";
import { LOCAL_COMMANDS, usage, wrap } from "./help.ts";
import { nearestNames } from "./spelling.ts";

/** The place where the command was typed: as arguments of the program, in a line of a pipe, or at the prompt. */
export type Place = "call" | "pipe" | "prompt";

/** A command as words, as it is sent. */
type Words = readonly (string | Uint8Array)[];

/**
 * Returns what to do about a refusal: a text of lines, each with its newline; empty when there is nothing to add.
 *
 * @param words the command that was refused
 * @param place where it was typed
 * @param columns the width of the terminal, whose lines break between words; infinite for a file or a pipe
 */
export function adviceFor(words: Words, error: ReplyError, place: Place, columns = Infinity): string {
  return linesFor(words, error, place).flatMap((line) => {
    return wrap(printable(line).replaceAll("\n", " ").split(" "), columns, "", FOLLOWING_INDENT);
  }).map((line) => `${line}\n`).join("");
}

const FOLLOWING_INDENT = "    ";

function linesFor(words: Words, error: ReplyError, place: Place): string[] {
  if (error.code === "ERR") return linesForText(words, error.message, place);
  const advice = ADVICE[error.code];
  if (advice === undefined) return [];
  return [`hint: ${typeof advice === "string" ? advice : advice(words, place)}`];
}

const PASSWORD_OPTIONS = "--password-file FILE, or INMEM_PASSWORD";

/** The advice by the code of a refusal. */
const ADVICE: Readonly<Record<string, string | ((words: Words, place: Place) => string)>> = {
  CROSSSLOT: "keys with the same {tag} are on one server, such as {user1}:name and {user1}:age",
  EXECABORT: "none of the commands since multi has run; correct the refused one and begin again with multi",
  LOADING: 'the server is still loading its data; "info persistence" shows how much, then repeat the command',
  MISCONF: "the server cannot save; its log says why, and it accepts writes again once the disk can be written",
  NOAUTH: (_words, place) =>
    place === "prompt"
      ? "this server requires a password: type auth PASSWORD, which the history does not keep"
      : `this server requires a password; pass it with ${PASSWORD_OPTIONS}`,
  NOPROTO: "this client speaks the native protocol only; redis-cli speaks RESP to the same port",
  OOM: "remove keys or give them a time to live, or start the server with a larger --max-memory or --eviction lru",
  READONLY: "this server accepts no writes; connect to the one that it copies",
  UNAVAILABLE: 'other keys are not affected; "cluster" shows which server is down',
  UNKNOWN_OUTCOME: "the command may have taken effect; read the key before you repeat it",
  WRONGPASS: (_words, place) =>
    place === "prompt" ? "type auth PASSWORD with the right one" : `pass the right password with ${PASSWORD_OPTIONS}`,
  WRONGTYPE: (words) => `${JSON.stringify(`type ${keyOf(words)}`)} shows what the key holds`,
};

function linesForText(words: Words, message: string, place: Place): string[] {
  const typed = textOf(words[0]);
  if (/^unknown command\b/.test(message)) return [`hint: ${forUnknownCommand(words, typed, place)}`];
  const command = commandOf(words);
  if (command === undefined) return [];
  if (/^unknown subcommand\b/.test(message)) return forUnknownSubcommand(command, textOf(words[1]));
  if (!/^(wrong number of arguments|syntax error)\b/.test(message)) return [];
  const misplaced = place === "call" ? words.slice(1).map(textOf).find(isOwnOption) : undefined;
  const lines = [`usage: ${usage(command)}`];
  if (misplaced !== undefined) {
    lines.push(`hint: an option of the client goes before the command: inmem client ${misplaced} ${typed} …`);
  }
  return lines;
}

function forUnknownCommand(words: Words, typed: string, place: Place): string {
  const [first = "", ...others] = typed.trim().split(/\s+/);
  const prefix = place === "call" ? "inmem client " : "";
  if (others.length > 0 && isName(first)) {
    return `leave out the quotes around the whole command: ${prefix}${typed.trim()}`;
  }
  const name = typed.toLowerCase();
  const absent = ABSENT.find(([pattern]) => pattern.test(name));
  if (absent !== undefined) return absent[1];
  const names = nearestNames(name, NAMES).slice(0, NAMES_SHOWN_MAX_COUNT);
  if (names.length > 0) return `did you mean ${names.map((each) => `"${each}"`).join(" or ")}?`;
  if (words.length === 1 && place === "call" && isOwnOption(typed)) return "inmem client --help lists the options";
  return `"${prefix}help" lists the commands`;
}

function forUnknownSubcommand(command: CommandSpecification, typed: string): string[] {
  const subcommands = subcommandsOf(command);
  const [nearest] = nearestNames(typed.toLowerCase(), subcommands);
  if (nearest !== undefined) return [`hint: did you mean "${command.name} ${nearest}"?`];
  return subcommands.length === 0 ? [] : [`hint: expected ${command.name} ${subcommands.join(", ")}`];
}

/** Returns the first words of a command's forms. */
function subcommandsOf({ hasSubcommands, arguments: [first] }: CommandSpecification): string[] {
  if (!hasSubcommands || first === undefined) return [];
  const { parts = [], token } = first;
  return [...new Set([token, ...parts.map((part) => part.token)].flatMap((word) => word?.toLowerCase() ?? []))];
}

const NAMES_SHOWN_MAX_COUNT = 3;
const NAMES: readonly string[] = [
  ...COMMANDS.flatMap(({ name, aliases }) => [name, ...aliases]),
  ...LOCAL_COMMANDS.map(({ name }) => name),
];

const TYPES = "it holds strings, lists, hashes and sets";

/** The commands of Redis that inmem does not have, and what to use instead. */
const ABSENT: readonly (readonly [name: RegExp, advice: string])[] = [
  [/^b?z[a-z]+$/, `inmem has no sorted sets: ${TYPES}`],
  [/^x[a-z]+$/, `inmem has no streams: ${TYPES}`],
  [/^geo[a-z_]+$/, `inmem has no geographic indexes: ${TYPES}`],
  [/^pf[a-z]+$/, `inmem has no HyperLogLogs: ${TYPES}`],
  [/^(bit[a-z_]+|getbit|setbit)$/, "inmem has no commands on bits: getrange and setrange work on bytes"],
  [/^(json|ft|ts|bf|cf|cms|topk|tdigest|graph|vec)\./, `inmem has no modules: ${TYPES}`],
  [/^(eval|evalsha|fcall)(_ro)?$|^(script|function)$/, "inmem has no scripts: multi and watch make changes atomic"],
  [/^(replicaof|slaveof|psync|sync|replconf|wait|waitaof|failover)$/, "inmem has no replicas: save copies the data"],
  [/^(asking|readonly|readwrite)$/, "inmem does not speak the protocol of Redis Cluster: its proxy spreads the keys"],
  [
    /^(ssubscribe|sunsubscribe|spublish)$/,
    "inmem has no channels of shards: subscribe and publish work on every proxy",
  ],
  [/^(dump|restore|migrate)$/, "inmem has no dump of one key: save and inmem restore move all data"],
  [/^acl$/, 'inmem has one user, "default"'],
  [/^b?lmpop$/, "lpop and rpop with a count, or blpop, take elements from a list"],
  [/^(sort|sort_ro|lcs)$/, "inmem does not sort or compare values: read them with lrange, smembers or hgetall"],
  [/^move$/, "inmem has one database, 0"],
  [/^shutdown$/, "a server stops, and saves its data, on SIGTERM or Ctrl-C"],
];

/** Returns whether a word is an option of the client, as it is typed. */
function isOwnOption(word: string): boolean {
  const name = /^--([a-z][a-z-]*)(=.*)?$/s.exec(word)?.[1];
  return name !== undefined && Object.hasOwn(clientOptions.options, name);
}

function isName(word: string): boolean {
  return NAMES.includes(word.toLowerCase());
}

/** Returns the first key of a command as text, or `KEY`. */
function keyOf(words: Words): string {
  const position = commandOf(words)?.firstKey ?? 0;
  const key = position > 0 ? textOf(words[position]) : "";
  return key === "" || /[^\x21-\x7e]/.test(key) || key.length > KEY_SHOWN_MAX_LENGTH ? "KEY" : key;
}

const KEY_SHOWN_MAX_LENGTH = 60;

function textOf(word: string | Uint8Array | undefined): string {
  if (word === undefined) return "";
  return typeof word === "string" ? word : decodeText(word);
}
