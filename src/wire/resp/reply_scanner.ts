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

const CR = 0x0d;
const LF = 0x0a;
/** The shortest value, `_` and a line's end. */
const VALUE_MIN_BYTES = 3;
/** The longest line that tells a length or a count: 20 digits would be too many. */
const NUMBER_LINE_MAX_BYTES = 22;

const enum Type {
  Status = 0x2b,
  Error = 0x2d,
  Integer = 0x3a,
  Double = 0x2c,
  Boolean = 0x23,
  Null = 0x5f,
  BigNumber = 0x28,
  Bulk = 0x24,
  BulkError = 0x21,
  Verbatim = 0x3d,
  Array = 0x2a,
  Set = 0x7e,
  Push = 0x3e,
  Map = 0x25,
  Attribute = 0x7c,
}

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
   * @returns the position behind it; -1 while it is not whole
   * @throws {ProtocolError} when those bytes are no reply, or one beyond the bounds. The scanner is of no use then
   */
  scan(bytes: Uint8Array, start: number, end: number): number {
    if (start + this.needed > end) return -1;
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
        case Type.Bulk:
        case Type.BulkError:
        case Type.Verbatim: {
          const length = readNumber(bytes, at, line);
          if (length === -1) break;
          behind += length + 2;
          if (behind > end) return this.#wait(at - start, depth, behind - start, behind - start);
          if (bytes[behind - 2] !== CR || bytes[behind - 1] !== LF) {
            throw new ProtocolError(`Cannot read a reply: expected a line's end behind ${length} bytes`);
          }
          break;
        }
        case Type.Array:
        case Type.Set:
        case Type.Push:
          count = readNumber(bytes, at, line);
          break;
        case Type.Map:
          count = readNumber(bytes, at, line) * 2;
          break;
        case Type.Attribute:
          count = readNumber(bytes, at, line) * 2;
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
   * @param available how many bytes of it have come; {@linkcode scan} has found that they are not all
   * @returns how many of them may be dropped
   */
  drop(available: number): number {
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
    return -1;
  }

  #end(start: number, at: number): number {
    if (at - start > this.#sizeMaxBytes) throw this.#tooLarge();
    this.#left[0] = 1;
    this.#offset =
      this.#searched =
      this.#depth =
      this.needed =
        0;
    return at;
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
    case Type.Status:
    case Type.Error:
    case Type.Integer:
    case Type.Double:
    case Type.Boolean:
    case Type.Null:
    case Type.BigNumber:
      return true;
    default:
      return false;
  }
}

/** The length or count in the line that begins at `at`; -1 where RESP2 says with it that there is nothing. */
function readNumber(bytes: Uint8Array, at: number, line: number): number {
  const number = parseInteger(bytes, at + 1, line - at - 1);
  const isNull = number === -1 && (bytes[at] === Type.Bulk || bytes[at] === Type.Array);
  if (!(number >= 0) && !isNull) throw badNumber();
  return number;
}

function badType(type: number): ProtocolError {
  return new ProtocolError(`Cannot read a reply: expected a type of RESP, not 0x${type.toString(16).padStart(2, "0")}`);
}

function badNumber(): ProtocolError {
  return new ProtocolError("Cannot read a reply: expected a length or count in decimal; it cannot be streamed");
}
