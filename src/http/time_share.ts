/**
 * Bounds the time that responses take of the event loop, which they share with the clients of the role.
 *
 * Each request waits for its turn, and requests of all connections run one after another, each in another
 * turn of the event loop. Their time is charged to a balance, which is earned back at `HTTP_TIME_SHARE`:
 *
 * ```text
 * balance    HTTP_TIME_BURST_MS ┄┄┄╲      ╱┄┄   requests run in the next turn of the event loop
 *                              0 ┄┄┄╲┄┄┄┄╱┄┄┄
 *                                    ╲__╱       requests wait until it is positive again
 * ```
 *
 * @module
 */

import { HTTP_TIME_BURST_MS, HTTP_TIME_SHARE } from "../limits.ts";

/** The share of the event loop of one port. */
export class TimeShare {
  #balanceMs = HTTP_TIME_BURST_MS;
  #countedMs = performance.now();
  readonly #waiting: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** Resolves in a turn of the event loop in which no other request of the port runs. */
  next(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#schedule();
    return promise;
  }

  /** Charges time. */
  spend(ms: number): void {
    this.#earn();
    this.#balanceMs -= ms;
  }

  /** Lets requests run immediately from now on, since the port ends. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const run of this.#waiting.splice(0)) run();
  }

  #earn(): void {
    const nowMs = performance.now();
    const earnedMs = (nowMs - this.#countedMs) * HTTP_TIME_SHARE;
    this.#balanceMs = Math.min(HTTP_TIME_BURST_MS, this.#balanceMs + earnedMs);
    this.#countedMs = nowMs;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#waiting.length === 0) return;
    this.#earn();
    const delayMs = this.#balanceMs >= 0 ? 0 : -this.#balanceMs / HTTP_TIME_SHARE;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#waiting.shift()?.();
      this.#schedule();
    }, delayMs);
  }
}
