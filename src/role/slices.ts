/**
 * Gives long commands time in slices, so that together they never block the event loop for longer than one slice.
 *
 * ```text
 * turn     | slice        | reads, writes, timers … | slice        | reads, writes, timers …
 * runs     | A            |                         | B            |
 * ```
 *
 * All commands that run in a turn of the event loop share the rest of its slice: where many short ones would add up,
 * the later ones wait. Waiting commands are in a queue, and each continues in a separate turn.
 *
 * Large reads have separate turns. How long one takes is known only afterwards, so waiting readers continue one after
 * another while the turn has time left:
 *
 * ```text
 * turn     | … read A · clock · read B · clock: over | reads, writes, timers … | read C · clock · read A · …
 * ```
 *
 * A turn is awaited with `setTimeout(…, 0)`. It takes a millisecond, in which everything else runs. This was measured
 * with slices of 2 ms beside a client that waits for each echo: 3,500 echoes a second, where `MessageChannel` (0.02 ms
 * a turn) allows 16 and `setImmediate` of `node:timers` (0.003 ms) 8. These two return before the loop has asked the
 * system for input. So does a timer that is due when a slice ends while the garbage collector marks. A turn therefore
 * also waits for a round trip through the system (input_round.ts), which takes 0.05 ms more.
 *
 * @module
 */

import { BATCH_MAX_MS, BATCH_MIN_MS, SLICE_MS } from "../limits.ts";

/** A check that the event loop has asked the system for input; an `InputRound`. */
export interface InputCheck {
  /** Resolves once the event loop has asked. */
  pass(): Promise<void>;
}

/** The slices of one role. */
export class Slices {
  readonly #input: InputCheck | undefined;
  /** The time that is left of this turn's slice. It is below 0 when a step took longer. */
  #leftMs = SLICE_MS;
  /** When the last step ended, in ms. */
  #endedMs = 0;
  #last: Promise<void> = Promise.resolve();
  /** The time that long read batches have taken in this turn. */
  #batchesMs = 0;
  #batchesTurn: Promise<void> | undefined;
  /** When this turn began, as of the first call in it that asks, in ms. */
  #turnStartedMs = 0;
  /** Resolves at the end of this turn; `undefined` before the first call in it that asks. */
  #turnEnd: Promise<void> | undefined;
  /** The readers of large amounts that wait for a turn with time left. The first is at `#readersBegin`. */
  #readers: (() => void)[] = [];
  #readersBegin = 0;

  /** @param input is passed in each turn; without it the system may not have been asked for input in a turn */
  constructor(input?: InputCheck) {
    this.#input = input;
  }

  /**
   * Calls `step`, which should take a small part of a slice, until it returns `true` or no time is left. In the latter
   * case the caller awaits {@linkcode next} and calls again.
   *
   * @returns whether all is done
   */
  run(step: () => boolean): boolean {
    let nowMs = performance.now();
    // Time in which other code ran counts like a turn.
    this.#leftMs = Math.min(SLICE_MS, this.#leftMs + nowMs - this.#endedMs);
    const endMs = nowMs + this.#leftMs;
    let isDone = false;
    while (!isDone && nowMs < endMs) {
      isDone = step();
      nowMs = performance.now();
    }
    this.#leftMs = endMs - nowMs;
    this.#endedMs = nowMs;
    return isDone;
  }

  /**
   * Returns whether the requests of a read batch have run long enough, so that others should run. Short batches do not
   * ask. If many long batches were read in one turn, the later ones get less time.
   *
   * @param ranMs how long this batch has run
   */
  isLong(ranMs: number): boolean {
    return ranMs > Math.max(BATCH_MIN_MS, BATCH_MAX_MS - this.#batchesMs);
  }

  /** Records a batch that ran for a long time and now pauses. */
  ranLong(ranMs: number): void {
    this.#batchesMs += ranMs;
    this.#batchesTurn ??= this.#turn().then(() => {
      this.#batchesTurn = undefined;
      this.#batchesMs = 0;
    });
  }

  /**
   * Whether the event loop has been in the same turn for long, as far as the callers can know, or others wait for the
   * next one. Reads and writes that need not wait follow each other in one turn. Code that reads much therefore checks
   * this after each read, and awaits {@linkcode readTurn}.
   */
  get isTurnLong(): boolean {
    return this.#readers.length > 0 || this.turnMs > SLICE_MS;
  }

  /** How long the event loop has been in the same turn, counted from the first call in it that asks. */
  get turnMs(): number {
    if (this.#turnEnd !== undefined) return performance.now() - this.#turnStartedMs;
    this.#beginTurn();
    return 0;
  }

  /**
   * Resolves in a later turn, after all earlier callers, as soon as that turn has time left. What follows without
   * another wait counts as part of the turn.
   */
  readTurn(): Promise<void> {
    if (this.#turnEnd === undefined) this.#beginTurn();
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  #beginTurn(): void {
    this.#turnStartedMs = performance.now();
    this.#turnEnd = this.#turn().then(() => {
      this.#turnEnd = undefined;
      if (this.#readers.length > 0) void this.#letRead();
    });
  }

  async #letRead(): Promise<void> {
    this.#beginTurn();
    do {
      this.#readers[this.#readersBegin++]!();
      // The reader continues before this function does.
      await undefined;
    } while (this.#readersBegin < this.#readers.length && performance.now() - this.#turnStartedMs < SLICE_MS);
    // The array is not spliced at each call, since that moves all waiting readers.
    if (this.#readersBegin * 2 < this.#readers.length) return;
    this.#readers.splice(0, this.#readersBegin);
    this.#readersBegin = 0;
  }

  /** Resolves once no turn is awaited any more. The role must not have clients then. */
  async rest(): Promise<void> {
    while (this.#turnEnd !== undefined) await this.#turnEnd;
    await this.#last;
    await this.#batchesTurn;
  }

  /** Resolves in a later turn, after all earlier callers, with a whole slice left. */
  next(): Promise<void> {
    this.#last = this.#last.then(async () => {
      await this.#turn();
      this.#leftMs = SLICE_MS;
    });
    return this.#last;
  }

  /** Resolves in a later turn. */
  async #turn(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await this.#input?.pass();
  }
}
