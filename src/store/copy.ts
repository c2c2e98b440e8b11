/**
 * Copies of entries of any type under another key.
 *
 * The blocks of a value name each other, so a copy is made block by block: the contents of a block are copied as bytes,
 * and then refer to the new blocks. Leaves of a list get the size of their contents. Fields of a large hash are found
 * by the hash's id; the copy has a new id, so its fields are inserted into the table again.
 *
 * Nothing is evicted or moved meanwhile. `Store.makeRoomForCopy` makes room for everything before; `measure` counts the
 * same blocks for it.
 *
 * @module
 */

import { copyBytes } from "../bytes.ts";
import { CLASS_SIZES, PAGE_BYTES } from "./arena.ts";
import {
  bodyWord,
  EntryType,
  FLAG_DEADLINE,
  FLAG_EPOCH,
  HEADER_BYTES,
  keyLengthOf,
  KIND_FIELD,
  KIND_HASH,
  KIND_LIST,
  KIND_STRING_BLOB,
  kindOf,
  TRAIT_PACKED,
  traitsOf,
  TYPES,
} from "./block.ts";
import type { Entries } from "./entries.ts";
import type { Hashes } from "./hash.ts";
import { DIRECTORY_META, LEAF_META, type ListParts, PART_HEADER_BYTES } from "./list_parts.ts";
import { outsidePiece, setOutsidePiece } from "./packed.ts";

/** The number of slots of a page, by class. */
const SLOTS = CLASS_SIZES.map((size) => Math.floor(PAGE_BYTES / size));

/** A copier of the entries of one arena. */
export class Copier {
  /** The bytes that the blocks of the last measured copy take. */
  bytes = 0;
  readonly #entries: Entries;
  readonly #parts: ListParts;
  readonly #hashes: Hashes;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  /** The number of blocks of each class that are to be copied. */
  readonly #counts = new Uint32Array(CLASS_SIZES.length);

  constructor(entries: Entries, parts: ListParts, hashes: Hashes) {
    this.#entries = entries;
    this.#parts = parts;
    this.#hashes = hashes;
    this.#words = entries.words;
    this.#bytes = entries.bytes;
  }

  /**
   * Measures a copy of an entry under a key of any length, and sets `bytes`.
   *
   * @returns the number of pages that its blocks take if they share none with others
   */
  measure(entry: number): number {
    const counts = this.#counts.fill(0);
    const kind = kindOf(this.#words[entry * 2 + 3]!);
    this.#entries.blobs.eachSize(this.#entries.firstPiece(entry), this.#count);
    if (kind === KIND_LIST) this.#measureList(entry);
    else if (kind === KIND_HASH) this.#measureHash(entry);
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

  #measureList(entry: number): void {
    const words = this.#words;
    const parts = this.#parts;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    for (let directory = words[body]!; directory !== entry; directory = words[directory * 2]!) {
      const items = parts.items(directory);
      this.#count(PART_HEADER_BYTES + items * 8);
      for (let item = 0; item < items; item++) {
        const leaf = parts.leaf(directory, item);
        this.#count(PART_HEADER_BYTES + parts.usedBytes(leaf));
        parts.eachOutside(leaf, (at) => this.#entries.blobs.eachSize(outsidePiece(this.#bytes, at), this.#count));
      }
    }
  }

  #measureHash(entry: number): void {
    const words = this.#words;
    const entries = this.#entries;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    for (let field = words[body]!; field !== entry; field = words[field * 2]!) {
      const meta = words[field * 2 + 3]!;
      this.#count(HEADER_BYTES[meta >>> 24]! + keyLengthOf(meta) + entries.inlineSize(field));
      entries.blobs.eachSize(entries.firstPiece(field), this.#count);
    }
  }

  /** Copies an entry with its deadline to an absent key. Returns the copy's entry. */
  copy(entry: number, key: Uint8Array, start: number, length: number): number {
    const meta = this.#words[entry * 2 + 3]!;
    const deadlineMs = meta & FLAG_DEADLINE ? this.#entries.deadlines.of(entry) : 0;
    const kind = kindOf(meta);
    if (TYPES[kind] === EntryType.String) return this.#copyString(entry, key, start, length, deadlineMs);
    const isPacked = (traitsOf(meta) & TRAIT_PACKED) !== 0;
    const inlineSize = isPacked ? this.#words[entry * 2 + 4]! : 0;
    const made = this.#entries.create(kind, key, start, length, deadlineMs, inlineSize);
    if (isPacked) this.#copyPacked(entry, made);
    else if (kind === KIND_LIST) this.#copyList(entry, made);
    else this.#copyHash(entry, made);
    return made;
  }

