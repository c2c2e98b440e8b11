/**
 * Integers in arguments, and the errors for wrong ones: the part of `argument.ts` that does not use the store.
 *
 * @module
 */

import { parseInteger64 } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import type { Request } from "../wire/request.ts";

/** Returns the error for options that are unknown, incomplete or contradictory. */
export function syntaxError(): ReplyError {
  return new ReplyError("ERR", "syntax error");
}

/** Returns the error for an argument that is not an integer, or needs more than 64 bits. */
export function notInteger(): ReplyError {
  return new ReplyError("ERR", "value is not an integer or out of range");
}

/**
 * Returns argument `index` as a signed integer of 64 bits. Beyond 53 bits it is rounded to the nearest `number`, which
 * is enough for values that are clamped or compared with a bound, such as indexes, counts and times.
 *
 * @throws {ReplyError} when it is not an integer
 */
export function roundedInteger(request: Request, index: number): number {
  if (request.lengths[index] === 1) {
    // Most indexes and counts have one digit. This path always returns a small integer, while `integer` may return NaN.
    const digit = request.bytes[request.starts[index]!]! - 0x30;
    if (digit >= 0 && digit <= 9) return digit;
  }
  const value = request.integer(index);
  return Number.isNaN(value) ? Number(exactInteger(request, index)) : value;
}

/**
 * Returns argument `index` as a signed integer of 64 bits: a `number` when it is safe, otherwise a `bigint`.
 *
 * @throws {ReplyError} when it is not an integer
 */
export function exactInteger(request: Request, index: number): number | bigint {
  const value = request.integer(index);
  if (!Number.isNaN(value)) return value;
  const large = parseInteger64(request.bytes, request.starts[index]!, request.lengths[index]!);
  if (large === undefined) throw notInteger();
  return large;
}

/** The number of digits of the largest integer of 64 bits. */
const WIDE_DIGITS_MAX_COUNT = 20;

/**
 * Returns argument `index` as an unsigned integer of 64 bits, parsed like C's `strtoul`, with which Redis parses
 * cursors. A sign and zeros may precede it, a negative number is taken modulo 2^64, an empty text is 0, and a zero byte
 * ends it.
 *
 * @returns the number; `undefined` when the argument is not a number
 */
export function wideCursor(request: Request, index: number): bigint | undefined {
  const [text] = request.text(index).split("\0", 1);
  if (text === "") return 0n;
  const [, sign, digits] = /^([+-]?)0*([0-9]*)$/.exec(text!) ?? [];
  // There may be no digits after the zeros, but a sign alone is not a number.
  if (digits === undefined || text === sign || digits.length > WIDE_DIGITS_MAX_COUNT) return undefined;
  const value = BigInt(digits);
  if (BigInt.asUintN(64, value) !== value) return undefined;
  return sign === "-" ? BigInt.asUintN(64, -value) : value;
}
