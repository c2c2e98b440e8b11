/**
 * The most frequent commands on strings. Every function exported here is the command of its name.
 *
 * @module
 */

import { wrongCount } from "../catalog/call.ts";
import { ReplyError } from "../errors.ts";
import {
  LONG_ARGUMENTS_COUNT,
  LONG_BYTES,
  LONG_VALUE_BYTES,
  REPLY_AT_ONCE_BYTES,
  VALUE_SIZE_MAX_BYTES,
} from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import {
  countRead,
  defaultDeadline,
  exactInteger,
  findKey,
  findTyped,
  readTyped,
  touchKey,
  wrongType,
} from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { addDecimal, decimal, DECIMAL_MAX_BYTES, replySum } from "./decimal.ts";

import { KeyItems, replyItems } from "./long_reply.ts";
import { appendInSteps, following, replacing, replyValue, setPairsInSteps, setValue } from "./long_string.ts";
import { GET, KEEPTTL, NX, optionDeadlineMs, readDeadline, readOptions, SET_OPTIONS, TTL, XX } from "./set_options.ts";
import { replyString, setPairs, stringTooLong } from "./string_value.ts";

const NOT_INTEGER = "value is not an integer or out of range";

/** `get key` replies with the string of a key. */
export function get(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const entry = readTyped(context, request, 1, EntryType.String);
  if (entry === 0) reply.nil();
  else return replyValue(context, request, reply, entry);
}

function setOptions(context: CommandContext, request: Request): number {
  const options = readOptions(request, 3, SET_OPTIONS);
  readDeadline(context, request, options);
  return options;
}

/** `set key value [EX seconds | PX ms | EXAT seconds | PXAT ms | KEEPTTL] [NX | XX] [GET]` sets a string. */
export function set(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const options = request.count === 3 ? 0 : setOptions(context, request);
  const store = context.store;
  const entry = store.find(request.bytes, request.starts[1]!, request.lengths[1]!);
  if ((options & GET) !== 0) {
    countRead(store, entry);
    if (entry !== 0) return setAndGet(context, request, reply, options, entry);
    reply.nil();
  }
  return setByOptions(context, request, reply, options, entry, optionDeadlineMs);
}

/**
 * Replies with the old value, whether or not the new one is set. This is a separate function because the engine
 * allocates the variables that a closure captures at each call.
 */
function setAndGet(
  context: CommandContext,
  request: Request,
  reply: Reply,
  options: number,
  entry: number,
): void | Steps {
  if (context.store.type(entry) !== EntryType.String) throw wrongType();
  const steps = replyValue(context, request, reply, entry);
  const deadlineMs = optionDeadlineMs;
  if (steps === undefined) return setByOptions(context, request, reply, options, entry, deadlineMs);
  return replacing(context, request, steps, (entry) => {
    return setByOptions(context, request, reply, options, entry, deadlineMs);
  });
}

/** Sets a string as the options of `set` specify. `ttlDeadlineMs` is the deadline among the options. */
function setByOptions(
  context: CommandContext,
  request: Request,
  reply: Reply,
  options: number,
  entry: number,
  ttlDeadlineMs: number,
): void | Steps {
  const { store } = context;
  if ((options & (entry === 0 ? XX : NX)) !== 0) {
    if ((options & GET) === 0) reply.nil();
    return;
  }
  let deadlineMs: number;
  if ((options & TTL) !== 0) deadlineMs = ttlDeadlineMs;
  else if ((options & KEEPTTL) !== 0 && entry !== 0) deadlineMs = store.deadline(entry);
  else deadlineMs = defaultDeadline(context);
  if ((options & GET) === 0) reply.ok();
  // A value whose deadline has passed is removed immediately: EXAT and PXAT may specify a time in the past.
  if ((options & TTL) === 0 || deadlineMs > store.nowMs) return setValue(context, request, 1, 2, entry, deadlineMs);
  if (entry !== 0) store.remove(entry);
  else touchKey(context, request, 1);
}

