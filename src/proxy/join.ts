/**
 * Makes one reply of several servers' replies, without decoding what the clients stored: arrays are joined by copying
 * their items as they stand.
 *
 * @module
 */

import type { Reply } from "../wire/reply.ts";
import type { ValueReader } from "./dialect.ts";

/** One server's reply, and a reader at its beginning. */
export interface JoinedPart {
  readonly bytes: Uint8Array;
  readonly reader: ValueReader;
}

/** Answers the sum of integers. */
export function joinSums(parts: readonly JoinedPart[], reply: Reply): void {
  let sum = 0n;
  for (const { reader } of parts) sum += reader.integer();
  reply.integer64(sum);
}

/** Answers all items of several arrays, one array behind another. */
export function joinArrays(parts: readonly JoinedPart[], reply: Reply): void {
  let count = 0;
  for (const { reader } of parts) count += reader.array();
  reply.array(count);
  for (const { bytes, reader } of parts) reply.raw(bytes, reader.at, reader.end - reader.at);
}

/**
 * Answers the items of several arrays in the order asked.
 *
 * @param partOf for each item which array it is the next item of
 */
export function joinValues(parts: readonly JoinedPart[], partOf: Uint16Array, reply: Reply): void {
  for (const { reader } of parts) reader.array();
  reply.array(partOf.length);
  for (const part of partOf) {
    const { bytes, reader } = parts[part]!;
    const start = reader.at;
    reader.skip();
    reply.raw(bytes, start, reader.at - start);
  }
}

/** Answers `OK`, as every server did. */
export function joinStatuses(_parts: readonly JoinedPart[], reply: Reply): void {
  reply.ok();
}
