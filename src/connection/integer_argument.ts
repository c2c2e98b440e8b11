/**
 * Numbers in arguments, and the refusals of what is none: the part of `argument.ts` that needs no store.
 *
 * @module
 */

import { parseInteger64 } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import type { Request } from "../wire/request.ts";

/** The refusal of options that are unknown, incomplete or contradict each other. */
export function syntaxError(): ReplyError {
  return new ReplyError("ERR", "syntax error");
}

/** The refusal of a number that is none, or needs more than 64 bits. */
export function notInteger(): ReplyError {
  return new ReplyError("ERR", "value is not an integer or out of range");
}

/**
 * Argument `index` as a 64-bit signed integer. Beyond 53 bits it is rounded to the nearest `number`, which is enough
 * for whatever is clamped or compared with a bound: indexes, counts and times.
 *
 * @throws {ReplyError} when it is not an integer
 */
export function roundedInteger(request: Request, index: number): number {
  if (request.lengths[index] === 1) {
    // Most indexes and counts: an integer that stays one, where `integer` may answer NaN.
    const digit = request.bytes[request.starts[index]!]! - 0x30;
    if (digit >= 0 && digit <= 9) return digit;
  }
  const value = request.integer(index);
  return Number.isNaN(value) ? Number(exactInteger(request, index)) : value;
}

/**
 * Argument `index` as a 64-bit signed integer: a `number` when it is safe, else a `bigint`.
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

/** Digits of the largest number of 64 bits. */
const WIDE_DIGITS_MAX_COUNT = 20;

/**
 * Argument `index` as an unsigned integer of 64 bits, read as `strtoul` of C reads it, since Redis reads cursors so: a sign and
 * zeros may stand in front, a negative number is taken modulo 2^64, an empty text is 0, and a zero byte ends it.
 *
 * @returns the number; `undefined` when it is none
 */
export function wideCursor(request: Request, index: number): bigint | undefined {
  const [text] = request.text(index).split("\0", 1);
  if (text === "") return 0n;
  const [, sign, digits] = /^([+-]?)0*([0-9]*)$/.exec(text!) ?? [];
  // Behind the zeros may be nothing, but a sign alone is no number.
  if (digits === undefined || text === sign || digits.length > WIDE_DIGITS_MAX_COUNT) return undefined;
  const value = BigInt(digits);
  if (BigInt.asUintN(64, value) !== value) return undefined;
  return sign === "-" ? BigInt.asUintN(64, -value) : value;
}
