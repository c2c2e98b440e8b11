/**
 * Lets many clients go on that have waited, without holding up the others.
 *
 * One push may answer 10,000 clients. To wake one takes 30 µs and more, since it writes its reply and reads on: all of that
 * happens in microtasks behind the present step of the event loop. So the queue wakes a few clients, lets them go on, and asks
 * the clock whether this turn has time for more:
 *
 * ```text
 * wake(A) wake(B) …       A and B at once: nearly always that is all
 * … wake(H) wake(I) …     H … ─ clock ─ … ─ clock ─ turn is over │ next turn: … ─ clock ─ …       the first first
 * ```
 *
 * @module
 */

import { SLICE_MS } from "../limits.ts";
import type { Slices } from "./slices.ts";

/** Clients that are woken between two looks at the clock. */
const WOKEN_AT_ONCE_COUNT = 8;
/**
 * Microtasks that each of them needs at least until it writes. Where it needs more, the clock tells of those that were woken
 * before, which makes a turn longer by half a millisecond.
 */
const STEPS_TO_WRITE_COUNT = 4;

/** Those who are to be woken. One for a whole role. */
export class WakeQueue {
  readonly #slices: Slices;
  #due: (() => void)[] = [];
  #next = 0;
  #isRunning = false;
  /** How many more are woken before the clock is looked at, whenever they come. */
  #untilClock = WOKEN_AT_ONCE_COUNT;

  constructor(slices: Slices) {
    this.#slices = slices;
  }

  /** Calls `goOn` at once where few are woken, else when all were woken who were to be before. It must not throw. */
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
