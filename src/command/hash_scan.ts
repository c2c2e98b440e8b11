/**
 * `hscan`. Every function exported here is the command of its name.
 *
 * How many fields there are, and where to go on, has to be told before them. So the same buckets are walked through twice:
 * first to see which fields match, then to answer with those; nothing changes in between.
 *
 * ```text
 * survey   cursor → bucket → bucket → …       a flag for each field passed: does it match?
 * answer   cursor → bucket → bucket → …       those whose flag is set
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

/** What looking at a field takes, in the steps of `SCAN_STEPS_MAX_COUNT`. */
const FIELD_STEPS = 100;

/** `hscan key cursor [MATCH pattern] [COUNT count]`: a small hash is answered whole, whatever COUNT says. */
export function hscan(context: CommandContext, request: Request, reply: Reply): void {
  const cursor = scanCursor(request, 2);
  const entry = findTyped(context, request, 1, EntryType.Hash);
  if (entry === 0) {
    // As in Redis: of an absent hash all options are right.
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
  walk.answer(cursor);
  context.untilClock = 0;
}

/** The field being matched. Commands run to completion, so one buffer is enough. */
const field = new Uint8Array(FIELD_SIZE_MAX_BYTES);
/** Flags of the fields passed. */
let flags = new Uint8Array(1024);

/** One `hscan`. */
class FieldWalk {
  /** Fields that match. */
  matches = 0;
  readonly #store: Store;
  readonly #entry: number;
  readonly #glob: Glob | undefined;
  readonly #reply: Reply;
  #fields = 0;
  #buckets = 0;
  /** Sum of the lengths of all fields and values that match. */
  #size = 0;

  constructor(store: Store, entry: number, glob: Glob | undefined, reply: Reply) {
    this.#store = store;
    this.#entry = entry;
    this.#glob = glob;
    this.#reply = reply;
  }

  /** Walks over `count` fields, or somewhat more or fewer as `scan` does, and answers the cursor to go on with. */
  survey(cursor: number, count: number): number {
    const mostBuckets = Math.max(count * SCAN_BUCKETS_PER_KEY, SCAN_BUCKETS_MIN_COUNT);
    do {
      cursor = this.#store.hashScan(this.#entry, cursor, this.#look);
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
      this.#size += store.fieldLength() + store.valueLength();
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
    const length = this.#store.fieldLength();
    this.#store.copyField(field, 0);
    return this.#glob.matches(field, 0, length);
  }

  /** Answers the fields that match, with their values, from the same cursor on. */
  answer(cursor: number): void {
    this.#fields = 0;
    for (let bucket = 0; bucket < this.#buckets; bucket++) {
      cursor = this.#store.hashScan(this.#entry, cursor, this.#say);
    }
  }

  readonly #say = (): void => {
    if (flags[this.#fields++] === 0) return;
    replyField(this.#store, this.#reply);
    replyValue(this.#store, this.#reply);
  };
}
