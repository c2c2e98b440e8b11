/**
 * A token bucket: it allows an event a few times in a burst, and after that once per interval. It limits lines of a
 * log, which a recurring fault would fill otherwise.
 *
 * @module
 */

/** A token bucket, initially full. */
export class TokenBucket {
  readonly #maxCount: number;
  readonly #intervalMs: number;
  #count: number;
  /** The time from which the next token is earned, in ms. */
  #sinceMs = -Infinity;

  /**
   * @param maxCount how often the event may happen in a burst
   * @param intervalMs the time after which it may happen once more
   */
  constructor(maxCount: number, intervalMs: number) {
    this.#maxCount = this.#count = maxCount;
    this.#intervalMs = intervalMs;
  }

  /** Takes a token, and returns whether there was one. `nowMs` is monotonic. */
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
