/**
 * The commands on hashes. Every function exported here is the command of its name.
 *
 * @module
 */

import { wrongCount } from "../catalog/call.ts";
import { ReplyError } from "../errors.ts";
import {
  LONG_ARGUMENTS_COUNT,
  LONG_BYTES,
  LONG_ITEMS_COUNT,
  REPLY_AT_ONCE_BYTES,
  STEP_ITEMS_COUNT,
  STEP_KEYS_COUNT,
} from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, exactInteger, findTyped, readTyped } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { addDecimal, decimal, DECIMAL_MAX_BYTES, replySum } from "./decimal.ts";
import { checkField, findField, replyField, replyValue, setField } from "./hash_field.ts";
import { KeptRoom, makeRoomInSteps } from "./kept_room.ts";

import { NamedFieldItems, replyItems } from "./long_reply.ts";
import { FieldItems } from "./named_items.ts";

const NOT_INTEGER = "hash value is not an integer";

/** `hset key field value [field value …]` sets fields, and replies with the number of new ones. */
export function hset(context: CommandContext, request: Request, reply: Reply): void | Steps {
  if (request.count > LONG_ARGUMENTS_COUNT) return hsetInSteps(context, request, reply);
  checkFields(request, 2, request.count);
  reply.integer(setFields(context, request, 2, request.count));
}

/** `hmset key field value [field value …]` sets fields. */
export function hmset(context: CommandContext, request: Request, reply: Reply): void | Steps {
  if (request.count > LONG_ARGUMENTS_COUNT) return hmsetInSteps(context, request, reply);
  checkFields(request, 2, request.count);
  setFields(context, request, 2, request.count);
  reply.ok();
}

/**
 * Checks that arguments `[from, to)` are fields and values.
 *
 * @throws {ReplyError} when they are not
 */
function checkFields(request: Request, from: number, to: number): void {
  if (request.count % 2 === 1) throw wrongCount(request);
  for (let i = from; i < to; i += 2) checkField(request, i);
}

function* hsetInSteps(context: CommandContext, request: Request, reply: Reply): Steps {
  reply.integer(yield* setFieldsInSteps(context, request));
}

function* hmsetInSteps(context: CommandContext, request: Request, reply: Reply): Steps {
  yield* setFieldsInSteps(context, request);
  reply.ok();
}

/** Sets all fields in steps. Returns how many of them are new. */
function* setFieldsInSteps(context: CommandContext, request: Request): Generator<void, number, void> {
  const { count } = request;
  for (let i = 2; i < count; i += STEP_ITEMS_COUNT * 2) {
    checkFields(request, i, Math.min(count, i + STEP_ITEMS_COUNT * 2));
    yield;
  }
  yield* makeRoomInSteps(context.store, request.size, count);
  const room = new KeptRoom(context.store, request.size, count);
  try {
    let added = 0;
    for (let i = 2; i < count; i = room.next) {
      added += setFields(context, request, i, room.take(request, i, STEP_KEYS_COUNT * 2));
      if (room.next < count) yield;
    }
    return added;
  } finally {
    room.release();
  }
}

/** Sets the fields in arguments `[from, to)`. Returns how many of them are new. */
function setFields(context: CommandContext, request: Request, from: number, to: number): number {
  const { bytes, starts, lengths } = request;
  const store = context.store;
  let entry = findTyped(context, request, 1, EntryType.Hash);
  const made = entry === 0;
  let added = 0;
  for (let i = from; i < to; i += 2) {
    entry = store.hashes.set(
      bytes,
      starts[1]!,
      lengths[1]!,
      entry,
      bytes,
      starts[i]!,
      lengths[i]!,
      bytes,
      starts[i + 1]!,
      lengths[i + 1]!,
      request.dataView,
    );
    if (store.hashes.added) added++;
  }
  if (made && context.defaultTtlMs !== 0) store.setDeadline(entry, defaultDeadline(context));
  return added;
}

/** `hsetnx key field value` sets a field that is absent. */
export function hsetnx(context: CommandContext, request: Request, reply: Reply): void {
  const { bytes, starts, lengths } = request;
  checkField(request, 2);
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.Hash);
  if (findField(store, request, entry, 2)) {
    reply.integer(0);
    return;
  }
  setField(context, request, entry, bytes, starts[3]!, lengths[3]!);
  reply.integer(1);
}

/** `hget key field` replies with the value of a field. */
export function hget(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const entry = readTyped(context, request, 1, EntryType.Hash);
  if (!findField(context.store, request, entry, 2)) reply.nil();
  else if (context.store.hashes.valueLength() <= LONG_BYTES) replyValue(context.store, reply);
  else return replyItems(reply, new NamedFieldItems(context, request), 0, 1);
}

