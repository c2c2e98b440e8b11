/**
 * Time for commands that take long, a slice at a time, so that together they never hold the event loop for longer than
 * one slice.
 *
 * ```text
 * turn     | slice        | reads, writes, timers … | slice        | reads, writes, timers …
 * who      | A            |                         | B            |
 * ```
 *
 * What a turn has left is shared by all who run in it: where many short walks would add up, the later ones wait. Those who
 * wait stand in a queue, and each is let go on in a turn of its own.
 *
 * Reads of much have turns of their own kind. Nobody knows how long one takes before it was done, so those who wait are let go
 * on one after another, as long as the turn has time left:
 *
 * ```text
 * turn     | … read A · clock · read B · clock: over | reads, writes, timers … | read C · clock · read A · …
 * ```
 *
 * A turn is waited for with `setTimeout(…, 0)`. It takes a millisecond, in which everything else runs that there is.
 * Measured with slices of 2 ms beside a client that waits for each echo: 3,500 echoes a second, where `MessageChannel`
 * (0.02 ms a turn) lets 16 through and `setImmediate` of `node:timers` (0.003 ms) 8. These two come back before the
 * loop has asked the system for input. So does a timer that is due when a slice ends, while the garbage collector marks:
 * therefore a turn also waits for a round through the system (input_round.ts), which takes 0.05 ms more.
 *
 * @module
 */

import { BATCH_MAX_MS, BATCH_MIN_MS, SLICE_MS } from "../limits.ts";

/** What tells that the event loop has asked the system for input: an `InputRound`. */
export interface InputQuestion {
  /** Resolves once it has. */
  pass(): Promise<void>;
}

/** The slices of one role. */
export class Slices {
  readonly #input: InputQuestion | undefined;
  /** What is left of the slice of this turn. Below 0 when a step took longer than there was. */
  #leftMs = SLICE_MS;
  /** When the last step ended. */
  #endedMs = 0;
  #last: Promise<void> = Promise.resolve();
  /** What read batches that took long have taken in this turn. */
  #batchesMs = 0;
  #batchesTurn: Promise<void> | undefined;
  /** When this turn has begun, once somebody has asked. */
  #turnStartedMs = 0;
  /** Resolves at its end; nothing before somebody has asked. */
  #turnEnd: Promise<void> | undefined;
  /** Those who read much and wait for a turn with time left, the first at `#readersBegin`. */
  #readers: (() => void)[] = [];
  #readersBegin = 0;

  /** @param input is passed in each turn; without it a turn may go by in which the system was not asked for input */
  constructor(input?: InputQuestion) {
    this.#input = input;
  }

  /**
   * Calls `step`, which is to take a small part of a slice, until it answers that all is done or no time is left. Then
   * the caller waits for {@linkcode next}, and comes again.
   *
   * @returns whether all is done
   */
  run(step: () => boolean): boolean {
    let nowMs = performance.now();
    // Time in which others ran counts as if it were a turn, as far as it goes.
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
   * How long the requests of a read batch may run before others get their turn. Batches that are short do not ask; where many
   * are long that were read in one turn, those that come later get less.
   *
   * @param ranMs how long this one has run
   */
  isLong(ranMs: number): boolean {
    return ranMs > Math.max(BATCH_MIN_MS, BATCH_MAX_MS - this.#batchesMs);
  }

  /** Takes note of a batch that has run for so long, and pauses. */
  ranLong(ranMs: number): void {
    this.#batchesMs += ranMs;
    this.#batchesTurn ??= this.#turn().then(() => {
      this.#batchesTurn = undefined;
      this.#batchesMs = 0;
    });
  }

  /**
   * Whether the event loop has been in the same turn for long, as far as those who ask can tell, or others wait for the next
   * one. Reads and writes that need not wait follow each other without a turn, so whoever reads much at a time asks after each,
   * and waits for {@linkcode readTurn}.
   */
  get isTurnLong(): boolean {
    return this.#readers.length > 0 || this.turnMs > SLICE_MS;
  }

  /** How long the event loop has been in the same turn, from when that was first asked in it; 0 then. */
  get turnMs(): number {
    if (this.#turnEnd !== undefined) return performance.now() - this.#turnStartedMs;
    this.#beginTurn();
    return 0;
  }

  /**
   * Resolves in a later turn, behind all who have asked before, as soon as that turn has time left. What is done then without
   * another wait counts as part of it.
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
      // It goes on before this does.
      await undefined;
    } while (this.#readersBegin < this.#readers.length && performance.now() - this.#turnStartedMs < SLICE_MS);
    // Not at each call, since it moves all that wait.
    if (this.#readersBegin * 2 < this.#readers.length) return;
    this.#readers.splice(0, this.#readersBegin);
    this.#readersBegin = 0;
  }

  /** Resolves once no turn is waited for any more. Its role has no clients then. */
  async rest(): Promise<void> {
    while (this.#turnEnd !== undefined) await this.#turnEnd;
    await this.#last;
    await this.#batchesTurn;
  }

  /** Resolves in a later turn, behind all who have asked before. Whoever goes on then has a whole slice. */
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
