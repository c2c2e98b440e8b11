/**
 * Combines writes, so that every connection writes once per turn of the event loop.
 *
 * An object that has collected bytes schedules a flush. All flushes run in one microtask, after the continuations of
 * the reads that arrived together. The requests that fifty clients sent in one turn therefore leave as one write per
 * backend, and their replies as one write per client, without a timer and without waiting.
 *
 * @module
 */

/** An object that collects bytes during a turn of the event loop. */
export interface Flushable {
  /** Whether {@linkcode flush} will be called in this turn. {@linkcode FlushQueue} sets it. */
  scheduled: boolean;
  /** Passes on the collected bytes. It must not throw. */
  flush(): void;
}

/** The flushes that are due in this turn, for a whole role. */
export class FlushQueue {
  #due: Flushable[] = [];
  readonly #run = (): void => {
    // Flushes that are scheduled during the run belong to it.
    for (let i = 0; i < this.#due.length; i++) {
      const each = this.#due[i]!;
      each.scheduled = false;
      each.flush();
    }
    this.#due.length = 0;
  };

  /** Schedules a flush of `each` at the end of this turn, once for any number of calls. */
  schedule(each: Flushable): void {
    if (each.scheduled) return;
    each.scheduled = true;
    if (this.#due.push(each) === 1) queueMicrotask(this.#run);
  }
}

/**
 * A clock that is read often and set seldom. Reading the system's clock for each command would cost more than routing
 * it.
 */
export interface Clock {
  /** Milliseconds since an arbitrary moment, monotonic. The owner sets it at every sweep. */
  nowMs: number;
}
