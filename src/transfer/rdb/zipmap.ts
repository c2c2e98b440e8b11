/**
 * Reads a zipmap, which Redis packed hashes into before 2.6.
 *
 * ```text
 * count:u8  length  field  length  free:u8  value  free bytes  length  field  …  ff
 *
 * length    1 byte, or fe and 4 bytes, little-endian
 * count     254 and more mean that the fields have to be counted
 * free      the number of unused bytes after the value
 * ```
 *
 * @module
 */

import type { Span } from "../span.ts";
import { little32, MalformedError, type Packed } from "./packed.ts";

const END = 0xff;
const LONG_LENGTH = 0xfe;
/** The count from which on the fields have to be counted. */
const COUNT_UNKNOWN = 254;

/** Reads the fields and values of a zipmap, in turn. */
export class Zipmap implements Packed {
  #bytes = new Uint8Array(0);
  #at = 0;
  /** Where the last byte is, which marks the end. */
  #last = 0;
  #isValue = false;
  /** The fields that follow, or a negative number if their count is not known. */
  #left = 0;

  begin(bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void {
    if (length < 2 || bytes[start + length - 1] !== END) throw new MalformedError("a zipmap has no end");
    const count = bytes[start]!;
    this.#bytes = bytes;
    this.#at = start + 1;
    this.#last = start + length - 1;
    this.#isValue = false;
    this.#left = count >= COUNT_UNKNOWN ? -1 : count;
  }

  next(element: Span): boolean {
    if (this.#at === this.#last && !this.#isValue) {
      if (this.#left > 0) throw new MalformedError("a zipmap has fewer fields than it announces");
      return false;
    }
    if (!this.#isValue && this.#left-- === 0) throw new MalformedError("a zipmap has more fields than it announces");
    const length = this.#length();
    const free = this.#isValue ? this.#byte() : 0;
    if (this.#at + length + free > this.#last) throw new MalformedError("an element of a zipmap is too long");
    element.point(this.#bytes, this.#at, length);
    this.#at += length + free;
    this.#isValue = !this.#isValue;
    return true;
  }

  #length(): number {
    const first = this.#byte();
    if (first < LONG_LENGTH) return first;
    if (first > LONG_LENGTH || this.#at + 4 > this.#last) throw new MalformedError("a zipmap ends within an element");
    this.#at += 4;
    return little32(this.#bytes, this.#at - 4);
  }

  #byte(): number {
    if (this.#at >= this.#last) throw new MalformedError("a zipmap ends within an element");
    return this.#bytes[this.#at++]!;
  }
}
