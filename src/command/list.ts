/**
 * The commands on lists. Every function exported here is the command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, findTyped, roundedInteger } from "./argument.ts";
import { wrongCount } from "./call.ts";
import type { CommandContext } from "./context.ts";
import { replyElement } from "./list_element.ts";

/** `lpush key element [element …]` */
export function lpush(context: CommandContext, request: Request, reply: Reply): void {
  push(context, request, reply, true, true);
}

/** `rpush key element [element …]` */
export function rpush(context: CommandContext, request: Request, reply: Reply): void {
  push(context, request, reply, false, true);
}

/** `lpushx key element [element …]` */
export function lpushx(context: CommandContext, request: Request, reply: Reply): void {
  push(context, request, reply, true, false);
}

/** `rpushx key element [element …]` */
export function rpushx(context: CommandContext, request: Request, reply: Reply): void {
  push(context, request, reply, false, false);
}

function push(context: CommandContext, request: Request, reply: Reply, head: boolean, makes: boolean): void {
  const store = context.store;
  const { bytes, starts, lengths, count } = request;
  let entry = findTyped(context, request, 1, EntryType.List);
  const made = entry === 0;
  if (made && !makes) {
    reply.integer(0);
    return;
  }
  for (let i = 2; i < count; i++) {
    entry = store.listPush(
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
  reply.integer(store.listLength(entry));
  context.shared.waiters.pushed(bytes, starts[1]!, lengths[1]!);
}

/** `lpop key [count]` */
export function lpop(context: CommandContext, request: Request, reply: Reply): void {
  pop(context, request, reply, true);
}

/** `rpop key [count]` */
export function rpop(context: CommandContext, request: Request, reply: Reply): void {
  pop(context, request, reply, false);
}

function pop(context: CommandContext, request: Request, reply: Reply, head: boolean): void {
  if (request.count > 3) throw wrongCount(request);
  const wanted = request.count === 3 ? countArgument(request, 2) : -1;
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.List);
  if (entry === 0) {
    // What an array was asked for is an absent one.
    if (wanted === -1) reply.nil();
    else reply.nilArray();
  } else if (wanted === -1) {
    store.listSeek(entry, head ? 0 : -1);
    replyElement(store, reply);
    store.listPop(entry, head);
  } else {
    popMany(store, entry, reply, head, wanted);
  }
}

/** Argument `index` as a count of elements, 0 or more; infinite for all practical ends when it is above 2^53. */
function countArgument(request: Request, index: number): number {
  try {
    const count = roundedInteger(request, index);
    if (count >= 0) return count;
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error;
  }
  throw new ReplyError("ERR", "value is out of range, must be positive");
}

function popMany(store: Store, entry: number, reply: Reply, head: boolean, wanted: number): void {
  let length = store.listLength(entry);
  const count = Math.min(wanted, length);
  reply.array(count);
  if (count === 0) return;
  // Room for all of it first: a reply that gets too long must not cost the elements.
  let size = 0;
  store.listSeek(entry, head ? 0 : length - count);
  for (let i = 0; i < count; i++) {
    size += store.elementLength();
    store.listNext();
  }
  reply.prepare(count, size);
  for (let i = 0; i < count; i++) {
    length--;
    store.listSeek(entry, head ? 0 : length);
    replyElement(store, reply);
    entry = store.listPop(entry, head);
  }
}

/** `lset key index element` */
export function lset(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.List);
  if (entry === 0) throw new ReplyError("ERR", "no such key");
  const length = store.listLength(entry);
  let index = roundedInteger(request, 2);
  if (index < 0) index += length;
  if (index < 0 || index >= length) throw new ReplyError("ERR", "index out of range");
  store.listSet(entry, index, request.bytes, request.starts[3]!, request.lengths[3]!);
  reply.ok();
}

/** `lget key index` */
export function lget(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.List);
  if (entry === 0) {
    reply.nil();
    return;
  }
  // Read only now, as in Redis: of an absent list every index is nil, even one that is no number.
  if (store.listSeek(entry, roundedInteger(request, 2))) replyElement(store, reply);
  else reply.nil();
}

/** `lrange key start stop` */
export function lrange(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  let start = roundedInteger(request, 2);
  let stop = roundedInteger(request, 3);
  const entry = findTyped(context, request, 1, EntryType.List);
  const length = entry === 0 ? 0 : store.listLength(entry);
  if (start < 0) start = Math.max(0, start + length);
  if (stop < 0) stop += length;
  const count = Math.max(0, Math.min(stop, length - 1) - start + 1);
  reply.array(count);
  if (count === 0) return;
  store.listSeek(entry, start);
  for (let i = 0; i < count; i++) {
    replyElement(store, reply);
    store.listNext();
  }
}

/** `llen key` */
export function llen(context: CommandContext, request: Request, reply: Reply): void {
  const entry = findTyped(context, request, 1, EntryType.List);
  reply.integer(entry === 0 ? 0 : context.store.listLength(entry));
}

/** `ltrim key start stop` */
export function ltrim(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  let start = roundedInteger(request, 2);
  let stop = roundedInteger(request, 3);
  const entry = findTyped(context, request, 1, EntryType.List);
  if (entry !== 0) {
    const length = store.listLength(entry);
    if (start < 0) start = Math.max(0, start + length);
    if (stop < 0) stop += length;
    stop = Math.min(stop, length - 1);
    if (start > stop) {
      store.remove(entry);
    } else {
      // From the tail on, so that the other range stays where it is.
      const kept = stop + 1 < length ? store.listRemove(entry, stop + 1, length - stop - 1) : entry;
      if (start > 0) store.listRemove(kept, 0, start);
    }
  }
  reply.ok();
}
