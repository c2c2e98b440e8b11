/**
 * The commands on the expiry of keys. Every function exported here is the command of its name.
 *
 * A deadline that has passed removes the key immediately, as in Redis. Only inmem's own form, `ttl key seconds`,
 * requires a time in the future.
 *
 * @module
 */

import { wrongCount } from "../catalog/call.ts";
import { ReplyError } from "../errors.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { deadlineAfter, findKey, momentArgument, readQuietly } from "./argument.ts";
import type { CommandContext } from "./context.ts";

/** The options of `expire`, as bits. */
const NX = 1;
const XX = 2;
const GT = 4;
const LT = 8;

/** `ttl key` replies with the seconds that a key has left, and `ttl key seconds` sets them. */
export function ttl(context: CommandContext, request: Request, reply: Reply): void {
  if (request.count > 3) throw wrongCount(request);
  if (request.count === 3) {
    const deadlineMs = deadlineAfter(context, request, 2, 1000);
    expireAt(context, request, reply, deadlineMs, 0);
    return;
  }
  const leftMs = timeLeft(context, request);
  replyTime(reply, leftMs < 0 ? leftMs : wholeSeconds(leftMs));
}

/** `pttl key` replies with the milliseconds that a key has left. */
export function pttl(context: CommandContext, request: Request, reply: Reply): void {
  replyTime(reply, timeLeft(context, request));
}

/** `expiretime key` replies with the deadline of a key, in seconds since 1970. */
export function expiretime(context: CommandContext, request: Request, reply: Reply): void {
  const deadlineMs = moment(context, request);
  replyTime(reply, deadlineMs < 0 ? deadlineMs : wholeSeconds(deadlineMs));
}

/** `pexpiretime key` replies with the deadline of a key, in milliseconds since 1970. */
export function pexpiretime(context: CommandContext, request: Request, reply: Reply): void {
  replyTime(reply, moment(context, request));
}

/** Returns the milliseconds that the key in argument 1 has left; -1 if it has no deadline, -2 if it is absent. */
function timeLeft(context: CommandContext, request: Request): number {
  const deadlineMs = moment(context, request);
  return deadlineMs < 0 ? deadlineMs : deadlineMs - context.store.nowMs;
}

/**
 * Returns the deadline of the key in argument 1, in milliseconds since 1970; -1 if it has none, -2 if the key is
 * absent.
 */
function moment(context: CommandContext, request: Request): number {
  const entry = readQuietly(context, request, 1);
  if (entry === 0) return -2;
  const deadlineMs = context.store.deadline(entry);
  return deadlineMs === 0 ? -1 : deadlineMs;
}

/** Writes a time to the reply, which may need more than 53 bits. */
function replyTime(reply: Reply, time: number): void {
  if (Number.isSafeInteger(time)) reply.integer(time);
  else reply.integer64(BigInt(time));
}

function wholeSeconds(ms: number): number {
  return Number.isSafeInteger(ms) ? Math.floor((ms + 500) / 1000) : Number((BigInt(ms) + 500n) / 1000n);
}

/** `expire key seconds [NX | XX | GT | LT]` sets a deadline in seconds from now. */
export function expire(context: CommandContext, request: Request, reply: Reply): void {
  expireByOptions(context, request, reply, context.store.nowMs, 1000);
}

/** `pexpire key ms [NX | XX | GT | LT]` sets a deadline in milliseconds from now. */
export function pexpire(context: CommandContext, request: Request, reply: Reply): void {
  expireByOptions(context, request, reply, context.store.nowMs, 1);
}

/** `expireat key unix-seconds [NX | XX | GT | LT]` sets a deadline in seconds since 1970. */
export function expireat(context: CommandContext, request: Request, reply: Reply): void {
  expireByOptions(context, request, reply, 0, 1000);
}

/** `pexpireat key unix-ms [NX | XX | GT | LT]` sets a deadline in milliseconds since 1970. */
export function pexpireat(context: CommandContext, request: Request, reply: Reply): void {
  expireByOptions(context, request, reply, 0, 1);
}

/** Sets the deadline of the key in argument 1 to `baseMs` plus `unitMs` times the amount in argument 2. */
function expireByOptions(
  context: CommandContext,
  request: Request,
  reply: Reply,
  baseMs: number,
  unitMs: number,
): void {
  const options = request.count === 3 ? 0 : readOptions(request);
  expireAt(context, request, reply, momentArgument(request, 2, unitMs, baseMs), options);
}

/**
 * Reads the options from argument 3 on.
 *
 * @throws {ReplyError} when an option is unknown, or two contradict each other
 */
function readOptions(request: Request): number {
  let options = 0;
  for (let i = 3; i < request.count; i++) {
    if (request.is(i, "nx")) options |= NX;
    else if (request.is(i, "xx")) options |= XX;
    else if (request.is(i, "gt")) options |= GT;
    else if (request.is(i, "lt")) options |= LT;
    else throw new ReplyError("ERR", `Unsupported option ${request.text(i)}`);
  }
  if ((options & NX) !== 0 && options !== NX) {
    throw new ReplyError("ERR", "NX and XX, GT or LT options at the same time are not compatible");
  }
  if ((options & GT) !== 0 && (options & LT) !== 0) {
    throw new ReplyError("ERR", "GT and LT options at the same time are not compatible");
  }
  return options;
}

/** Sets the deadline of the key in argument 1 to `deadlineMs` if `options` allow it, and replies whether it was set. */
function expireAt(
  context: CommandContext,
  request: Request,
  reply: Reply,
  deadlineMs: number,
  options: number,
): void {
  const store = context.store;
  const hasPassed = deadlineMs <= store.nowMs;
  // A key can be removed this way even if the store is full.
  if (!hasPassed) store.room.make(request.size, request.count);
  const entry = findKey(context, request, 1);
  if (entry === 0 || (options !== 0 && !allows(options, store, entry, deadlineMs))) {
    reply.integer(0);
    return;
  }
  if (hasPassed) store.remove(entry);
  else store.setDeadline(entry, deadlineMs);
  reply.integer(1);
}

function allows(options: number, store: Store, entry: number, deadlineMs: number): boolean {
  const presentMs = store.deadline(entry);
  const isEverlasting = presentMs === 0;
  if ((options & NX) !== 0 && !isEverlasting) return false;
  if ((options & XX) !== 0 && isEverlasting) return false;
  if ((options & GT) !== 0 && (isEverlasting || deadlineMs <= presentMs)) return false;
  return (options & LT) === 0 || isEverlasting || deadlineMs < presentMs;
}

/** `persist key` removes the deadline of a key. */
export function persist(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const entry = findKey(context, request, 1);
  const had = entry !== 0 && store.deadline(entry) !== 0;
  if (had) store.setDeadline(entry, 0);
  reply.integer(had ? 1 : 0);
}
