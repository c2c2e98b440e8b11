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

import { FLAG_PARITY } from "./block.ts";

/** Where the walk is, and what its bit means. There is one a store. */
export class Walk {
  /** FLAG_PARITY or 0: what covered entries have. */
  parity = 0;
  /** The entry whose value is being covered in parts, or 0. */
  open = 0;
  /** Elements of an open list, or bytes of an open string, that have been covered: the first ones. */
  reached = 0;
  /** The field of the open hash that is looked at next; 0 behind the last. */
  field = 0;
  /** How many entries were looked at, and parts of open values. */
  looked = 0;

  /** Turns the meaning of the bit around: nothing is covered from now on. */
  turn(): void {
    this.parity ^= FLAG_PARITY;
  }

  /** Leaves the open value. */
  close(): void {
    this.open = 0;
    this.reached = 0;
    this.field = 0;
  }

  /** The entry at `from` now stands at `to`. */
  moved(from: number, to: number): void {
    if (from === this.open) this.open = to;
  }

  /** The field at `from` now stands at `to`. */
  fieldMoved(from: number, to: number): void {
    if (from === this.field) this.field = to;
  }

  /** A field is taken out of its hash, `owner`, in front of `next`, which is `owner` behind the last. */
  fieldLeaves(field: number, next: number, owner: number): void {
    if (field === this.field) this.field = next === owner ? 0 : next;
  }

  /** Everything is gone. */
  clear(): void {
    this.close();
  }
}
