/**
 * How long replies wait for those that belong to the same batch: one timer for all clients.
 *
 * A write costs a proxy as much as ten requests, and the servers of one pipeline answer at different moments. So the replies
 * to what a client sent together leave together, unless that takes too long: then they leave at the next tick, which is a
 * tick away at least and two at most.
 *
 * ```text
 * tick            tick            tick
 *   │  held ─ ─ ─ ─ ┼ ─ ─ ─ ─ ─ ─ ─► released
 * ```
 *
 * @module
 */

import { REPLY_HOLD_MS } from "../../limits.ts";

/** What can be held. */
export interface Coalesced {
  /** Whether it is on the list. Kept by {@linkcode WriteCoalescer}. */
  listed: boolean;
  /** Waits no longer. May be called though it is not held any more. Must not throw. */
  release(): void;
}

/** The list of what is held. One for a whole role. */
export class WriteCoalescer {
  #fresh: Coalesced[] = [];
  #due: Coalesced[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Has `held` released within two ticks. */
  hold(held: Coalesced): void {
    if (held.listed) return;
    held.listed = true;
    this.#fresh.push(held);
    this.#timer ??= setTimeout(this.#tick, REPLY_HOLD_MS);
  }

  readonly #tick = (): void => {
    const due = this.#due;
    for (const held of due) {
      held.listed = false;
      held.release();
    }
    due.length = 0;
    this.#due = this.#fresh;
    this.#fresh = due;
    this.#timer = this.#due.length > 0 ? setTimeout(this.#tick, REPLY_HOLD_MS) : undefined;
  };
}
