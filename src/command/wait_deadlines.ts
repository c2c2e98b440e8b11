/**
 * The timeouts of waiting clients. All timeouts in the same millisecond share one timer, so that thousands cost no more
 * than a few.
 *
 * @module
 */

/** The waiters whose timeout is in the same millisecond. */
interface Moment<T> {
  readonly timer: ReturnType<typeof setTimeout>;
  readonly waiters: Set<T>;
}

/** The timeouts of all waiters of one server. */
export class WaitDeadlines<T> {
  readonly #moments = new Map<number, Moment<T>>();
  readonly #expire: (waiters: Set<T>) => void;

  /** @param expire called with all waiters that time out in the same millisecond, in the order in which they came */
  constructor(expire: (waiters: Set<T>) => void) {
    this.#expire = expire;
  }

  /** Adds a timeout for `waiter` after `timeoutMs`. Returns its time, for {@linkcode remove}. */
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

  /** Removes the timeout of a waiter. Safe to call twice. */
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
