/**
 * The keys of the RESP requests that wait in a read buffer, seen before those requests run; see `wire/native/look_ahead.ts`.
 *
 * ```text
 * bytes    *3 · $3 · set · $4 · key1 · $2 · 42 ·   *2 · $3 · get · $4 · key2 ·   *2 · $3 · ge…
 * starts                        ▲                                    ▲
 * ```
 *
 * Here a request does not tell how long it is, so all its lengths are looked at. Where that would take long, and where the
 * straight way ends (inline commands, numbers of many digits), looking ahead ends.
 *
 * @module
 */

import { KeyWindow } from "../native/look_ahead.ts";

const STAR = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;
const CR = 0x0d;

/** A request of more arguments is not looked at: it would be again with every read that it takes to arrive. */
const ARGUMENTS_MAX_COUNT = 64;
/** Longer numbers belong to no count and no key worth looking at. */
const DIGITS_MAX_COUNT = 9;

/** Places of the keys of the next few requests. Filled again and again. */
export class RespKeyWindow extends KeyWindow {
  /** Behind the line that was read last. */
  #lineEnd = 0;

  override fill(bytes: Uint8Array, start: number, end: number): number {
    this.count = 0;
    let begin = start;
    for (let requests = 0; requests < this.starts.length; requests++) {
      const count = this.#readNumber(bytes, begin, end, STAR);
      if (count <= 0 || count > ARGUMENTS_MAX_COUNT) break;
      let at = this.#lineEnd;
      let keyStart = 0;
      let keyLength = 0;
      for (let i = 0; i < count; i++) {
        const length = this.#readNumber(bytes, at, end, DOLLAR);
        if (length < 0) return begin;
        at = this.#lineEnd + length + 2;
        if (i !== 1) continue;
        keyStart = this.#lineEnd;
        keyLength = length;
      }
      if (at > end) break;
      if (count > 1) {
        this.starts[this.count] = keyStart;
        this.lengths[this.count++] = keyLength;
      }
      begin = at;
    }
    return begin;
  }

  /** Reads the line of `type` and a number at `at`, up to `#lineEnd`; -1 when there is none that is whole. */
  #readNumber(bytes: Uint8Array, at: number, end: number, type: number): number {
    if (at + 4 > end || bytes[at] !== type) return -1;
    const last = Math.min(end - 2, at + 1 + DIGITS_MAX_COUNT);
    let value = 0;
    let digit = at + 1;
    for (let next; digit < last && (next = bytes[digit]! - ZERO) >= 0 && next <= 9; digit++) value = value * 10 + next;
    this.#lineEnd = digit + 2;
    return bytes[digit] === CR ? value : -1;
  }
}
