/**
 * A histogram of a server's recent latencies in two windows.
 *
 * ```text
 * bucket    0          1          …   8         …   215           each 2^(1/8) times as wide as the one before
 * ms        0.001      0.00109        0.002         about 131 000
 *
 * windows   [ the previous one, complete | the present one, being filled ]      quantiles are of both
 * ```
 *
 * A quantile is the middle of a bucket, which is at most 5 % off. A duration outside the buckets counts in the first or
 * last one.
 *
 * @module
 */

const BUCKETS_PER_DOUBLING = 8;
const SHORTEST_MS = 0.001;
const BUCKETS_COUNT = 27 * BUCKETS_PER_DOUBLING;

/** A histogram of latencies. It does not allocate after its construction. */
export class Latencies {
  readonly #windowMs: number;
  #sinceMs: number;
  #present = new Uint32Array(BUCKETS_COUNT);
  #before = new Uint32Array(BUCKETS_COUNT);

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
    const bucket = Math.floor(Math.log2(Math.max(durationMs, SHORTEST_MS) / SHORTEST_MS) * BUCKETS_PER_DOUBLING);
    this.#present[Math.min(bucket, BUCKETS_COUNT - 1)]! += count;
  }

  /** Begins a new window when the present one is full. It is called more often than windows end. */
  rotate(nowMs: number): void {
    if (nowMs - this.#sinceMs < this.#windowMs) return;
    this.#sinceMs = nowMs;
    const oldest = this.#before;
    this.#before = this.#present;
    this.#present = oldest.fill(0);
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
    let total = 0;
    for (let i = 0; i < BUCKETS_COUNT; i++) total += this.#present[i]! + this.#before[i]!;
    if (total === 0) return undefined;
    let left = Math.max(1, Math.ceil(total * fraction));
    let bucket = -1;
    while (left > 0) {
      bucket++;
      left -= this.#present[bucket]! + this.#before[bucket]!;
    }
    return SHORTEST_MS * 2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING);
  }
}
