/**
 * The commands on lists. Every function exported here is the command of its name.
 *
 * @module
 */

import { wrongCount } from "../catalog/call.ts";
import { ReplyError } from "../errors.ts";
import { LONG_ARGUMENTS_COUNT, LONG_BYTES, LONG_ITEMS_COUNT, REPLY_AT_ONCE_BYTES, STEP_KEYS_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { countArgument, defaultDeadline, findTyped, readTyped, roundedInteger, touchKey } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { KeptRoom, makeRoomInSteps } from "./kept_room.ts";
import { replyElement } from "./list_element.ts";

import { ElementItems, replyItems } from "./long_reply.ts";

/** `lpush key element [element …]` adds elements at the head. */
export function lpush(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return push(context, request, reply, true, true);
}

/** `rpush key element [element …]` adds elements at the tail. */
export function rpush(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return push(context, request, reply, false, true);
}

/** `lpushx key element [element …]` adds elements at the head if the list exists. */
export function lpushx(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return push(context, request, reply, true, false);
}

/** `rpushx key element [element …]` adds elements at the tail if the list exists. */
export function rpushx(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return push(context, request, reply, false, false);
}

function push(
  context: CommandContext,
  request: Request,
  reply: Reply,
  head: boolean,
  makes: boolean,
): void | Steps {
  const { count } = request;
  if (!makes && findTyped(context, request, 1, EntryType.List) === 0) {
    reply.integer(0);
    return;
  }
  if (count > LONG_ARGUMENTS_COUNT) return pushInSteps(context, request, reply, head);
  reply.integer(pushSome(context, request, head, 2, count));
}

function* pushInSteps(context: CommandContext, request: Request, reply: Reply, head: boolean): Steps {
  const { count } = request;
  yield* makeRoomInSteps(context.store, request.size, count);
  const room = new KeptRoom(context.store, request.size, count);
  try {
    let length = 0;
    for (let i = 2; i < count; i = room.next) {
      length = pushSome(context, request, head, i, room.take(request, i, STEP_KEYS_COUNT * 2));
      if (room.next < count) yield;
    }
    reply.integer(length);
  } finally {
    room.release();
  }
}

/** Pushes arguments `[from, to)`. Returns the length of the list. */
function pushSome(context: CommandContext, request: Request, head: boolean, from: number, to: number): number {
  const store = context.store;
  const { bytes, starts, lengths } = request;
  let entry = findTyped(context, request, 1, EntryType.List);
  const made = entry === 0;
  for (let i = from; i < to; i++) {
    entry = store.lists.push(
      bytes,
      starts[1]!,
      lengths[1]!,
      entry,
      head,
      bytes,
      starts[i]!,
      lengths[i]!,
      request.dataView,
    );
  }
  if (made && context.defaultTtlMs !== 0) entry = store.setDeadline(entry, defaultDeadline(context));
  return store.lists.length(entry);
}

/** `lpop key [count]` removes elements at the head, and replies with them. */
export function lpop(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return pop(context, request, reply, true);
}

/** `rpop key [count]` removes elements at the tail, and replies with them. */
export function rpop(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return pop(context, request, reply, false);
}

function pop(context: CommandContext, request: Request, reply: Reply, head: boolean): void | Steps {
  if (request.count > 3) throw wrongCount(request);
  const wanted = request.count === 3 ? countArgument(request, 2) : -1;
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.List);
  if (entry === 0) {
    // With a count, the reply for an absent list is a null array.
    if (wanted === -1) reply.nil();
    else reply.nilArray();
    return;
  }
  if (wanted !== -1) return popMany(context, request, entry, reply, head, wanted);
  store.lists.seek(entry, head ? 0 : -1);
  if (store.lists.elementLength() > LONG_BYTES) return popLong(context, request, reply, head);
  replyElement(store, reply);
  store.lists.pop(entry, head);
}

/** Removes a long element after the whole of it is in the reply. */
function* popLong(context: CommandContext, request: Request, reply: Reply, head: boolean): Steps {
  const { store } = context;
  const last = store.lists.length(findTyped(context, request, 1, EntryType.List)) - 1;
  yield* replyItems(reply, new ElementItems(context, request, head ? 0 : last), 0, 1);
  store.lists.pop(findTyped(context, request, 1, EntryType.List), head);
}

