/**
 * Adds to integers that are stored as decimal text, for `incr` and `hincrby`.
 *
 * The text passes through one buffer: the command copies the old text into {@linkcode decimal}, {@linkcode addDecimal}
 * replaces it by the text of the sum, and the command stores that. Integers have 64 bits. Those beyond 53 bits are
 * added as `bigint`; all others allocate nothing.
 *
 * @module
 */

import { formatInteger, parseInteger, parseInteger64 } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";

/** The longest text of a 64-bit integer, in bytes: a sign and 19 digits. A longer text is not an integer. */
export const DECIMAL_MAX_BYTES = 20;

/** The text of the integer that is added to. Commands run to completion, so one buffer is enough. */
export const decimal: Uint8Array<ArrayBuffer> = new Uint8Array(32);

let sum = 0;
let largeSum = 0n;
let isLarge = false;

/**
 * Adds `delta` to the integer in `decimal[0, length)`, and writes the sum in its place.
 *
 * @param length the length of the text in bytes; 0 for the integer 0
 * @param refusal the error message for a text that is not a 64-bit integer
 * @returns the length of the sum's text in {@linkcode decimal}
 * @throws {ReplyError} when the text is not an integer, or the sum needs more than 64 bits
 */
export function addDecimal(length: number, delta: number | bigint, refusal: string): number {
  if (typeof delta === "number") {
    const total = (length === 0 ? 0 : parseInteger(decimal, 0, length)) + delta;
    if (Number.isSafeInteger(total)) {
      sum = total;
      isLarge = false;
      return formatInteger(total, decimal, 0);
    }
  }
  return addLarge(length, BigInt(delta), refusal);
}

function addLarge(length: number, delta: bigint, refusal: string): number {
  const value = length === 0 ? 0n : parseInteger64(decimal, 0, length);
  if (value === undefined) throw new ReplyError("ERR", refusal);
  const total = value + delta;
  if (BigInt.asIntN(64, total) !== total) throw new ReplyError("ERR", "increment or decrement would overflow");
  largeSum = total;
  isLarge = true;
  const text = total.toString();
  for (let i = 0; i < text.length; i++) decimal[i] = text.charCodeAt(i);
  return text.length;
}

/** Replies with the sum of the last {@linkcode addDecimal}. */
export function replySum(reply: Reply): void {
  if (isLarge) reply.integer64(largeSum);
  else reply.integer(sum);
}
