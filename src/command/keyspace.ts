/**
 * The commands on keys, whatever they hold. Every function exported here is the command of its name.
 *
 * @module
 */

import { LONG_ARGUMENTS_COUNT, SCAN_COUNT_MAX, SCAN_REPLY_MAX_BYTES, SCAN_STEPS_MAX_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { findKey, peekKey, syntaxError } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { KeyCollector } from "./key_collector.ts";
import { replyKeys } from "./key_walk.ts";

import { eachKey } from "./long_reply.ts";
import {
  globArgument,
  replyCursor,
  SCAN_BUCKETS_MIN_COUNT,
  SCAN_BUCKETS_PER_KEY,
  scanCursor,
  scanOptions,
} from "./scan_options.ts";

/** `remove key [key …]` */
export function remove(context: CommandContext, request: Request, reply: Reply): void | Steps {
  if (request.count > LONG_ARGUMENTS_COUNT) return countInSteps(context, request, reply, true, removeKey);
  let removed = 0;
  for (let i = 1; i < request.count; i++) removed += removeKey(context, request, i);
  reply.integer(removed);
}

/** Removes the key in argument `index`, and returns how many there were. */
function removeKey(context: CommandContext, request: Request, index: number): number {
  const entry = peekKey(context, request, index);
  if (entry === 0) return 0;
  context.store.remove(entry);
  return 1;
}

/** `exists key [key …]` */
export function exists(context: CommandContext, request: Request, reply: Reply): void | Steps {
  if (request.count > LONG_ARGUMENTS_COUNT) return countInSteps(context, request, reply, false, peekKey);
  let present = 0;
  for (let i = 1; i < request.count; i++) {
    if (peekKey(context, request, i) !== 0) present++;
  }
  reply.integer(present);
}

/** `touch key [key …]`: as `exists`, and makes them the most recently used. */
export function touch(context: CommandContext, request: Request, reply: Reply): void | Steps {
  if (request.count > LONG_ARGUMENTS_COUNT) return countInSteps(context, request, reply, false, findKey);
  let present = 0;
  for (let i = 1; i < request.count; i++) {
    if (findKey(context, request, i) !== 0) present++;
  }
  reply.integer(present);
}

/** Visits all keys of a request, and replies with how many of the visits did not return 0. */
function* countInSteps(
  context: CommandContext,
  request: Request,
  reply: Reply,
  writes: boolean,
  visit: typeof peekKey,
): Steps {
  let count = 0;
  yield* eachKey(context, request, writes, (index) => {
    if (visit(context, request, index) !== 0) count++;
  });
  reply.integer(count);
}

/** `type key` */
export function type(context: CommandContext, request: Request, reply: Reply): void {
  const entry = peekKey(context, request, 1);
  reply.status(typeName(entry === 0 ? EntryType.None : context.store.type(entry)));
}

function typeName(entryType: EntryType): string {
  switch (entryType) {
    case EntryType.String:
      return "string";
    case EntryType.List:
      return "list";
    case EntryType.Hash:
      return "hash";
    default:
      return "none";
  }
}

/** `keys pattern`: in steps when there are many keys, so that other clients' commands run meanwhile. */
export function keys(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return replyKeys(context, globArgument(request, 1), reply);
}

/**
 * `scan cursor [MATCH pattern] [COUNT count] [TYPE type]`
 *
 * Looks at `count` keys, or a few more, since it ends with a bucket; fewer when they are long, the table is sparse,
 * the pattern takes long, or `count` is above `SCAN_COUNT_MAX`.
 */
export function scan(context: CommandContext, request: Request, reply: Reply): void {
  let cursor = scanCursor(request, 1);
  const { count, glob, type } = scanOptions(request, 2, true);
  const wanted = Math.min(count, SCAN_COUNT_MAX);
  const collector = new KeyCollector(context.store, glob, type);
  let buckets = Math.max(wanted * SCAN_BUCKETS_PER_KEY, SCAN_BUCKETS_MIN_COUNT);
  do cursor = collector.collect(cursor); while (
    cursor !== 0 && --buckets > 0 && collector.visited < wanted && collector.size < SCAN_REPLY_MAX_BYTES &&
    collector.steps < SCAN_STEPS_MAX_COUNT
  );
  reply.array(2);
  replyCursor(reply, cursor);
  reply.array(collector.count);
  collector.reply(reply);
  context.untilClock = 0;
}

/** `size` */
export function size(context: CommandContext, _request: Request, reply: Reply): void {
  reply.integer(context.store.size);
}

/** `randomkey` */
export function randomkey(context: CommandContext, _request: Request, reply: Reply): void {
  const store = context.store;
  const entry = store.randomEntry(Math.random());
  if (entry === 0) {
    reply.nil();
    return;
  }
  const at = reply.reserve(store.keyLength(entry));
  store.copyKey(entry, reply.buffer, at);
}

/** `flush [ASYNC | SYNC]`: what is removed is freed in steps either way. */
export function flush(context: CommandContext, request: Request, reply: Reply): void {
  const isRight = request.count === 1 || (request.count === 2 && (request.is(1, "async") || request.is(1, "sync")));
  if (!isRight) throw syntaxError();
  context.store.clear();
  reply.ok();
}
