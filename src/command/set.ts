/**
 * The commands on one set, and `smove`. Every function exported here is the command of its name.
 *
 * @module
 */

import { LONG_ARGUMENTS_COUNT, STEP_ITEMS_COUNT, STEP_KEYS_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, findTyped, readTyped } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { KeptRoom, makeRoomInSteps } from "./kept_room.ts";
import { replyMembers } from "./set_members.ts";
import { addMember, checkMembers, hasMember } from "./set_member.ts";

/** `sadd key member [member …]` adds members, and replies with the number of new ones. */
export function sadd(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const { count } = request;
  if (count > LONG_ARGUMENTS_COUNT) return addInSteps(context, request, reply);
  checkMembers(request, 2, count);
  reply.integer(addMembers(context, request, 2, count));
}

function* addInSteps(context: CommandContext, request: Request, reply: Reply): Steps {
  const { store } = context;
  const { count } = request;
  for (let i = 2; i < count; i += STEP_ITEMS_COUNT) {
    checkMembers(request, i, Math.min(count, i + STEP_ITEMS_COUNT));
    yield;
  }
  yield* makeRoomInSteps(store, request.size, count);
  const room = new KeptRoom(store, request.size, count);
  try {
    let added = 0;
    for (let i = 2; i < count; i = room.next) {
      added += addMembers(context, request, i, room.take(request, i, STEP_KEYS_COUNT * 2));
      if (room.next < count) yield;
    }
    reply.integer(added);
  } finally {
    room.release();
  }
}

/** Adds the members in arguments `[from, to)`. Returns how many of them are new. */
function addMembers(context: CommandContext, request: Request, from: number, to: number): number {
  const { store } = context;
  let entry = findTyped(context, request, 1, EntryType.Set);
  const isNew = entry === 0;
  let added = 0;
  for (let i = from; i < to; i++) {
    entry = addMember(store, request, 1, entry, i);
    if (store.sets.added) added++;
  }
  if (isNew && context.defaultTtlMs !== 0) store.setDeadline(entry, defaultDeadline(context));
  return added;
}

/** `srem key member [member …]` removes members, and replies with how many there were. */
export function srem(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const { count } = request;
  if (count > LONG_ARGUMENTS_COUNT) return removeInSteps(context, request, reply);
  reply.integer(removeMembers(context, request, 2, count));
}

function* removeInSteps(context: CommandContext, request: Request, reply: Reply): Steps {
  let removed = 0;
  for (let i = 2; i < request.count; i += STEP_KEYS_COUNT) {
    if (i > 2) yield;
    removed += removeMembers(context, request, i, Math.min(request.count, i + STEP_KEYS_COUNT));
  }
  reply.integer(removed);
}

/** Removes the members in arguments `[from, to)`. Returns how many there were. */
function removeMembers(context: CommandContext, request: Request, from: number, to: number): number {
  const { sets } = context.store;
  let entry = findTyped(context, request, 1, EntryType.Set);
  let removed = 0;
  for (let i = from; i < to && entry !== 0; i++) {
    entry = sets.remove(entry, request.bytes, request.starts[i]!, request.lengths[i]!);
    if (sets.removed) removed++;
  }
  return removed;
}

/** `smembers key` replies with all members. */
export function smembers(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return replyMembers(context, request, reply, readTyped(context, request, 1, EntryType.Set));
}

/** `sismember key member` replies whether a set has a member. */
export function sismember(context: CommandContext, request: Request, reply: Reply): void {
  const entry = readTyped(context, request, 1, EntryType.Set);
  reply.integer(hasMember(context.store, request, entry, 2) ? 1 : 0);
}

/** `smismember key member [member …]` replies for each member whether a set has it. */
export function smismember(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const { count } = request;
  if (count > LONG_ARGUMENTS_COUNT) return lookUpInSteps(context, request, reply);
  const entry = readTyped(context, request, 1, EntryType.Set);
  reply.array(count - 2);
  for (let i = 2; i < count; i++) reply.integer(hasMember(context.store, request, entry, i) ? 1 : 0);
}

function* lookUpInSteps(context: CommandContext, request: Request, reply: Reply): Steps {
  const { count } = request;
  reply.array(count - 2);
  let entry = readTyped(context, request, 1, EntryType.Set);
  for (let i = 2; i < count;) {
    const stop = Math.min(count, i + STEP_KEYS_COUNT);
    for (; i < stop; i++) reply.integer(hasMember(context.store, request, entry, i) ? 1 : 0);
    if (i === count) return;
    yield;
    entry = findTyped(context, request, 1, EntryType.Set);
  }
}

/** `scard key` replies with the number of members. */
export function scard(context: CommandContext, request: Request, reply: Reply): void {
  const entry = readTyped(context, request, 1, EntryType.Set);
  reply.integer(entry === 0 ? 0 : context.store.sets.length(entry));
}

/** `smove source destination member` moves a member from one set to another. */
export function smove(context: CommandContext, request: Request, reply: Reply): void {
  const { store } = context;
  checkMembers(request, 3, 4);
  const source = findTyped(context, request, 1, EntryType.Set);
  if (source === 0) {
    reply.integer(0);
    return;
  }
  const destination = findTyped(context, request, 2, EntryType.Set);
  const has = hasMember(store, request, source, 3);
  reply.integer(has ? 1 : 0);
  if (!has || source === destination) return;
  // The member is removed first, so there is room for it.
  store.sets.remove(source, request.bytes, request.starts[3]!, request.lengths[3]!);
  const entry = addMember(store, request, 2, destination, 3);
  if (destination === 0 && context.defaultTtlMs !== 0) store.setDeadline(entry, defaultDeadline(context));
}
