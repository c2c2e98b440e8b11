/**
 * Delays replies until the others of their batch have come, but not for long: one timer serves all clients.
 *
 * A write costs a proxy as much as ten requests, and the servers of one pipeline reply at different moments. So the
 * replies to requests that came together leave together, unless that takes too long. Then they leave at the next tick,
 * which is between one and two intervals away.
 *
 * ```text
 * tick            tick            tick
 *   │  held ─ ─ ─ ─ ┼ ─ ─ ─ ─ ─ ─ ─► released
 * ```
 *
 * @module
 */

import { REPLY_HOLD_MS } from "../../limits.ts";

/** Output that can be held back. */
export interface Coalesced {
  /** Whether it is on the list. Kept by {@linkcode WriteCoalescer}. */
  listed: boolean;
  /** Writes the output. May be called after the output was written otherwise. Must not throw. */
  release(): void;
}

/** The list of held output. There is one for a proxy. */
export class WriteCoalescer {
  #fresh: Coalesced[] = [];
  #due: Coalesced[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Releases `held` within two ticks. */
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
