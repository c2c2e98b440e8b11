/**
 * Requests in RESP, taken out of a read buffer in place.
 *
 * ```text
 * * 3 \r\n  $ 3 \r\n s e t \r\n  $ 1 \r\n x \r\n  $ 2 \r\n 4 2 \r\n        an array of bulks
 *                    starts[0]            [1]             [2]
 * s e t   x   4 2 \r\n                                                    or a line of words, see inline.ts
 * ```
 *
 * What is accepted and what is refused, with which words, is as in `processMultibulkBuffer` and `processInlineBuffer` of Redis
 * 7.0: of the two bytes behind a number only the first is looked at, of those behind a bulk none; a NUL byte ends no line.
 *
 * Nearly all requests are of less than ten arguments of less than a hundred bytes, whole in the buffer: they take one pass of
 * straight code. Of one that is not whole, the lines read so far are read again with the next bytes, unless it is known to
 * need more; only one of very many arguments is kept, in arrays that grow as it arrives, so that its time is linear.
 *
 * @module
 */

import { parseInteger64 } from "../../bytes.ts";
import { ProtocolError } from "../../errors.ts";
import { ARGUMENTS_MAX_COUNT, RESP_LINE_MAX_BYTES, VALUE_SIZE_MAX_BYTES } from "../../limits.ts";
import { type ClientAccount, UNLIMITED_ACCOUNT } from "../../memory/client_memory.ts";
import { ArgumentPlaces, SHORT_MAX_COUNT } from "../argument_places.ts";
import type { Request } from "../request.ts";
import type { RequestLimits } from "../request_limits.ts";
import { Byte, readNumber, readShortNumber } from "./bytes.ts";
import { splitInline } from "./inline.ts";

const { CR, LF, ZERO, BULK, ARRAY } = Byte;

/** The shortest bulk with its header: `$0` and two line ends. */
const BULK_MIN_BYTES = 6;

/** Reads requests one after another out of a connection's buffer; keeps where it got to in one that is not whole. */
export class RespDecoder {
  /** Bytes that the request under way is known to need in all, for making room at once; 0 when unknown. */
  needed = 0;
  /** Blank requests in front of the one that is not whole take so many bytes: the caller drops them. */
  passed = 0;
  /** After an error: where the next request begins. Nobody knows: -1. */
  readonly behind = -1;
  /** See {@linkcode ArgumentPlaces.expectedBytes}: for making room where {@linkcode needed} is not known. */
  get expected(): number {
    return this.#places.expectedBytes;
  }

  /** Behind the line that was read last. */
  #lineEnd = 0;
  /** Where the line that is not whole begins, and up to where it has no end, both from the request's begin on. */
  #lineBegin = -1;
  #searched = 0;
  /** The arguments of a request of many that is under way. */
  readonly #places: ArgumentPlaces;

  /** @param account is charged for the places of a request of many arguments, while it arrives */
  constructor(account: ClientAccount = UNLIMITED_ACCOUNT) {
    this.#places = new ArgumentPlaces(account);
  }

  /**
   * Reads the request at `bytes[start, end)` into `request`, which borrows `bytes`. Empty requests (`*0`, `*-1`, blank lines)
   * are passed over.
   *
   * @returns the position behind it; -1 while it is not whole. Then the next call begins at `start` + {@linkcode passed}, with
   * more bytes, which may have been moved; and `request` is what it was, or has no arguments
   * @throws {ProtocolError} in the words of Redis. The decoder is of no use then
   */
  decode(bytes: Uint8Array, start: number, end: number, request: Request, limits: RequestLimits): number {
    this.passed = 0;
    if (start + this.needed > end || start === end) return -1;
    if (start + 4 <= end && bytes[start] === ARRAY && bytes[start + 2] === CR) {
      const count = bytes[start + 1]! - ZERO;
      if (count > 0 && count <= 9) return this.#arguments(bytes, start, start + 4, end, count, request, limits);
    }
    return this.#decodeUnusual(bytes, start, end, request, limits);
  }

