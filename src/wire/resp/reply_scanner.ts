/**
 * Finds where RESP replies end, for the proxy, which passes replies on as they are.
 *
 * ```text
 * + - : , # _ (     a line
 * $ ! =             a line with a length, followed by that many bytes and the end of a line; $-1 is one line
 * * ~ >             a line with a count, followed by that many values; *-1 is one line
 * %                 a line with a count, followed by twice as many values
 * |                 like %, and followed by the value that it describes
 * ```
 *
 * Scanning a reply that is not whole continues where it ended, so that a long reply takes linear time. The scanner
 * keeps the number of values that are missing on each level of nesting.
 *
 * @module
 */

import { parseInteger } from "../../bytes.ts";
import { ProtocolError } from "../../errors.ts";
import { NESTING_MAX_DEPTH, REPLY_SIZE_MAX_BYTES } from "../../limits.ts";
import { Byte } from "./bytes.ts";

const { CR, LF, BULK, ARRAY } = Byte;

/** The parts of a value, by its type. */
const enum Layout {
  None,
  /** One line. */
  Line,
  /** A line with a length, and that many bytes. */
  Content,
  /** A line with a count, and that many values. */
  Values,
  /** A line with a count, and that many pairs of values. */
  Pairs,
  /** Pairs, and the value that they describe. */
  Attribute,
}

/** The layout of the value that begins with each byte. */
const LAYOUTS = new Uint8Array(256);
for (const type of [Byte.STATUS, Byte.ERROR, Byte.INTEGER, Byte.DOUBLE, Byte.BOOLEAN, Byte.NIL, Byte.BIG_NUMBER]) {
  LAYOUTS[type] = Layout.Line;
}
for (const type of [Byte.BULK, Byte.BULK_ERROR, Byte.VERBATIM]) LAYOUTS[type] = Layout.Content;
for (const type of [Byte.ARRAY, Byte.SET, Byte.PUSH]) LAYOUTS[type] = Layout.Values;
LAYOUTS[Byte.MAP] = Layout.Pairs;
LAYOUTS[Byte.ATTRIBUTE] = Layout.Attribute;

/** The shortest value, in bytes: `_` and the end of the line. */
const VALUE_MIN_BYTES = 3;
/** The longest line with a length or a count, in bytes: none has 20 digits. */
const NUMBER_LINE_MAX_BYTES = 22;

/** Finds the ends of the RESP replies on one connection. */
export class RespReplyScanner {
  /** The least size of the reply that is arriving, in bytes; 0 when it is unknown. */
  needed = 0;
  /** The start of the next value, relative to the start of the reply. */
  #offset = 0;
  /** The position up to which the line of that value is known to have no end. */
  #searched = 0;
  /** The number of values that are missing, on each level of nesting. */
  readonly #left = new Int32Array(NESTING_MAX_DEPTH + 1).fill(1, 0, 1);
  #depth = 0;
  /** The number of missing bytes of a value whose first bytes were dropped; see {@linkcode drop}. */
  #missing = 0;
  readonly #sizeMaxBytes: number;

  /** @param sizeMaxBytes the size of the largest reply */
  constructor(sizeMaxBytes: number = REPLY_SIZE_MAX_BYTES) {
    this.#sizeMaxBytes = sizeMaxBytes;
  }

  /**
   * Finds the end of the reply that begins at `start`. While the reply is not whole, the next call has the same first
   * byte, which may have been moved, and more bytes.
   *
   * @returns the size of the reply, in bytes; 0 while it is not whole
   * @throws {ProtocolError} when those bytes are not a reply, or the reply exceeds a bound; the scanner cannot be used
   * again
   */
  size(bytes: Uint8Array, start: number, end: number): number {
    if (start + this.needed > end) return 0;
    const left = this.#left;
    let at = start + this.#offset;
    let depth = this.#depth;
    if (this.#missing > 0) {
      at = start + this.#missing;
      this.#searched = this.#missing;
      this.#missing = 0;
      while (--left[depth]! === 0) {
        if (depth-- === 0) return this.#end(start, at);
      }
    }
    for (;;) {
      const line = this.#findLineEnd(bytes, start, at, end);
      if (line === -1) return this.#wait(at - start, depth, 0, end - start);
      let next = line + 2;
      let count = -1;
      switch (LAYOUTS[bytes[at]!]) {
        case Layout.Content: {
          const length = readCount(bytes, at, line);
          if (length === -1) break;
          next += length + 2;
          if (next > end) return this.#wait(at - start, depth, next - start, next - start);
          if (bytes[next - 2] !== CR || bytes[next - 1] !== LF) {
            throw new ProtocolError(`Cannot read a reply: expected a line's end behind ${length} bytes`);
          }
          break;
        }
        case Layout.Values:
          count = readCount(bytes, at, line);
          break;
        case Layout.Pairs:
          count = readCount(bytes, at, line) * 2;
          break;
        case Layout.Attribute:
          count = readCount(bytes, at, line) * 2;
          // The value that the attribute describes follows it.
          left[depth]!++;
          break;
        case Layout.Line:
          break;
        default:
          throw badType(bytes[at]!);
      }
      at = next;
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
   * Gives up the first bytes of the reply in `bytes[start, end)`, which has not arrived completely and is not wanted.
   * The reply begins after them then.
   *
   * @returns the number of bytes that may be dropped
   */
  drop(_bytes: Uint8Array, start: number, end: number): number {
    const available = end - start;
    if (this.needed > 0) {
      // The end of the value that is arriving is known.
      this.#missing = this.needed -= available;
      this.#offset = this.#searched = 0;
      return available;
    }
    const dropped = this.#offset;
    this.#offset = 0;
    this.#searched -= dropped;
    return dropped;
  }

  /** Saves the position. `size` is the part of the size of the reply that is known. */
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

  /** Returns the position of the CR of the line that begins at `at`; -1 while the line is not whole. */
  #findLineEnd(bytes: Uint8Array, start: number, at: number, end: number): number {
    let found = Math.max(at, start + this.#searched);
    while (found < end && bytes[found] !== CR) found++;
    this.#searched = found - start;
    if (found + 2 > end) {
      // A line with a number, or of an unknown type, is refused before it gets long.
      if (found - at > NUMBER_LINE_MAX_BYTES && LAYOUTS[bytes[at]!] !== Layout.Line) throw badNumber();
      return -1;
    }
    if (bytes[found + 1] !== LF) throw new ProtocolError("Cannot read a reply: expected LF behind CR");
    return found;
  }

  #tooLarge(): ProtocolError {
    return new ProtocolError(`Cannot read a reply of more than ${this.#sizeMaxBytes} bytes`);
  }
}

/** Returns the length or count in the line that begins at `at`; -1 for nil of RESP2. */
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
