/**
 * Entries from the most to the least recently used: an intrusive doubly linked list through words 0 and 1.
 *
 * ```text
 * newest ──1──▶ entry ──1──▶ entry ──1──▶ oldest        word 1: older
 *        ◀──0──       ◀──0──       ◀──0──               word 0: newer
 * ```
 *
 * The order is exact: every use moves the entry to the front, in constant time. A second instance of the list holds the
 * large values that wait to be freed.
 *
 * A snapshot visits the list from the oldest to the newest entry (snapshot_cursor.ts), and its position is kept here:
 * when the entry at `cursor` leaves its place, the snapshot continues with the next one.
 *
 * @module
 */

import type { Arena } from "./arena.ts";

const NEWER = 0;
const OLDER = 1;

/** A recency list over entries of one arena. An entry is in at most one list. */
export class RecencyList {
  /** The most recently used entry, or 0. */
  newest = 0;
  /** The least recently used entry, or 0. */
  oldest = 0;
  /** The entry that a snapshot visits next; 0 when no snapshot is being taken, or it has passed the newest entry. */
  cursor = 0;
  /** The number of times that an entry was added at the front, where a snapshot has to visit it again. */
  additions = 0;
  readonly #words: Uint32Array;

  constructor(arena: Arena) {
    this.#words = arena.words;
  }

  /** Returns the entry that was used next after `entry`, or 0. */
  newer(entry: number): number {
    return this.#words[entry * 2 + NEWER]!;
  }

  /** Adds an entry that is in no list at the front. */
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

  /** Removes an entry from the list. */
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

  /** Makes an entry of the list the newest one. */
  touch(entry: number): void {
    if (this.newest === entry) return;
    this.remove(entry);
    this.add(entry);
  }

  /** Updates the neighbours of an entry that has moved from `from` to `to` with its words. */
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

  /** Empties the list. */
  clear(): void {
    this.newest = 0;
    this.oldest = 0;
    this.cursor = 0;
  }
}
