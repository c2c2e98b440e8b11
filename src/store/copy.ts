/**
 * Copies of entries of any type under another key.
 *
 * The blocks of a value name each other, so a copy is made block by block: the contents of a block are copied as bytes,
 * and then refer to the new blocks. Each type of value (`value/`) copies its blocks, and
 * lists the same blocks before, so that `Room.makeForCopy` can make room for all of them. Nothing is evicted or moved
 * while they are copied.
 *
 * @module
 */

import { CLASS_SIZES, PAGE_BYTES } from "./arena.ts";
import type { Entries } from "./entries.ts";
import type { Keyspace } from "./keyspace.ts";

/** The number of slots of a page, by class. */
const SLOTS = CLASS_SIZES.map((size) => Math.floor(PAGE_BYTES / size));

/** A copier of the entries of one arena. */
export class Copier {
  /** The bytes that the blocks of the last measured copy take. */
  bytes = 0;
  /** The number of places that the last measured copy takes in the table of fields. */
  fields = 0;
  readonly #entries: Entries;
  readonly #keyspace: Keyspace;
  /** The number of blocks of each class that are to be copied. */
  readonly #counts = new Uint32Array(CLASS_SIZES.length);

  constructor(entries: Entries, keyspace: Keyspace) {
    this.#entries = entries;
    this.#keyspace = keyspace;
  }

  /**
   * Measures a copy of an entry under a key of any length, and sets `bytes` and `fields`.
   *
   * @returns the number of pages that its blocks take if they share none with others
   */
  measure(entry: number): number {
    const counts = this.#counts.fill(0);
    const type = this.#keyspace.typeOf(entry);
    type.measureCopy(entry, this.#count);
    this.fields = type.fieldsCount(entry);
    // The entry has a page, and another one if its value becomes a blob.
    let pages = 2;
    this.bytes = this.#entries.arena.sizeAt(entry);
    for (let kind = 0; kind < counts.length; kind++) {
      pages += Math.ceil(counts[kind]! / SLOTS[kind]!);
      this.bytes += counts[kind]! * CLASS_SIZES[kind]!;
    }
    return pages;
  }

  readonly #count = (size: number): void => {
    this.#counts[this.#entries.arena.classOf(size)]!++;
  };

  /** Copies an entry with its deadline to an absent key. Returns the copy's entry. */
  copy(entry: number, key: Uint8Array, start: number, length: number): number {
    return this.#keyspace.typeOf(entry).copyEntry(entry, key, start, length, this.#keyspace.deadline(entry));
  }
}
