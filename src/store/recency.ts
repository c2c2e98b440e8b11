/**
 * Entries from the most to the least recently used: an intrusive doubly linked list through words 0 and 1.
 *
 * ```text
 * newest ──1──▶ entry ──1──▶ entry ──1──▶ oldest        word 1: older
 *        ◀──0──       ◀──0──       ◀──0──               word 0: newer
 * ```
 *
 * Exact: every use moves the entry to the front, in constant time. The same list, as a second instance, holds the large
 * values that wait to be taken apart.
 *
 * A walk from the oldest to the newest (snapshot_cursor.ts) has its place here: when the entry at `cursor` leaves that place, the walk
 * goes on with the one that was next.
 *
 * @module
 */

import type { Arena } from "./arena.ts";

const NEWER = 0;
const OLDER = 1;

/** A recency list over entries of one arena. An entry is in at most one list. */
export class RecencyList {
  /** The entry used last, or 0. */
  newest = 0;
  /** The entry that was not used for the longest time, or 0. */
  oldest = 0;
  /** The entry that a walk looks at next; 0 when there is no walk, or it is past the newest. */
  cursor = 0;
  /** How often an entry has come to the front, where a walk has to look at it again. */
  additions = 0;
  readonly #words: Uint32Array;

  constructor(arena: Arena) {
    this.#words = arena.words;
  }

  /** The entry used next after `entry`, or 0. */
  newer(entry: number): number {
    return this.#words[entry * 2 + NEWER]!;
  }

  /** Puts an entry that is in no list at the front. */
  add(entry: number): void {
    const words = this.#words;
    const second = this.newest;
    this.additions++;
    words[entry * 2 + NEWER] = 0;
    words[entry * 2 + OLDER] = second;
    if (second === 0) this.oldest = entry;
    else words[second * 2 + NEWER] = entry;
    this.newest = entry;
  }

  /** Takes an entry out. */
  remove(entry: number): void {
    const words = this.#words;
    const newer = words[entry * 2 + NEWER]!;
    const older = words[entry * 2 + OLDER]!;
    if (entry === this.cursor) this.cursor = newer;
    if (newer === 0) this.newest = older;
    else words[newer * 2 + OLDER] = older;
    if (older === 0) this.oldest = newer;
    else words[older * 2 + NEWER] = newer;
  }

  /** Makes an entry of the list the newest. */
  touch(entry: number): void {
    if (this.newest === entry) return;
    this.remove(entry);
    this.add(entry);
  }

  /** The entry at `from` now stands at `to`, its words copied: mends its neighbours. */
  moved(from: number, to: number): void {
    const words = this.#words;
    if (from === this.cursor) this.cursor = to;
    const newer = words[to * 2 + NEWER]!;
    const older = words[to * 2 + OLDER]!;
    if (newer === 0) this.newest = to;
    else words[newer * 2 + OLDER] = to;
    if (older === 0) this.oldest = to;
    else words[older * 2 + NEWER] = to;
  }

  /** Forgets everything. */
  clear(): void {
    this.newest = 0;
    this.oldest = 0;
    this.cursor = 0;
  }
}
