/**
 * `hscan` replies with the next part of a hash. Every function exported here is the command of its name.
 *
 * The reply contains the number of fields and the next cursor before the fields. So the same buckets are walked twice:
 * first to find the matching fields, then to reply with them. Nothing changes in between.
 *
 * ```text
 * survey   cursor → bucket → bucket → …       records for each field whether it matches
 * reply    cursor → bucket → bucket → …       replies with the matching fields
 * ```
 *
 * @module
 */

import type { Glob } from "../connection/glob.ts";
import { FIELD_SIZE_MAX_BYTES, SCAN_COUNT_MAX, SCAN_REPLY_MAX_BYTES, SCAN_STEPS_MAX_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { findTyped } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { replyField, replyValue } from "./hash_field.ts";
import { replyCursor, SCAN_BUCKETS_MIN_COUNT, SCAN_BUCKETS_PER_KEY, scanCursor, scanOptions } from "./scan_options.ts";

/** The cost of looking at a field, in the steps of `SCAN_STEPS_MAX_COUNT`. */
const FIELD_STEPS = 100;

/**
 * `hscan key cursor [MATCH pattern] [COUNT count]` replies with fields and values. A small hash is returned whole,
 * regardless of COUNT.
 */
export function hscan(context: CommandContext, request: Request, reply: Reply): void {
  const cursor = scanCursor(request, 2);
  const entry = findTyped(context, request, 1, EntryType.Hash);
  if (entry === 0) {
    // As in Redis, options are not checked for an absent hash.
    reply.array(2);
    replyCursor(reply, 0);
    reply.array(0);
    return;
  }
  const { count, glob } = scanOptions(request, 3, false);
  const walk = new FieldWalk(context.store, entry, glob, reply);
  const next = walk.survey(cursor, Math.min(count, SCAN_COUNT_MAX));
  reply.array(2);
  replyCursor(reply, next);
  reply.array(walk.matches * 2);
  walk.reply(cursor);
  context.untilClock = 0;
}

/** The field that is being matched. Commands run to completion, so one buffer is enough. */
const field = new Uint8Array(FIELD_SIZE_MAX_BYTES);
/** For each field of the survey, 1 if it matches. */
let flags = new Uint8Array(1024);

/** The walk of one `hscan`. */
class FieldWalk {
  /** The number of matching fields. */
  matches = 0;
  readonly #store: Store;
  readonly #entry: number;
  readonly #glob: Glob | undefined;
  readonly #reply: Reply;
  #fields = 0;
  #buckets = 0;
  /** The total length of all matching fields and values, in bytes. */
  #size = 0;

  constructor(store: Store, entry: number, glob: Glob | undefined, reply: Reply) {
    this.#store = store;
    this.#entry = entry;
    this.#glob = glob;
    this.#reply = reply;
  }

  /** Walks over about `count` fields, as `scan` does with keys. Returns the next cursor. */
  survey(cursor: number, count: number): number {
    const mostBuckets = Math.max(count * SCAN_BUCKETS_PER_KEY, SCAN_BUCKETS_MIN_COUNT);
    do {
      cursor = this.#store.hashes.scan(this.#entry, cursor, this.#look);
      this.#buckets++;
    } while (
      cursor !== 0 && this.#buckets < mostBuckets && this.#fields < count && this.#size < SCAN_REPLY_MAX_BYTES &&
      this.#fields * FIELD_STEPS + (this.#glob?.steps ?? 0) < SCAN_STEPS_MAX_COUNT
    );
    return cursor;
  }

  readonly #look = (): void => {
    const store = this.#store;
    const isMatch = this.#matches();
    if (isMatch) {
      this.matches++;
      this.#size += store.hashes.fieldLength() + store.hashes.valueLength();
    }
    if (this.#fields === flags.length) {
      const grown = new Uint8Array(flags.length * 2);
      grown.set(flags);
      flags = grown;
    }
    flags[this.#fields++] = isMatch ? 1 : 0;
  };

  #matches(): boolean {
    if (this.#glob === undefined) return true;
    const length = this.#store.hashes.fieldLength();
    this.#store.hashes.copyField(field, 0);
    return this.#glob.matches(field, 0, length);
  }

  /** Walks again from the same cursor, and writes the matching fields and their values to the reply. */
  reply(cursor: number): void {
    this.#fields = 0;
    for (let bucket = 0; bucket < this.#buckets; bucket++) {
      cursor = this.#store.hashes.scan(this.#entry, cursor, this.#replyNext);
    }
  }

  readonly #replyNext = (): void => {
    if (flags[this.#fields++] === 0) return;
    replyField(this.#store, this.#reply);
    replyValue(this.#store, this.#reply);
  };
}
