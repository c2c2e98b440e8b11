/**
 * Replies with the next part of the items of one value: fields of a hash, members of a set.
 *
 * The reply contains the number of items and the next cursor before the items. So the same buckets are walked twice:
 * first to find the matching items, then to reply with them. Nothing changes in between.
 *
 * ```text
 * survey   cursor → bucket → bucket → …       records for each item whether its name matches
 * reply    cursor → bucket → bucket → …       replies with the matching items
 * ```
 *
 * @module
 */

import type { Glob } from "../connection/glob.ts";
import { FIELD_SIZE_MAX_BYTES, SCAN_COUNT_MAX, SCAN_REPLY_MAX_BYTES, SCAN_STEPS_MAX_COUNT } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext } from "./context.ts";
import type { NamedItems } from "./named_items.ts";
import { replyCursor, SCAN_BUCKETS_MIN_COUNT, SCAN_BUCKETS_PER_KEY, scanOptions } from "./scan_options.ts";

/** The cost of looking at an item, in the steps of `SCAN_STEPS_MAX_COUNT`. */
const ITEM_STEPS = 100;

/**
 * Replies to `…scan key cursor [MATCH pattern] [COUNT count]` with items of the value. A small value is returned whole,
 * regardless of COUNT.
 *
 * @param entry the entry of the value, or 0
 */
export function replyScan(
  context: CommandContext,
  request: Request,
  reply: Reply,
  entry: number,
  cursor: number,
  items: NamedItems,
): void {
  if (entry === 0) {
    // As in Redis, options are not checked for an absent value.
    reply.array(2);
    replyCursor(reply, 0);
    reply.array(0);
    return;
  }
  const { count, glob } = scanOptions(request, 3, false);
  const walk = new ItemWalk(items, entry, glob, reply);
  const next = walk.survey(cursor, Math.min(count, SCAN_COUNT_MAX));
  reply.array(2);
  replyCursor(reply, next);
  reply.array(walk.matches * items.width);
  walk.reply(cursor);
  context.untilClock = 0;
}

/** The name that is being matched. Commands run to completion, so one buffer is enough. */
const name = new Uint8Array(FIELD_SIZE_MAX_BYTES);
/** For each item of the survey, 1 if it matches. */
let flags = new Uint8Array(1024);

/** The walk of one command. */
class ItemWalk {
  /** The number of matching items. */
  matches = 0;
  readonly #items: NamedItems;
  readonly #entry: number;
  readonly #glob: Glob | undefined;
  readonly #reply: Reply;
  #visited = 0;
  #buckets = 0;
  /** The total size of all matching items, in bytes. */
  #size = 0;

  constructor(items: NamedItems, entry: number, glob: Glob | undefined, reply: Reply) {
    this.#items = items;
    this.#entry = entry;
    this.#glob = glob;
    this.#reply = reply;
  }

  /** Walks over about `count` items, as `scan` does with keys. Returns the next cursor. */
  survey(cursor: number, count: number): number {
    const mostBuckets = Math.max(count * SCAN_BUCKETS_PER_KEY, SCAN_BUCKETS_MIN_COUNT);
    do {
      cursor = this.#items.scan(this.#entry, cursor, this.#look);
      this.#buckets++;
    } while (
      cursor !== 0 && this.#buckets < mostBuckets && this.#visited < count && this.#size < SCAN_REPLY_MAX_BYTES &&
      this.#visited * ITEM_STEPS + (this.#glob?.steps ?? 0) < SCAN_STEPS_MAX_COUNT
    );
    return cursor;
  }

  readonly #look = (): void => {
    const isMatch = this.#matches();
    if (isMatch) {
      this.matches++;
      this.#size += this.#items.size();
    }
    if (this.#visited === flags.length) {
      const grown = new Uint8Array(flags.length * 2);
      grown.set(flags);
      flags = grown;
    }
    flags[this.#visited++] = isMatch ? 1 : 0;
  };

  #matches(): boolean {
    if (this.#glob === undefined) return true;
    const length = this.#items.nameLength();
    this.#items.copyName(name, 0);
    return this.#glob.matches(name, 0, length);
  }

  /** Walks again from the same cursor, and writes the matching items to the reply. */
  reply(cursor: number): void {
    this.#visited = 0;
    for (let bucket = 0; bucket < this.#buckets; bucket++) {
      cursor = this.#items.scan(this.#entry, cursor, this.#replyNext);
    }
  }

  readonly #replyNext = (): void => {
    if (flags[this.#visited++] !== 0) this.#items.reply(this.#reply);
  };
}
