/**
 * Lets something happen a few times in a row, and after that once in a while: lines of a log, which one fault that comes
 * and goes would fill otherwise. It is a token bucket.
 *
 * @module
 */

/** See the module's comment. */
export class TokenBucket {
  readonly #maxCount: number;
  readonly #intervalMs: number;
  #count: number;
  /** Since when the next one is being earned. */
  #sinceMs = -Infinity;

  /**
   * @param maxCount how often it may happen in a row
   * @param intervalMs after how long it may happen once more
   */
  constructor(maxCount: number, intervalMs: number) {
    this.#maxCount = this.#count = maxCount;
    this.#intervalMs = intervalMs;
  }

  /** Whether it may happen now; then that is one. `nowMs` never goes back. */
  take(nowMs: number): boolean {
    const earned = Math.floor((nowMs - this.#sinceMs) / this.#intervalMs);
    if (this.#count + earned >= this.#maxCount) {
      this.#count = this.#maxCount;
      this.#sinceMs = nowMs;
    } else {
      this.#count += earned;
      this.#sinceMs += earned * this.#intervalMs;
    }
    if (this.#count === 0) return false;
    this.#count--;
    return true;
  }
}
