/**
 * The hashes of keys, computed when they are asked for, or known already from looking ahead.
 *
 * ```text
 * bytes     … get key:7 … get key:3 … set key:9 …        a read buffer
 * starts          ▲           ▲           ▲
 * hashes         h(7)        h(3)        h(9)            known, in the order in which they will be asked for
 * ```
 *
 * Hashing takes a fifth of a look-up, and whoever fetches a batch of keys ahead has to hash them anyway. A hash is known of
 * bytes at a place of a buffer, not of their content: whoever changes the buffer calls {@linkcode KeyHashes.forget} first.
 *
 * @module
 */

import { PREFETCH_MAX_COUNT } from "../limits.ts";
import { halfSipHash } from "./siphash.ts";

const NO_BYTES = new Uint8Array(0);

/** Hashes with one seed. */
export class KeyHashes {
  readonly #seed0: number;
  readonly #seed1: number;
  // Those that are known, of keys in `#bytes`, from `#next` on.
  #bytes: Uint8Array = NO_BYTES;
  readonly #starts = new Int32Array(PREFETCH_MAX_COUNT);
  readonly #lengths = new Int32Array(PREFETCH_MAX_COUNT);
  readonly #hashes = new Int32Array(PREFETCH_MAX_COUNT);
  #next = 0;
  #count = 0;

  constructor(seed0: number, seed1: number) {
    this.#seed0 = seed0;
    this.#seed1 = seed1;
  }

  /** The hash of a key. */
  of(bytes: Uint8Array, start: number, length: number): number {
    if (this.#next < this.#count && bytes === this.#bytes) {
      const at = this.#find(start);
      // A command may ask twice, so this one stays the next.
      if (at >= 0 && this.#lengths[at] === length) return this.#hashes[at]!;
    }
    return halfSipHash(bytes, start, length, this.#seed0, this.#seed1);
  }

  /** The number of the known hash of the key at `start`, or -1. Not every request asks for its key, but in their order. */
  #find(start: number): number {
    let next = this.#next;
    while (next < this.#count && this.#starts[next]! < start) next++;
    this.#next = next;
    return next < this.#count && this.#starts[next] === start ? next : -1;
  }

  /** Computes the hash of key `i` of those that are asked for next, and knows it. Begin with 0. */
  learn(i: number, bytes: Uint8Array, start: number, length: number): number {
    this.#bytes = bytes;
    this.#starts[i] = start;
    this.#lengths[i] = length;
    this.#next = 0;
    this.#count = i + 1;
    return this.#hashes[i] = halfSipHash(bytes, start, length, this.#seed0, this.#seed1);
  }

  /** Knows no hashes any more. */
  forget(): void {
    this.#count = this.#next = 0;
    this.#bytes = NO_BYTES;
  }
}
