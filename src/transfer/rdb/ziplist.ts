/**
 * Reads a ziplist, which Redis packed lists and hashes into before it had listpacks.
 *
 * ```text
 * bytes:u32  tail:u32  count:u16  entry  entry  …  ff         little-endian; count 65535 means that it is not known
 *
 * entry: the size of the entry before, in 1 byte, or fe and 4 bytes; encoding; data
 * 00nnnnnn  data                           a string of n bytes
 * 01nnnnnn  nnnnnnnn  data                 a string of n bytes
 * 10……      n:u32, big-endian, data        a string of n bytes
 * c0  d0  e0  f0  fe   integer             a signed integer of 2, 4, 8, 3 or 1 bytes
 * f1 … fd                                  an integer from 0 to 12
 * ```
 *
 * @module
 */

import { read32 } from "../../bytes.ts";
import type { Span } from "../span.ts";
import { little16, little32, littleSigned, MalformedError, type Packed } from "./packed.ts";

const HEADER_BYTES = 10;
const END = 0xff;
/** The size of the entry before has 4 bytes if it begins with this one. */
const LONG_SIZE = 0xfe;
/** This count says that the elements have to be counted. */
const COUNT_UNKNOWN = 65_535;
/** The number of bytes of the integers of each encoding. */
const INTEGER_BYTES: ReadonlyMap<number, number> = new Map([[0xc0, 2], [0xd0, 4], [0xe0, 8], [0xf0, 3], [0xfe, 1]]);

/** Reads the elements of a ziplist. */
export class Ziplist implements Packed {
  #bytes = new Uint8Array(0);
  #at = 0;
  /** Where the last byte is, which marks the end. */
  #last = 0;
  /** The elements that follow, or a negative number if their count is not known. */
  #left = 0;

  begin(bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void {
    if (length <= HEADER_BYTES || little32(bytes, start) !== length || bytes[start + length - 1] !== END) {
      throw new MalformedError("a ziplist has a wrong header, or no end");
    }
    const count = little16(bytes, start + 8);
    this.#bytes = bytes;
    this.#at = start + HEADER_BYTES;
    this.#last = start + length - 1;
    this.#left = count === COUNT_UNKNOWN ? -1 : count;
  }

  next(element: Span): boolean {
    if (this.#at === this.#last) {
      if (this.#left > 0) throw new MalformedError("a ziplist has fewer elements than it announces");
      return false;
    }
    if (this.#left === 0) throw new MalformedError("a ziplist has more elements than it announces");
    this.#left--;
    const start = this.#at + (this.#bytes[this.#at] === LONG_SIZE ? 5 : 1);
    this.#at = this.#read(element, start, this.#byte(start));
    return true;
  }

  /** Reads the data whose encoding begins with `first`, and returns where it ends. */
  #read(element: Span, start: number, first: number): number {
    if (first < 0x40) return this.#point(element, start + 1, first);
    if (first < 0x80) return this.#point(element, start + 2, (first & 0x3f) << 8 | this.#byte(start + 1));
    if (first < 0xc0) {
      if (start + 5 > this.#last) throw new MalformedError("a ziplist ends within an element");
      return this.#point(element, start + 5, read32(this.#bytes, start + 1));
    }
    if (first > 0xf0 && first < 0xfe) {
      element.setInteger(first - 0xf1);
      return start + 1;
    }
    const size = INTEGER_BYTES.get(first);
    if (size === undefined) throw new MalformedError(`a ziplist has the unknown encoding ${first}`);
    if (start + 1 + size > this.#last) throw new MalformedError("a ziplist ends within an element");
    element.setInteger(littleSigned(this.#bytes, start + 1, size));
    return start + 1 + size;
  }

  #byte(at: number): number {
    if (at >= this.#last) throw new MalformedError("a ziplist ends within an element");
    return this.#bytes[at]!;
  }

  #point(element: Span, start: number, length: number): number {
    if (start + length > this.#last) throw new MalformedError("an element of a ziplist is longer than the ziplist");
    element.point(this.#bytes, start, length);
    return start + length;
  }
}
