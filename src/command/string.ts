/**
 * The commands on strings. Every function exported here is the command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { VALUE_SIZE_MAX_BYTES } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { deadlineAfter, deadlineAt, defaultDeadline, exactInteger, findTyped } from "./argument.ts";
import { syntaxError, wrongType } from "./argument.ts";
import { wrongCount } from "./call.ts";
import type { CommandContext } from "./context.ts";
import { addDecimal, decimal, DECIMAL_MAX_BYTES, replySum } from "./decimal.ts";

const NOT_INTEGER = "value is not an integer or out of range";

/** Answers the whole string. */
function replyString(store: Store, entry: number, reply: Reply): void {
  const length = store.stringLength(entry);
  const at = reply.reserve(length);
  store.copyString(entry, 0, reply.buffer, at, length);
}

/** `get key` */
export function get(context: CommandContext, request: Request, reply: Reply): void {
  const entry = findTyped(context, request, 1, EntryType.String);
  if (entry === 0) reply.nil();
  else replyString(context.store, entry, reply);
}

/** What the options of `set` ask for, as bits. */
const NX = 1;
const XX = 2;
const GET = 4;
const KEEPTTL = 8;
const EX = 16;
const PX = 32;
const EXAT = 64;
const PXAT = 128;
const TTL = EX | PX | EXAT | PXAT;

/** The deadline that {@linkcode setOptions} read last. Meaningful with one of `TTL` only. */
let optionDeadlineMs = 0;

/**
 * Reads the options behind `set key value`. As in Redis an option may be repeated, and the last TTL counts; the number
 * is looked at when all else is right.
 *
 * @returns their bits
 * @throws {ReplyError} when they are unknown, contradict each other, or the TTL is none
 */
function setOptions(context: CommandContext, request: Request): number {
  let options = 0;
  let ttlIndex = 0;
  for (let i = 3; i < request.count; i++) {
    const option = setOption(request, i);
    if (option === 0 || (options & excludedBy(option)) !== 0) throw syntaxError();
    options |= option;
    if ((option & TTL) === 0) continue;
    ttlIndex = ++i;
    if (ttlIndex === request.count) throw syntaxError();
  }
  if ((options & (EX | PX)) !== 0) {
    optionDeadlineMs = deadlineAfter(context, request, ttlIndex, (options & EX) !== 0 ? 1000 : 1);
  } else if ((options & TTL) !== 0) {
    optionDeadlineMs = deadlineAt(context, request, ttlIndex, (options & EXAT) !== 0 ? 1000 : 1);
  }
  return options;
}

/** The bit of the option in argument `index`; 0 when there is no such option. */
function setOption(request: Request, index: number): number {
  if (request.is(index, "ex")) return EX;
  if (request.is(index, "px")) return PX;
  if (request.is(index, "nx")) return NX;
  if (request.is(index, "xx")) return XX;
  if (request.is(index, "get")) return GET;
  if (request.is(index, "keepttl")) return KEEPTTL;
  if (request.is(index, "exat")) return EXAT;
  if (request.is(index, "pxat")) return PXAT;
  return 0;
}

/** The options that may not stand beside `option`. */
function excludedBy(option: number): number {
  if (option === NX) return XX;
  if (option === XX) return NX;
  return (option & (TTL | KEEPTTL)) === 0 ? 0 : (TTL | KEEPTTL) & ~option;
}

/** `set key value [EX seconds | PX ms | EXAT seconds | PXAT ms | KEEPTTL] [NX | XX] [GET]` */
export function set(context: CommandContext, request: Request, reply: Reply): void {
  const options = request.count === 3 ? 0 : setOptions(context, request);
  const store = context.store;
  const entry = store.find(request.bytes, request.starts[1]!, request.lengths[1]!);
  if ((options & GET) !== 0) {
    // The old value is answered whether or not the new one is set, and has to be read before.
    if (entry === 0) {
      reply.nil();
    } else {
      if (store.type(entry) !== EntryType.String) throw wrongType();
      replyString(store, entry, reply);
    }
  }
  if ((options & (entry === 0 ? XX : NX)) !== 0) {
    if ((options & GET) === 0) reply.nil();
    return;
  }
  let deadlineMs: number;
  if ((options & TTL) !== 0) deadlineMs = optionDeadlineMs;
  else if ((options & KEEPTTL) !== 0 && entry !== 0) deadlineMs = store.deadline(entry);
  else deadlineMs = defaultDeadline(context);
  setArgument(store, request, 1, entry, deadlineMs);
  if ((options & GET) === 0) reply.ok();
}

