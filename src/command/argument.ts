/**
 * The parts that commands have in common: finding the entry of a key and checking its type, reading numbers and TTLs
 * from arguments, and the errors for wrong ones. Error texts are Redis's, because clients match them.
 *
 * @module
 */

import { exactInteger, roundedInteger } from "../connection/integer_argument.ts";
import { ReplyError } from "../errors.ts";
import { DEADLINE_MAX_MS } from "../limits.ts";
import type { EntryType, Store } from "../store/store.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext } from "./context.ts";

export { exactInteger, notInteger, roundedInteger, syntaxError } from "../connection/integer_argument.ts";

/**
 * Returns the entry of the key in argument `index`, which becomes the most recently used; 0 when it is absent.
 *
 * @throws {ReplyError} `WRONGTYPE` when the key holds another type
 */
export function findTyped(context: CommandContext, request: Request, index: number, type: EntryType): number {
  const store = context.store;
  const entry = store.find(request.bytes, request.starts[index]!, request.lengths[index]!);
  if (entry !== 0 && store.type(entry) !== type) throw wrongType();
  return entry;
}

/** Returns the entry of the key in argument `index`, which becomes the most recently used; 0 when it is absent. */
export function findKey(context: CommandContext, request: Request, index: number): number {
  return context.store.find(request.bytes, request.starts[index]!, request.lengths[index]!);
}

/**
 * Returns the entry of the key in argument `index`, without changing its place in the LRU order; 0 when it is absent.
 */
export function peekKey(context: CommandContext, request: Request, index: number): number {
  return context.store.peek(request.bytes, request.starts[index]!, request.lengths[index]!);
}

// A command that reads uses these three once for each key, since Redis counts hits and misses so.

/** Does what {@linkcode findTyped} does, and counts a hit or a miss. */
export function readTyped(context: CommandContext, request: Request, index: number, type: EntryType): number {
  const store = context.store;
  const entry = store.find(request.bytes, request.starts[index]!, request.lengths[index]!);
  if (entry === 0) {
    store.misses++;
    return 0;
  }
  store.hits++;
  if (store.type(entry) !== type) throw wrongType();
  return entry;
}

/** Does what {@linkcode findKey} does, and counts a hit or a miss. */
export function readKey(context: CommandContext, request: Request, index: number): number {
  return countRead(context.store, findKey(context, request, index));
}

/** Does what {@linkcode peekKey} does, and counts a hit or a miss. */
export function readQuietly(context: CommandContext, request: Request, index: number): number {
  return countRead(context.store, peekKey(context, request, index));
}

/** Counts a hit or a miss of a command that reads, and returns `entry`, which is 0 when the key is absent. */
export function countRead(store: Store, entry: number): number {
  if (entry === 0) store.misses++;
  else store.hits++;
  return entry;
}

/**
 * Marks the key in argument `index` as changed for clients that watch it. A command that may
 * leave a key as it was, but counts as a change in Redis, calls this.
 */
export function touchKey({ shared: { watches } }: CommandContext, request: Request, index: number): void {
  if (watches.count > 0) watches.touch(request.bytes, request.starts[index]!, request.lengths[index]!);
}

/**
 * Returns argument `index` as a count of at least `least`. Counts above 2^53 are not exact, but exceed any length.
 *
 * @param refusal the message of the error
 * @throws {ReplyError} when it is not such a count
 */
export function countArgument(
  request: Request,
  index: number,
  least = 0,
  refusal = "value is out of range, must be positive",
): number {
  try {
    const count = roundedInteger(request, index);
    if (count >= least) return count;
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error;
  }
  throw new ReplyError("ERR", refusal);
}

/** Returns the error for a key that holds another type. */
export function wrongType(): ReplyError {
  return new ReplyError("WRONGTYPE", "Operation against a key holding the wrong kind of value");
}

/** Returns the error for a TTL that is not positive where it must be, or whose deadline needs more than 64 bits. */
export function invalidExpireTime(request: Request): ReplyError {
  return new ReplyError("ERR", `invalid expire time in '${request.text(0).toLowerCase()}' command`);
}

/** The largest sum of times that is exact as a number, in milliseconds. */
const EXACT_MAX_MS = 2 ** 52;
/** The first time that does not fit into 64 bits, in milliseconds. The bound is Redis's. */
const MOMENT_END_MS = 2n ** 63n;

/**
 * Returns the time in argument `index`, in milliseconds since 1970. It may be negative. A time of more than 53 bits is
 * rounded, by about a second at most.
 *
 * @param unitMs the unit of the argument: 1 or 1000 ms
 * @param baseMs the time from which the argument counts
 * @throws {ReplyError} when the argument is not an integer, or the time needs more than 64 bits
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
 * Returns the deadline for the TTL in argument `index`, in milliseconds since 1970.
 *
 * @param unitMs the unit of the argument: 1 or 1000 ms
 * @throws {ReplyError} when the argument is not a positive integer, or the deadline needs more than 64 bits
 */
export function deadlineAfter(context: CommandContext, request: Request, index: number, unitMs: number): number {
  const { store } = context;
  // `momentArgument` is not used here: a time that is passed as an argument is boxed at each call.
  let deadlineMs = store.nowMs + roundedInteger(request, index) * unitMs;
  if (Math.abs(deadlineMs) > EXACT_MAX_MS) deadlineMs = farMoment(request, index, unitMs, store.nowMs);
  if (deadlineMs <= store.nowMs) throw invalidExpireTime(request);
  return deadlineMs;
}

/**
 * Returns the deadline in argument `index`, in milliseconds since 1970. It may have passed.
 *
 * @param unitMs the unit of the argument: 1 or 1000 ms
 * @throws {ReplyError} when the argument is not a positive integer, or the deadline needs more than 64 bits
 */
export function deadlineAt(request: Request, index: number, unitMs: number): number {
  const deadlineMs = momentArgument(request, index, unitMs, 0);
  if (deadlineMs <= 0) throw invalidExpireTime(request);
  return deadlineMs;
}

/** Returns the deadline of a key that is created now without a TTL: now plus the default TTL, or 0 if there is none. */
export function defaultDeadline(context: CommandContext): number {
  const ttlMs = context.defaultTtlMs;
  return ttlMs === 0 ? 0 : Math.min(context.store.nowMs + ttlMs, DEADLINE_MAX_MS);
}
