/**
 * Lets many clients write the messages that came for them, without holding up the others.
 *
 * A message to 8,000 clients is put into 8,000 queues in a millisecond, but as many writes take a hundred. They begin at the
 * end of the present step of the event loop, as far as a slice goes, and carry on in later turns.
 *
 * @module
 */

import type { Slices } from "./slices.ts";

/** Writes that are begun between two looks at the clock, each of about 10 µs. */
const WRITES_AT_ONCE_COUNT = 8;

/** What has messages to write. */
export interface Deliverable {
  /** Whether {@linkcode deliver} will be called. Kept by {@linkcode DeliveryQueue}. */
  isDue: boolean;
  /** Begins to write, if it can. Must not throw. */
  deliver(): void;
}

/** The writes that are due. One for a whole role. */
export class DeliveryQueue {
  readonly #slices: Slices;
  #due: Deliverable[] = [];
  #next = 0;
  #isRunning = false;

  constructor(slices: Slices) {
    this.#slices = slices;
  }

  /** Has `each` write after the present step of the event loop, once however often it is asked for. */
  schedule(each: Deliverable): void {
    if (each.isDue) return;
    each.isDue = true;
    this.#due.push(each);
    if (!this.#isRunning) this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // What comes until the present command has ended goes along.
    await undefined;
    // A few need no clock.
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
