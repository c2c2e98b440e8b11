/**
 * The keys of the native requests that wait in a read buffer.
 *
 * ```text
 * bytes    length  93 a3 s e t  a4 k e y 1  …   length  92 a3 g e t  a4 k e y 2   length …
 * starts                           ▲                                    ▲
 * ```
 *
 * Each frame begins with its length, so the arguments after the key are not looked at.
 *
 * @module
 */

import { read16 } from "../../bytes.ts";
import { KeyWindow } from "../look_ahead.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "./frame.ts";
import { Form } from "./message_pack.ts";

/** Finds the keys of native requests. */
export class NativeKeyWindow extends KeyWindow {
  #argumentStart = 0;
  #argumentLength = 0;

  override fill(bytes: Uint8Array, start: number, end: number): number {
    this.count = 0;
    let at = start;
    for (let frames = 0; frames < this.starts.length && end - at >= FRAME_PREFIX_BYTES; frames++) {
      const begin = at + FRAME_PREFIX_BYTES;
      const next = begin + frameLength(bytes, at);
      if (next > end) break;
      // An array of two to fifteen items: nearly all requests are.
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

  /**
   * Finds the argument whose header is at `at`. The header is read here since the functions of message_pack.ts take
   * half as long again.
   *
   * @returns `false` when the argument is very long or not within its frame
   */
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
