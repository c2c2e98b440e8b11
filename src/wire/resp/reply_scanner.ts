/**
 * Finds where a reply in RESP ends, without reading what it says: for who passes it on as it is.
 *
 * ```text
 * + - : , # _ (     a line
 * $ ! =             a line with a length, and as many bytes and a line's end behind it; $-1 is a line
 * * ~ >             a line with a count, and as many values behind it; *-1 is a line
 * %                 a line with a count, and twice as many values
 * |                 as %, in front of the value that it is about
 * ```
 *
 * A reply that is not whole is looked at where looking has ended, so that the time of a long one is linear. Of the values
 * within values it is known how many are still to come, on each level.
 *
 * @module
 */

import { parseInteger } from "../../bytes.ts";
import { ProtocolError } from "../../errors.ts";
import { NESTING_MAX_DEPTH, REPLY_SIZE_MAX_BYTES } from "../../limits.ts";
import { Byte } from "./bytes.ts";

const {
  CR,
  LF,
  STATUS,
  ERROR,
  INTEGER,
  DOUBLE,
  BOOLEAN,
  NIL,
  BIG_NUMBER,
  BULK,
  BULK_ERROR,
  VERBATIM,
  ARRAY,
  SET,
  PUSH,
  MAP,
  ATTRIBUTE,
} = Byte;

/** The shortest value, `_` and a line's end. */
const VALUE_MIN_BYTES = 3;
/** The longest line that tells a length or a count: 20 digits would be too many. */
const NUMBER_LINE_MAX_BYTES = 22;

/** Finds the ends of replies, one after another; keeps where it got to in one that is not whole. */
export class RespReplyScanner {
  /** Bytes that the reply under way is known to take at least, for making room at once; 0 when unknown. */
  needed = 0;
  /** Where the next value begins, from the reply's begin on. */
  #offset = 0;
  /** Up to where the line of that value has no end. */
  #searched = 0;
  /** Values that are still to come, on each level. */
  readonly #left = new Int32Array(NESTING_MAX_DEPTH + 1).fill(1, 0, 1);
  #depth = 0;
  /** Bytes that are still to come of a value that is passed over, from the reply's begin on; see {@linkcode drop}. */
  #passing = 0;
  readonly #sizeMaxBytes: number;

  /** @param sizeMaxBytes the largest reply */
  constructor(sizeMaxBytes: number = REPLY_SIZE_MAX_BYTES) {
    this.#sizeMaxBytes = sizeMaxBytes;
  }

