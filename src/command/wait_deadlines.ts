/**
 * When the times of those who wait are up: one timer for all of the same millisecond, so that thousands cost no more than a few.
 *
 * @module
 */

/** Those whose time is up in the same millisecond. */
interface Moment<T> {
  readonly timer: ReturnType<typeof setTimeout>;
  readonly waiters: Set<T>;
}

/** The times of all that wait at one server. */
export class WaitDeadlines<T> {
  readonly #moments = new Map<number, Moment<T>>();
  readonly #expire: (waiters: Set<T>) => void;

  /** @param expire called with all whose time is up at a moment, in the order in which they came */
  constructor(expire: (waiters: Set<T>) => void) {
    this.#expire = expire;
  }

  /** Has the time of `waiter` be up after `timeoutMs`. Returns the moment, for {@linkcode remove}. */
  add(waiter: T, timeoutMs: number): number {
    const nowMs = performance.now();
    const dueMs = Math.ceil(nowMs + timeoutMs);
    let moment = this.#moments.get(dueMs);
    if (moment === undefined) {
      const timer = setTimeout(() => this.#end(dueMs), dueMs - nowMs);
      this.#moments.set(dueMs, moment = { timer, waiters: new Set() });
    }
    moment.waiters.add(waiter);
    return dueMs;
  }

  /** Forgets a waiter. Idempotent. */
  remove(waiter: T, dueMs: number): void {
    const moment = this.#moments.get(dueMs);
    if (moment === undefined || !moment.waiters.delete(waiter) || moment.waiters.size > 0) return;
    clearTimeout(moment.timer);
    this.#moments.delete(dueMs);
  }

  #end(dueMs: number): void {
    const { waiters } = this.#moments.get(dueMs)!;
    this.#moments.delete(dueMs);
    this.#expire(waiters);
  }
}