/** Sets the key in argument `index` to the value behind it. */
function setArgument(store: Store, request: Request, index: number, entry: number, deadlineMs: number): void {
  const { bytes, starts, lengths } = request;
  store.setString(
    bytes,
    starts[index]!,
    lengths[index]!,
    entry,
    bytes,
    starts[index + 1]!,
    lengths[index + 1]!,
    deadlineMs,
  );
}

/** `mget key [key …]` */
export function mget(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const { bytes, starts, lengths, count } = request;
  reply.array(count - 1);
  let ahead = 1;
  for (let i = 1; i < count; i++) {
    if (i === ahead) ahead = store.prefetch(bytes, starts, lengths, i, count, 1);
    const entry = store.find(bytes, starts[i]!, lengths[i]!);
    if (entry === 0 || store.type(entry) !== EntryType.String) reply.nil();
    else replyString(store, entry, reply);
  }
}

/** `mset key value [key value …]` */
export function mset(context: CommandContext, request: Request, reply: Reply): void {
  if (request.count % 2 === 0) throw wrongCount(request);
  const store = context.store;
  const { bytes, starts, lengths, count } = request;
  const deadlineMs = defaultDeadline(context);
  let ahead = 1;
  for (let i = 1; i < count; i += 2) {
    if (i === ahead) ahead = store.prefetch(bytes, starts, lengths, i, count, 2);
    const entry = store.find(bytes, starts[i]!, lengths[i]!);
    setArgument(store, request, i, entry, deadlineMs);
  }
  reply.ok();
}

/** `getdel key` */
export function getdel(context: CommandContext, request: Request, reply: Reply): void {
  const entry = findTyped(context, request, 1, EntryType.String);
  if (entry === 0) {
    reply.nil();
    return;
  }
  // Removed only once the reply holds it: a reply that gets too long must not cost the value.
  replyString(context.store, entry, reply);
  context.store.remove(entry);
}

/** `strlen key` */
export function strlen(context: CommandContext, request: Request, reply: Reply): void {
  const entry = findTyped(context, request, 1, EntryType.String);
  reply.integer(entry === 0 ? 0 : context.store.stringLength(entry));
}

/** `append key value` */
export function append(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.String);
  const length = request.lengths[2]!;
  if (entry === 0) {
    setArgument(store, request, 1, 0, defaultDeadline(context));
    reply.integer(length);
    return;
  }
  const total = store.stringLength(entry) + length;
  if (total > VALUE_SIZE_MAX_BYTES) {
    throw new ReplyError("ERR", `string exceeds maximum allowed size (${VALUE_SIZE_MAX_BYTES} bytes)`);
  }
  store.appendString(entry, request.bytes, request.starts[2]!, length);
  reply.integer(total);
}

/** `incr key` */
export function incr(context: CommandContext, request: Request, reply: Reply): void {
  increment(context, request, reply, 1);
}

/** `decr key` */
export function decr(context: CommandContext, request: Request, reply: Reply): void {
  increment(context, request, reply, -1);
}

/** `incrby key integer` */
export function incrby(context: CommandContext, request: Request, reply: Reply): void {
  increment(context, request, reply, exactInteger(request, 2));
}

function increment(context: CommandContext, request: Request, reply: Reply, delta: number | bigint): void {
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.String);
  let length = 0;
  let deadlineMs: number;
  if (entry === 0) {
    deadlineMs = defaultDeadline(context);
  } else {
    length = store.stringLength(entry);
    if (length === 0 || length > DECIMAL_MAX_BYTES) throw new ReplyError("ERR", NOT_INTEGER);
    store.copyString(entry, 0, decimal, 0, length);
    deadlineMs = store.deadline(entry);
  }
  length = addDecimal(length, delta, NOT_INTEGER);
  store.setString(
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
