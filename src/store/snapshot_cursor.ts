/**
 * A walk over all keys in many small steps, while commands go on and change what it has not reached, or has passed.
 *
 * ```text
 * oldest ── covered ── covered ──▶ cursor ── old ── covered ── old ── … ── newest
 *                                           └── used or made since ──┘
 * ```
 *
 * The walk goes from the least to the most recently used key (recency.ts has its cursor), so everything behind it has been
 * covered. What is used or made meanwhile comes to the front, so what is ahead is mixed: each entry, and each field of a
 * large hash, has a bit that tells. The bit is not cleared when a walk ends: it means "covered" with one value in one walk
 * and with the other in the next, so that beginning a walk is to turn the meaning around. Hence no walk begins before the
 * last one has gone to its end.
 *
 * A large value is covered in parts. It is `open` meanwhile, and counts as covered itself; of a hash the fields are told
 * apart, of a list or string its walker knows how far it has come (`reached`).
 *
 * @module
 */

import { assert } from "../errors.ts";
import type { Arena } from "./arena.ts";
import { bodyWord, FLAG_EPOCH } from "./block.ts";
import type { RecencyList } from "./recency.ts";

/** Where the walk is, and what its bit means. There is one a store. */
export class SnapshotCursor {
  /** FLAG_PARITY or 0: what covered entries have. */
  epoch = 0;
  /** The entry whose value is being covered in parts, or 0. */
  partial = 0;
  /** What has been covered of the open value, in bytes, elements or fields. Of a list or string, the first ones. */
  capturedTo = 0;
  /** How many entries were looked at, and parts of open values. */
  looked = 0;
  readonly #words: Uint32Array;
  readonly #recency: RecencyList;
  /** The field of the open hash that is looked at next; 0 behind the last. */
  #field = 0;

  constructor(arena: Arena, recency: RecencyList) {
    this.#words = arena.words;
    this.#recency = recency;
  }

  /** Begins to walk over all keys that are there now. The last walk must have come to its end. */
  begin(): void {
    assert(this.#recency.cursor === 0 && this.partial === 0, "a walk begins before the last one has ended");
    this.#flipEpoch();
    this.#recency.cursor = this.#recency.oldest;
  }

  /**
   * The next key that is not covered, which is from now on: what happens to it is the caller's to follow.
   *
   * @param budget most keys to look at
   * @returns an entry; 0 when all are covered, -1 when the budget is used up
   */
  next(budget: number): number {
    const words = this.#words;
    const recency = this.#recency;
    for (let left = budget; left > 0; left--) {
      const entry = recency.cursor;
      if (entry === 0) return 0;
      recency.cursor = recency.newer(entry);
      this.looked++;
      if (this.isCaptured(entry)) continue;
      words[entry * 2 + 3]! ^= FLAG_EPOCH;
      return entry;
    }
    return -1;
  }

  /**
   * How often an entry has come to where the walk has yet to look at it, since the store was made. A walk that looks at fewer
   * never comes to its end.
   */
  get ahead(): number {
    return this.#recency.additions;
  }

  /** Whether an entry, or a field, has been covered, or is open. Outside of a walk, all are covered. */
  isCaptured(entry: number): boolean {
    return (this.#words[entry * 2 + 3]! & FLAG_EPOCH) === this.epoch;
  }

  /** Opens a large hash: its fields are to be covered. */
  openHash(entry: number): void {
    this.partial = entry;
    this.#field = this.#words[entry * 2 + bodyWord(this.#words[entry * 2 + 3]!)]!;
  }

  /** The next field of the open hash that is not covered, which is from now on; 0 behind the last. */
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

  /** Leaves the open value. */
  close(): void {
    this.partial = 0;
    this.capturedTo = 0;
    this.#field = 0;
  }

  /**
   * Lets a copy of an entry be made. One of what is not covered, or not all of it, is not covered either: the walk comes to
   * it.
   *
   * @param copy makes it, and answers its entry
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

  /** The entry at `from` now stands at `to`. */
  moved(from: number, to: number): void {
    if (from === this.partial) this.partial = to;
  }

  /** The field at `from` now stands at `to`. */
  fieldMoved(from: number, to: number): void {
    if (from === this.#field) this.#field = to;
  }

  /** A field is taken out of its hash, `owner`, in front of `next`, which is `owner` behind the last. */
  fieldLeaves(field: number, next: number, owner: number): void {
    if (field === this.#field) this.#field = next === owner ? 0 : next;
  }

  /** Turns the meaning of the bit around. */
  #flipEpoch(): void {
    this.epoch ^= FLAG_EPOCH;
  }
}
