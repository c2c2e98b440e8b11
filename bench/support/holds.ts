/**
 * How long something holds its thread: each of many operations, or each turn of the event loop.
 *
 * @module
 */

import { threadDelayMs, threadTimeMs } from "./processor_time.ts";

/** A timer of no time waits so long by itself, at most. */
const TIMER_WAIT_MAX_MS = 2.5;

/** The longest of some stretches, in each respect by itself. */
export interface Hold {
  /** How long it ran. */
  readonly ranMs: number;
  /** How long it ran and was blocked: the time left out in which other programs had the processor. */
  readonly heldMs: number;
  /** What a bystander sees. */
  readonly clockMs: number;
}

/** What {@linkcode watchUntil} has seen. */
export interface Watched extends Hold {
  readonly elapsedMs: number;
}

/** Times operations that follow each other and wait for nothing. */
export class Stopwatch implements Hold {
  ranMs = 0;
  clockMs = 0;
  #clockMs = 0;
  #threadMs = 0;

  /** The same as {@linkcode ranMs}, since nothing blocks. */
  get heldMs(): number {
    return this.ranMs;
  }

  /** Begins an operation. */
  start(): void {
    this.#threadMs = threadTimeMs();
    this.#clockMs = performance.now();
  }

  /** Ends an operation. Answers how long it took by the clock, in ms. */
  stop(): number {
    const clockMs = performance.now() - this.#clockMs;
    // By the clock it cannot have been shorter, but the call that tells the thread's time takes time as well.
    const ranMs = Math.min(clockMs, threadTimeMs() - this.#threadMs);
    if (clockMs > this.clockMs) this.clockMs = clockMs;
    if (ranMs > this.ranMs) this.ranMs = ranMs;
    return clockMs;
  }
}

/**
 * Watches this thread's event loop until `done` answers `true`, which is asked once a turn.
 *
 * A chain of timers looks at each stretch between two of them. The loop was held in it for as long as the thread ran, and
 * for as long as it was blocked, less what a timer waits by itself.
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
