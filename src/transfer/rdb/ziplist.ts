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
import { EntryRun } from "./entry_run.ts";

const HEADER_BYTES = 10;
/** The size of the entry before has 4 bytes if it begins with this one. */
const LONG_SIZE = 0xfe;
/** The number of bytes of the integers of each encoding. */
const INTEGER_BYTES: ReadonlyMap<number, number> = new Map([[0xc0, 2], [0xd0, 4], [0xe0, 8], [0xf0, 3], [0xfe, 1]]);

/** Reads the elements of a ziplist. */
export class Ziplist extends EntryRun {
  constructor() {
    super("ziplist", HEADER_BYTES);
  }

  protected override readEntry(element: Span, start: number): number {
    const at = start + (this.bytes[start] === LONG_SIZE ? 5 : 1);
    return this.#read(element, at, this.byte(at));
  }

  /** Reads the data whose encoding begins with `first`, and returns where it ends. */
  #read(element: Span, start: number, first: number): number {
    if (first < 0x40) return this.string(element, start + 1, first);
    if (first < 0x80) return this.string(element, start + 2, (first & 0x3f) << 8 | this.byte(start + 1));
    if (first < 0xc0) {
      this.require(start, 5);
      return this.string(element, start + 5, read32(this.bytes, start + 1));
    }
    if (first > 0xf0 && first < 0xfe) {
      element.setInteger(first - 0xf1);
      return start + 1;
    }
    return this.integer(element, start + 1, INTEGER_BYTES.get(first), first);
  }
}
