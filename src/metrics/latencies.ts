/**
 * The latencies of the last seconds, in two windows.
 *
 * ```text
 * windows   [ the previous one, complete | the present one, being filled ]      quantiles are of both
 * ```
 *
 * @module
 */

import { Histogram } from "./histogram.ts";

/** A histogram of recent latencies. It does not allocate after its construction. */
export class Latencies {
  readonly #windowMs: number;
  #sinceMs: number;
  #present = new Histogram();
  #before = new Histogram();

  /**
   * @param windowMs the length of a window; durations older than two windows are forgotten
   * @param nowMs the present, by the clock of {@linkcode rotate}
   */
  constructor(windowMs: number, nowMs: number) {
    this.#windowMs = windowMs;
    this.#sinceMs = nowMs;
  }

  /** Counts a duration in ms `count` times. */
  add(durationMs: number, count = 1): void {
    this.#present.add(durationMs, count);
  }

  /** Begins a new window when the present one is full. It is called more often than windows end. */
  rotate(nowMs: number): void {
    if (nowMs - this.#sinceMs < this.#windowMs) return;
    this.#sinceMs = nowMs;
    const oldest = this.#before;
    this.#before = this.#present;
    this.#present = oldest;
    oldest.clear();
  }

  /** Forgets all durations. */
  clear(): void {
    this.#present.clear();
    this.#before.clear();
  }

  /**
   * Returns the duration in ms that the part `fraction` of all counted ones does not exceed; `undefined` when there are
   * none.
   *
   * @example
   * ```ts
   * import { assertAlmostEquals } from "@std/assert";
   * import { Latencies } from "./latencies.ts";
   *
   * const latencies = new Latencies(10_000, 0);
   * for (let i = 1; i <= 100; i++) latencies.add(i);
   * assertAlmostEquals(latencies.quantile(0.5)!, 50, 2.5);
   * ```
   */
  quantile(fraction: number): number | undefined {
    return this.#present.quantile(fraction, this.#before);
  }
}
