/**
 * The parts of large lists: leaves of packed elements, under a chain of directories.
 *
 * ```text
 * LIST entry          first, last directory
 *      │
 * directory ◀─▶ directory ◀─▶ …                chain that begins and ends at the entry
 *      │  word 0  next directory, or the entry      word 1  previous directory, or the entry
 *      │  word 2  elements below it                 word 3  kind:5 · 0:11 · leaves:16
 *      │  then for each leaf: reference, elements in it                  up to 256 leaves
 *      ▼
 * leaf    word 0  its directory                     word 1  start:16 · end:16 of the run, in bytes
 *         word 2  elements outside (blobs)          word 3  kind
 *         bytes   room · run of packed elements · room                   up to 2 KiB
 * ```
 *
 * A leaf is named by its directory and its place there, its *item*. This module keeps directories and leaves
 * consistent, and updates their references after compaction; `list.ts` reads and writes the elements.
 *
 * @module
 */

import { copyBytes, moveBytes } from "../../bytes.ts";
import { DIRECTORY_LEAVES_MAX_COUNT, LEAF_INITIAL_BYTES, LEAF_MAX_BYTES } from "../../limits.ts";
import { bodyWord, KIND_DIRECTORY, KIND_LEAF, metaOf } from "../block.ts";
import type { Entries } from "../entries.ts";
import { equalsPacked, isOutside, nextPacked, outsidePiece, packedLength, setOutsidePiece } from "./packed.ts";

/** The header size of a leaf or a directory, in bytes. */
export const PART_HEADER_BYTES = 16;
/** The longest run of a leaf, unless its elements are replaced by longer ones, in bytes. */
export const LEAF_RUN_MAX_BYTES = LEAF_MAX_BYTES - PART_HEADER_BYTES;
/**
 * A full leaf grows by its size shifted right by this, an eighth: doubling would waste memory in a list of a few
 * hundred bytes.
 */
const LEAF_GROWTH_SHIFT = 3;
const DIRECTORY_INITIAL_ITEMS = 4;
/** The word 3 of a leaf. */
export const LEAF_META = metaOf(KIND_LEAF);
/** The word 3 of a directory without leaves. */
export const DIRECTORY_META = metaOf(KIND_DIRECTORY);
/**
 * Neighbouring leaves whose elements together have at most this many bytes are joined: half of a full leaf, so that
 * they do not split again soon.
 */
const LEAVES_JOINED_MAX_BYTES = LEAF_MAX_BYTES / 2;
/** The number of leaves of a directory from which the bytes of a list are estimated. */
const ESTIMATED_LEAVES_COUNT = 4;
const DIRECTORIES_JOINED_MAX_LEAVES = DIRECTORY_LEAVES_MAX_COUNT / 2;

/** The leaves and directories of one arena. */
export class ListParts {
  readonly #entries: Entries;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;

  constructor(entries: Entries) {
    this.#entries = entries;
    this.#words = entries.words;
    this.#bytes = entries.bytes;
  }

  /** Returns the number of leaves of a directory. */
  items(directory: number): number {
    return this.#words[directory * 2 + 3]! & 0xffff;
  }

  /** Returns the leaf at `item`. */
  leaf(directory: number, item: number): number {
    return this.#words[directory * 2 + 4 + item * 2]!;
  }

  /** Sets a leaf's run to `[start, end)`, in bytes after its header. */
  setRun(leaf: number, start: number, end: number): void {
    this.#words[leaf * 2 + 1] = (start << 16) | end;
  }

  /**
   * Adds `count`, which may be negative, to the number of elements of the leaf at `item`, of its directory and of the
   * list.
   */
  addCount(entry: number, directory: number, item: number, count: number): void {
    const words = this.#words;
    words[directory * 2 + 5 + item * 2]! += count;
    words[directory * 2 + 2]! += count;
    words[entry * 2 + 4]! += count;
  }

  /** Adds an empty directory at the front or the back of the list's chain, and returns it. */
  addDirectory(entry: number, front: boolean): number {
    const directory = this.#entries.arena.allocate(PART_HEADER_BYTES + DIRECTORY_INITIAL_ITEMS * 8);
    this.#words[directory * 2 + 2] = 0;
    this.#words[directory * 2 + 3] = DIRECTORY_META;
    this.#entries.chains.link(entry, directory, front);
    return directory;
  }

