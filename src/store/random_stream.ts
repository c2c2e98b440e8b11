/**
 * A stream of random numbers from a single one, which the caller passes, so that the store needs no source of
 * randomness.
 *
 * The generator is mulberry32 (Tommy Ettinger, public domain). Its state has 32 bits: enough to choose evenly among
 * entries, but not for secrets.
 *
 * @module
 */

const WORD = 2 ** 32;

/** A pseudorandom generator that yields the same numbers each time it begins with the same number. */
export class RandomStream {
  #state = 0;

  /**
   * Restarts the stream.
   *
   * @param random a number in [0, 1)
   */
  begin(random: number): void {
    this.#state = (random * WORD) | 0;
  }

  /** Returns an integer in `[0, bound)`, for a bound up to 2^32. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / WORD * bound);
  }
}
