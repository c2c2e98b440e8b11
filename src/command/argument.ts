/**
 * What commands have in common: finding the entry of a key with its type checked, reading numbers and TTLs from
 * arguments, and the refusals for those that are wrong. Error texts are Redis's, since clients match on them.
 *
 * @module
 */

import { exactInteger, roundedInteger } from "../connection/integer_argument.ts";
import { ReplyError } from "../errors.ts";
import { DEADLINE_MAX_MS } from "../limits.ts";
import type { EntryType } from "../store/store.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext } from "./context.ts";

export { exactInteger, notInteger, roundedInteger, syntaxError } from "../connection/integer_argument.ts";

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

/** The entry of the key in argument `index`, which becomes the most recently used; 0 when it is absent. */
export function findKey(context: CommandContext, request: Request, index: number): number {
  return context.store.find(request.bytes, request.starts[index]!, request.lengths[index]!);
}

/** The entry of the key in argument `index`, its place in the LRU order untouched; 0 when it is absent. */
export function peekKey(context: CommandContext, request: Request, index: number): number {
  return context.store.peek(request.bytes, request.starts[index]!, request.lengths[index]!);
}

/**
 * Tells those who watch the key in argument `index` that it was written. For commands that may leave it as it was, and count
 * as a change in Redis all the same.
 */
export function touchKey({ shared: { watches } }: CommandContext, request: Request, index: number): void {
  if (watches.count > 0) watches.touch(request.bytes, request.starts[index]!, request.lengths[index]!);
}

/** The refusal of a command for a key of another type. */
export function wrongType(): ReplyError {
  return new ReplyError("WRONGTYPE", "Operation against a key holding the wrong kind of value");
}

/** The refusal of a TTL that is not positive where it has to be, or whose deadline takes more than 64 bits. */
export function invalidExpireTime(request: Request): ReplyError {
  return new ReplyError("ERR", `invalid expire time in '${request.text(0).toLowerCase()}' command`);
}

/** Sums of times up to this are exact as numbers. */
const EXACT_MAX_MS = 2 ** 52;
/** As in Redis, times have 64 bits. */
const MOMENT_END_MS = 2n ** 63n;

/**
 * The moment that argument `index` means, in ms since 1970. It may be negative. One beyond 53 bits is rounded to a
 * number nearby, by about a second at most.
 *
 * @param unitMs what the argument counts: 1 or 1000 ms
 * @param baseMs from when it counts
 * @throws {ReplyError} when it is no integer, or takes more than 64 bits
 */
export function momentArgument(request: Request, index: number, unitMs: number, baseMs: number): number {
  const momentMs = roundedInteger(request, index) * unitMs + baseMs;
  return Math.abs(momentMs) <= EXACT_MAX_MS ? momentMs : farMoment(request, index, unitMs, baseMs);
}

function farMoment(request: Request, index: number, unitMs: number, baseMs: number): number {
  const amountMs = BigInt(exactInteger(request, index)) * BigInt(unitMs);
  const momentMs = amountMs + BigInt(baseMs);
  if (amountMs < -MOMENT_END_MS || momentMs >= MOMENT_END_MS) throw invalidExpireTime(request);
  return Math.min(Number(momentMs), DEADLINE_MAX_MS);
}

/**
 * The deadline that a TTL in argument `index` means, in ms since 1970.
 *
 * @param unitMs what the argument counts: 1 or 1000 ms
 * @throws {ReplyError} when it is no integer, not positive, or its deadline takes more than 64 bits
 */
export function deadlineAfter(context: CommandContext, request: Request, index: number, unitMs: number): number {
  const { store } = context;
  // Not by the function above: a time that is handed over is boxed each time.
  let deadlineMs = store.nowMs + roundedInteger(request, index) * unitMs;
  if (Math.abs(deadlineMs) > EXACT_MAX_MS) deadlineMs = farMoment(request, index, unitMs, store.nowMs);
  if (deadlineMs <= store.nowMs) throw invalidExpireTime(request);
  return deadlineMs;
}

/**
 * The deadline that stands in argument `index` itself, in ms since 1970. It may have passed.
 *
 * @param unitMs what the argument counts: 1 or 1000 ms
 * @throws {ReplyError} when it is no integer, not positive, or takes more than 64 bits
 */
export function deadlineAt(request: Request, index: number, unitMs: number): number {
  const deadlineMs = momentArgument(request, index, unitMs, 0);
  if (deadlineMs <= 0) throw invalidExpireTime(request);
  return deadlineMs;
}

/** The deadline of a key that comes into being now and was given no TTL: the default one, or 0 for none. */
export function defaultDeadline(context: CommandContext): number {
  const ttlMs = context.defaultTtlMs;
  return ttlMs === 0 ? 0 : Math.min(context.store.nowMs + ttlMs, DEADLINE_MAX_MS);
}
