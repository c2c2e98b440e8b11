/**
 * Ranks after Zipf's law: rank r is drawn with a probability in proportion to 1 / (r + 1)^exponent.
 *
 * By inversion: the sums of the probabilities are a table, and a uniform number is looked up in it by halving
 * (Devroye, "Non-Uniform Random Variate Generation", 1986, chapter III.2). Exact for any exponent, one random number a
 * draw, eight bytes a rank; rejection methods would save the table, which a few hundred thousand ranks do not need.
 *
 * @module
 */

import type { Random } from "../../tests/support/random.ts";

/** Draws ranks from 0, the most frequent, to `count - 1`. */
export class Zipf {
  readonly #random: Random;
  /** For each rank, the sum of its weight and of all before it. */
  readonly #sums: Float64Array;

  constructor(count: number, exponent: number, random: Random) {
    this.#random = random;
    this.#sums = new Float64Array(count);
    let sum = 0;
    for (let rank = 0; rank < count; rank++) {
      sum += (rank + 1) ** -exponent;
      this.#sums[rank] = sum;
    }
  }

  /** The next rank. */
  next(): number {
    const sums = this.#sums;
    const point = this.#random.below(2 ** 32) / 2 ** 32 * sums.at(-1)!;
    // The first rank whose sum lies above the point.
    let low = 0;
    for (let high = sums.length - 1; low < high;) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! > point) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
