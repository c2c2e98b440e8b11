/**
 * The keys with the largest values, without a scan: those that were seen to be large when they were written or loaded.
 *
 * ```text
 * measured write ┐
 * large request  ├→ offer(key, bytes, elements) → the 64 largest by bytes, the 64 with the most elements
 * loader         ┘                                          │
 *                          measure(key) ← refresh, top ─────┘   every size is looked up again before it is shown
 * ```
 *
 * A table holds names, never references into the store. A key that was removed, evicted or renamed, or has expired, is
 * not found when it is measured again, and leaves the table. A key that shrinks goes down. So nothing has to tell the
 * table about removals.
 *
 * **What it can miss.** A value becomes large by large requests, all of which are offered, or by many small ones, of
 * which some are measured: a list that grew by 10,000 pushes, one in a hundred of which is measured, escapes with
 * probability 0.99^10,000 = 10^-44. A value of less than 32 KiB that is written once, by a command that is called
 * often, is missed unless it happens to be measured. When large keys leave the table, keys that were too small for it
 * before are known again when they are written to next.
 *
 * @module
 */

import { BIG_KEYS_COUNT } from "../limits.ts";
import { type KeyHash, KeyNames } from "./key_names.ts";

/** The measure by which a table of big keys is ordered. */
export type SizeMeasure = "bytes" | "elements";

/** The size of a value. */
export interface ValueSize {
  /** The bytes that the key and its value take. For a large value this is an estimate. */
  readonly bytes: number;
  /** The elements of a list, fields of a hash, or members of a set; 1 for a string. */
  readonly elements: number;
  /** The name of the value's type. */
  readonly type: string;
}

/** A key with its size. */
export interface BigKey extends ValueSize {
  /** The key, as a copy. */
  readonly name: Uint8Array<ArrayBuffer>;
}

/** Returns the size of a key's value at present, in bounded time; `undefined` when the key is absent. */
export type MeasureKey = (name: Uint8Array) => ValueSize | undefined;

/** The keys with the largest values by one measure. */
class LargestKeys {
  readonly names: KeyNames;
  readonly #sizes: Float64Array;
  /** A size that a key has to exceed to enter the full table; -1 while a place is free. */
  #least = -1;

  constructor(capacity: number) {
    this.names = new KeyNames(capacity);
    this.#sizes = new Float64Array(capacity);
  }

  /** Returns whether a key of this size may be one of the largest. */
  admits(size: number): boolean {
    return size > this.#least;
  }

  /** Enters a key, or updates its size. */
  offer(hash: number, bytes: Uint8Array, start: number, length: number, size: number): void {
    const { names } = this;
    let place = names.find(hash, bytes, start, length);
    if (place < 0) {
      place = names.count < names.capacity ? names.count++ : this.#smallest();
      names.put(place, hash, bytes, start, length);
    }
    this.#sizes[place] = size;
    this.#setLeast();
  }

  /** Measures all keys again. Keys that are absent leave the table. */
  refresh(measure: MeasureKey, by: SizeMeasure): void {
    const { names } = this;
    for (let place = names.count - 1; place >= 0; place--) {
      const size = measure(names.name(place));
      if (size !== undefined) this.#sizes[place] = size[by];
      else this.#remove(place);
    }
    this.#setLeast();
  }

  #remove(place: number): void {
    this.names.removeByLast(place);
    this.#sizes[place] = this.#sizes[this.names.count]!;
  }

  #setLeast(): void {
    const { count, capacity } = this.names;
    this.#least = count < capacity ? -1 : this.#sizes[this.#smallest()]!;
  }

  #smallest(): number {
    const sizes = this.#sizes;
    let smallest = 0;
    for (let place = 1; place < sizes.length; place++) if (sizes[place]! < sizes[smallest]!) smallest = place;
    return smallest;
  }
}

/** The keys with the largest values, by bytes and by elements. */
export class BigKeys {
  readonly #hash: KeyHash;
  readonly #tables: Readonly<Record<SizeMeasure, LargestKeys>>;

  /**
   * Creates an empty table.
   *
   * @param hash a function that clients cannot predict
   * @param capacity the number of keys for each measure
   */
  constructor(hash: KeyHash, capacity: number = BIG_KEYS_COUNT) {
    this.#hash = hash;
    this.#tables = { bytes: new LargestKeys(capacity), elements: new LargestKeys(capacity) };
  }

  /** Notes the size of the value of the key in `bytes[start, start + length)`. Nearly all keys cost two comparisons. */
  offer(bytes: Uint8Array, start: number, length: number, sizeBytes: number, elements: number): void {
    const { bytes: byBytes, elements: byElements } = this.#tables;
    const isLarge = byBytes.admits(sizeBytes);
    const isLong = byElements.admits(elements);
    if (!isLarge && !isLong) return;
    const hash = this.#hash(bytes, start, length);
    if (isLarge) byBytes.offer(hash, bytes, start, length, sizeBytes);
    if (isLong) byElements.offer(hash, bytes, start, length, elements);
  }

  /**
   * Measures all keys again, so that keys that were removed or have shrunk do not keep others out. The owner calls it
   * about once a second.
   */
  refresh(measure: MeasureKey): void {
    this.#tables.bytes.refresh(measure, "bytes");
    this.#tables.elements.refresh(measure, "elements");
  }

  /** Returns the keys with the largest values, the largest first, with their present sizes. */
  top(count: number, by: SizeMeasure, measure: MeasureKey): BigKey[] {
    const { names } = this.#tables[by];
    const found: { readonly place: number; readonly size: ValueSize }[] = [];
    for (let place = 0; place < names.count; place++) {
      const size = measure(names.name(place));
      if (size !== undefined) found.push({ place, size });
    }
    found.sort((a, b) => b.size[by] - a.size[by]);
    return found.slice(0, count).map(({ place, size }) => ({ name: names.name(place).slice(), ...size }));
  }
}