  /** Reads the `count` bulks from `at` on, of the request that begins at `start`. */
  #arguments(
    bytes: Uint8Array,
    start: number,
    at: number,
    end: number,
    count: number,
    request: Request,
    limits: RequestLimits,
  ): number {
    request.reset(bytes, count);
    const starts = request.starts;
    const lengths = request.lengths;
    const stop = Math.min(end, start + limits.requestMaxBytes);
    let size = 0;
    for (let i = 0; i < count; i++) {
      let length = -1;
      if (at + BULK_MIN_BYTES <= end && bytes[at] === BULK) {
        const first = bytes[at + 1]! - ZERO;
        const second = bytes[at + 2]! - ZERO;
        if (second === CR - ZERO) {
          if (first >= 0 && first <= 9) {
            length = first;
            at += 4;
          }
        } else if (bytes[at + 3] === CR && first > 0 && first <= 9 && second >= 0 && second <= 9) {
          length = first * 10 + second;
          at += 5;
        }
      }
      if (length < 0) {
        length = this.#readLength(bytes, start, at, end, limits);
        if (length < 0) return this.#wait(0, request);
        at = this.#lineEnd;
      }
      const next = at + length + 2;
      if (next > stop) return this.#wait(sized(next - start, limits), request);
      starts[i] = at;
      lengths[i] = length;
      size += length;
      at = next;
    }
    request.size = size;
    this.needed = 0;
    this.#lineBegin = -1;
    return at;
  }

  #wait(needed: number, request: Request): number {
    this.needed = needed;
    request.count = 0;
    return -1;
  }

  /** Reads any request, behind any that are blank. */
  #decodeUnusual(bytes: Uint8Array, start: number, end: number, request: Request, limits: RequestLimits): number {
    if (this.#places.count > 0) return this.#continue(bytes, start, end, request, limits);
    for (let from = start; from < end; from = this.#lineEnd) {
      this.passed = from - start;
      if (bytes[from] !== ARRAY) {
        if (!this.#readInline(bytes, from, end, request, limits)) return this.#wait(0, request);
        if (request.count > 0) return this.#lineEnd;
        continue;
      }
      const count = this.#readCount(bytes, from, end, limits);
      if (Number.isNaN(count)) return this.#wait(0, request);
      const at = this.#lineEnd;
      if (count > SHORT_MAX_COUNT) {
        this.#places.begin(count, at - from);
        return this.#continue(bytes, from, end, request, limits);
      }
      if (count > 0) return this.#arguments(bytes, from, at, end, count, request, limits);
    }
    this.passed = end - start;
    return this.#wait(0, request);
  }

  /** Goes on with a request of many arguments. */
  #continue(bytes: Uint8Array, start: number, end: number, request: Request, limits: RequestLimits): number {
    const places = this.#places;
    while (places.index < places.count) {
      const length = this.#readLength(bytes, start, start + places.offset, end, limits);
      if (length < 0) return this.#wait(0, request);
      const next = this.#lineEnd + length + 2;
      sized(next - start, limits);
      if (next > end) return this.#wait(next - start, request);
      places.add(this.#lineEnd - start, length, next - start);
    }
    const behind = start + places.offset;
    places.give(request, bytes, start);
    this.needed = 0;
    this.#lineBegin = -1;
    return behind;
  }

  /** Gives back what is kept of a request that is not whole: its connection has ended. */
  free(): void {
    this.#places.free();
  }

  /** Reads the line `$<length>` at `at`, up to `#lineEnd`; -1 while it is not whole. */
  #readLength(bytes: Uint8Array, start: number, at: number, end: number, limits: RequestLimits): number {
    const line = readShortNumber(bytes, at, end, BULK);
    let length: number;
    if (line >= 0) {
      length = line >> 4;
      this.#lineEnd = at + 3 + (line & 15);
    } else {
      const last = this.#findLineEnd(bytes, start, at, end, "too big bulk count string");
      if (last === -1) return -1;
      if (bytes[at] !== BULK) throw new ProtocolError(`expected '$', got '${String.fromCharCode(bytes[at]!)}'`);
      length = readNumber(bytes, at, last);
    }
    // A length that is no number fails this as well.
    if (!(length >= 0 && length <= limits.bulkMaxBytes)) throw badLength(length);
    return length;
  }

  /** Reads the line `*<count>` that a request begins with, up to `#lineEnd`; `NaN` while it is not whole. */
  #readCount(bytes: Uint8Array, start: number, end: number, limits: RequestLimits): number {
    const last = this.#findLineEnd(bytes, start, start, end, "too big mbulk count string");
    if (last === -1) return NaN;
    let count = readNumber(bytes, start, last);
    // Numbers of up to 64 bits are numbers, and negative ones are passed over.
    if (Number.isNaN(count)) count = Number(parseInteger64(bytes, start + 1, last - start - 1) ?? NaN);
    if (!(count <= limits.argumentsMaxCount)) throw badCount(count);
    return count;
  }

  /**
   * Finds the CR at the end of the line that begins at `at`, and puts `#lineEnd` behind the line.
   *
   * @returns -1 while the line is not whole
   * @throws {ProtocolError} with `refusal` when it is too long
   */
  #findLineEnd(bytes: Uint8Array, start: number, at: number, end: number, refusal: string): number {
    const found = this.#search(bytes, start, at, end, CR);
    if ((found === -1 ? end : found) - at > RESP_LINE_MAX_BYTES) throw new ProtocolError(refusal);
    if (found === -1 || found + 2 > end) return -1;
    this.#lineEnd = found + 2;
    return found;
  }

  /** Reads the line at `start`, up to `#lineEnd`; `false` while it is not whole. */
  #readInline(bytes: Uint8Array, start: number, end: number, request: Request, limits: RequestLimits): boolean {
    const maxBytes = Math.min(RESP_LINE_MAX_BYTES, limits.requestMaxBytes);
    const found = this.#search(bytes, start, start, end, LF);
    if ((found === -1 ? end : found) - start > maxBytes) throw new ProtocolError("too big inline request");
    if (found === -1) return false;
    const last = found > start && bytes[found - 1] === CR ? found - 1 : found;
    if (!splitInline(bytes, start, last, request)) throw new ProtocolError("unbalanced quotes in request");
    this.#lineEnd = found + 1;
    this.needed = 0;
    return true;
  }

  /** Where the line that begins at `at` has `byte` first; -1 when it has none, or a NUL before: nothing behind that counts. */
  #search(bytes: Uint8Array, start: number, at: number, end: number, byte: number): number {
    let found = this.#lineBegin === at - start ? start + this.#searched : at;
    while (found < end && bytes[found] !== byte && bytes[found] !== 0) found++;
    if (found < end && bytes[found] === byte) {
      this.#lineBegin = -1;
      return found;
    }
    this.#lineBegin = at - start;
    this.#searched = found - start;
    return -1;
  }
}

/** The size of a request as far as it is known. @throws {ProtocolError} when that is too much */
function sized(size: number, limits: RequestLimits): number {
  if (size > limits.requestMaxBytes) throw new ProtocolError("too big request");
  return size;
}

// What nobody may send is invalid; the rest is refused to strangers only.

function badLength(length: number): ProtocolError {
  const isForStrangers = length >= 0 && length <= VALUE_SIZE_MAX_BYTES;
  return new ProtocolError(isForStrangers ? "unauthenticated bulk length" : "invalid bulk length");
}

function badCount(count: number): ProtocolError {
  const isForStrangers = count <= ARGUMENTS_MAX_COUNT;
  return new ProtocolError(isForStrangers ? "unauthenticated multibulk length" : "invalid multibulk length");
}
