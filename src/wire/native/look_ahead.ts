/**
 * The keys of the requests that wait in a read buffer, seen before those requests run.
 *
 * ```text
 * bytes    length  93 a3 s e t  a4 k e y 1  …   length  92 a3 g e t  a4 k e y 2   length …
 * starts                           ▲                                    ▲
 * ```
 *
 * Whoever knows the next keys can have the memory for all of them fetched at once (`Store.prefetch`). So this looks at as
 * little as that takes: in each whole frame the argument behind the command's name, which nearly always is a key. What it
 * reads wrongly costs a useless load and nothing else; frames are checked when they are decoded.
 *
 * @module
 */

import { FRAME_PREFIX_BYTES, frameLength } from "./frame.ts";
import { Form, read16 } from "./message_pack.ts";

/** Places of the keys of the next few requests. Filled again and again. */
export class KeyWindow {
  /** Where key `i` begins. */
  readonly starts: Int32Array;
  /** How many bytes key `i` has. */
  readonly lengths: Int32Array;
  /** Keys that were found. */
  count = 0;
  #argumentStart = 0;
  #argumentLength = 0;

  /** @param size requests to look at, at most */
  constructor(size: number) {
    this.starts = new Int32Array(size);
    this.lengths = new Int32Array(size);
  }

  /**
   * Looks at the whole frames from `start` on.
   *
   * @returns the position behind the last one that was looked at
   */
  fill(bytes: Uint8Array, start: number, end: number): number {
    this.count = 0;
    let at = start;
    for (let frames = 0; frames < this.starts.length && end - at >= FRAME_PREFIX_BYTES; frames++) {
      const begin = at + FRAME_PREFIX_BYTES;
      const next = begin + frameLength(bytes, at);
      if (next > end) break;
      // An array of two to fifteen: nearly all requests are.
      if (bytes[begin]! >= 0x92 && bytes[begin]! <= 0x9f && this.#read(bytes, begin + 1, next)) {
        if (this.#read(bytes, this.#argumentStart + this.#argumentLength, next)) {
          this.starts[this.count] = this.#argumentStart;
          this.lengths[this.count++] = this.#argumentLength;
        }
      }
      at = next;
    }
    return at;
  }

  /** Reads where the argument whose header stands at `at` lies; false when it is a long one or not within its frame. */
  #read(bytes: Uint8Array, at: number, end: number): boolean {
    if (at >= end) return false;
    const first = bytes[at]!;
    if (first >= 0xa0 && first <= 0xbf) {
      this.#argumentStart = at + 1;
      this.#argumentLength = first & 0x1f;
    } else if (first === Form.Bin8 || first === Form.Str8) {
      this.#argumentStart = at + 2;
      this.#argumentLength = bytes[at + 1]!;
    } else if (first === Form.Bin16 || first === Form.Str16) {
      this.#argumentStart = at + 3;
      this.#argumentLength = read16(bytes, at + 1);
    } else {
      return false;
    }
    return this.#argumentStart + this.#argumentLength <= end;
  }
}
