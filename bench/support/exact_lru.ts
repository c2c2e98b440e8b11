/**
 * The store as a cache of one kind of entry: keys are numbers, and every key has a value of the same size.
 *
 * @module
 */

import { Store } from "../../src/store/store.ts";

const KEY_BYTES = 16;
/**
 * The size of a value, in bytes. A page then has about a hundred keys, by which the number of keys in the store varies.
 */
const VALUE_BYTES = 500;
/** The size for which the store makes room, as the server does for `set key value`. */
const REQUEST_BYTES = "set".length + KEY_BYTES + VALUE_BYTES;
const REQUEST_ARGUMENTS_COUNT = 3;
/** A first guess of the size of an entry, in bytes. */
const ENTRY_GUESS_BYTES = 560;
/** A first guess of the memory that the store keeps free, in bytes. */
const FREE_GUESS_BYTES = 2 * 1024 * 1024;
const SEED = [0x1234567, 0x89abcdef] as const;

/** The real store under a real memory limit, with eviction. Keys are numbers below 10^15. */
export class ExactLru {
  readonly #store: Store;
  readonly #key = new TextEncoder().encode("k".padEnd(KEY_BYTES, "0"));
  readonly #value = new Uint8Array(VALUE_BYTES);

  private constructor(memoryLimitBytes: number) {
    this.#store = new Store({ memoryLimitBytes, evicts: true, seed: SEED });
  }

  /**
   * Creates an empty store for at most about `keysCount` keys. A first store is filled to count its keys, and the limit
   * is then corrected.
   */
  static holding(keysCount: number): ExactLru {
    const limit = keysCount * ENTRY_GUESS_BYTES + FREE_GUESS_BYTES;
    const { keys, usedBytes } = new ExactLru(limit).#fill();
    return new ExactLru(limit + Math.round((keysCount - keys) * usedBytes / keys));
  }

  #fill(): { keys: number; usedBytes: number } {
    for (let key = 0; this.#store.statistics.evictedKeys === 0; key++) this.use(key);
    return this.#store.statistics;
  }

  /** The number of keys in the store. */
  get size(): number {
    return this.#store.size;
  }

  /** Uses a key, which is added if it is absent. Returns whether it was present. */
  use(key: number): boolean {
    this.#writeKey(key);
    if (this.#store.find(this.#key, 0, KEY_BYTES) !== 0) return true;
    this.#store.room.make(REQUEST_BYTES, REQUEST_ARGUMENTS_COUNT);
    this.#store.strings.set(this.#key, 0, KEY_BYTES, 0, this.#value, 0, VALUE_BYTES, 0);
    return false;
  }

  /** Writes the number in decimal after the key's letter. */
  #writeKey(key: number): void {
    for (let at = KEY_BYTES - 1; at > 0; at--) {
      const rest = Math.floor(key / 10);
      this.#key[at] = 0x30 + key - rest * 10;
      key = rest;
    }
  }
}
