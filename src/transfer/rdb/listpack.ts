/**
 * Reads a listpack: strings and small integers, one after another.
 *
 * ```text
 * bytes:u32  count:u16  entry  entry  …  ff            little-endian; count 65535 means that it is not known
 *
 * entry: encoding and data, then their size in 1 to 5 bytes, by which Redis walks backwards
 * 0nnnnnnn                                 the integer n
 * 10nnnnnn  data                           a string of n bytes
 * 110nnnnn  nnnnnnnn                       a signed integer of 13 bits
 * 1110nnnn  nnnnnnnn  data                 a string of n bytes
 * f0  n:u32  data                          a string of n bytes
 * f1  f2  f3  f4   integer                 a signed integer of 2, 3, 4 or 8 bytes
 * ```
 *
 * @module
 */

import type { Span } from "../span.ts";
import { EntryRun } from "./entry_run.ts";
import { little32 } from "./packed.ts";

const HEADER_BYTES = 6;
/** The number of bytes of the integers whose encodings are f1 to f4. */
const INTEGER_BYTES = [2, 3, 4, 8];
/** An entry up to each of these sizes has its own size in one byte more than the one before. */
const SIZE_STEPS = [127, 16_382, 2_097_150, 268_435_454];

/** Reads the elements of a listpack. */
export class Listpack extends EntryRun {
  constructor() {
    super("listpack", HEADER_BYTES);
  }

  protected override readEntry(element: Span, start: number): number {
    const end = this.#read(element, start, this.bytes[start]!);
    const size = end - start;
    let sizeBytes = 1;
    for (const most of SIZE_STEPS) if (size > most) sizeBytes++;
    return end + sizeBytes;
  }

  /** Reads the entry that begins with `first`, and returns where its data ends. */
  #read(element: Span, start: number, first: number): number {
    if (first < 0x80) {
      element.setInteger(first);
      return start + 1;
    }
    if (first < 0xc0) return this.string(element, start + 1, first & 0x3f);
    if (first < 0xe0) {
      element.setInteger((((first & 0x1f) << 8 | this.byte(start + 1)) << 19) >> 19);
      return start + 2;
    }
    if (first < 0xf0) return this.string(element, start + 2, (first & 0x0f) << 8 | this.byte(start + 1));
    if (first === 0xf0) {
      this.require(start, 5);
      return this.string(element, start + 5, little32(this.bytes, start + 1));
    }
    return this.integer(element, start + 1, INTEGER_BYTES[first - 0xf1], first);
  }
}
