/**
 * Collections that an RDB file stores as one string: Redis packs small ones into a run of bytes without pointers.
 *
 * Each encoding has a reader: {@linkcode Packed.begin} sets it on a string, {@linkcode Packed.next} returns element
 * after element. In a hash, fields and values follow each other.
 *
 * | encoding | module | Redis writes it in |
 * |---|---|---|
 * | listpack | `listpack.ts` | hashes and quicklists from 7.0 on, sets from 7.2 on |
 * | ziplist | `ziplist.ts` | lists, hashes and quicklists before 7.0 |
 * | intset | `intset.ts` | sets of integers |
 * | zipmap | `zipmap.ts` | hashes before 2.6 |
 *
 * All of them are verified while they are read: no length leads out of the string, and the number of elements is the
 * announced one.
 *
 * @module
 */

import type { Span } from "../span.ts";

/** A packed collection does not have the form that its encoding requires. */
export class MalformedError extends Error {
  override readonly name = "MalformedError";
}

/** Reads the elements of a packed collection. */
export interface Packed {
  /**
   * Begins with the collection in `bytes[start, start + length)`.
   *
   * @throws {MalformedError} when its header is not valid
   */
  begin(bytes: Uint8Array, start: number, length: number): void;
  /**
   * Moves the span to the next element. It is valid until the next call.
   *
   * @returns `false` when there is none
   * @throws {MalformedError} when the element is not valid
   */
  next(element: Span): boolean;
}

/** Returns the little-endian 16-bit unsigned integer at `at`. */
export function little16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

/** Returns the little-endian 32-bit unsigned integer at `at`. */
export function little32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Returns the little-endian signed integer of 1, 2, 3, 4 or 8 bytes at `at`: a bigint if it is not a safe integer. */
export function littleSigned(bytes: Uint8Array, at: number, size: number): number | bigint {
  switch (size) {
    case 1:
      return (bytes[at]! << 24) >> 24;
    case 2:
      return (little16(bytes, at) << 16) >> 16;
    case 3:
      return ((little16(bytes, at) | (bytes[at + 2]! << 16)) << 8) >> 8;
    case 4:
      return little32(bytes, at) | 0;
    default: {
      const number = (little32(bytes, at + 4) | 0) * 2 ** 32 + little32(bytes, at);
      if (Number.isSafeInteger(number)) return number;
      return (BigInt(little32(bytes, at + 4) | 0) << 32n) + BigInt(little32(bytes, at));
    }
  }
}
