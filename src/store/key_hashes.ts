/**
 * The hashes of keys, computed on demand, or known already from prefetching.
 *
 * ```text
 * bytes     … get key:7 … get key:3 … set key:9 …        a read buffer
 * starts          ▲           ▲           ▲
 * hashes         h(7)        h(3)        h(9)            known, in the order in which they will be asked for
 * ```
 *
 * Hashing takes a fifth of a look-up, and prefetching a batch of keys has to hash them anyway. A known hash belongs to
 * a position in a buffer, not to its content: code that changes the buffer calls {@linkcode KeyHashes.forget} first.
 *
 * @module
 */

import { PREFETCH_MAX_COUNT } from "../limits.ts";
import { halfSipHash } from "./siphash.ts";

const NO_BYTES = new Uint8Array(0);

/** A source of key hashes with one seed. */
export class KeyHashes {
  readonly #seed0: number;
  readonly #seed1: number;
  // The known hashes: of keys in `#bytes`, from `#next` on.
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

  /** Returns the hash of a key. */
  of(bytes: Uint8Array, start: number, length: number): number {
    if (this.#next < this.#count && bytes === this.#bytes) {
      const at = this.#find(start);
      // A command may ask twice, so this key remains the next one.
      if (at >= 0 && this.#lengths[at] === length) return this.#hashes[at]!;
    }
    return halfSipHash(bytes, start, length, this.#seed0, this.#seed1);
  }

  /**
   * Returns the index of the known hash of the key at `start`, or -1. Keys are asked for in their order, but some are
   * skipped.
   */
  #find(start: number): number {
    let next = this.#next;
    while (next < this.#count && this.#starts[next]! < start) next++;
    this.#next = next;
    return next < this.#count && this.#starts[next] === start ? next : -1;
  }

  /** Computes and keeps the hash of key `i` of those that will be asked for next. The first `i` is 0. */
  learn(i: number, bytes: Uint8Array, start: number, length: number): number {
    this.#bytes = bytes;
    this.#starts[i] = start;
    this.#lengths[i] = length;
    this.#next = 0;
    this.#count = i + 1;
    return this.#hashes[i] = halfSipHash(bytes, start, length, this.#seed0, this.#seed1);
  }

  /** Forgets all known hashes. */
  forget(): void {
    this.#count = this.#next = 0;
    this.#bytes = NO_BYTES;
  }
}
