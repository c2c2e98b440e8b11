/**
 * Reads RESP requests from a read buffer, one after another.
 *
 * ```text
 * * 3 \r\n  $ 3 \r\n s e t \r\n  $ 1 \r\n x \r\n  $ 2 \r\n 4 2 \r\n        an array of bulks
 *                    starts[0]            [1]             [2]
 * s e t   x   4 2 \r\n                                                    or a line of words; see inline.ts
 * ```
 *
 * It accepts and refuses the same requests as `processMultibulkBuffer` and `processInlineBuffer` of Redis 7.0, with the
 * same messages. Of the two bytes after a number only the first is compared, of those after a bulk neither. A line with
 * a NUL byte never ends.
 *
 * Nearly all requests have fewer than ten arguments of less than 100 bytes each, and are whole in the buffer: those are
 * decoded in one pass of straight code. When a request is not whole, its lines are read again with the next bytes,
 * unless it is known to need more. The arguments of a request of very many are kept in arrays that grow as it arrives,
 * so that it takes linear time.
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

/** The shortest bulk with its header, in bytes: `$0` and the ends of two lines. */
const BULK_MIN_BYTES = 6;

/** Decodes RESP requests. */
export class RespDecoder {
  /** The least size of the request that is arriving, in bytes; 0 when it is unknown. */
  needed = 0;
  /** The number of bytes of empty requests before the one that is not whole: the caller drops them. */
  passed = 0;
  /** After an error, the start of the next request, which is never known: -1. */
  readonly nextStart = -1;
  /**
   * The estimated size of the request, in bytes; 0 when there is no estimate. See
   * {@linkcode ArgumentPlaces.expectedBytes}.
   */
  get expected(): number {
    return this.#places.expectedBytes;
  }

  /** The position after the line that was read last. */
  #lineEnd = 0;
  /** The start of the line that is not whole, relative to the start of the request; -1 without such a line. */
  #lineBegin = -1;
  /** The position up to which that line is known to have no end. */
  #searched = 0;
  /** The places of the arguments of a long request that is arriving. */
  readonly #places: ArgumentPlaces;

  /** @param account is charged for the places of a request of many arguments, while it arrives */
  constructor(account: ClientAccount = UNLIMITED_ACCOUNT) {
    this.#places = new ArgumentPlaces(account);
  }

  /**
   * Reads the request at `bytes[start, end)` into `request`, which borrows `bytes`. Empty requests (`*0`, `*-1`, blank
   * lines) are skipped.
   *
   * @returns the position after the request; -1 while it is not whole. Then the next call begins at `start` +
   * {@linkcode passed}, with more bytes, which may have been moved; and `request` is unchanged or has no arguments
   * @throws {ProtocolError} with the message of Redis; the decoder cannot be used again
   */
  decode(bytes: Uint8Array, start: number, end: number, request: Request, limits: RequestLimits): number {
    this.passed = 0;
    if (start + this.needed > end || start === end) return -1;
    if (start + 4 <= end && bytes[start] === ARRAY && bytes[start + 2] === CR) {
      const count = bytes[start + 1]! - ZERO;
      if (count > 0 && count <= 9) return this.#arguments(bytes, start, start + 4, end, count, request, limits);
    }
    return this.#decodeSlowPath(bytes, start, end, request, limits);
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

  /** Reads a request of any form, after empty ones. */
  #decodeSlowPath(bytes: Uint8Array, start: number, end: number, request: Request, limits: RequestLimits): number {
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

  /** Continues a request of many arguments. */
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
    const next = start + places.offset;
    places.give(request, bytes, start);
    this.needed = 0;
    this.#lineBegin = -1;
    return next;
  }

  /** Frees what is kept of a request that is not whole, after the connection has ended. */
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
    // NaN fails this comparison as well.
    if (!(length >= 0 && length <= limits.bulkMaxBytes)) throw badLength(length);
    return length;
  }

  /** Reads the line `*<count>` that a request begins with, up to `#lineEnd`; `NaN` while it is not whole. */
  #readCount(bytes: Uint8Array, start: number, end: number, limits: RequestLimits): number {
    const last = this.#findLineEnd(bytes, start, start, end, "too big mbulk count string");
    if (last === -1) return NaN;
    let count = readNumber(bytes, start, last);
    // Numbers of up to 64 bits are valid, and a negative count is an empty request.
    if (Number.isNaN(count)) count = Number(parseInteger64(bytes, start + 1, last - start - 1) ?? NaN);
    if (!(count <= limits.argumentsMaxCount)) throw badCount(count);
    return count;
  }

  /**
   * Returns the position of the CR of the line that begins at `at`, and sets `#lineEnd` to the position after the line.
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

  /** Returns the first `byte` of the line that begins at `at`; -1 when there is none, or a NUL byte precedes it. */
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

/**
 * Returns `size`, the part of the size of a request that is known.
 *
 * @throws {ProtocolError} when it is too large
 */
function sized(size: number, limits: RequestLimits): number {
  if (size > limits.requestMaxBytes) throw new ProtocolError("too big request");
  return size;
}

// A number that no client may send is invalid. Others are refused before authentication only.

function badLength(length: number): ProtocolError {
  const isAllowedLater = length >= 0 && length <= VALUE_SIZE_MAX_BYTES;
  return new ProtocolError(isAllowedLater ? "unauthenticated bulk length" : "invalid bulk length");
}

function badCount(count: number): ProtocolError {
  const isAllowedLater = count <= ARGUMENTS_MAX_COUNT;
  return new ProtocolError(isAllowedLater ? "unauthenticated multibulk length" : "invalid multibulk length");
}
