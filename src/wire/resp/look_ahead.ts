/**
 * The keys of the RESP requests that wait in a read buffer.
 *
 * ```text
 * bytes    *3 · $3 · set · $4 · key1 · $2 · 42 ·   *2 · $3 · get · $4 · key2 ·   *2 · $3 · ge…
 * starts                        ▲                                    ▲
 * ```
 *
 * A request in RESP does not begin with its size, so all its lengths are looked at. Looking ahead ends at a request of
 * many arguments, and at anything unusual: inline commands, numbers of many digits.
 *
 * @module
 */

import { KeyWindow } from "../look_ahead.ts";
import { Byte, readShortNumber } from "./bytes.ts";

const { BULK, ARRAY } = Byte;

/** The most arguments of a request that is looked at. A longer one would be looked at again with every read. */
const ARGUMENTS_MAX_COUNT = 64;

/** Finds the keys of RESP requests. */
export class RespKeyWindow extends KeyWindow {
  override fill(bytes: Uint8Array, start: number, end: number): number {
    this.count = 0;
    let begin = start;
    for (let requests = 0; requests < this.starts.length; requests++) {
      const head = readShortNumber(bytes, begin, end, ARRAY);
      const count = head >> 4;
      if (count <= 0 || count > ARGUMENTS_MAX_COUNT) break;
      let at = begin + 3 + (head & 15);
      let keyStart = 0;
      let keyLength = 0;
      for (let i = 0; i < count; i++) {
        const line = readShortNumber(bytes, at, end, BULK);
        if (line < 0) return begin;
        at += 3 + (line & 15);
        if (i === 1) {
          keyStart = at;
          keyLength = line >> 4;
        }
        at += (line >> 4) + 2;
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
}
