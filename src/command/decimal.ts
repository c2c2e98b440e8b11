/**
 * Adding to a number that is kept as decimal text, as `incr` and `hincrby` do.
 *
 * The text passes through one buffer: the command copies the old text into {@linkcode decimal}, {@linkcode addDecimal}
 * replaces it by the sum's, and the command stores that. Numbers are 64 bits wide; those beyond 53 bits take the path
 * over `bigint`, all others allocate nothing.
 *
 * @module
 */

import { formatInteger, parseInteger, parseInteger64 } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";

/** The longest text of a 64-bit integer: a sign and 19 digits. Longer text is no number. */
export const DECIMAL_MAX_BYTES = 20;

/** The number being added to, as text. Commands run to completion, so one buffer is enough. */
export const decimal: Uint8Array<ArrayBuffer> = new Uint8Array(32);

let sum = 0;
let largeSum = 0n;
let isLarge = false;

/**
 * Adds `delta` to the number in `decimal[0, length)` and writes the sum in its place.
 *
 * @param length bytes of the text; 0 stands for the number 0
 * @param refusal what to say when the text is no 64-bit integer
 * @returns the length of the sum's text in {@linkcode decimal}
 * @throws {ReplyError} when the text is no integer, or the sum needs more than 64 bits
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

/** Answers the sum of the last {@linkcode addDecimal}. */
export function replySum(reply: Reply): void {
  if (isLarge) reply.integer64(largeSum);
  else reply.integer(sum);
}
