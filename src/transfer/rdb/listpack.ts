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
import { little16, little32, littleSigned, MalformedError, type Packed } from "./packed.ts";

const HEADER_BYTES = 6;
const END = 0xff;
/** This count says that the elements have to be counted. */
const COUNT_UNKNOWN = 65_535;
/** The number of bytes of the integers whose encodings are f1 to f4. */
const INTEGER_BYTES = [2, 3, 4, 8];
/** An entry up to each of these sizes has its own size in one byte more than the one before. */
const SIZE_STEPS = [127, 16_382, 2_097_150, 268_435_454];

/** Reads the elements of a listpack. */
export class Listpack implements Packed {
  #bytes = new Uint8Array(0);
  #at = 0;
  /** Where the last byte is, which marks the end. */
  #last = 0;
  /** The elements that follow, or a negative number if their count is not known. */
  #left = 0;

  begin(bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void {
    if (length <= HEADER_BYTES || little32(bytes, start) !== length || bytes[start + length - 1] !== END) {
      throw new MalformedError("a listpack has a wrong header, or no end");
    }
    const count = little16(bytes, start + 4);
    this.#bytes = bytes;
    this.#at = start + HEADER_BYTES;
    this.#last = start + length - 1;
    this.#left = count === COUNT_UNKNOWN ? -1 : count;
  }

  next(element: Span): boolean {
    if (this.#at === this.#last) {
      if (this.#left > 0) throw new MalformedError("a listpack has fewer elements than it announces");
      return false;
    }
    if (this.#left === 0) throw new MalformedError("a listpack has more elements than it announces");
    this.#left--;
    const start = this.#at;
    const end = this.#read(element, start, this.#bytes[start]!);
    const size = end - start;
    let sizeBytes = 1;
    for (const most of SIZE_STEPS) if (size > most) sizeBytes++;
    if (end + sizeBytes > this.#last) throw new MalformedError("an element of a listpack is longer than the listpack");
    this.#at = end + sizeBytes;
    return true;
  }

  /** Reads the entry that begins with `first`, and returns where its data ends. */
  #read(element: Span, start: number, first: number): number {
    const bytes = this.#bytes;
    if (first < 0x80) {
      element.setInteger(first);
      return start + 1;
    }
    if (first < 0xc0) return this.#point(element, start + 1, first & 0x3f);
    if (first < 0xe0) {
      element.setInteger((((first & 0x1f) << 8 | this.#byte(start + 1)) << 19) >> 19);
      return start + 2;
    }
    if (first < 0xf0) return this.#point(element, start + 2, (first & 0x0f) << 8 | this.#byte(start + 1));
    if (first === 0xf0) {
      if (start + 5 > this.#last) throw new MalformedError("a listpack ends within an element");
      return this.#point(element, start + 5, little32(bytes, start + 1));
    }
    const size = INTEGER_BYTES[first - 0xf1];
    if (size === undefined) throw new MalformedError(`a listpack has the unknown encoding ${first}`);
    if (start + 1 + size > this.#last) throw new MalformedError("a listpack ends within an element");
    element.setInteger(littleSigned(bytes, start + 1, size));
    return start + 1 + size;
  }

  #byte(at: number): number {
    if (at >= this.#last) throw new MalformedError("a listpack ends within an element");
    return this.#bytes[at]!;
  }

  #point(element: Span, start: number, length: number): number {
    if (start + length > this.#last) throw new MalformedError("an element of a listpack is longer than the listpack");
    element.point(this.#bytes, start, length);
    return start + length;
  }
}
