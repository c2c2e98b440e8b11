/**
 * Slots that servers have lent to others, while their own keys of the slots are up to date.
 *
 * ```text
 * lend(slot, A) ──► A's keys of the slot are intact ── wrote(slot) ──► A has missed a write and must be flushed of the slot
 *                              │ A is back
 *                              └──► A gets the slot back with its keys
 * ```
 *
 * Only requests that may write count. They count when they are sent: one whose outcome is unknown may have been
 * executed. A slot has at most one lender, the last one.
 *
 * @module
 */

import { SLOTS_COUNT } from "../../limits.ts";
import type { Pool } from "../../route/pool.ts";

/** The slots that are lent and not written since. */
export class Loans {
  /** The number of such slots. While it is 0, no code needs to find the slot that a request writes. */
  count = 0;
  readonly #lenders: (Pool | undefined)[] = new Array(SLOTS_COUNT).fill(undefined);

  /** Records that a server has lent a slot, and has its latest keys. */
  lend(slot: number, lender: Pool): void {
    if (this.#lenders[slot] === undefined) this.count++;
    this.#lenders[slot] = lender;
  }

  /** Records that a slot was written, or is with its lender again. */
  end(slot: number): void {
    if (this.#lenders[slot] === undefined) return;
    this.#lenders[slot] = undefined;
    this.count--;
  }

  /** Records that every slot was written, as by `flush`. */
  endAll(): void {
    this.#lenders.fill(undefined);
    this.count = 0;
  }

  /** Returns whether a server has the latest keys of a slot that it has lent. */
  isIntact(slot: number, pool: Pool): boolean {
    return this.#lenders[slot] === pool;
  }

  /** Forgets the loans of all servers but the given ones. */
  keepOnly(pools: readonly Pool[]): void {
    for (let slot = 0; slot < SLOTS_COUNT && this.count > 0; slot++) {
      const lender = this.#lenders[slot];
      if (lender !== undefined && !pools.includes(lender)) this.end(slot);
    }
  }
}
