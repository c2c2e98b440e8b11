/**
 * The commands on keys of any type. Every function exported here is the command of its name.
 *
 * @module
 */

import { LONG_ARGUMENTS_COUNT, SCAN_COUNT_MAX, SCAN_REPLY_MAX_BYTES, SCAN_STEPS_MAX_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import { TYPE_NAMES } from "../store/value/value_type.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { peekKey, readKey, readQuietly, syntaxError } from "./argument.ts";
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

/** `remove key [key …]` removes keys, and replies with how many there were. */
export function remove(context: CommandContext, request: Request, reply: Reply): void | Steps {
  if (request.count > LONG_ARGUMENTS_COUNT) return countInSteps(context, request, reply, true, removeKey);
  let removed = 0;
  for (let i = 1; i < request.count; i++) removed += removeKey(context, request, i);
  reply.integer(removed);
}

/** Removes the key in argument `index`. Returns the number of removed keys, 0 or 1. */
function removeKey(context: CommandContext, request: Request, index: number): number {
  const entry = peekKey(context, request, index);
  if (entry === 0) return 0;
  context.store.remove(entry);
  return 1;
}

/** `exists key [key …]` replies with how many of the keys exist. */
export function exists(context: CommandContext, request: Request, reply: Reply): void | Steps {
  if (request.count > LONG_ARGUMENTS_COUNT) return countInSteps(context, request, reply, false, readQuietly);
  let present = 0;
  for (let i = 1; i < request.count; i++) {
    if (readQuietly(context, request, i) !== 0) present++;
  }
  reply.integer(present);
}

/** `touch key [key …]` makes keys the most recently used ones, and replies with how many of them exist. */
export function touch(context: CommandContext, request: Request, reply: Reply): void | Steps {
  if (request.count > LONG_ARGUMENTS_COUNT) return countInSteps(context, request, reply, false, readKey);
  let present = 0;
  for (let i = 1; i < request.count; i++) {
    if (readKey(context, request, i) !== 0) present++;
  }
  reply.integer(present);
}

/** Visits all keys of a request, and replies with the number of visits that did not return 0. */
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

/** `type key` replies with the type of a key's value. */
export function type(context: CommandContext, request: Request, reply: Reply): void {
  const entry = readQuietly(context, request, 1);
  reply.status(TYPE_NAMES[entry === 0 ? EntryType.None : context.store.type(entry)]);
}

/**
 * `keys pattern` replies with all keys that match, in steps when there are many, so that other clients' commands run.
 */
export function keys(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return replyKeys(context, globArgument(request, 1), reply);
}

/**
 * `scan cursor [MATCH pattern] [COUNT count] [TYPE type]` replies with the next part of all keys.
 *
 * It looks at `count` keys, or at a few more, since it ends after a whole bucket. It looks at fewer when keys are long,
 * the table is sparse, matching takes long, or `count` is above `SCAN_COUNT_MAX`.
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

/** `size` replies with the number of keys. */
export function size(context: CommandContext, _request: Request, reply: Reply): void {
  reply.integer(context.store.size);
}

/** `randomkey` replies with a key chosen at random. */
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

/** `flush [ASYNC | SYNC]` removes all keys. With either option, their memory is freed in steps. */
export function flush(context: CommandContext, request: Request, reply: Reply): void {
  const isRight = request.count === 1 || (request.count === 2 && (request.is(1, "async") || request.is(1, "sync")));
  if (!isRight) throw syntaxError();
  context.store.clear();
  reply.ok();
}
