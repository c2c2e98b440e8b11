/**
 * What commands have in common: finding the entry of a key with its type checked, reading numbers and TTLs from
 * arguments, and the refusals for those that are wrong. Error texts are Redis's, since clients match on them.
 *
 * @module
 */

import { parseInteger64 } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import { DEADLINE_MAX_MS } from "../limits.ts";
import type { EntryType } from "../store/store.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext } from "./context.ts";

/**
 * The entry of the key in argument `index`, which becomes the most recently used; 0 when it is absent.
 *
 * @throws {ReplyError} `WRONGTYPE` when the key holds another type
 */
export function findTyped(context: CommandContext, request: Request, index: number, type: EntryType): number {
  const store = context.store;
  const entry = store.find(request.bytes, request.starts[index]!, request.lengths[index]!);
  if (entry !== 0 && store.type(entry) !== type) throw wrongType();
  return entry;
}

/** The refusal of a command for a key of another type. */
export function wrongType(): ReplyError {
  return new ReplyError("WRONGTYPE", "Operation against a key holding the wrong kind of value");
}

/** The refusal of options that are unknown, incomplete or contradict each other. */
export function syntaxError(): ReplyError {
  return new ReplyError("ERR", "syntax error");
}

/** The refusal of a number that is none, or needs more than 64 bits. */
export function notInteger(): ReplyError {
  return new ReplyError("ERR", "value is not an integer or out of range");
}

/** The refusal of a TTL that is not positive, or ends beyond `DEADLINE_MAX_MS`. */
function invalidExpireTime(request: Request): ReplyError {
  return new ReplyError("ERR", `invalid expire time in '${request.text(0).toLowerCase()}' command`);
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

/**
 * The deadline that a TTL in argument `index` means, in ms since 1970.
 *
 * @param unitMs what the argument counts: 1 or 1000 ms
 * @throws {ReplyError} when it is no integer, not positive, or ends beyond `DEADLINE_MAX_MS`
 */
export function deadlineAfter(context: CommandContext, request: Request, index: number, unitMs: number): number {
  const amount = roundedInteger(request, index);
  const deadlineMs = context.store.nowMs + amount * unitMs;
  if (amount <= 0 || deadlineMs > DEADLINE_MAX_MS) throw invalidExpireTime(request);
  return deadlineMs;
}

/**
 * The deadline that stands in argument `index` itself, in ms since 1970. One that has passed is refused as a TTL that
 * is not positive is.
 *
 * @param unitMs what the argument counts: 1 or 1000 ms
 * @throws {ReplyError} when it is no integer, not in the future, or beyond `DEADLINE_MAX_MS`
 */
export function deadlineAt(context: CommandContext, request: Request, index: number, unitMs: number): number {
  const deadlineMs = roundedInteger(request, index) * unitMs;
  if (deadlineMs <= context.store.nowMs || deadlineMs > DEADLINE_MAX_MS) throw invalidExpireTime(request);
  return deadlineMs;
}

/** The deadline of a key that comes into being now and was given no TTL: the default one, or 0 for none. */
export function defaultDeadline(context: CommandContext): number {
  const ttlMs = context.defaultTtlMs;
  return ttlMs === 0 ? 0 : Math.min(context.store.nowMs + ttlMs, DEADLINE_MAX_MS);
}