  /**
   * Looks at the reply that begins at `start`. While it is not whole, the next call begins at the same byte, with more of
   * them, which may have been moved.
   *
   * @returns the size of the reply, in bytes; 0 while it is not whole
   * @throws {ProtocolError} when those bytes are no reply, or one beyond the bounds. The scanner is of no use then
   */
  size(bytes: Uint8Array, start: number, end: number): number {
    if (start + this.needed > end) return 0;
    const left = this.#left;
    let at = start + this.#offset;
    let depth = this.#depth;
    if (this.#passing > 0) {
      at = start + this.#passing;
      this.#searched = this.#passing;
      this.#passing = 0;
      while (--left[depth]! === 0) {
        if (depth-- === 0) return this.#end(start, at);
      }
    }
    for (;;) {
      const line = this.#findLineEnd(bytes, start, at, end);
      if (line === -1) return this.#wait(at - start, depth, 0, end - start);
      let behind = line + 2;
      let count = -1;
      switch (bytes[at]) {
        case BULK:
        case BULK_ERROR:
        case VERBATIM: {
          const length = readCount(bytes, at, line);
          if (length === -1) break;
          behind += length + 2;
          if (behind > end) return this.#wait(at - start, depth, behind - start, behind - start);
          if (bytes[behind - 2] !== CR || bytes[behind - 1] !== LF) {
            throw new ProtocolError(`Cannot read a reply: expected a line's end behind ${length} bytes`);
          }
          break;
        }
        case ARRAY:
        case SET:
        case PUSH:
          count = readCount(bytes, at, line);
          break;
        case MAP:
          count = readCount(bytes, at, line) * 2;
          break;
        case ATTRIBUTE:
          count = readCount(bytes, at, line) * 2;
          // The value that it is about is still to come when the attribute has ended.
          left[depth]!++;
          break;
        default:
          if (isLine(bytes[at]!)) break;
          throw badType(bytes[at]!);
      }
      at = behind;
      this.#searched = at - start;
      if (count > 0) {
        if (count > this.#sizeMaxBytes / VALUE_MIN_BYTES) throw this.#tooLarge();
        if (depth === NESTING_MAX_DEPTH) {
          throw new ProtocolError(`Cannot read a reply nested deeper than ${NESTING_MAX_DEPTH}`);
        }
        left[++depth] = count;
        continue;
      }
      while (--left[depth]! === 0) {
        if (depth-- === 0) return this.#end(start, at);
      }
    }
  }

  /**
   * Gives up the first bytes of the reply under way, which nobody wants, so that they need not be kept until it is whole. The
   * reply begins behind them then.
   *
   * @returns the number of bytes that may be dropped
   */
  drop(_bytes: Uint8Array, start: number, end: number): number {
    const available = end - start;
    if (this.needed > 0) {
      // It is known where the value ends that is under way.
      this.#passing = this.needed -= available;
      this.#offset = this.#searched = 0;
      return available;
    }
    const dropped = this.#offset;
    this.#offset = 0;
    this.#searched -= dropped;
    return dropped;
  }

  /** Keeps the place. `size` is what is known of the reply's. */
  #wait(offset: number, depth: number, needed: number, size: number): number {
    if (size > this.#sizeMaxBytes) throw this.#tooLarge();
    this.#offset = offset;
    this.#depth = depth;
    this.needed = needed;
    return 0;
  }

  #end(start: number, at: number): number {
    if (at - start > this.#sizeMaxBytes) throw this.#tooLarge();
    this.#left[0] = 1;
    this.#offset =
      this.#searched =
      this.#depth =
      this.needed =
        0;
    return at - start;
  }

  /** The CR of the line that begins at `at`; -1 while it is not whole. */
  #findLineEnd(bytes: Uint8Array, start: number, at: number, end: number): number {
    let found = Math.max(at, start + this.#searched);
    while (found < end && bytes[found] !== CR) found++;
    this.#searched = found - start;
    if (found + 2 > end) {
      // What tells a number, or is of no type, is refused before it gets long.
      if (found - at > NUMBER_LINE_MAX_BYTES && !isLine(bytes[at]!)) throw badNumber();
      return -1;
    }
    if (bytes[found + 1] !== LF) throw new ProtocolError("Cannot read a reply: expected LF behind CR");
    return found;
  }

  #tooLarge(): ProtocolError {
    return new ProtocolError(`Cannot read a reply of more than ${this.#sizeMaxBytes} bytes`);
  }
}

/** Whether a value of this type is a line that may be of any length. */
function isLine(type: number): boolean {
  switch (type) {
    case STATUS:
    case ERROR:
    case INTEGER:
    case DOUBLE:
    case BOOLEAN:
    case NIL:
    case BIG_NUMBER:
      return true;
    default:
      return false;
  }
}

/** The length or count in the line that begins at `at`; -1 where RESP2 says with it that there is nothing. */
function readCount(bytes: Uint8Array, at: number, line: number): number {
  const number = parseInteger(bytes, at + 1, line - at - 1);
  const isNull = number === -1 && (bytes[at] === BULK || bytes[at] === ARRAY);
  if (!(number >= 0) && !isNull) throw badNumber();
  return number;
}

function badType(type: number): ProtocolError {
  return new ProtocolError(`Cannot read a reply: expected a type of RESP, not 0x${type.toString(16).padStart(2, "0")}`);
}

function badNumber(): ProtocolError {
  return new ProtocolError("Cannot read a reply: expected a length or count in decimal; it cannot be streamed");
}
