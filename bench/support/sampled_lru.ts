/**
 * A cache that evicts by sampling, as redis-server does under `allkeys-lru`: a model of keys without values.
 *
 * ```text
 * evict    5 keys at random ──▶ pool of at most 16, by idle time ──▶ the longest idle of the pool is evicted
 * ```
 *
 * It follows `evictionPoolPopulate` and `performEvictions` of Redis 7 (src/evict.c), including their strengths and
 * weaknesses. The pool outlives one eviction, so good candidates of earlier samples are not lost. The idle time of a
 * pooled key is not updated, so a key used since may still be evicted. A key may be in the pool twice. Two parts are
 * better than in Redis: the clock, which counts accesses instead of seconds in 24 bits, and the sample, which is
 * uniform instead of neighbours in a hash table.
 *
 * @module
 */

import type { Random } from "./random.ts";

const SAMPLES_COUNT = 5;
const POOL_COUNT = 16;
const ABSENT = -1;

/** A sampled key, with its idle time at that moment. */
interface Candidate {
  readonly key: number;
  readonly idle: number;
}

/** The keys in the cache. Keys are numbers from 0. */
export class SampledLru {
  readonly #random: Random;
  readonly #cached: Uint32Array;
  /** The index of each key in `#cached`, or `ABSENT`. */
  readonly #position: Int32Array;
  readonly #usedAt: Float64Array;
  /** The candidates, from the least idle to the longest idle. */
  readonly #pool: Candidate[] = [];
  #count = 0;
  #now = 0;

  /**
   * Creates an empty cache.
   *
   * @param keysCount the number of possible keys, in the cache or not
   */
  constructor(keysCount: number, random: Random) {
    this.#random = random;
    this.#cached = new Uint32Array(keysCount);
    this.#position = new Int32Array(keysCount).fill(ABSENT);
    this.#usedAt = new Float64Array(keysCount);
  }

  /** The number of keys in the cache. */
  get size(): number {
    return this.#count;
  }

  /** Uses a key, which is added if it is absent. Returns whether it was present. */
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

  /**
   * Adds a candidate to the pool. A full pool drops its least idle one for it, or refuses the new one if that is less
   * idle.
   */
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
