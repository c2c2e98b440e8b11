/**
 * The keys that are used most at present, found in a sample of the requests with a fixed amount of memory.
 *
 * This is the Space-Saving algorithm (Metwally, Agrawal and El Abbadi, 2005) with weights and decay. A request that is
 * measured stands for `weight` requests of its kind, so each of its keys is counted with that weight:
 *
 * ```text
 * key in the table       → its count grows by the weight
 * a place is free        → the key gets it: count = weight, error = 0
 * table full             → the key replaces the one with the least count m: count = m + weight, error = m
 * from time to time      → all counts and errors shrink: a request counts e times less after HOT_KEYS_WINDOW_MS
 * ```
 *
 * **Bounds.** Let W be the decayed weight of all keys so far, and N the number of places. Then:
 *
 * - every key whose decayed weight is above W / N is in the table;
 * - the decayed weight of a key in the table is at least `count - error` and at most `count`, and `error` is at most
 *   W / N. A key that was forgotten because less than half a request was left of it adds that half.
 *
 * These hold for any order of keys, so no client can hide a hot key. The reported uses are `count - error`: a key is
 * never made hotter than it is by the count that it has inherited. The sample adds a random error: a key that was
 * measured n times is off by about 1 / √n, so keys that were measured very few times are not reported.
 *
 * A tree or a heap would find the least count faster, but only measured requests come here, some hundreds a second.
 *
 * @module
 */

import { HOT_KEYS_COUNT, HOT_KEYS_MIN_PER_SECOND, HOT_KEYS_SAMPLES_MIN_COUNT, HOT_KEYS_WINDOW_MS } from "../limits.ts";
import { type KeyHash, KeyNames } from "./key_names.ts";

/** A count below this is forgotten. */
const FORGOTTEN_COUNT = 0.5;
/** Counts decay at most this often. */
const DECAY_INTERVAL_MS = 200;
/** The shortest time over which a rate is computed, so that the first requests of all do not make a high one. */
const OBSERVED_MIN_MS = 1_000;

/** A key, and how often it is used at present. */
export interface HotKey {
  /** The key, as a copy. */
  readonly name: Uint8Array<ArrayBuffer>;
  /** The requests a second that use it, at least, apart from the error of the sample. */
  readonly perSecond: number;
  /** The part that these are of all uses of keys, from 0 to 1. */
  readonly share: number;
}

/** A sketch of the most used keys. */
export class HotKeys {
  readonly #hash: KeyHash;
  readonly #names: KeyNames;
  readonly #counts: Float64Array;
  readonly #errors: Float64Array;
  /** The decayed number of times that each key was measured since it is in the table. */
  readonly #samples: Float64Array;
  /** The decayed weight of all keys. */
  #total = 0;
  #startMs: number;
  #decayedMs: number;

  /**
   * Creates an empty sketch.
   *
   * @param hash a function that clients cannot predict
   */
  constructor(hash: KeyHash, nowMs: number, capacity: number = HOT_KEYS_COUNT) {
    this.#hash = hash;
    this.#names = new KeyNames(capacity);
    this.#counts = new Float64Array(capacity);
    this.#errors = new Float64Array(capacity);
    this.#samples = new Float64Array(capacity);
    this.#startMs = this.#decayedMs = nowMs;
  }

  /** Counts `weight` uses of the key in `bytes[start, start + length)`. Takes about a tenth of a microsecond. */
  note(bytes: Uint8Array, start: number, length: number, weight: number): void {
    const hash = this.#hash(bytes, start, length);
    this.#total += weight;
    let place = this.#names.find(hash, bytes, start, length);
    if (place < 0) {
      place = this.#enter(hash, bytes, start, length);
      this.#samples[place] = 0;
    }
    this.#counts[place]! += weight;
    this.#samples[place]!++;
  }

  /** Gives a key a free place, or that of the least count, which it inherits. */
  #enter(hash: number, bytes: Uint8Array, start: number, length: number): number {
    const names = this.#names;
    const isFull = names.count === names.capacity;
    const place = isFull ? this.#least() : names.count++;
    if (!isFull) this.#counts[place] = 0;
    this.#errors[place] = this.#counts[place]!;
    names.put(place, hash, bytes, start, length);
    return place;
  }

  #least(): number {
    const counts = this.#counts;
    let least = 0;
    for (let place = 1; place < counts.length; place++) if (counts[place]! < counts[least]!) least = place;
    return least;
  }

  /** Lets counts shrink by the time that has passed. A clock that was set back changes nothing. */
  decay(nowMs: number): void {
    const passedMs = nowMs - this.#decayedMs;
    if (passedMs >= 0 && passedMs < DECAY_INTERVAL_MS) return;
    this.#decayedMs = nowMs;
    this.#startMs = Math.min(this.#startMs, nowMs);
    const factor = Math.exp(-Math.max(0, passedMs) / HOT_KEYS_WINDOW_MS);
    this.#total *= factor;
    for (let place = this.#names.count - 1; place >= 0; place--) {
      this.#counts[place]! *= factor;
      this.#errors[place]! *= factor;
      this.#samples[place]! *= factor;
      if (this.#counts[place]! < FORGOTTEN_COUNT) this.#forget(place);
    }
  }

  #forget(place: number): void {
    const names = this.#names;
    names.removeByLast(place);
    for (const figures of [this.#counts, this.#errors, this.#samples]) figures[place] = figures[names.count]!;
  }

  /** Returns the most used keys, the hottest first. */
  top(count: number, nowMs: number): HotKey[] {
    this.decay(nowMs);
    const windowMs = this.#windowMs(nowMs);
    const usesMinCount = HOT_KEYS_MIN_PER_SECOND * windowMs / 1000;
    const places: number[] = [];
    for (let place = 0; place < this.#names.count; place++) {
      const isKnown = this.#samples[place]! >= HOT_KEYS_SAMPLES_MIN_COUNT;
      if (isKnown && this.#uses(place) >= usesMinCount) places.push(place);
    }
    places.sort((a, b) => this.#uses(b) - this.#uses(a));
    return places.slice(0, count).map((place) => ({
      name: this.#names.name(place).slice(),
      perSecond: this.#uses(place) / windowMs * 1000,
      share: this.#uses(place) / this.#total,
    }));
  }

  /** Returns the decayed uses that a key has had at least. */
  #uses(place: number): number {
    return this.#counts[place]! - this.#errors[place]!;
  }

  /** Returns the time in which the decayed uses would have come, if they had come evenly. */
  #windowMs(nowMs: number): number {
    const observedMs = Math.max(OBSERVED_MIN_MS, nowMs - this.#startMs);
    return HOT_KEYS_WINDOW_MS * (1 - Math.exp(-observedMs / HOT_KEYS_WINDOW_MS));
  }

  /** Forgets all keys. */
  clear(nowMs: number): void {
    this.#names.count = this.#total = 0;
    this.#startMs = this.#decayedMs = nowMs;
  }
}
