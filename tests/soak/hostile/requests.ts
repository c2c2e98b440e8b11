/**
 * Requests by the thousand and by the megabyte: the parts of attacks, and the data that fills the store before one.
 *
 * | data | its key | content |
 * |---|---|---|
 * | `hash` | `hash` | fields `k0`, `k1` … with values of a byte |
 * | `list` | `list` | elements `e0`, `e1` … |
 * | `keys` | `k0`, `k1` … | strings of a byte |
 * | `text` | `text` | one long string |
 * | `long` | `long` | a list of long elements |
 *
 * @module
 */

import { encodeText } from "../../../src/bytes.ts";
import type { Request } from "./attack_connection.ts";

export const KB = 1024;
export const MB = 1024 * KB;

/** Returns the requests that fill the store. */
export type Load = () => Iterable<Request>;

/** Repeats a request `count` times. */
export function* repeat(count: number, request: Request): Iterable<Request> {
  for (let i = 0; i < count; i++) yield request;
}

/** Returns `count` different short names. */
export function names(count: number, prefix = "k"): string[] {
  return Array.from({ length: count }, (_, i) => prefix + i);
}

/** Returns `count` equal bytes. */
export function filled(count: number, byte = 0x6e): Uint8Array<ArrayBuffer> {
  return new Uint8Array(count).fill(byte);
}

/** The number of arguments of one request that fills the store. */
const LOAD_BATCH_COUNT = 10_000;

/** Fills one value, or the key space, with requests of `head` and some of the items each. */
export function* inBatches(head: Request, items: readonly string[], batch = LOAD_BATCH_COUNT): Iterable<Request> {
  for (let at = 0; at < items.length; at += batch) yield [...head, ...items.slice(at, at + batch)];
}

/** Returns `count` equal items. */
export function wide<Item>(count: number, item: Item): Item[] {
  return new Array<Item>(count).fill(item);
}

/** Returns a name of `bytes` bytes. */
export function tagged(name: string, bytes: number): Uint8Array {
  const found = filled(Math.max(bytes, name.length));
  found.set(encodeText(name));
  return found;
}

/** Returns the requests for a hash of `count` fields. */
export function hash(count: number): Load {
  return () => inBatches(["hset", "hash"], names(count).flatMap((name) => [name, "v"]));
}

/** Returns the requests for a set of `count` members, from number `from` on. */
export function set(count: number, key = "set", from = 0): Load {
  return () => inBatches(["sadd", key], names(from + count).slice(from));
}

/** Returns the requests for a list of `count` short elements. */
export function list(count: number): Load {
  return () => inBatches(["rpush", "list"], names(count, "e"));
}

/** Returns the requests for `count` keys. */
export function keys(count: number): Load {
  return () => inBatches(["mset"], names(count).flatMap((name) => [name, "v"]));
}

/** Returns the requests for a string of `bytes` bytes. */
export function text(bytes: number): Load {
  return () => [["set", "text", filled(bytes)]];
}

/** Returns the requests for a list of `count` long elements. */
export function long(count: number, bytes: number): Load {
  const batch = Math.min(count, 100);
  return () => repeat(Math.ceil(count / batch), ["rpush", "long", ...wide(batch, filled(bytes))]);
}
