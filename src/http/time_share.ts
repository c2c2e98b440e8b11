/**
 * Bounds the time that the port takes of the event loop, which it shares with the clients of the role.
 *
 * Each request waits for its turn, and requests of all connections run one after another, each in another turn of the
 * event loop; so do new connections. What they take, and an estimate of what new connections and reads take, is charged
 * to a balance, which is earned back at `HTTP_TIME_SHARE`:
 *
 * ```text
 * balance    HTTP_TIME_BURST_MS ┄┄┄╲      ╱┄┄   requests run in the next turn of the event loop
 *                              0 ┄┄┄╲┄┄┄┄╱┄┄┄
 *                                    ╲__╱       requests, reads and new connections wait until it is positive again
 * ```
 *
 * So a flood of requests or connections is served slowly, and clients of the role hardly notice it. Urgent requests
 * have a separate queue: a program that asks whether the role is alive must not wait for others.
 *
 * @module
 */

import { HTTP_TIME_BURST_MS, HTTP_TIME_SHARE } from "../limits.ts";

/** The share of the event loop that one port has. */
export class TimeShare {
  #balanceMs = HTTP_TIME_BURST_MS;
  #countedMs = performance.now();
  readonly #urgent: (() => void)[] = [];
  readonly #others: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** Whether the balance is used up, so that {@linkcode next} takes long. */
  get isExhausted(): boolean {
    if (this.#balanceMs < 0) this.#earn();
    return this.#balanceMs < 0 && !this.#closed;
  }

  /** Resolves in a turn of the event loop in which at most one other thing of the port runs. */
  next(isUrgent = false): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    (isUrgent ? this.#urgent : this.#others).push(resolve);
    this.#schedule();
    return promise;
  }

  /** Charges time. */
  spend(ms: number): void {
    this.#earn();
    this.#balanceMs -= ms;
  }

  /** Lets everything run immediately from now on, since the port ends. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const run of [...this.#urgent.splice(0), ...this.#others.splice(0)]) run();
  }

  #earn(): void {
    const nowMs = performance.now();
    const earnedMs = (nowMs - this.#countedMs) * HTTP_TIME_SHARE;
    this.#balanceMs = Math.min(HTTP_TIME_BURST_MS, this.#balanceMs + earnedMs);
    this.#countedMs = nowMs;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#urgent.length + this.#others.length === 0) return;
    this.#earn();
    const delayMs = this.#balanceMs >= 0 ? 0 : -this.#balanceMs / HTTP_TIME_SHARE;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#urgent.shift()?.();
      this.#others.shift()?.();
      this.#schedule();
    }, delayMs);
  }
}
