/**
 * A histogram of durations whose buckets grow by a constant factor.
 *
 * ```text
 * bucket    0          1          …   24        …   239           each 2^(1/8) times as wide as the one before
 * ms        0.000125   0.000136       0.001         about 131 000
 * ```
 *
 * A quantile is the middle of a bucket, which is at most 5 % off. A duration outside the buckets counts in the first or
 * last one. Each power of two of a microsecond is the bound of a bucket, so counts up to such a bound are exact.
 *
 * @module
 */

const BUCKETS_PER_DOUBLING = 8;
const SHORTEST_MS = 0.001 / 8;
const BUCKETS_COUNT = 30 * BUCKETS_PER_DOUBLING;

/** A histogram of durations. It does not allocate after its construction. */
export class Histogram {
  // The counts are doubles: one that is never reset can exceed 32 bits within hours.
  readonly #counts = new Float64Array(BUCKETS_COUNT);
  #total = 0;

  /** Counts a duration in ms `count` times. */
  add(durationMs: number, count = 1): void {
    const bucket = Math.floor(Math.log2(Math.max(durationMs, SHORTEST_MS) / SHORTEST_MS) * BUCKETS_PER_DOUBLING);
    this.#counts[Math.min(bucket, BUCKETS_COUNT - 1)]! += count;
    this.#total += count;
  }

  /** Forgets all durations. */
  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** The number of durations. */
  get total(): number {
    return this.#total;
  }

  /** Returns the number of durations below `boundMs`, which is a power of two of a microsecond, or infinite. */
  countUpTo(boundMs: number): number {
    const end = Math.min(BUCKETS_COUNT, Math.round(Math.log2(boundMs / SHORTEST_MS) * BUCKETS_PER_DOUBLING));
    let count = 0;
    for (let i = 0; i < end; i++) count += this.#counts[i]!;
    return count;
  }

  /**
   * Returns the duration in ms that the part `fraction` of all counted ones does not exceed; `undefined` when there are
   * none.
   *
   * @param other another histogram whose durations are included
   *
   * @example
   * ```ts
   * import { assertAlmostEquals } from "@std/assert";
   * import { Histogram } from "./histogram.ts";
   *
   * const histogram = new Histogram();
   * for (let i = 1; i <= 100; i++) histogram.add(i);
   * assertAlmostEquals(histogram.quantile(0.5)!, 50, 2.5);
   * ```
   */
  quantile(fraction: number, other?: Histogram): number | undefined {
    const total = this.total + (other?.total ?? 0);
    if (total === 0) return undefined;
    let left = Math.max(1, Math.ceil(total * fraction));
    let bucket = -1;
    while (left > 0) {
      bucket++;
      left -= this.#counts[bucket]! + (other === undefined ? 0 : other.#counts[bucket]!);
    }
    return SHORTEST_MS * 2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING);
  }
}
