/**
 * Lets many clients write their channel messages without delaying others.
 *
 * A message to 8,000 clients is put into 8,000 queues in a millisecond, but as many writes take a hundred. The first
 * writes run at the end of the present step of the event loop, for the length of a slice. The rest run in later turns.
 *
 * @module
 */

import type { Slices } from "./slices.ts";

/** The number of writes that begin between two reads of the clock. Each takes about 10 µs. */
const WRITES_AT_ONCE_COUNT = 8;

/** A connection that has messages to write. */
export interface Deliverable {
  /** Whether {@linkcode deliver} will be called. {@linkcode DeliveryQueue} sets it. */
  isDue: boolean;
  /** Begins to write, if possible. It must not throw. */
  deliver(): void;
}

/** The due writes of a whole role. */
export class DeliveryQueue {
  readonly #slices: Slices;
  #due: Deliverable[] = [];
  #next = 0;
  #isRunning = false;

  constructor(slices: Slices) {
    this.#slices = slices;
  }

  /** Schedules `each` to write after the present step of the event loop, once for any number of calls. */
  schedule(each: Deliverable): void {
    if (each.isDue) return;
    each.isDue = true;
    this.#due.push(each);
    if (!this.#isRunning) this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // Messages that arrive before the present command ends are included.
    await undefined;
    // A few writes need no clock.
    if (!this.#step()) { while (!this.#slices.run(this.#step)) await this.#slices.next(); }
    this.#isRunning = false;
  }

  readonly #step = (): boolean => {
    for (const stop = Math.min(this.#due.length, this.#next + WRITES_AT_ONCE_COUNT); this.#next < stop; this.#next++) {
      const each = this.#due[this.#next]!;
      each.isDue = false;
      each.deliver();
    }
    if (this.#next < this.#due.length) return false;
    this.#due = [];
    this.#next = 0;
    return true;
  };
}
