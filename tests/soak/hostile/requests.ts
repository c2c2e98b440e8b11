/**
 * Requests by the thousand and by the megabyte: what attacks are made of, and what fills the store before one.
 *
 * | data | its key | what it is |
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

/** Makes the requests that fill the store. */
export type Load = () => Iterable<Request>;

/** The same request so many times. */
export function* repeat(count: number, request: Request): Iterable<Request> {
  for (let i = 0; i < count; i++) yield request;
}

/** So many short names, all different. */
export function names(count: number, prefix = "k"): string[] {
  return Array.from({ length: count }, (_, i) => prefix + i);
}

/** So many bytes, all the same. */
export function filled(count: number, byte = 0x6e): Uint8Array<ArrayBuffer> {
  return new Uint8Array(count).fill(byte);
}

/** Arguments of one request of those that fill the store. */
const LOAD_BATCH_COUNT = 10_000;

/** Fills one value, or the key space, by requests of `head` and some of the items each. */
export function* inBatches(head: Request, items: readonly string[], batch = LOAD_BATCH_COUNT): Iterable<Request> {
  for (let at = 0; at < items.length; at += batch) yield [...head, ...items.slice(at, at + batch)];
}

/** A run of the same item. */
export function wide<Item>(count: number, item: Item): Item[] {
  return new Array<Item>(count).fill(item);
}

/** A name of so many bytes. */
export function tagged(name: string, bytes: number): Uint8Array {
  const found = filled(Math.max(bytes, name.length));
  found.set(encodeText(name));
  return found;
}

/** A hash of so many fields. */
export function hash(count: number): Load {
  return () => inBatches(["hset", "hash"], names(count).flatMap((name) => [name, "v"]));
}

/** A list of so many short elements. */
export function list(count: number): Load {
  return () => inBatches(["rpush", "list"], names(count, "e"));
}

/** So many keys. */
export function keys(count: number): Load {
  return () => inBatches(["mset"], names(count).flatMap((name) => [name, "v"]));
}

/** A string of so many bytes. */
export function text(bytes: number): Load {
  return () => [["set", "text", filled(bytes)]];
}

/** A list of so many long elements. */
export function long(count: number, bytes: number): Load {
  const batch = Math.min(count, 100);
  return () => repeat(Math.ceil(count / batch), ["rpush", "long", ...wide(batch, filled(bytes))]);
}
