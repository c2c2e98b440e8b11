/**
 * The commands on hashes. Every function exported here is the command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, exactInteger, findTyped } from "./argument.ts";
import { wrongCount } from "./call.ts";
import type { CommandContext } from "./context.ts";
import { addDecimal, decimal, DECIMAL_MAX_BYTES, replySum } from "./decimal.ts";
import { checkField, findField, replyField, replyValue, setField } from "./hash_field.ts";

const NOT_INTEGER = "hash value is not an integer";

/** `hset key field value [field value …]` */
export function hset(context: CommandContext, request: Request, reply: Reply): void {
  reply.integer(setFields(context, request));
}

/** `hmset key field value [field value …]` */
export function hmset(context: CommandContext, request: Request, reply: Reply): void {
  setFields(context, request);
  reply.ok();
}

/** Sets fields, and answers how many of them are new. */
function setFields(context: CommandContext, request: Request): number {
  const { bytes, starts, lengths, count } = request;
  if (count % 2 === 1) throw wrongCount(request);
  for (let i = 2; i < count; i += 2) checkField(request, i);
  const store = context.store;
  let entry = findTyped(context, request, 1, EntryType.Hash);
  const made = entry === 0;
  let added = 0;
  for (let i = 2; i < count; i += 2) {
    entry = store.hashSet(
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
    if (store.added) added++;
  }
  if (made && context.defaultTtlMs !== 0) store.setDeadline(entry, defaultDeadline(context));
  return added;
}

/** `hsetnx key field value` */
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

/** `hget key field` */
export function hget(context: CommandContext, request: Request, reply: Reply): void {
  const entry = findTyped(context, request, 1, EntryType.Hash);
  if (findField(context.store, request, entry, 2)) replyValue(context.store, reply);
  else reply.nil();
}

/** `hmget key field [field …]` */
export function hmget(context: CommandContext, request: Request, reply: Reply): void {
  const entry = findTyped(context, request, 1, EntryType.Hash);
  reply.array(request.count - 2);
  for (let i = 2; i < request.count; i++) {
    if (findField(context.store, request, entry, i)) replyValue(context.store, reply);
    else reply.nil();
  }
}

/** `hdel key field [field …]` */
export function hdel(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  let entry = findTyped(context, request, 1, EntryType.Hash);
  let removed = 0;
  for (let i = 2; i < request.count && entry !== 0; i++) {
    entry = store.hashRemove(entry, request.bytes, request.starts[i]!, request.lengths[i]!);
    if (store.removed) removed++;
  }
  reply.integer(removed);
}

/** `hgetall key` */
export function hgetall(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.Hash);
  reply.map(entry === 0 ? 0 : store.hashLength(entry));
  for (let more = entry !== 0 && store.hashFirst(entry); more; more = store.hashNext()) {
    replyField(store, reply);
    replyValue(store, reply);
  }
}

/** `hlen key` */
export function hlen(context: CommandContext, request: Request, reply: Reply): void {
  const entry = findTyped(context, request, 1, EntryType.Hash);
  reply.integer(entry === 0 ? 0 : context.store.hashLength(entry));
}

/** `hstrlen key field` */
export function hstrlen(context: CommandContext, request: Request, reply: Reply): void {
  const entry = findTyped(context, request, 1, EntryType.Hash);
  reply.integer(findField(context.store, request, entry, 2) ? context.store.valueLength() : 0);
}

/** `hexists key field` */
export function hexists(context: CommandContext, request: Request, reply: Reply): void {
  const entry = findTyped(context, request, 1, EntryType.Hash);
  reply.integer(findField(context.store, request, entry, 2) ? 1 : 0);
}

/** `hkeys key` */
export function hkeys(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.Hash);
  reply.array(entry === 0 ? 0 : store.hashLength(entry));
  for (let more = entry !== 0 && store.hashFirst(entry); more; more = store.hashNext()) replyField(store, reply);
}

/** `hvals key` */
export function hvals(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.Hash);
  reply.array(entry === 0 ? 0 : store.hashLength(entry));
  for (let more = entry !== 0 && store.hashFirst(entry); more; more = store.hashNext()) replyValue(store, reply);
}

/** `hincrby key field integer` */
export function hincrby(context: CommandContext, request: Request, reply: Reply): void {
  checkField(request, 2);
  const delta = exactInteger(request, 3);
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.Hash);
  let length = 0;
  if (findField(store, request, entry, 2)) {
    length = store.valueLength();
    if (length === 0 || length > DECIMAL_MAX_BYTES) throw new ReplyError("ERR", NOT_INTEGER);
    store.copyValue(decimal, 0);
  }
  length = addDecimal(length, delta, NOT_INTEGER);
  setField(context, request, entry, decimal, 0, length);
  replySum(reply);
}
