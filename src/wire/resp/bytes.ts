/**
 * The bytes that RESP is made of, and its lines with a number, read and written in place.
 *
 * ```text
 * $12 CRLF         a type, a number, the end of the line
 * ▲  ▲
 * at line          the position of the CR
 * ```
 *
 * @module
 */

import { formatInteger, parseInteger } from "../../bytes.ts";

/**
 * The bytes that have a meaning. A hot module copies the bytes that it uses into local constants: V8 folds a constant
 * of the same module into the code, but loads an imported one each time, with which decoding a request takes a third
 * longer.
 */
export const Byte = {
  CR: 0x0d,
  LF: 0x0a,
  ZERO: 0x30,
  MINUS: 0x2d,
  // The first byte of a value determines what the value is.
  STATUS: 0x2b,
  ERROR: 0x2d,
  INTEGER: 0x3a,
  DOUBLE: 0x2c,
  BOOLEAN: 0x23,
  NIL: 0x5f,
  BIG_NUMBER: 0x28,
  BULK: 0x24,
  BULK_ERROR: 0x21,
  VERBATIM: 0x3d,
  ARRAY: 0x2a,
  SET: 0x7e,
  PUSH: 0x3e,
  MAP: 0x25,
  ATTRIBUTE: 0x7c,
} as const;

const { CR, LF, ZERO } = Byte;

/** Returns where the first CR in `bytes[from, end)` is; `end` when there is none. */
export function findCarriageReturn(bytes: Uint8Array, from: number, end: number): number {
  while (from < end && bytes[from] !== CR) from++;
  return from;
}

/** Returns the number in the line that begins at `at` and whose CR is at `line`; `NaN` when there is something else. */
export function readNumber(bytes: Uint8Array, at: number, line: number): number {
  return parseInteger(bytes, at + 1, line - at - 1);
}

/** The most digits of a short number: with them, the number times 16 still has 31 bits. */
const SHORT_DIGITS_MAX_COUNT = 8;

/** The shortest line with a number, in bytes: `$1` and its end. */
const NUMBER_LINE_MIN_BYTES = 4;

/**
 * Reads the line of `type` that begins at `at`, in one pass, if its number has 1 to 8 digits, as nearly all have.
 *
 * @returns the number times 16, plus the count of its digits: the next line begins at `at` + 3 + that count. -1 when
 * the line has not arrived completely, is of another type, or has anything else than such a number
 */
export function readShortNumber(bytes: Uint8Array, at: number, end: number, type: number): number {
  if (at + NUMBER_LINE_MIN_BYTES > end || bytes[at] !== type) return -1;
  const first = at + 1;
  const last = Math.min(end - 2, first + SHORT_DIGITS_MAX_COUNT);
  let value = 0;
  let digit = first;
  for (let next; digit < last && (next = bytes[digit]! - ZERO) >= 0 && next <= 9; digit++) value = value * 10 + next;
  const count = digit - first;
  if (bytes[digit] !== CR || count === 0 || (count > 1 && bytes[first] === ZERO)) return -1;
  return value << 4 | count;
}

/** Writes a line of a type and a number, and returns the position after it. */
export function writeHeader(target: Uint8Array, at: number, type: number, value: number): number {
  target[at] = type;
  at += 1 + formatInteger(value, target, at + 1);
  target[at] = CR;
  target[at + 1] = LF;
  return at + 2;
}
