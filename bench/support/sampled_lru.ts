/**
 * A cache that evicts by sampling, as redis-server does under `allkeys-lru`: a model of keys without values.
 *
 * ```text
 * evict    5 keys at random ──▶ pool of at most 16, by idle time ──▶ the longest idle of the pool goes
 * ```
 *
 * After `evictionPoolPopulate` and `performEvictions` of Redis 7 (src/evict.c), with what helps or harms it there: the
 * pool outlives one eviction, so good candidates of earlier samples are not lost; the idle time that a key was pooled with
 * is not looked at again, so a key used since is evicted all the same; and a key may be in the pool twice. Better than
 * there is the clock, which counts accesses instead of seconds in 24 bits, and the sample, which is uniform
 * instead of neighbours in a hash table.
 *
 * @module
 */

import type { Random } from "./random.ts";

const SAMPLES_COUNT = 5;
const POOL_COUNT = 16;
const ABSENT = -1;

/** A key that was sampled, and how long it was idle at that time. */
interface Candidate {
  readonly key: number;
  readonly idle: number;
}

/** The keys in the cache. Keys are numbers from 0. */
export class SampledLru {
  readonly #random: Random;
  readonly #cached: Uint32Array;
  /** Where each key stands in `#cached`, or `ABSENT`. */
  readonly #position: Int32Array;
  readonly #usedAt: Float64Array;
  /** From the least idle to the longest idle. */
  readonly #pool: Candidate[] = [];
  #count = 0;
  #now = 0;

  /** @param keysCount keys that there may be, in the cache or not */
  constructor(keysCount: number, random: Random) {
    this.#random = random;
    this.#cached = new Uint32Array(keysCount);
    this.#position = new Int32Array(keysCount).fill(ABSENT);
    this.#usedAt = new Float64Array(keysCount);
  }

  /** Keys in the cache. */
  get size(): number {
    return this.#count;
  }

  /** Uses a key, which is put in if it is absent. Answers whether it was there. */
  use(key: number): boolean {
    this.#usedAt[key] = this.#now++;
    if (this.#position[key] !== ABSENT) return true;
    this.#position[key] = this.#count;
    this.#cached[this.#count++] = key;
    return false;
  }

  /** Evicts one key. There must be one. */
  evict(): void {
    for (;;) {
      for (let sample = 0; sample < SAMPLES_COUNT; sample++) {
        const key = this.#cached[this.#random.below(this.#count)]!;
        this.#offer({ key, idle: this.#now - this.#usedAt[key]! });
      }
      for (let last = this.#pool.pop(); last !== undefined; last = this.#pool.pop()) {
        if (this.#position[last.key] === ABSENT) continue;
        this.#remove(last.key);
        return;
      }
    }
  }

  /** Puts a candidate into the pool; a full one drops its least idle for it, or refuses it when that is the new one. */
  #offer(candidate: Candidate): void {
    const pool = this.#pool;
    let place = pool.findIndex(({ idle }) => idle >= candidate.idle);
    if (place === ABSENT) place = pool.length;
    if (pool.length < POOL_COUNT) {
      pool.splice(place, 0, candidate);
    } else if (place > 0) {
      pool.splice(place, 0, candidate);
      pool.shift();
    }
  }

  #remove(key: number): void {
    const hole = this.#position[key]!;
    const moved = this.#cached[--this.#count]!;
    this.#cached[hole] = moved;
    this.#position[moved] = hole;
    this.#position[key] = ABSENT;
  }
}
