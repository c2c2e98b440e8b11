/**
 * Collects the keys that a walk over the store visits, bucket by bucket, and replies with the wanted ones.
 *
 * ```text
 * collect   bucket → references of all its keys → those that are wanted …
 * reply     … copied into the reply, and forgotten
 * ```
 *
 * A reference is valid only until the next write, so no other command may run between `collect` and `reply`. All
 * references of a bucket are collected before the first key is read: keys lie anywhere in memory, and this way the
 * processor fetches several of them at a time.
 *
 * Matching a long key with a long pattern takes a millisecond, and a bucket may hold twenty keys. Since cursors are
 * positions in the order of hashes, a walk can stop within a bucket: the range of the bucket is halved until its keys
 * take less time.
 *
 * @module
 */

import type { Glob } from "../connection/glob.ts";
import { KEY_SIZE_MAX_BYTES } from "../limits.ts";
import type { EntryType, Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";

/** The time to look into a bucket, in nanoseconds. */
const BUCKET_STEPS = 20;
/** The time to look at a key, in nanoseconds. Most of it is waiting for memory. */
const KEY_STEPS = 100;
/** The number of bytes of a key that are copied in a nanosecond. */
const BYTES_PER_STEP = 16;
/**
 * The most steps for a bucket that is walked as a whole. With more, it is walked in parts. One key takes at most 1.1
 * million.
 */
const PART_STEPS_MAX_COUNT = 500_000;
/** The number of cursors, which is the position after the last one. */
const CURSORS_COUNT = 2 ** 32;

// One of each is enough: they are used within one call, or between two calls with no other command in between.
/** The collected references. */
let references = new Uint32Array(1024);
/** The key that is being matched. */
const key = new Uint8Array(KEY_SIZE_MAX_BYTES);

/** One walk of `keys` or `scan`: the conditions that keys must meet, and the keys found. */
export class KeyCollector {
  /** The number of keys looked at so far. */
  visited = 0;
  /** The number of keys collected since the last reply. */
  count = 0;
  /** The total length of all keys collected so far, in bytes. */
  size = 0;
  readonly #store: Store;
  readonly #glob: Glob | undefined;
  readonly #type: EntryType | undefined;
  /** The total length of all keys looked at, in bytes. */
  #visitedSize = 0;
  #buckets = 0;

  /** Prepares to collect keys of `store` that have not expired, match `glob` if given, and have the `type` if given. */
  constructor(store: Store, glob?: Glob, type?: EntryType) {
    this.#store = store;
    this.#glob = glob;
    this.#type = type;
  }

  /** The work done so far, in steps of about a nanosecond. */
  get steps(): number {
    const looking = this.#buckets * BUCKET_STEPS + this.visited * KEY_STEPS;
    return looking + this.#visitedSize / BYTES_PER_STEP + (this.#glob?.steps ?? 0);
  }

  /**
   * Collects wanted keys of the bucket at `cursor`, or of a part of it. Returns the next cursor, or 0 at the end, as
   * `Store.scan` does.
   */
  collect(cursor: number): number {
    const from = this.count;
    let next = this.#store.scan(cursor, this.#add);
    if (this.#glob !== undefined) {
      while (this.count - from > 1 && this.#stepsToMatch(this.#glob, from) > PART_STEPS_MAX_COUNT) {
        const middle = Math.floor((cursor + (next === 0 ? CURSORS_COUNT : next)) / 2);
        if (middle === cursor) break;
        this.#dropFrom(middle, from);
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

  /** Returns the highest number of steps that matching the keys from index `from` on may take. */
  #stepsToMatch(glob: Glob, from: number): number {
    let length = 0;
    for (let i = from; i < this.count; i++) length += this.#store.keyLength(references[i]!);
    return glob.stepsFor(length);
  }

  /** Drops the keys at `cursor` and after it from a bucket that begins before `cursor`. A later call collects them. */
  #dropFrom(cursor: number, from: number): void {
    const end = this.count;
    this.#store.scan(cursor, this.#add);
    const later = new Set(references.subarray(end, this.count));
    this.count = from;
    for (let i = from; i < end; i++) {
      if (!later.has(references[i]!)) references[this.count++] = references[i]!;
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
   * Writes the collected keys to the reply without an array around them, and forgets them.
   *
   * @throws {ReplyError} when the reply gets too long
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
