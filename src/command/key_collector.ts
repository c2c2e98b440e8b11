/**
 * The keys that a walk over the store comes by, bucket by bucket: those that were asked for, ready to be answered.
 *
 * ```text
 * collect   bucket → references of all its keys → those that were asked for …
 * reply     … copied into the reply, and let go
 * ```
 *
 * A reference is valid as long as nothing is written: between `collect` and `reply` no other command may run. All
 * references of a bucket are gathered before the first key is looked at. Keys lie anywhere in memory, and this way the
 * processor fetches several of them at a time.
 *
 * Matching a long key with a long pattern takes a millisecond, and a bucket may hold twenty. Since cursors are positions
 * in the order of hashes, a walk can stop within a bucket: what is gathered is halved until it takes less.
 *
 * @module
 */

import type { Glob } from "../connection/glob.ts";
import { KEY_SIZE_MAX_BYTES } from "../limits.ts";
import type { EntryType, Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";

/** What looking into a bucket takes, in nanoseconds. */
const BUCKET_STEPS = 20;
/** What looking at a key takes, in nanoseconds: mostly waiting for its memory. */
const KEY_STEPS = 100;
/** Bytes of a key that are copied in a nanosecond. */
const BYTES_PER_STEP = 16;
/** A bucket whose keys may take more steps than this is walked through in parts. One key takes 1.1 million at most. */
const PART_STEPS_MAX_COUNT = 500_000;
/** Behind the last cursor. */
const CURSORS_COUNT = 2 ** 32;

// One of each is enough: both are used within one call, or between two with nothing in between.
/** The references gathered. */
let references = new Uint32Array(1024);
/** The key being matched. */
const key = new Uint8Array(KEY_SIZE_MAX_BYTES);

/** What one `keys` or `scan` looks for, and what it has found. */
export class KeyCollector {
  /** Keys looked at so far. */
  visited = 0;
  /** Keys gathered and not answered yet. */
  count = 0;
  /** Sum of the lengths of all keys gathered so far, in bytes. */
  size = 0;
  readonly #store: Store;
  readonly #glob: Glob | undefined;
  readonly #type: EntryType | undefined;
  /** Bytes of all keys looked at. */
  #visitedSize = 0;
  #buckets = 0;

  /** Keys of `store` that have not expired are gathered: those that match `glob`, and are of one type, where given. */
  constructor(store: Store, glob?: Glob, type?: EntryType) {
    this.#store = store;
    this.#glob = glob;
    this.#type = type;
  }

  /** What all this has taken so far, in steps of about a nanosecond. */
  get steps(): number {
    const looking = this.#buckets * BUCKET_STEPS + this.visited * KEY_STEPS;
    return looking + this.#visitedSize / BYTES_PER_STEP + (this.#glob?.steps ?? 0);
  }

  /** Gathers keys of the bucket at `cursor`, or of a part of it, and answers where to go on; see `Store.scan`. */
  collect(cursor: number): number {
    const from = this.count;
    let next = this.#store.scan(cursor, this.#add);
    if (this.#glob !== undefined) {
      while (this.count - from > 1 && this.#stepsToMatch(this.#glob, from) > PART_STEPS_MAX_COUNT) {
        const middle = Math.floor((cursor + (next === 0 ? CURSORS_COUNT : next)) / 2);
        if (middle === cursor) break;
        this.#dropBehind(middle, from);
        next = middle;
      }
    }
    this.#buckets++;
    let kept = from;
    for (let i = from; i < this.count; i++) {
      const entry = references[i]!;
      if (this.#isWanted(entry)) references[kept++] = entry;
    }
    this.visited += this.count - from;
    this.count = kept;
    return next;
  }

  readonly #add = (entry: number): void => {
    if (this.count === references.length) {
      const grown = new Uint32Array(references.length * 2);
      grown.set(references);
      references = grown;
    }
    references[this.count++] = entry;
  };

  /** Steps that matching the keys gathered from `from` on takes at most. */
  #stepsToMatch(glob: Glob, from: number): number {
    let length = 0;
    for (let i = from; i < this.count; i++) length += this.#store.keyLength(references[i]!);
    return glob.stepsFor(length);
  }

  /** Leaves the keys of the bucket that begins before `cursor` and goes on behind it for the time when it is there. */
  #dropBehind(cursor: number, from: number): void {
    const end = this.count;
    this.#store.scan(cursor, this.#add);
    const behind = new Set(references.subarray(end, this.count));
    this.count = from;
    for (let i = from; i < end; i++) {
      if (!behind.has(references[i]!)) references[this.count++] = references[i]!;
    }
  }

  #isWanted(entry: number): boolean {
    const store = this.#store;
    const length = store.keyLength(entry);
    this.#visitedSize += length;
    if (store.hasExpired(entry)) return false;
    if (this.#type !== undefined && store.type(entry) !== this.#type) return false;
    if (this.#glob !== undefined) {
      store.copyKey(entry, key, 0);
      if (!this.#glob.matches(key, 0, length)) return false;
    }
    this.size += length;
    return true;
  }

  /**
   * Answers the keys gathered, one after another and without an array around them, and lets go of them.
   *
   * @throws {ReplyError} when that makes too long a reply
   */
  reply(reply: Reply): void {
    const store = this.#store;
    for (let i = 0; i < this.count; i++) {
      const entry = references[i]!;
      const at = reply.reserve(store.keyLength(entry));
      store.copyKey(entry, reply.buffer, at);
    }
    this.count = 0;
  }
}