/** `mget key [key …]` replies with the strings of keys. */
export function mget(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const store = context.store;
  const { bytes, starts, lengths, count } = request;
  reply.array(count - 1);
  const quickCount = Math.min(count, LONG_ARGUMENTS_COUNT);
  const stopBytes = reply.size + REPLY_AT_ONCE_BYTES;
  let ahead = 1;
  let i = 1;
  for (; i < quickCount && reply.size < stopBytes; i++) {
    if (i === ahead) ahead = store.prefetch(bytes, starts, lengths, i, count, 1);
    const entry = store.find(bytes, starts[i]!, lengths[i]!);
    const isString = entry !== 0 && store.type(entry) === EntryType.String;
    if (isString && store.strings.length(entry) > LONG_BYTES) break;
    countRead(store, entry);
    if (isString) replyString(store, entry, reply);
    else reply.nil();
  }
  if (i < count) return replyItems(reply, new KeyItems(context, request), i - 1, count - 1);
}

/** `mset key value [key value …]` sets strings. */
export function mset(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const { count, size } = request;
  if (count % 2 === 0) throw wrongCount(request);
  reply.ok();
  if (count > LONG_ARGUMENTS_COUNT || size > LONG_VALUE_BYTES) return setPairsInSteps(context, request);
  setPairs(context, request, 1, count);
}

/** `getdel key` replies with a string and removes it. */
export function getdel(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const entry = readTyped(context, request, 1, EntryType.String);
  if (entry === 0) {
    reply.nil();
    return;
  }
  // The value is removed after the reply contains it: if the reply gets too long, the value must remain.
  const steps = replyValue(context, request, reply, entry);
  if (steps !== undefined) return removingAfter(steps, context, request);
  context.store.remove(entry);
}

function removingAfter(steps: Steps, context: CommandContext, request: Request): Steps {
  return following(steps, () => context.store.remove(findKey(context, request, 1)));
}

/** `strlen key` replies with the length of a string, in bytes. */
export function strlen(context: CommandContext, request: Request, reply: Reply): void {
  const entry = readTyped(context, request, 1, EntryType.String);
  reply.integer(entry === 0 ? 0 : context.store.strings.length(entry));
}

/** `append key value` appends to a string, which is created if the key is absent. */
export function append(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.String);
  const length = request.lengths[2]!;
  if (entry === 0) {
    reply.integer(length);
    return setValue(context, request, 1, 2, 0, defaultDeadline(context));
  }
  const total = store.strings.length(entry) + length;
  if (total > VALUE_SIZE_MAX_BYTES) throw stringTooLong();
  reply.integer(total);
  if (length > LONG_VALUE_BYTES) return appendInSteps(context, request, 1, 2);
  store.strings.append(entry, request.bytes, request.starts[2]!, length);
}

/** `incr key` adds 1 to an integer. */
export function incr(context: CommandContext, request: Request, reply: Reply): void {
  increment(context, request, reply, 1);
}

/** `decr key` subtracts 1 from an integer. */
export function decr(context: CommandContext, request: Request, reply: Reply): void {
  increment(context, request, reply, -1);
}

/** `incrby key integer` adds to an integer. */
export function incrby(context: CommandContext, request: Request, reply: Reply): void {
  increment(context, request, reply, exactInteger(request, 2));
}

/** `decrby key integer` subtracts from an integer. */
export function decrby(context: CommandContext, request: Request, reply: Reply): void {
  const amount = exactInteger(request, 2);
  // Its negation needs 65 bits.
  if (amount === -(2n ** 63n)) throw new ReplyError("ERR", "decrement would overflow");
  // 0 - 0 is 0, while -0 would be written as "-0".
  increment(context, request, reply, typeof amount === "bigint" ? -amount : 0 - amount);
}

function increment(context: CommandContext, request: Request, reply: Reply, delta: number | bigint): void {
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.String);
  let length = 0;
  let deadlineMs: number;
  if (entry === 0) {
    deadlineMs = defaultDeadline(context);
  } else {
    length = store.strings.length(entry);
    if (length === 0 || length > DECIMAL_MAX_BYTES) throw new ReplyError("ERR", NOT_INTEGER);
    store.strings.copy(entry, 0, decimal, 0, length);
    deadlineMs = store.deadline(entry);
  }
  length = addDecimal(length, delta, NOT_INTEGER);
  store.strings.set(
    request.bytes,
    request.starts[1]!,
    request.lengths[1]!,
    entry,
    decimal,
    0,
    length,
    deadlineMs,
  );
  replySum(reply);
}
