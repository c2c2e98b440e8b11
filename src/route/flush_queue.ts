/**
 * One write per turn of the event loop, for every connection at once.
 *
 * Whatever has collected bytes asks for a flush; all of them are flushed in one microtask, which runs behind the
 * continuations of the reads that came in together. So what fifty clients sent in one turn leaves as one write per
 * backend, and their replies as one write per client, without a timer and without waiting.
 *
 * @module
 */

/** What collects bytes during a turn. */
export interface Flushable {
  /** Whether {@linkcode flush} will be called in this turn. Kept by {@linkcode FlushQueue}. */
  scheduled: boolean;
  /** Hands on what was collected. Must not throw. */
  flush(): void;
}

/** The flushes due in this turn. One for a whole role. */
export class FlushQueue {
  #due: Flushable[] = [];
  readonly #run = (): void => {
    // Flushes that are asked for during the run belong to it.
    for (let i = 0; i < this.#due.length; i++) {
      const each = this.#due[i]!;
      each.scheduled = false;
      each.flush();
    }
    this.#due.length = 0;
  };

  /** Has `each` flushed at the end of this turn, once however often it is asked for. */
  schedule(each: Flushable): void {
    if (each.scheduled) return;
    each.scheduled = true;
    if (this.#due.push(each) === 1) queueMicrotask(this.#run);
  }
}

/** A clock that is read often and set seldom: reading the system's for each command would cost more than routing it. */
export interface Clock {
  /** Milliseconds since an arbitrary moment, never going back. Set by its owner at every sweep. */
  nowMs: number;
}
