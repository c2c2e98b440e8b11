/**
 * The state of a snapshot: it visits all keys in many small steps, while commands change keys before and after its
 * cursor.
 *
 * ```text
 * oldest ── captured ── captured ──▶ cursor ── old ── captured ── old ── … ── newest
 *                                             └── used or created since ──┘
 * ```
 *
 * The cursor moves from the least to the most recently used key (recency.ts), so all entries that it has passed are
 * captured. Entries that are used or created in the meantime move to the front, so those ahead of it are mixed. Each
 * entry, and each field of a large hash, therefore has an *epoch bit*: it is captured when the bit equals the current
 * epoch. The bits are not cleared when a snapshot ends. Instead, each snapshot begins by flipping the epoch, which
 * makes all entries not captured. So a snapshot must be complete before the next one begins.
 *
 * A large value is captured in parts. Meanwhile it is *partial*, and the entry itself counts as captured. Fields of a
 * partial hash have their own epoch bits; of a partial list or string, the first `capturedTo` elements or bytes are
 * captured.
 *
 * @module
 */

import { assert } from "../errors.ts";
import type { Arena } from "./arena.ts";
import { bodyWord, FLAG_EPOCH } from "./block.ts";
import type { RecencyList } from "./recency.ts";

/** The position of the snapshot and the meaning of the epoch bit. There is one cursor a store. */
export class SnapshotCursor {
  /** The epoch bit of captured entries: FLAG_EPOCH or 0. */
  epoch = 0;
  /** The entry whose value is being captured in parts, or 0. */
  partial = 0;
  /**
   * How much of the partial value is captured, in bytes, elements or fields. Of a list or string, it is the beginning.
   */
  capturedTo = 0;
  /** The number of entries, and of parts of partial values, that were visited. */
  visited = 0;
  readonly #words: Uint32Array;
  readonly #recency: RecencyList;
  /** The field of the partial hash that is visited next; 0 after the last. */
  #field = 0;

  constructor(arena: Arena, recency: RecencyList) {
    this.#words = arena.words;
    this.#recency = recency;
  }

  /** Begins a snapshot of all keys that exist now. The last snapshot must be complete. */
  begin(): void {
    assert(this.#recency.cursor === 0 && this.partial === 0, "a walk begins before the last one has ended");
    this.#flipEpoch();
    this.#recency.cursor = this.#recency.oldest;
  }

  /**
   * Marks the next key that is not captured as captured, and returns it. The caller captures its value, and
   * records its later changes.
   *
   * @param budget the most keys to visit
   * @returns an entry; 0 when all are captured, -1 when the budget is used up
   */
  next(budget: number): number {
    const words = this.#words;
    const recency = this.#recency;
    for (let left = budget; left > 0; left--) {
      const entry = recency.cursor;
      if (entry === 0) return 0;
      recency.cursor = recency.newer(entry);
      this.visited++;
      if (this.isCaptured(entry)) continue;
      words[entry * 2 + 3]! ^= FLAG_EPOCH;
      return entry;
    }
    return -1;
  }

  /**
   * The number of times, since the store was created, that an entry moved to where the cursor has yet to visit it. A
   * snapshot that visits fewer entries in the same time never ends.
   */
  get ahead(): number {
    return this.#recency.additions;
  }

  /**
   * Returns whether an entry, or a field, is captured or partial. When no snapshot is being taken, all are captured.
   */
  isCaptured(entry: number): boolean {
    return (this.#words[entry * 2 + 3]! & FLAG_EPOCH) === this.epoch;
  }

  /** Makes a large hash the partial value, to capture its fields. */
  beginHash(entry: number): void {
    this.partial = entry;
    this.#field = this.#words[entry * 2 + bodyWord(this.#words[entry * 2 + 3]!)]!;
  }

  /** Marks the next field of the partial hash that is not captured as captured, and returns it; 0 after the last. */
  nextField(): number {
    const words = this.#words;
    for (let field = this.#field; field !== 0; field = this.#field) {
      const next = words[field * 2]!;
      this.#field = next === this.partial ? 0 : next;
      if (this.isCaptured(field)) continue;
      words[field * 2 + 3]! ^= FLAG_EPOCH;
      return field;
    }
    return 0;
  }

  /** Ends capturing the partial value. */
  endPartial(): void {
    this.partial = 0;
    this.capturedTo = 0;
    this.#field = 0;
  }

  /**
   * Runs `copy`, which copies an entry. The copy of an entry that is partial or not captured is not captured either:
   * the cursor will reach it.
   *
   * @param copy a function that makes the copy and returns its entry
   */
  copying(entry: number, copy: () => number): number {
    if (this.isCaptured(entry) && entry !== this.partial) return copy();
    this.#flipEpoch();
    try {
      return copy();
    } finally {
      this.#flipEpoch();
      if (this.#recency.cursor === 0) this.#recency.cursor = this.#recency.newest;
    }
  }

  /** Updates the cursor after an entry has moved from `from` to `to`. */
  moved(from: number, to: number): void {
    if (from === this.partial) this.partial = to;
  }

  /** Updates the cursor after a field has moved from `from` to `to`. */
  fieldMoved(from: number, to: number): void {
    if (from === this.#field) this.#field = to;
  }

  /**
   * Updates the cursor before a field is removed from its hash, `owner`. `next` is the next field, or `owner` after the
   * last.
   */
  fieldLeaves(field: number, next: number, owner: number): void {
    if (field === this.#field) this.#field = next === owner ? 0 : next;
  }

  /** Flips the meaning of the epoch bit. */
  #flipEpoch(): void {
    this.epoch ^= FLAG_EPOCH;
  }
}
