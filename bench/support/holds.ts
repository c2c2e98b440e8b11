/**
 * How long work holds its thread: each of many operations, or each iteration of the event loop.
 *
 * @module
 */

import { threadDelayMs, threadTimeMs } from "./processor_time.ts";

/** The longest wait of a timer of 0 ms itself. */
const TIMER_WAIT_MAX_MS = 2.5;

/** The longest of some stretches, in each respect separately. */
export interface Hold {
  /** The time for which it ran. */
  readonly ranMs: number;
  /** The time for which it ran or was blocked, without the time in which other programs had the processor. */
  readonly heldMs: number;
  /** The time by the clock. */
  readonly clockMs: number;
}

/** The results of {@linkcode watchUntil}. */
export interface Watched extends Hold {
  readonly elapsedMs: number;
}

/** Times operations that follow each other without waiting. */
export class Stopwatch implements Hold {
  ranMs = 0;
  clockMs = 0;
  #clockMs = 0;
  #threadMs = 0;

  /** Equal to {@linkcode ranMs}, since nothing blocks. */
  get heldMs(): number {
    return this.ranMs;
  }

  /** Begins an operation. */
  start(): void {
    this.#threadMs = threadTimeMs();
    this.#clockMs = performance.now();
  }

  /** Ends an operation. Returns its duration by the clock, in ms. */
  stop(): number {
    const clockMs = performance.now() - this.#clockMs;
    // By the clock it cannot have been shorter, but the call that reads the thread's time takes time as well.
    const ranMs = Math.min(clockMs, threadTimeMs() - this.#threadMs);
    if (clockMs > this.clockMs) this.clockMs = clockMs;
    if (ranMs > this.ranMs) this.ranMs = ranMs;
    return clockMs;
  }
}

/**
 * Watches this thread's event loop until `done` returns `true`. It is called once in each iteration.
 *
 * A chain of timers measures each stretch between two of them. The loop was held for the time that the thread ran or
 * was blocked, less the wait of a timer itself.
 *
 * @throws {Error} when it takes longer than `timeoutMs`
 */
export async function watchUntil(done: () => boolean, timeoutMs: number): Promise<Watched> {
  const longest = { ranMs: 0, heldMs: 0, clockMs: 0 };
  const startedMs = performance.now();
  let before = { clockMs: startedMs, threadMs: threadTimeMs(), delayMs: threadDelayMs() };
  do {
    await new Promise((resolve) => setTimeout(resolve, 0));
    const now = { clockMs: performance.now(), threadMs: threadTimeMs(), delayMs: threadDelayMs() };
    const clockMs = now.clockMs - before.clockMs;
    const ranMs = now.threadMs - before.threadMs;
    const blockedMs = clockMs - ranMs - (now.delayMs - before.delayMs);
    longest.ranMs = Math.max(longest.ranMs, ranMs);
    longest.heldMs = Math.max(longest.heldMs, ranMs + Math.max(0, blockedMs - TIMER_WAIT_MAX_MS));
    longest.clockMs = Math.max(longest.clockMs, clockMs);
    if (now.clockMs - startedMs > timeoutMs) throw new Error(`Cannot measure: not done within ${timeoutMs} ms`);
    before = now;
  } while (!done());
  return { ...longest, elapsedMs: performance.now() - startedMs };
}