  /** Makes room for one more item, in a block of twice the size if necessary. Returns the directory from now on. */
  growDirectory(directory: number): number {
    const words = this.#words;
    const items = this.items(directory);
    const arena = this.#entries.arena;
    if (items < Math.min(DIRECTORY_LEAVES_MAX_COUNT, (arena.sizeAt(directory) - PART_HEADER_BYTES) >>> 3)) {
      return directory;
    }
    const to = arena.allocate(PART_HEADER_BYTES + Math.min(DIRECTORY_LEAVES_MAX_COUNT, items * 2) * 8);
    for (let word = 0; word < 4 + items * 2; word++) words[to * 2 + word] = words[directory * 2 + word]!;
    this.directoryMoved(to);
    arena.free(directory);
    return to;
  }

  /** Inserts an empty leaf at `item`, moves the items after it, and returns the leaf. */
  addLeaf(directory: number, item: number, capacity: number, head: boolean): number {
    const words = this.#words;
    const arena = this.#entries.arena;
    const leaf = arena.allocate(PART_HEADER_BYTES + capacity);
    const edge = head ? arena.sizeAt(leaf) - PART_HEADER_BYTES : 0;
    words[leaf * 2] = directory;
    words[leaf * 2 + 2] = 0;
    words[leaf * 2 + 3] = LEAF_META;
    this.setRun(leaf, edge, edge);
    const items = this.items(directory);
    const base = directory * 2 + 4;
    if (item < items) words.copyWithin(base + item * 2 + 2, base + item * 2, base + items * 2);
    words[base + item * 2] = leaf;
    words[base + item * 2 + 1] = 0;
    words[directory * 2 + 3] = DIRECTORY_META | (items + 1);
    return leaf;
  }

  /** Frees the leaf at `item`, whose blobs are freed already, and the directory if it is empty then. */
  removeLeaf(entry: number, directory: number, item: number): void {
    const words = this.#words;
    const items = this.items(directory);
    const base = directory * 2 + 4;
    this.#entries.arena.free(this.leaf(directory, item));
    words.copyWithin(base + item * 2, base + item * 2 + 2, base + items * 2);
    words[directory * 2 + 3] = DIRECTORY_META | (items - 1);
    if (items > 1) return;
    this.#entries.chains.unlink(entry, directory);
    this.#entries.arena.free(directory);
  }

  /** Makes `size` bytes free at the head or tail of the leaf at `item`. Returns the leaf, or 0 when it is full. */
  makeLeafRoom(directory: number, item: number, head: boolean, size: number): number {
    const words = this.#words;
    const leaf = this.leaf(directory, item);
    const capacity = this.#entries.arena.sizeAt(leaf) - PART_HEADER_BYTES;
    const run = words[leaf * 2 + 1]!;
    const begin = run >>> 16;
    const end = run & 0xffff;
    if (head ? begin >= size : capacity - end >= size) return leaf;
    const used = end - begin;
    if (used + size <= capacity) {
      const base = leaf * 8 + PART_HEADER_BYTES;
      const to = head ? capacity - used : 0;
      this.#bytes.copyWithin(base + to, base + begin, base + end);
      this.setRun(leaf, to, to + used);
      return leaf;
    }
    if (used + size > LEAF_RUN_MAX_BYTES) return 0;
    return this.resizeLeaf(
      directory,
      item,
      Math.min(LEAF_RUN_MAX_BYTES, used + size + (used >>> LEAF_GROWTH_SHIFT)),
      head,
    );
  }