function popMany(
  context: CommandContext,
  request: Request,
  entry: number,
  reply: Reply,
  head: boolean,
  wanted: number,
): void | Steps {
  const { store } = context;
  let length = store.lists.length(entry);
  const count = Math.min(wanted, length);
  reply.array(count);
  if (count === 0) return;
  if (count > LONG_ARGUMENTS_COUNT) return popManyInSteps(context, request, reply, head, count);
  // The reply is given its whole size first: if it gets too long, the elements must remain.
  let size = 0;
  store.lists.seek(entry, head ? 0 : length - count);
  for (let i = 0; i < count; i++) {
    size += store.lists.elementLength();
    store.lists.next();
  }
  if (size > LONG_BYTES) return popManyInSteps(context, request, reply, head, count);
  reply.prepare(count, size);
  for (let i = 0; i < count; i++) {
    length--;
    store.lists.seek(entry, head ? 0 : length);
    replyElement(store, reply);
    entry = store.lists.pop(entry, head);
  }
}

/** Writes all elements to the reply in the order of their removal, and then removes them. */
function* popManyInSteps(
  context: CommandContext,
  request: Request,
  reply: Reply,
  head: boolean,
  count: number,
): Steps {
  const { store } = context;
  const length = store.lists.length(findTyped(context, request, 1, EntryType.List));
  const first = head ? 0 : length - 1;
  yield* replyItems(reply, new ElementItems(context, request, first, head ? 1 : -1), 0, count);
  store.lists.remove(findTyped(context, request, 1, EntryType.List), head ? 0 : length - count, count);
}

/** `lset key index element` replaces an element. */
export function lset(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.List);
  if (entry === 0) throw new ReplyError("ERR", "no such key");
  const length = store.lists.length(entry);
  let index = roundedInteger(request, 2);
  if (index < 0) index += length;
  if (index < 0 || index >= length) throw new ReplyError("ERR", "index out of range");
  store.lists.set(entry, index, request.bytes, request.starts[3]!, request.lengths[3]!);
  reply.ok();
}

/** `lget key index` replies with an element. */
export function lget(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const store = context.store;
  const entry = readTyped(context, request, 1, EntryType.List);
  if (entry === 0) {
    reply.nil();
    return;
  }
  // The index is parsed only now, as in Redis: for an absent list the reply is nil even if the index is not a number.
  const index = roundedInteger(request, 2);
  if (!store.lists.seek(entry, index)) reply.nil();
  else if (store.lists.elementLength() <= LONG_BYTES) replyElement(store, reply);
  else return replyItems(reply, new ElementItems(context, request, index), 0, 1);
}

/** `lrange key start stop` replies with a range of elements. */
export function lrange(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const store = context.store;
  let start = roundedInteger(request, 2);
  let stop = roundedInteger(request, 3);
  const entry = readTyped(context, request, 1, EntryType.List);
  const length = entry === 0 ? 0 : store.lists.length(entry);
  if (start < 0) start = Math.max(0, start + length);
  if (stop < 0) stop += length;
  const count = Math.max(0, Math.min(stop, length - 1) - start + 1);
  reply.array(count);
  if (count === 0) return;
  store.lists.seek(entry, start);
  const stopBytes = reply.size + REPLY_AT_ONCE_BYTES;
  const quickCount = Math.min(count, LONG_ITEMS_COUNT);
  let i = 0;
  for (; i < quickCount && reply.size < stopBytes && store.lists.elementLength() <= LONG_BYTES; i++) {
    replyElement(store, reply);
    store.lists.next();
  }
  if (i < count) return replyItems(reply, new ElementItems(context, request, start + i), 0, count - i);
}

/** `llen key` replies with the number of elements. */
export function llen(context: CommandContext, request: Request, reply: Reply): void {
  const entry = readTyped(context, request, 1, EntryType.List);
  reply.integer(entry === 0 ? 0 : context.store.lists.length(entry));
}

/** `ltrim key start stop` removes all elements outside of a range. */
export function ltrim(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  let start = roundedInteger(request, 2);
  let stop = roundedInteger(request, 3);
  const entry = findTyped(context, request, 1, EntryType.List);
  if (entry !== 0) {
    const length = store.lists.length(entry);
    if (start < 0) start = Math.max(0, start + length);
    if (stop < 0) stop += length;
    stop = Math.min(stop, length - 1);
    if (start > stop) {
      store.remove(entry);
    } else {
      // The range at the tail is removed first, so that the other one does not move.
      const kept = stop + 1 < length ? store.lists.remove(entry, stop + 1, length - stop - 1) : entry;
      if (start > 0) store.lists.remove(kept, 0, start);
    }
    touchKey(context, request, 1);
  }
  reply.ok();
}
