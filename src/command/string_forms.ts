/**
 * The commands on strings that are `get` and `set` in other forms. Every function exported here is the command of its
 * name.
 *
 * @module
 */

import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { deadlineAfter, defaultDeadline, findTyped } from "./argument.ts";
import { wrongCount } from "./call.ts";
import type { CommandContext } from "./context.ts";
import { GETEX_OPTIONS, MOMENT, optionDeadlineMs, PERSIST, readDeadline, readOptions, TTL } from "./set_options.ts";
import { replyString, setArgument } from "./string_value.ts";

/** `getset key value` */
export function getset(context: CommandContext, request: Request, reply: Reply): void {
  const entry = findTyped(context, request, 1, EntryType.String);
  if (entry === 0) reply.nil();
  else replyString(context.store, entry, reply);
  setArgument(context.store, request, 1, 2, entry, defaultDeadline(context));
}

/** `getex key [EX seconds | PX ms | EXAT seconds | PXAT ms | PERSIST]` */
export function getex(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const options = readOptions(request, 2, GETEX_OPTIONS);
  // Only a TTL takes room: where the store is full, the value can be read all the same.
  if ((options & TTL) !== 0) store.makeRoom(request.size, request.count);
  const entry = findTyped(context, request, 1, EntryType.String);
  if (entry === 0) {
    reply.nil();
    return;
  }
  readDeadline(context, request, options);
  replyString(store, entry, reply);
  if ((options & MOMENT) !== 0 && optionDeadlineMs <= store.nowMs) store.remove(entry);
  else if ((options & TTL) !== 0) store.setDeadline(entry, optionDeadlineMs);
  else if ((options & PERSIST) !== 0 && store.deadline(entry) !== 0) store.setDeadline(entry, 0);
}

/** `setnx key value` */
export function setnx(context: CommandContext, request: Request, reply: Reply): void {
  const entry = context.store.find(request.bytes, request.starts[1]!, request.lengths[1]!);
  if (entry === 0) setArgument(context.store, request, 1, 2, 0, defaultDeadline(context));
  reply.integer(entry === 0 ? 1 : 0);
}

/** `setex key seconds value` */
export function setex(context: CommandContext, request: Request, reply: Reply): void {
  setFor(context, request, reply, 1000);
}

/** `psetex key ms value` */
export function psetex(context: CommandContext, request: Request, reply: Reply): void {
  setFor(context, request, reply, 1);
}

function setFor(context: CommandContext, request: Request, reply: Reply, unitMs: number): void {
  const deadlineMs = deadlineAfter(context, request, 2, unitMs);
  const entry = context.store.find(request.bytes, request.starts[1]!, request.lengths[1]!);
  setArgument(context.store, request, 1, 3, entry, deadlineMs);
  reply.ok();
}

/** `msetnx key value [key value …]`: sets all of them, or none. */
export function msetnx(context: CommandContext, request: Request, reply: Reply): void {
  const { bytes, starts, lengths, count } = request;
  if (count % 2 === 0) throw wrongCount(request);
  const store = context.store;
  for (let i = 1; i < count; i += 2) {
    if (store.find(bytes, starts[i]!, lengths[i]!) === 0) continue;
    reply.integer(0);
    return;
  }
  const deadlineMs = defaultDeadline(context);
  for (let i = 1; i < count; i += 2) {
    // A key may be named twice: the last value wins.
    setArgument(store, request, i, i + 1, store.find(bytes, starts[i]!, lengths[i]!), deadlineMs);
  }
  reply.integer(1);
}
