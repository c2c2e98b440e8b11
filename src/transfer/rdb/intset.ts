/**
 * Reads an intset: a set whose members are all integers of the same size.
 *
 * ```text
 * size:u32  count:u32  member  member  …        little-endian; the size is 2, 4 or 8 bytes
 * ```
 *
 * @module
 */

import type { Span } from "../span.ts";
import { little32, littleSigned, MalformedError, type Packed } from "./packed.ts";

const HEADER_BYTES = 8;

/** Reads the members of an intset. */
export class Intset implements Packed {
  #bytes = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #size = 0;

  begin(bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void {
    const size = length < HEADER_BYTES ? 0 : little32(bytes, start);
    if (size !== 2 && size !== 4 && size !== 8) throw new MalformedError("an intset has a wrong header");
    if (HEADER_BYTES + size * little32(bytes, start + 4) !== length) {
      throw new MalformedError("an intset has another length than its number of members requires");
    }
    this.#bytes = bytes;
    this.#at = start + HEADER_BYTES;
    this.#end = start + length;
    this.#size = size;
  }

  next(element: Span): boolean {
    if (this.#at === this.#end) return false;
    element.setInteger(littleSigned(this.#bytes, this.#at, this.#size));
    this.#at += this.#size;
    return true;
  }
}
