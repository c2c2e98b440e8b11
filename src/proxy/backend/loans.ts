/**
 * Slots that servers have lent to others, as long as what they hold of them is what was written last.
 *
 * ```text
 * lend(slot, A) ──► A's keys of the slot are intact ── wrote(slot) ──► A has missed something: it has to be flushed of it
 *                              │ A is back
 *                              └──► A gets the slot as it left it
 * ```
 *
 * Only requests that may write count, and those count as soon as they are sent: one whose outcome is unknown may have
 * been carried out. A slot has one lender at most, the last one.
 *
 * @module
 */

import { SLOTS_COUNT } from "../../limits.ts";
import type { Pool } from "../../route/pool.ts";

/** The slots that are lent and of which nothing was written since. */
export class Loans {
  /** How many there are: while there is none, nobody has to look which slot a request writes. */
  count = 0;
  readonly #lenders: (Pool | undefined)[] = new Array(SLOTS_COUNT).fill(undefined);

  /** Takes note that a server has lent a slot, and holds what was written last. */
  lend(slot: number, lender: Pool): void {
    if (this.#lenders[slot] === undefined) this.count++;
    this.#lenders[slot] = lender;
  }

  /** Takes note that a slot has been written, or is with its lender again. */
  end(slot: number): void {
    if (this.#lenders[slot] === undefined) return;
    this.#lenders[slot] = undefined;
    this.count--;
  }

  /** Takes note that every slot has been written, as `flush` does. */
  endAll(): void {
    this.#lenders.fill(undefined);
    this.count = 0;
  }

  /** Whether a server holds what was written last of a slot that it has lent. */
  isIntact(slot: number, pool: Pool): boolean {
    return this.#lenders[slot] === pool;
  }

  /** Forgets the loans of the servers that are not among those. */
  keepOnly(pools: readonly Pool[]): void {
    for (let slot = 0; slot < SLOTS_COUNT && this.count > 0; slot++) {
      const lender = this.#lenders[slot];
      if (lender !== undefined && !pools.includes(lender)) this.end(slot);
    }
  }
}
