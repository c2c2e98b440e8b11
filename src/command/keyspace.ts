/**
 * The commands on keys, whatever they hold. Every function exported here is the command of its name.
 *
 * @module
 */

import { formatInteger, INTEGER_TEXT_MAX_BYTES } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import {
  PATTERN_SIZE_MAX_BYTES,
  SCAN_COUNT_DEFAULT,
  SCAN_COUNT_MAX,
  SCAN_REPLY_MAX_BYTES,
  SCAN_STEPS_MAX_COUNT,
} from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { deadlineAfter, roundedInteger, syntaxError } from "./argument.ts";
import { wrongCount } from "./call.ts";
import type { CommandContext } from "./context.ts";
import { KeyCollector } from "./key_collector.ts";
import { replyKeys } from "./key_walk.ts";

/** The largest cursor of the store; see `Store.scan`. */
const CURSOR_MAX = 2 ** 32 - 1;
/** Buckets that one `scan` looks into for each key it was asked for, so that a sparse table cannot hold it up. */
const SCAN_BUCKETS_PER_KEY = 10;
/** Buckets that one `scan` may look into at any rate: those of the smallest table, so that a few keys take one call. */
const SCAN_BUCKETS_MIN_COUNT = 1024;

const cursorText = new Uint8Array(INTEGER_TEXT_MAX_BYTES);

/** The entry of the key in argument `index`, its place in the LRU order untouched; 0 when it is absent. */
function peek(context: CommandContext, request: Request, index: number): number {
  return context.store.peek(request.bytes, request.starts[index]!, request.lengths[index]!);
}

/** The entry of the key in argument `index`, which becomes the most recently used; 0 when it is absent. */
function find(context: CommandContext, request: Request, index: number): number {
  return context.store.find(request.bytes, request.starts[index]!, request.lengths[index]!);
}

/** `remove key [key …]` */
export function remove(context: CommandContext, request: Request, reply: Reply): void {
  let removed = 0;
  for (let i = 1; i < request.count; i++) {
    const entry = peek(context, request, i);
    if (entry === 0) continue;
    context.store.remove(entry);
    removed++;
  }
  reply.integer(removed);
}

/** `exists key [key …]` */
export function exists(context: CommandContext, request: Request, reply: Reply): void {
  let present = 0;
  for (let i = 1; i < request.count; i++) {
    if (peek(context, request, i) !== 0) present++;
  }
  reply.integer(present);
}

/** `type key` */
export function type(context: CommandContext, request: Request, reply: Reply): void {
  const entry = peek(context, request, 1);
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

/** `ttl key` and `ttl key seconds` */
export function ttl(context: CommandContext, request: Request, reply: Reply): void {
  if (request.count > 3) throw wrongCount(request);
  if (request.count === 3) {
    expireAfter(context, request, reply, 1000);
    return;
  }
  const leftMs = timeLeft(context, request);
  reply.integer(leftMs < 0 ? leftMs : Math.floor((leftMs + 500) / 1000));
}

/** `pttl key` */
export function pttl(context: CommandContext, request: Request, reply: Reply): void {
  reply.integer(timeLeft(context, request));
}

/** The milliseconds that the key in argument 1 has left; -1 when it has no deadline, -2 when it is absent. */
function timeLeft(context: CommandContext, request: Request): number {
  const entry = peek(context, request, 1);
  if (entry === 0) return -2;
  const deadlineMs = context.store.deadline(entry);
  return deadlineMs === 0 ? -1 : deadlineMs - context.store.nowMs;
}

/** `expire key seconds` */
export function expire(context: CommandContext, request: Request, reply: Reply): void {
  expireAfter(context, request, reply, 1000);
}

/** `pexpire key ms` */
export function pexpire(context: CommandContext, request: Request, reply: Reply): void {
  expireAfter(context, request, reply, 1);
}

/** Gives the key in argument 1 the TTL in argument 2. One that is not positive is refused; `remove` removes. */
function expireAfter(context: CommandContext, request: Request, reply: Reply, unitMs: number): void {
  const deadlineMs = deadlineAfter(context, request, 2, unitMs);
  const entry = find(context, request, 1);
  if (entry !== 0) context.store.setDeadline(entry, deadlineMs);
  reply.integer(entry === 0 ? 0 : 1);
}

/** `persist key` */
export function persist(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const entry = find(context, request, 1);
  const had = entry !== 0 && store.deadline(entry) !== 0;
  if (had) store.setDeadline(entry, 0);
  reply.integer(had ? 1 : 0);
}

/** `keys pattern`: waits when there are many keys, so that other clients' commands run meanwhile. */
export function keys(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  checkPattern(request, 1);
  return replyKeys(context, request, 1, reply);
}

/**
 * `scan cursor [MATCH pattern] [COUNT count] [TYPE type]`
 *
 * Looks at `count` keys, or a few more, since it ends with a bucket; fewer when they are long, the table is sparse,
 * the pattern takes long, or `count` is above `SCAN_COUNT_MAX`.
 */
export function scan(context: CommandContext, request: Request, reply: Reply): void {
  let cursor = request.integer(1);
  // Also refuses NaN.
  if (!(cursor >= 0 && cursor <= CURSOR_MAX)) throw new ReplyError("ERR", "invalid cursor");
  const collector = new KeyCollector(context.store);
  const count = scanOptions(request, collector);
  let buckets = Math.max(count * SCAN_BUCKETS_PER_KEY, SCAN_BUCKETS_MIN_COUNT);
  do cursor = collector.collect(cursor); while (
    cursor !== 0 && --buckets > 0 && collector.visited < count && collector.size < SCAN_REPLY_MAX_BYTES &&
    collector.steps < SCAN_STEPS_MAX_COUNT
  );
  reply.array(2);
  reply.bytes(cursorText, 0, formatInteger(cursor, cursorText, 0));
  reply.array(collector.count);
  collector.reply(reply);
}

/** Tells the collector the options of `scan`, and returns how many keys to look at. */
function scanOptions(request: Request, collector: KeyCollector): number {
  let count = SCAN_COUNT_DEFAULT;
  for (let i = 2; i < request.count; i += 2) {
    if (i + 1 === request.count) throw syntaxError();
    if (request.is(i, "match")) {
      checkPattern(request, i + 1);
      collector.match(request, i + 1);
    } else if (request.is(i, "count")) {
      count = roundedInteger(request, i + 1);
      if (count < 1) throw syntaxError();
    } else if (request.is(i, "type")) {
      collector.only(typeNamed(request, i + 1));
    } else {
      throw syntaxError();
    }
  }
  return Math.min(count, SCAN_COUNT_MAX);
}

/** The type named in argument `index`; `None`, which no key has, when there is no such type. */
function typeNamed(request: Request, index: number): EntryType {
  if (request.is(index, "string")) return EntryType.String;
  if (request.is(index, "list")) return EntryType.List;
  if (request.is(index, "hash")) return EntryType.Hash;
  return EntryType.None;
}

function checkPattern(request: Request, index: number): void {
  if (request.lengths[index]! > PATTERN_SIZE_MAX_BYTES) {
    throw new ReplyError("ERR", `pattern exceeds ${PATTERN_SIZE_MAX_BYTES} bytes`);
  }
}

/** `size` */
export function size(context: CommandContext, _request: Request, reply: Reply): void {
  reply.integer(context.store.size);
}

/** `flush` */
export function flush(context: CommandContext, _request: Request, reply: Reply): void {
  context.store.clear();
  reply.ok();
}
