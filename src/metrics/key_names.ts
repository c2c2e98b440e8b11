/**
 * A small table of keys: a fixed number of places, each with the name of a key and its hash.
 *
 * ```text
 * place     0        1        2           …   capacity - 1
 * hashes    h(a)     h(b)     h(c)                             compared first, one after another
 * names     a        b        c                                copies of the keys, in buffers that are used again
 * ```
 *
 * A search compares all hashes, which takes a tenth of a microsecond for 128 keys: less than a request that is
 * measured costs anyway, and a hash table over so few places would gain nothing. The hash is a secret function of its
 * owner (the store's), so that no client can choose keys that collide.
 *
 * @module
 */

import { copyBytes, equalBytes } from "../bytes.ts";

/** Returns the 32-bit hash of the key in `bytes[start, start + length)`, as a signed number. */
export type KeyHash = (bytes: Uint8Array, start: number, length: number) => number;

const NO_BYTES = new Uint8Array(0);
/** The size of the first buffer of a name. Keys are rarely longer. */
const NAME_INITIAL_BYTES = 64;
/** A place whose name was longer than this gets a small buffer again with its next name. */
const NAME_KEPT_MAX_BYTES = 1024;

/** Names of keys in numbered places. The owner keeps its own figures by the same numbers. */
export class KeyNames {
  /** The number of places in use: those below it. */
  count = 0;
  readonly capacity: number;
  readonly #hashes: Int32Array;
  readonly #lengths: Int32Array;
  readonly #names: Uint8Array[];

  /** @param capacity the number of places */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.#hashes = new Int32Array(capacity);
    this.#lengths = new Int32Array(capacity);
    this.#names = new Array<Uint8Array>(capacity).fill(NO_BYTES);
  }

  /** Returns the place of a key, or -1. */
  find(hash: number, bytes: Uint8Array, start: number, length: number): number {
    const hashes = this.#hashes;
    for (let place = 0; place < this.count; place++) {
      if (hashes[place] !== hash || this.#lengths[place] !== length) continue;
      if (equalBytes(this.#names[place]!, 0, bytes, start, length)) return place;
    }
    return -1;
  }

  /** Gives a place to another key. The place is in use, or `count` is increased by the caller. */
  put(place: number, hash: number, bytes: Uint8Array, start: number, length: number): void {
    let name = this.#names[place]!;
    if (name.length < length || name.length > NAME_KEPT_MAX_BYTES) {
      name = this.#names[place] = new Uint8Array(Math.max(length, NAME_INITIAL_BYTES));
    }
    copyBytes(bytes, start, name, 0, length);
    this.#hashes[place] = hash;
    this.#lengths[place] = length;
  }

  /** Frees a place: the key of the last place moves there, and its old place is free. */
  removeByLast(place: number): void {
    const last = --this.count;
    const name = this.#names[place]!;
    this.#names[place] = this.#names[last]!;
    this.#names[last] = name.length > NAME_KEPT_MAX_BYTES ? NO_BYTES : name;
    this.#hashes[place] = this.#hashes[last]!;
    this.#lengths[place] = this.#lengths[last]!;
  }

  /** Returns the key at a place. It is valid until the place gets another key. */
  name(place: number): Uint8Array {
    return this.#names[place]!.subarray(0, this.#lengths[place]);
  }
}
