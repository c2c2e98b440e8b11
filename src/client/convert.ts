/**
 * Converts replies to the types that the commands promise.
 *
 * A server that replies in another form than the command's is not an inmem server, or has another version. That is a
 * {@linkcode ProtocolError}, and no conversion is guessed.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import type { Value } from "../wire/native/reply_reader.ts";

// The byte order mark is data like any other, and invalid UTF-8 must not be replaced silently.
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Returns the text whose UTF-8 is `bytes`.
 *
 * @throws {TypeError} when they are not UTF-8
 */
export function toText(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    throw new TypeError(`Cannot read ${bytes.length} bytes as text: they are not UTF-8`);
  }
}

/** Returns the bytes of a reply that is data or a status of the server. */
export function toBytes(value: Value): Uint8Array<ArrayBuffer> {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return encodeText(value);
  throw unexpected(value, "bytes");
}

/** Returns the items of a reply that is an array. Nil, which some commands reply for a missing key, has none. */
export function toItems(value: Value): Value[] {
  if (Array.isArray(value)) return value;
  if (value === null) return [];
  throw unexpected(value, "an array");
}

/**
 * Returns the number of a reply that is an integer.
 *
 * @throws {RangeError} when a `number` cannot hold it exactly
 */
export function toInteger(value: Value): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") {
    throw new RangeError(`Cannot hold ${value} in a number: it is beyond 2^53; "send" returns it as a bigint`);
  }
  throw unexpected(value, "an integer");
}

/**
 * Returns the number of a reply that consists of its digits, with a fraction. It is the nearest `number`.
 *
 * @throws {ProtocolError} when they are not the digits of a number
 */
export function toFraction(value: Value): number {
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  const text = toWord(value);
  if (/^-?inf$/.test(text)) return text === "inf" ? Infinity : -Infinity;
  const number = Number(text);
  if (text === "" || Number.isNaN(number)) throw unexpected(value, "the digits of a number");
  return number;
}

/** Returns the integer of a reply that is an integer or nil. */
export function toIntegerOrNull(value: Value): number | null {
  return value === null ? null : toInteger(value);
}

/** Returns whether an integer reply is not 0. */
export function toFlag(value: Value): boolean {
  if (typeof value === "boolean") return value;
  return toInteger(value) !== 0;
}

/** Returns the text of a status of the server, such as a type's name. */
export function toWord(value: Value): string {
  return toText(toBytes(value));
}

/** Checks that the reply is `OK`. */
export function toNothing(value: Value): void {
  if (value !== "OK") throw unexpected(value, '"OK"');
}

/** Returns the pairs of a reply that is a map, or an array of keys and values in turn. */
export function toPairs(value: Value): [Value, Value][] {
  if (value instanceof Map) return [...value];
  const items = toItems(value);
  const pairs: [Value, Value][] = [];
  for (let i = 0; i + 1 < items.length; i += 2) pairs.push([items[i]!, items[i + 1]!]);
  return pairs;
}

/** Returns the pairs of a reply as a map from the server's own words to converted values. */
export function toWords<Item>(value: Value, convert: (value: Value) => Item): Map<string, Item> {
  return new Map(toPairs(value).map(([name, item]) => [toWord(name), convert(item)]));
}

function unexpected(value: Value, expected: string): ProtocolError {
  const kind = value === null
    ? "nil"
    : Array.isArray(value)
    ? "an array"
    : value instanceof Uint8Array
    ? "bytes"
    : value instanceof Map
    ? "a map"
    : typeof value;
  return new ProtocolError(`Cannot use a reply that is ${kind}: expected ${expected}`);
}
