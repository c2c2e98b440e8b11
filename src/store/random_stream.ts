/**
 * Draws: many random numbers out of a single one, which the caller brings, so that the store needs no randomness of its own.
 *
 * The generator is mulberry32 (Tommy Ettinger, public domain): 32 bits of state, enough to choose among entries evenly and
 * never for secrets.
 *
 * @module
 */

const WORD = 2 ** 32;

/** Random numbers, the same ones each time it begins with the same number. */
export class RandomStream {
  #state = 0;

  /** @param random in [0, 1) */
  begin(random: number): void {
    this.#state = (random * WORD) | 0;
  }

  /** An integer in `[0, bound)`, for a bound up to 2^32. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / WORD * bound);
  }
}