  #copyString(entry: number, key: Uint8Array, start: number, length: number, deadlineMs: number): number {
    const valueLength = this.#entries.valueLength(entry);
    const kind = this.#entries.stringKind(deadlineMs !== 0, length, valueLength);
    const inlineSize = kind === KIND_STRING_BLOB ? 0 : valueLength;
    const made = this.#entries.create(kind, key, start, length, deadlineMs, inlineSize);
    this.#entries.cloneValue(entry, made);
    return made;
  }

  #copyPacked(from: number, to: number): void {
    const words = this.#words;
    const body = bodyWord(words[from * 2 + 3]!);
    words[to * 2 + 4] = words[from * 2 + 4]!;
    words[to * 2 + body] = words[from * 2 + body]!;
    const [source, target] = [this.#entries.valueStart(from), this.#entries.valueStart(to)];
    copyBytes(this.#bytes, source, this.#bytes, target, words[from * 2 + 4]!);
  }

  #copyList(from: number, to: number): void {
    const words = this.#words;
    const body = bodyWord(words[from * 2 + 3]!);
    words[to * 2 + 4] = words[from * 2 + 4]!;
    words[to * 2 + body] = words[to * 2 + body + 1] = 0;
    for (let directory = words[from * 2 + body]!; directory !== from; directory = words[directory * 2]!) {
      const items = this.#parts.items(directory);
      const made = this.#entries.arena.allocate(PART_HEADER_BYTES + items * 8);
      words[made * 2 + 2] = words[directory * 2 + 2]!;
      words[made * 2 + 3] = DIRECTORY_META | items;
      this.#entries.linkPart(to, made, false);
      for (let item = 0; item < items; item++) {
        words[made * 2 + 4 + item * 2] = this.#copyLeaf(this.#parts.leaf(directory, item), made);
        words[made * 2 + 5 + item * 2] = this.#parts.count(directory, item);
      }
    }
  }

  /** Copies a leaf for another directory. Returns the copy. */
  #copyLeaf(leaf: number, directory: number): number {
    const words = this.#words;
    const bytes = this.#bytes;
    const size = this.#parts.usedBytes(leaf);
    const made = this.#entries.arena.allocate(PART_HEADER_BYTES + size);
    words[made * 2] = directory;
    words[made * 2 + 2] = words[leaf * 2 + 2]!;
    words[made * 2 + 3] = LEAF_META;
    this.#parts.setRun(made, 0, size);
    const from = leaf * 8 + PART_HEADER_BYTES + (words[leaf * 2 + 1]! >>> 16);
    copyBytes(bytes, from, bytes, made * 8 + PART_HEADER_BYTES, size);
    this.#parts.eachOutside(made, (at) => {
      setOutsidePiece(bytes, at, this.#entries.blobs.clone(outsidePiece(bytes, at), made));
    });
    return made;
  }

  #copyHash(from: number, to: number): void {
    const words = this.#words;
    const entries = this.#entries;
    this.#hashes.beginLarge(to);
    const body = bodyWord(words[from * 2 + 3]!);
    const idLow = words[to * 2 + body + 2]!;
    const idHigh = words[to * 2 + body + 3]!;
    const epoch = words[to * 2 + 3]! & FLAG_EPOCH;
    for (let field = words[from * 2 + body]!; field !== from; field = words[field * 2]!) {
      const meta = words[field * 2 + 3]!;
      const start = field * 8 + HEADER_BYTES[meta >>> 24]!;
      const length = keyLengthOf(meta);
      const hash = entries.hashField(this.#bytes, start, length, idLow, idHigh);
      const inlineSize = kindOf(meta) === KIND_FIELD ? words[field * 2 + 4]! : 0;
      const made = entries.createField(
        kindOf(meta),
        epoch,
        hash,
        idLow,
        idHigh,
        this.#bytes,
        start,
        length,
        inlineSize,
      );
      entries.cloneValue(field, made);
      entries.linkPart(to, made, false);
    }
    words[to * 2 + 4] = words[from * 2 + 4]!;
  }
}