/** `hmget key field [field …]` replies with the values of fields. */
export function hmget(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const entry = readTyped(context, request, 1, EntryType.Hash);
  reply.array(request.count - 2);
  const quickCount = Math.min(request.count, LONG_ARGUMENTS_COUNT);
  const stopBytes = reply.size + REPLY_AT_ONCE_BYTES;
  let i = 2;
  for (; i < quickCount && reply.size < stopBytes; i++) {
    if (!findField(context.store, request, entry, i)) reply.nil();
    else if (context.store.hashes.valueLength() > LONG_BYTES) break;
    else replyValue(context.store, reply);
  }
  if (i < request.count) return replyItems(reply, new NamedFieldItems(context, request), i - 2, request.count - 2);
}

/** `hdel key field [field …]` removes fields, and replies with how many there were. */
export function hdel(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const { count } = request;
  if (count > LONG_ARGUMENTS_COUNT) return removeFieldsInSteps(context, request, reply);
  reply.integer(removeFields(context, request, 2, count));
}

function* removeFieldsInSteps(context: CommandContext, request: Request, reply: Reply): Steps {
  let removed = 0;
  for (let i = 2; i < request.count; i += STEP_KEYS_COUNT) {
    if (i > 2) yield;
    removed += removeFields(context, request, i, Math.min(request.count, i + STEP_KEYS_COUNT));
  }
  reply.integer(removed);
}

/** Removes the fields in arguments `[from, to)`. Returns how many there were. */
function removeFields(context: CommandContext, request: Request, from: number, to: number): number {
  const store = context.store;
  let entry = findTyped(context, request, 1, EntryType.Hash);
  let removed = 0;
  for (let i = from; i < to && entry !== 0; i++) {
    entry = store.hashes.remove(entry, request.bytes, request.starts[i]!, request.lengths[i]!);
    if (store.hashes.removed) removed++;
  }
  return removed;
}

/** `hgetall key` replies with all fields and their values. */
export function hgetall(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const entry = readTyped(context, request, 1, EntryType.Hash);
  reply.map(entry === 0 ? 0 : context.store.hashes.length(entry));
  return replyFields(context, request, reply, entry, true, true);
}

/** Writes the fields of a hash, their values, or both to the reply. */
function replyFields(
  context: CommandContext,
  request: Request,
  reply: Reply,
  entry: number,
  withFields: boolean,
  withValues: boolean,
): void | Steps {
  if (entry === 0) return;
  const { store } = context;
  const stopBytes = reply.size + REPLY_AT_ONCE_BYTES;
  let i = 0;
  for (let more = store.hashes.first(entry); more; more = store.hashes.next(), i++) {
    if (i === LONG_ITEMS_COUNT || reply.size > stopBytes || (withValues && store.hashes.valueLength() > LONG_BYTES)) {
      const items = new FieldItems(context, request, withFields, withValues, i);
      return replyItems(reply, items, i, store.hashes.length(entry));
    }
    if (withFields) replyField(store, reply);
    if (withValues) replyValue(store, reply);
  }
}

/** `hlen key` replies with the number of fields. */
export function hlen(context: CommandContext, request: Request, reply: Reply): void {
  const entry = readTyped(context, request, 1, EntryType.Hash);
  reply.integer(entry === 0 ? 0 : context.store.hashes.length(entry));
}

/** `hstrlen key field` replies with the length of a field's value, in bytes. */
export function hstrlen(context: CommandContext, request: Request, reply: Reply): void {
  const entry = readTyped(context, request, 1, EntryType.Hash);
  reply.integer(findField(context.store, request, entry, 2) ? context.store.hashes.valueLength() : 0);
}

/** `hexists key field` replies whether a field exists. */
export function hexists(context: CommandContext, request: Request, reply: Reply): void {
  const entry = readTyped(context, request, 1, EntryType.Hash);
  reply.integer(findField(context.store, request, entry, 2) ? 1 : 0);
}

/** `hkeys key` replies with all fields. */
export function hkeys(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const entry = readTyped(context, request, 1, EntryType.Hash);
  reply.array(entry === 0 ? 0 : context.store.hashes.length(entry));
  return replyFields(context, request, reply, entry, true, false);
}

/** `hvals key` replies with the values of all fields. */
export function hvals(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const entry = readTyped(context, request, 1, EntryType.Hash);
  reply.array(entry === 0 ? 0 : context.store.hashes.length(entry));
  return replyFields(context, request, reply, entry, false, true);
}

/** `hincrby key field integer` adds to an integer in a field. */
export function hincrby(context: CommandContext, request: Request, reply: Reply): void {
  checkField(request, 2);
  const delta = exactInteger(request, 3);
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.Hash);
  let length = 0;
  if (findField(store, request, entry, 2)) {
    length = store.hashes.valueLength();
    if (length === 0 || length > DECIMAL_MAX_BYTES) throw new ReplyError("ERR", NOT_INTEGER);
    store.hashes.copyValue(decimal, 0);
  }
  length = addDecimal(length, delta, NOT_INTEGER);
  setField(context, request, entry, decimal, 0, length);
  replySum(reply);
}