  /**
   * Moves a leaf's run into a larger block, with all free room at its head or its tail. Returns the leaf from now on.
   */
  resizeLeaf(directory: number, item: number, capacity: number, head: boolean): number {
    const words = this.#words;
    const arena = this.#entries.arena;
    const leaf = this.leaf(directory, item);
    const to = arena.allocate(PART_HEADER_BYTES + capacity);
    for (let word = 0; word < 4; word++) words[to * 2 + word] = words[leaf * 2 + word]!;
    const run = words[leaf * 2 + 1]!;
    const begin = run >>> 16;
    const used = (run & 0xffff) - begin;
    const at = head ? arena.sizeAt(to) - PART_HEADER_BYTES - used : 0;
    moveBytes(this.#bytes, leaf * 8 + PART_HEADER_BYTES + begin, to * 8 + PART_HEADER_BYTES + at, used);
    this.setRun(to, at, at + used);
    words[directory * 2 + 4 + item * 2] = to;
    this.#adoptOutside(to);
    arena.free(leaf);
    return to;
  }

  /** Returns the bytes of a leaf's run. */
  usedBytes(leaf: number): number {
    const run = this.#words[leaf * 2 + 1]!;
    return (run & 0xffff) - (run >>> 16);
  }

  /** Returns the number of elements of the leaf at `item`. */
  count(directory: number, item: number): number {
    return this.#words[directory * 2 + 5 + item * 2]!;
  }

  /**
   * Moves the elements of the leaf at `item` from `offset` on, in bytes of its run, to a new leaf at `item + 1`. There
   * must be room for an item.
   */
  splitLeaf(directory: number, item: number, offset: number): void {
    const size = this.usedBytes(this.leaf(directory, item)) - offset;
    this.addLeaf(directory, item + 1, Math.max(size, LEAF_INITIAL_BYTES - PART_HEADER_BYTES), true);
    this.shiftTail(directory, item, offset);
  }

  /**
   * Moves these elements to the head of the next leaf; returns `false` if the directory has none or they do not fit.
   */
  shiftTail(directory: number, item: number, offset: number): boolean {
    if (item + 1 >= this.items(directory)) return false;
    const words = this.#words;
    const bytes = this.#bytes;
    const leaf = this.leaf(directory, item);
    const size = this.usedBytes(leaf) - offset;
    const right = this.makeLeafRoom(directory, item + 1, true, size);
    if (right === 0) return false;
    const begin = words[leaf * 2 + 1]! >>> 16;
    const run = words[right * 2 + 1]!;
    const from = leaf * 8 + PART_HEADER_BYTES + begin + offset;
    copyBytes(bytes, from, bytes, right * 8 + PART_HEADER_BYTES + (run >>> 16) - size, size);
    this.setRun(leaf, begin, begin + offset);
    this.setRun(right, (run >>> 16) - size, run & 0xffff);
    let count = 0;
    let outside = 0;
    for (let at = from; at < from + size; at = nextPacked(bytes, at), count++) {
      if (isOutside(bytes, at)) outside++;
    }
    words[leaf * 2 + 2]! -= outside;
    words[right * 2 + 2]! += outside;
    words[directory * 2 + 5 + item * 2]! -= count;
    words[directory * 2 + 7 + item * 2]! += count;
    this.#adoptOutside(right);
    return true;
  }

  /**
   * Joins the leaf at `item` with the next one, if they are small and one of them has the room. Returns whether it did.
   */
  joinLeaves(directory: number, item: number): boolean {
    if (item < 0 || item + 1 >= this.items(directory)) return false;
    const words = this.#words;
    const arena = this.#entries.arena;
    const left = this.leaf(directory, item);
    const right = this.leaf(directory, item + 1);
    const size = this.usedBytes(left) + this.usedBytes(right);
    if (size > LEAVES_JOINED_MAX_BYTES) return false;
    const intoLeft = size <= arena.sizeAt(left) - PART_HEADER_BYTES;
    if (!intoLeft && size > arena.sizeAt(right) - PART_HEADER_BYTES) return false;
    const [into, from] = intoLeft ? [left, right] : [right, left];
    const moved = this.usedBytes(from);
    this.makeLeafRoom(directory, intoLeft ? item : item + 1, !intoLeft, moved);
    const run = words[into * 2 + 1]!;
    const at = intoLeft ? run & 0xffff : (run >>> 16) - moved;
    const source = from * 8 + PART_HEADER_BYTES + (words[from * 2 + 1]! >>> 16);
    copyBytes(this.#bytes, source, this.#bytes, into * 8 + PART_HEADER_BYTES + at, moved);
    if (intoLeft) this.setRun(into, run >>> 16, at + moved);
    else this.setRun(into, at, run & 0xffff);
    words[into * 2 + 2]! += words[from * 2 + 2]!;
    this.#adoptOutside(into);
    const base = directory * 2 + 4 + item * 2;
    words[base] = into;
    words[base + 1]! += words[base + 3]!;
    this.#dropItems(directory, item + 1, item + 2);
    arena.free(from);
    return true;
  }

  /** Removes items `[from, to)` from a directory. The caller is responsible for their leaves and for all counts. */
  #dropItems(directory: number, from: number, to: number): void {
    const items = this.items(directory);
    const base = directory * 2 + 4;
    this.#words.copyWithin(base + from * 2, base + to * 2, base + items * 2);
    this.#words[directory * 2 + 3] = DIRECTORY_META | (items - (to - from));
  }

  /**
   * Frees leaves `[from, to)` with their elements, and the directory if it is empty then.
   *
   * @returns whether the directory still exists
   */
  removeLeaves(entry: number, directory: number, from: number, to: number): boolean {
    const words = this.#words;
    let count = 0;
    for (let item = from; item < to; item++) {
      const leaf = this.leaf(directory, item);
      count += this.count(directory, item);
      this.eachOutside(leaf, (at) => this.#entries.blobs.free(outsidePiece(this.#bytes, at)));
      this.#entries.arena.free(leaf);
    }
    words[directory * 2 + 2]! -= count;
    words[entry * 2 + 4]! -= count;
    this.#dropItems(directory, from, to);
    if (this.items(directory) > 0) return true;
    this.#entries.chains.unlink(entry, directory);
    this.#entries.arena.free(directory);
    return false;
  }

  /** Moves the leaves from `item` on to a new directory after this one, and returns it. */
  splitDirectory(entry: number, directory: number, item: number): number {
    const count = this.items(directory) - item;
    const right = this.#entries.arena.allocate(PART_HEADER_BYTES + Math.max(DIRECTORY_INITIAL_ITEMS, count) * 8);
    this.#words[right * 2 + 2] = 0;
    this.#words[right * 2 + 3] = DIRECTORY_META;
    this.#entries.chains.linkAfter(entry, right, directory);
    this.#moveItems(directory, item, right, 0);
    return right;
  }

  /** Joins a directory with the next one, if they are small and one of them has the room. */
  joinDirectories(entry: number, directory: number): void {
    const next = this.#words[directory * 2]!;
    if (next === entry) return;
    const arena = this.#entries.arena;
    const items = this.items(directory) + this.items(next);
    const bytes = PART_HEADER_BYTES + items * 8;
    let gone: number;
    if (items > DIRECTORIES_JOINED_MAX_LEAVES) {
      return;
    } else if (bytes <= arena.sizeAt(directory)) {
      this.#moveItems(next, 0, directory, this.items(directory));
      gone = next;
    } else if (bytes <= arena.sizeAt(next)) {
      this.#moveItems(directory, 0, next, 0);
      gone = directory;
    } else {
      return;
    }
    this.#entries.chains.unlink(entry, gone);
    arena.free(gone);
  }

  /** Moves the items of a directory from `item` on to another one, which has the room, before its item `at`. */
  #moveItems(from: number, item: number, to: number, at: number): void {
    const words = this.#words;
    const moved = this.items(from) - item;
    const items = this.items(to);
    const source = from * 2 + 4 + item * 2;
    const target = to * 2 + 4 + at * 2;
    words.copyWithin(target + moved * 2, target, to * 2 + 4 + items * 2);
    words.copyWithin(target, source, source + moved * 2);
    let count = 0;
    for (let word = target; word < target + moved * 2; word += 2) {
      words[words[word]! * 2] = to;
      count += words[word + 1]!;
    }
    words[from * 2 + 2]! -= count;
    words[to * 2 + 2]! += count;
    words[from * 2 + 3] = DIRECTORY_META | item;
    words[to * 2 + 3] = DIRECTORY_META | (items + moved);
  }

  /** Returns whether the element at `at` equals these bytes. */
  isElement(at: number, other: Uint8Array, start: number, length: number): boolean {
    const bytes = this.#bytes;
    if (!isOutside(bytes, at)) return equalsPacked(bytes, at, other, start, length);
    return packedLength(bytes, at) === length &&
      this.#entries.blobs.equals(outsidePiece(bytes, at), other, start, length);
  }

  /** Frees the blob of the element at `at`, if it has one. */
  freeOutside(leaf: number, at: number): void {
    if (!isOutside(this.#bytes, at)) return;
    this.#entries.blobs.free(outsidePiece(this.#bytes, at));
    this.#words[leaf * 2 + 2]!--;
  }

  /** Visits the positions of a leaf's elements that are in blobs. */
  eachOutside(leaf: number, visit: (at: number) => void): void {
    const words = this.#words;
    if (words[leaf * 2 + 2] === 0) return;
    const base = leaf * 8 + PART_HEADER_BYTES;
    const run = words[leaf * 2 + 1]!;
    const end = base + (run & 0xffff);
    for (let at = base + (run >>> 16); at < end; at = nextPacked(this.#bytes, at)) {
      if (isOutside(this.#bytes, at)) visit(at);
    }
  }

  /** Updates the references to a leaf that compaction has moved from `from` to `to`. */
  leafMoved(from: number, to: number): void {
    const words = this.#words;
    const directory = words[to * 2]!;
    let word = directory * 2 + 4;
    while (words[word] !== from) word += 2;
    words[word] = to;
    this.#adoptOutside(to);
  }

  /** Makes the blobs of a leaf's elements name it as their owner. */
  #adoptOutside(leaf: number): void {
    if (this.#words[leaf * 2 + 2] === 0) return;
    this.eachOutside(leaf, (at) => this.#entries.blobs.ownerMoved(outsidePiece(this.#bytes, at), leaf));
  }

  /** Updates the references to a directory that compaction has moved to `to`. */
  directoryMoved(to: number): void {
    this.#entries.chains.partMoved(to);
    const items = this.items(to);
    for (let item = 0; item < items; item++) this.#words[this.leaf(to, item) * 2] = to;
  }

  /** Updates the element of `leaf` whose blob's first piece compaction has moved from `from` to `to`. */
  pieceMoved(leaf: number, from: number, to: number): void {
    this.eachOutside(leaf, (at) => {
      if (outsidePiece(this.#bytes, at) === from) setOutsidePiece(this.#bytes, at, to);
    });
  }

  /**
   * Estimates the bytes of all leaves and directories of a large list from some leaves of its first and its last
   * directory.
   */
  estimateBytes(entry: number): number {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    let bytes = 0;
    let elements = 0;
    for (const directory of [words[body]!, words[body + 1]!]) {
      const items = this.items(directory);
      const step = Math.max(1, Math.ceil(items / ESTIMATED_LEAVES_COUNT));
      const perLeaf = this.#entries.arena.sizeAt(directory) / items;
      for (let item = 0; item < items; item += step) {
        bytes += this.#estimateLeaf(this.leaf(directory, item)) + perLeaf;
        elements += this.count(directory, item);
      }
    }
    return Math.round(bytes / elements * words[entry * 2 + 4]!);
  }

  #estimateLeaf(leaf: number): number {
    let bytes = this.#entries.arena.sizeAt(leaf);
    this.eachOutside(leaf, (at) => {
      bytes += this.#entries.blobs.estimateBytes(outsidePiece(this.#bytes, at), packedLength(this.#bytes, at));
    });
    return bytes;
  }

  /** Visits the sizes of the blocks that a copy of a large list takes beyond its entry. */
  measureCopy(entry: number, count: (size: number) => void): void {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    for (let directory = words[body]!; directory !== entry; directory = words[directory * 2]!) {
      const items = this.items(directory);
      count(PART_HEADER_BYTES + items * 8);
      for (let item = 0; item < items; item++) {
        const leaf = this.leaf(directory, item);
        count(PART_HEADER_BYTES + this.usedBytes(leaf));
        this.eachOutside(leaf, (at) => this.#entries.blobs.eachSize(outsidePiece(this.#bytes, at), count));
      }
    }
  }

  /** Copies the parts of a large list, each leaf in the size of its contents, to another one that is empty. */
  copy(from: number, to: number): void {
    const words = this.#words;
    const body = bodyWord(words[from * 2 + 3]!);
    words[to * 2 + 4] = words[from * 2 + 4]!;
    for (let directory = words[from * 2 + body]!; directory !== from; directory = words[directory * 2]!) {
      const items = this.items(directory);
      const made = this.#entries.arena.allocate(PART_HEADER_BYTES + items * 8);
      words[made * 2 + 2] = words[directory * 2 + 2]!;
      words[made * 2 + 3] = DIRECTORY_META | items;
      this.#entries.chains.link(to, made, false);
      for (let item = 0; item < items; item++) {
        words[made * 2 + 4 + item * 2] = this.#copyLeaf(this.leaf(directory, item), made);
        words[made * 2 + 5 + item * 2] = this.count(directory, item);
      }
    }
  }

  /** Copies a leaf for another directory. Returns the copy. */
  #copyLeaf(leaf: number, directory: number): number {
    const words = this.#words;
    const bytes = this.#bytes;
    const size = this.usedBytes(leaf);
    const made = this.#entries.arena.allocate(PART_HEADER_BYTES + size);
    words[made * 2] = directory;
    words[made * 2 + 2] = words[leaf * 2 + 2]!;
    words[made * 2 + 3] = LEAF_META;
    this.setRun(made, 0, size);
    const from = leaf * 8 + PART_HEADER_BYTES + (words[leaf * 2 + 1]! >>> 16);
    copyBytes(bytes, from, bytes, made * 8 + PART_HEADER_BYTES, size);
    this.eachOutside(made, (at) => {
      setOutsidePiece(bytes, at, this.#entries.blobs.clone(outsidePiece(bytes, at), made));
    });
    return made;
  }
}
