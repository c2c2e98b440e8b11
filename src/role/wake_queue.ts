/**
 * Wakes many waiting clients without delaying others.
 *
 * One push may serve 10,000 clients. Waking one takes 30 µs and more, since it writes its reply and reads on, in
 * microtasks after the present step of the event loop. The queue therefore wakes a few clients, lets them run, and
 * checks the clock to see whether the turn has time for more:
 *
 * ```text
 * wake(A) wake(B) …       A and B run immediately, which is nearly always all
 * … wake(H) wake(I) …     H … ─ clock ─ … ─ clock ─ turn is over │ next turn: … ─ clock ─ …     in order
 * ```
 *
 * @module
 */

import { SLICE_MS } from "../limits.ts";
import type { Slices } from "./slices.ts";

/** The number of clients that are woken between two reads of the clock. */
const WOKEN_AT_ONCE_COUNT = 8;
/**
 * The least number of microtasks that a woken client needs until it writes. If it needs more, the clock only covers the
 * clients that were woken before, which makes a turn longer by half a millisecond.
 */
const STEPS_TO_WRITE_COUNT = 4;

/** The clients of a whole role that are to be woken. */
export class WakeQueue {
  readonly #slices: Slices;
  #due: (() => void)[] = [];
  #next = 0;
  #isRunning = false;
  /** How many more clients are woken before the next read of the clock. */
  #untilClock = WOKEN_AT_ONCE_COUNT;

  constructor(slices: Slices) {
    this.#slices = slices;
  }

  /** Calls `goOn` immediately while few clients are woken, otherwise after all earlier ones. It must not throw. */
  wake(goOn: () => void): void {
    if (!this.#isRunning && --this.#untilClock > 0) return goOn();
    this.#due.push(goOn);
    if (!this.#isRunning) this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#next < this.#due.length) {
      for (let i = 0; i < STEPS_TO_WRITE_COUNT; i++) await undefined;
      if (this.#slices.turnMs > SLICE_MS) await this.#slices.next();
      const stop = Math.min(this.#due.length, this.#next + WOKEN_AT_ONCE_COUNT);
      while (this.#next < stop) this.#due[this.#next++]!();
    }
    this.#due = [];
    this.#next = 0;
    this.#untilClock = WOKEN_AT_ONCE_COUNT;
    this.#isRunning = false;
  }
}
