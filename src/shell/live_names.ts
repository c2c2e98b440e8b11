/**
 * Completes names that the server knows: keys, channels and settings.
 *
 * ```text
 * get us▏  Tab ─▶ scan 0 MATCH us* COUNT 1000 ─▶ until all, or 100 names, or 50 ms ─▶ user:1 user:2
 * ```
 *
 * A name is untrusted: it may be any bytes. It is offered in the form in which it is typed, which has quotes and
 * escapes where necessary, so that neither the list nor the line contains a character that a terminal would obey.
 *
 * When the server refuses or the connection fails, there are no names, and no error either.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import type { Argument, Value } from "../client/client.ts";
import { COMPLETION_ASK_MAX_MS, COMPLETION_NAMES_MAX_COUNT, COMPLETION_SCAN_COUNT } from "../limits.ts";
import { quote } from "../terminal/printable_text.ts";
import { decodeTyped, encodeTyped, unfinishedLength } from "../terminal/typed_text.ts";
import type { Completion, NameSource } from "./completion.ts";
import { tokenize } from "./tokenizer.ts";
import { splitTyped } from "./typed_words.ts";

/** Sends a command to the server. */
export type Send = (request: readonly Argument[]) => Promise<Value>;

/** The names that were found. */
interface Names {
  readonly found: readonly Uint8Array[];
  /** Whether there are no others. */
  readonly areAll: boolean;
}

const NO_NAMES: Names = { found: [], areAll: true };

/** Adds the server's names to a completion. It never rejects. */
export async function completeNames(completion: Completion, send: Send): Promise<Completion> {
  const { names: source, ...others } = completion;
  const typed = typedBytes(completion.last);
  if (source === undefined || typed === undefined) return others;
  let names: Names;
  try {
    names = await NAMES_OF[source.kind](typed, source, send);
  } catch {
    return others;
  }
  return { ...others, ...offered(names, completion, typed) };
}

/** Returns the bytes that an unfinished word means; `undefined` if that is not clear. */
function typedBytes(last: string): Uint8Array | undefined {
  if (last === "") return new Uint8Array(0);
  try {
    const words = tokenize(encodeTyped(last + splitTyped(last).openQuote));
    return words.length === 1 ? words[0] : undefined;
  } catch {
    return undefined;
  }
}

/** The functions that find the names of each kind that begin with some bytes. */
const NAMES_OF: Readonly<
  Record<NameSource["kind"], (typed: Uint8Array, source: NameSource, send: Send) => Promise<Names>>
> = { key: keysFrom, channel: channelsFrom, setting: settingsFrom };

async function keysFrom(typed: Uint8Array, { type }: NameSource, send: Send): Promise<Names> {
  const end = performance.now() + COMPLETION_ASK_MAX_MS;
  const pattern = patternFrom(typed);
  // A key that moves while the keys are scanned may be returned twice.
  const found = new Map<string, Uint8Array>();
  let cursor: Argument = "0";
  do {
    const request = ["scan", cursor, "MATCH", pattern, "COUNT", COMPLETION_SCAN_COUNT];
    const reply = await send(type === undefined ? request : [...request, "TYPE", type]);
    if (!Array.isArray(reply) || !Array.isArray(reply[1])) return NO_NAMES;
    cursor = reply[0] as Uint8Array;
    for (const key of bytesIn(reply[1])) found.set(decodeTyped(key), key);
  } while (!isStart(cursor) && found.size < COMPLETION_NAMES_MAX_COUNT && performance.now() < end);
  return { found: [...found.values()], areAll: isStart(cursor) };
}

function isStart(cursor: Argument): boolean {
  return (cursor instanceof Uint8Array ? decodeText(cursor) : String(cursor)) === "0";
}

async function channelsFrom(typed: Uint8Array, _source: NameSource, send: Send): Promise<Names> {
  const reply = await send(["pubsub", "channels", patternFrom(typed)]);
  return Array.isArray(reply) ? { found: bytesIn(reply), areAll: true } : NO_NAMES;
}

async function settingsFrom(typed: Uint8Array, _source: NameSource, send: Send): Promise<Names> {
  const reply = await send(["config", "get", patternFrom(typed)]);
  return reply instanceof Map ? { found: bytesIn([...reply.keys()]), areAll: true } : NO_NAMES;
}

function bytesIn(values: readonly Value[]): Uint8Array[] {
  return values.filter((value) => value instanceof Uint8Array);
}

/** The bytes that have a meaning in a pattern: `*`, `?`, `[` and `\`. */
const PATTERN_BYTES: readonly number[] = [0x2a, 0x3f, 0x5b, 0x5c];
const BACKSLASH = 0x5c;
const STAR = 0x2a;

/** Returns the pattern of all names that begin with some bytes. */
function patternFrom(typed: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  for (const byte of typed) {
    if (PATTERN_BYTES.includes(byte)) bytes.push(BACKSLASH);
    bytes.push(byte);
  }
  bytes.push(STAR);
  return Uint8Array.from(bytes);
}

/** Matches a name that means itself when it is typed without quotes. */
const BARE = /^[^\s"'\\\p{C}\p{Zl}\p{Zp}]+$/u;

function offered({ found, areAll }: Names, { words, last, hint }: Completion, typed: Uint8Array): Partial<Completion> {
  const sorted = found.toSorted(compareBytes).slice(0, COMPLETION_NAMES_MAX_COUNT);
  if (sorted.length === 0) return {};
  const isQuoted = /^["']/.test(last);
  const isBare = (name: Uint8Array) => !isQuoted && BARE.test(decodeTyped(name));
  // What is inserted has a quote if every name needs one.
  const hasQuotes = !sorted.some(isBare);
  const isCertain = areAll && sorted.length === found.length;
  const common = commonBytes(sorted);
  const commonForm = common.length > typed.length
    ? (hasQuotes ? quote(common).slice(0, -1) : decodeTyped(common))
    : last;
  const all = [...words, ...sorted.map((name) => `${isBare(name) ? decodeTyped(name) : quote(name)} `)];
  return {
    words: all,
    // What is certain of an only name includes its end.
    ...(all.length === 1 && isCertain ? {} : { common: words.length > 0 ? last : commonForm }),
    ...(isCertain ? {} : { note: "… and perhaps more: type more letters" }),
    ...(hint === undefined ? {} : { hint }),
  };
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** Returns the beginning that sorted names have in common, without a character that it contains only a part of. */
function commonBytes(sorted: readonly Uint8Array[]): Uint8Array {
  const first = sorted[0]!;
  const last = sorted.at(-1)!;
  let length = 0;
  while (length < first.length && first[length] === last[length]) length++;
  const common = first.subarray(0, length);
  return length === first.length ? common : common.subarray(0, length - unfinishedLength(common));
}
