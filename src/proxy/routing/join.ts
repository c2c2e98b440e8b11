/**
 * Joins the replies of several servers into one, without decoding the stored values: the items of arrays are copied
 * unchanged. Long arrays are joined in steps, between which other clients' requests are routed.
 *
 * @module
 */

import type { TopRows } from "../../connection/top_rows.ts";
import { STEP_BYTES, STEP_ITEMS_COUNT } from "../../limits.ts";
import type { Reply } from "../../wire/reply.ts";
import type { ValueReader } from "../../wire/reply_reader.ts";
import type { ReplySteps } from "../client/own_replies.ts";

/** One server's reply, and a reader at its beginning. */
export interface JoinedPart {
  readonly bytes: Uint8Array;
  readonly reader: ValueReader;
}

/** Writes the sum of integers. */
// deno-lint-ignore require-yield -- there is one number a server
export function* joinSums(parts: readonly JoinedPart[], reply: Reply): ReplySteps {
  let sum = 0n;
  for (const { reader } of parts) sum += reader.integer();
  reply.integer64(sum);
}

/** Joins replies in steps. */
export type Join = (parts: readonly JoinedPart[], reply: Reply) => ReplySteps;

/** The cost of passing over an item, in bytes that are copied in the same time. */
const ITEM_BYTES = STEP_BYTES / STEP_ITEMS_COUNT;

/** Writes all items of several arrays, one array after another. */
export function* joinArrays(parts: readonly JoinedPart[], reply: Reply): ReplySteps {
  let count = 0;
  for (const { reader } of parts) count += reader.array();
  reply.array(count);
  for (const { bytes, reader } of parts) yield* copyRaw(bytes, reader.at, reader.end, reply);
}

/**
 * Returns a function that writes the rows of several arrays, the largest number first, up to a count.
 *
 * @param rows the count, and the column of the number
 */
export function joinTop({ count, column }: TopRows): Join {
  return function* (parts: readonly JoinedPart[], reply: Reply): ReplySteps {
    const rows = parts.flatMap((part) => [...readRows(part, column)]);
    rows.sort((a, b) => a.size < b.size ? 1 : a.size > b.size ? -1 : 0);
    rows.length = Math.min(rows.length, count);
    reply.array(rows.length);
    for (const { bytes, start, end } of rows) yield* copyRaw(bytes, start, end, reply);
  };
}

/** Finds the rows of an array of arrays. */
function* readRows({ bytes, reader }: JoinedPart, column: number) {
  for (let left = reader.array(); left > 0; left--) {
    const start = reader.at;
    const width = reader.array();
    let size = 0n;
    for (let item = 0; item < width; item++) {
      if (item === column) size = reader.integer();
      else reader.skipNested();
    }
    yield { bytes, start, end: reader.at, size };
  }
}

/**
 * Writes the items of several arrays in the order of the request.
 *
 * @param partOf the number of the array that has each item next
 */
export function* joinValues(parts: readonly JoinedPart[], partOf: Uint16Array, reply: Reply): ReplySteps {
  for (const { reader } of parts) reader.array();
  reply.array(partOf.length);
  let left = STEP_BYTES;
  for (const part of partOf) {
    const { bytes, reader } = parts[part]!;
    const start = reader.at;
    reader.skip();
    const size = reader.at - start;
    if (size > STEP_BYTES) yield* copyRaw(bytes, start, reader.at, reply);
    else reply.raw(bytes, start, size);
    left -= size + ITEM_BYTES;
    if (left > 0) continue;
    yield;
    left = STEP_BYTES;
  }
}

/** Appends `bytes[start, end)` unchanged. */
export function* copyRaw(bytes: Uint8Array, start: number, end: number, reply: Reply): ReplySteps {
  for (let from = start; from < end; from += STEP_BYTES) {
    reply.raw(bytes, from, Math.min(STEP_BYTES, end - from));
    if (from + STEP_BYTES < end) yield;
  }
}

/** Writes `OK`, as every server did. */
// deno-lint-ignore require-yield -- there is nothing to join
export function* joinStatuses(_parts: readonly JoinedPart[], reply: Reply): ReplySteps {
  reply.ok();
}
