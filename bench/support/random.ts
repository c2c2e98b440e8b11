/**
 * Repeatable randomness: a test prints its seed, and the same seed gives the same run.
 *
 * The generator is sfc32 (Chris Doty-Humphrey's "small fast counting" generator): 128 bits of state, four additions and
 * three shifts per number. This is sufficient for tests, and unsuitable for secrets.
 *
 * @module
 */

/** A seed for one run: the one in the environment variable `SEED`, or a fresh one. Print it. */
export function pickSeed(): number {
  const given = Deno.env.get("SEED");
  return given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0]! : Number(given) >>> 0;
}

/** A repeatable source of random numbers. */
export class Random {
  #a: number;
  #b = 0x9e3779b9;
  #c = 0x243f6a88;
  #counter = 1;

  constructor(readonly seed: number) {
    this.#a = seed | 0;
    for (let i = 0; i < 12; i++) this.#next();
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum | 0;
    return sum >>> 0;
  }

  /** Returns an integer in `[0, bound)`, for a bound up to 2^32. */
  below(bound: number): number {
    return Math.floor(this.#next() / 0x100000000 * bound);
  }

  /** Returns one of the items. */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  /** Whether an event of this probability happened. */
  chance(probability: number): boolean {
    return this.#next() < probability * 0x100000000;
  }

  /** Returns new random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.#next();
    return bytes;
  }
}
