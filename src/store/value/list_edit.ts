/**
 * Changes in the middle of lists: inserting, and removing a range or all elements that are equal to one.
 *
 * ```text
 * insert    leaf has room             a b c d   →  a b X c d
 *           leaf is full              a b c d   →  a b X │ c d          split, or what follows moves to the next leaf
 * remove    a b │ c d e │ f g h │ i   →  a │ h │ i                      whole leaves between are removed
 * ```
 *
 * Either costs no more than reaching the place and moving a part of a leaf, and one item for each removed leaf. If
 * there are many of these, the directories at both ends are split, so that the directories between can be detached and
 * freed later, in steps. Leaves and directories with few elements left are joined with their neighbours, so that after
 * any removals a list takes no more than a small multiple of its elements' size. Each of these steps can be skipped
 * when there is no room, so removing never fails in a full store.
 *
 * @module
 */

import {
  DIRECTORY_LEAVES_MAX_COUNT,
  ELEMENT_INLINE_MAX_BYTES,
  FREED_AT_ONCE_MAX_COUNT,
  LEAF_INITIAL_BYTES,
} from "../../limits.ts";
import { bodyWord, KIND_LIST_PACKED, kindOf } from "../block.ts";
import type { Entries } from "../entries.ts";
import type { PackedLists } from "./list_packed.ts";
import { type ListParts, PART_HEADER_BYTES } from "./list_parts.ts";
import { nextPacked, OUTSIDE_BYTES, packedSize, writeOutside, writePacked } from "./packed.ts";

/** The number of blocks that freeing leaves later needs: two directories to split, and the detached entry. */
const DETACHING_PAGES = 3;

/** An editor of the middle of lists in one arena. */
export class ListEditor {
  readonly #entries: Entries;
  readonly #packed: PackedLists;
  readonly #parts: ListParts;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;

  // Further results of some methods: a place, the number of elements left there, the end of a run.
  #directory = 0;
  #item = 0;
  #left = 0;
  #end = 0;

  constructor(entries: Entries, packed: PackedLists, parts: ListParts) {
    this.#entries = entries;
    this.#packed = packed;
    this.#parts = parts;
    this.#words = entries.words;
    this.#bytes = entries.bytes;
  }

  /** Inserts an element before the one at `at` in the leaf at `item` of a large list. */
  insertLarge(
    entry: number,
    directory: number,
    item: number,
    at: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    const words = this.#words;
    const parts = this.#parts;
    const size = length > ELEMENT_INLINE_MAX_BYTES ? OUTSIDE_BYTES : packedSize(length);
    let leaf = parts.leaf(directory, item);
    const offset = at - leaf * 8 - PART_HEADER_BYTES - (words[leaf * 2 + 1]! >>> 16);
    if (offset > 0) {
      const head = offset * 2 < parts.usedBytes(leaf);
      leaf = parts.makeLeafRoom(directory, item, head, size);
      if (leaf !== 0) {
        this.#write(entry, directory, item, this.#openGap(leaf, head, offset, size), source, start, length);
        return;
      }
      if (parts.shiftTail(directory, item, offset)) {
        item++;
      } else {
        this.#makeItem(entry, directory, item + 1);
        directory = this.#directory;
        item = this.#item;
        parts.splitLeaf(directory, item - 1, offset);
      }
    }
    // From here on, the element is inserted between two leaves. The one before is filled first, as elements are often
    // inserted in order.
    if (item > 0 && (leaf = parts.makeLeafRoom(directory, item - 1, false, size)) !== 0) {
      this.#write(
        entry,
        directory,
        item - 1,
        this.#openGap(leaf, false, parts.usedBytes(leaf), size),
        source,
        start,
        length,
      );
      return;
    }
    leaf = parts.makeLeafRoom(directory, item, true, size);
    if (leaf === 0) {
      this.#makeItem(entry, directory, item);
      directory = this.#directory;
      item = this.#item;
      leaf = parts.addLeaf(directory, item, Math.max(size, LEAF_INITIAL_BYTES - PART_HEADER_BYTES), true);
    }
    this.#write(entry, directory, item, this.#openGap(leaf, true, 0, size), source, start, length);
  }

  /**
   * Makes room for an item at `item`, possibly in another directory: `#directory` and `#item` are its place. The item
   * before it must exist, unless `item` is 0.
   */
  #makeItem(entry: number, directory: number, item: number): void {
    if (this.#parts.items(directory) === DIRECTORY_LEAVES_MAX_COUNT) {
      const half = DIRECTORY_LEAVES_MAX_COUNT / 2;
      const right = this.#parts.splitDirectory(entry, directory, half);
      if (item > half) {
        directory = right;
        item -= half;
      }
    }
    this.#directory = this.#parts.growDirectory(directory);
    this.#item = item;
  }

  /**
   * Moves the elements before (`head`) or after `offset` by `size` bytes, which are free there. Returns where the gap
   * is.
   */
  #openGap(leaf: number, head: boolean, offset: number, size: number): number {
    const run = this.#words[leaf * 2 + 1]!;
    const begin = run >>> 16;
    const end = run & 0xffff;
    const base = leaf * 8 + PART_HEADER_BYTES;
    if (head) {
      this.#bytes.copyWithin(base + begin - size, base + begin, base + begin + offset);
      this.#parts.setRun(leaf, begin - size, end);
      return base + begin - size + offset;
    }
    this.#bytes.copyWithin(base + begin + offset + size, base + begin + offset, base + end);
    this.#parts.setRun(leaf, begin, end + size);
    return base + begin + offset;
  }

  /** Writes an element into the gap at `at`, and counts it. */
  #write(
    entry: number,
    directory: number,
    item: number,
    at: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    const leaf = this.#parts.leaf(directory, item);
    if (length > ELEMENT_INLINE_MAX_BYTES) {
      writeOutside(this.#bytes, at, this.#entries.blobs.create(leaf, source, start, length), length);
      this.#words[leaf * 2 + 2]!++;
    } else {
      writePacked(this.#bytes, at, source, start, length);
    }
    this.#parts.addCount(entry, directory, item, 1);
  }

  /** Removes elements of a large list from the one at `at` on, which must exist and not be all. */
  removeLarge(entry: number, directory: number, item: number, at: number, count: number): void {
    const words = this.#words;
    const parts = this.#parts;
    const leaf = parts.leaf(directory, item);
    if (at !== leaf * 8 + PART_HEADER_BYTES + (words[leaf * 2 + 1]! >>> 16)) {
      count -= this.#cut(entry, directory, item, at, count);
      item++;
    }
    const before = item > 0 ? directory : words[directory * 2 + 1]!;
    if (count > 0) {
      const leaves = this.#passLeaves(entry, directory, item, count);
      const [lastDirectory, lastItem] = [this.#directory, this.#item];
      // The rest of the range is removed first, before its leaf can move.
      if (this.#left > 0) {
        const last = parts.leaf(lastDirectory, lastItem);
        const begin = last * 8 + PART_HEADER_BYTES + (words[last * 2 + 1]! >>> 16);
        this.#cut(entry, lastDirectory, lastItem, begin, this.#left);
      }
      if (leaves > 0) this.#removeLeaves(entry, directory, item, lastDirectory, lastItem);
    }
    if (before === entry) return;
    if (item > 0) {
      // Joins the leaves on both sides of the range, and the one before them that may be small as well.
      parts.joinLeaves(before, item - 1);
      parts.joinLeaves(before, item - 2);
    }
    parts.joinDirectories(entry, before);
  }

  /**
   * Skips whole leaves of the next `count` elements. `#directory` and `#item` are the place reached, `#left` is the
   * number of elements of the range in that leaf.
   *
   * @returns the number of leaves skipped
   */
  #passLeaves(entry: number, directory: number, item: number, count: number): number {
    const words = this.#words;
    const parts = this.#parts;
    let leaves = 0;
    while (directory !== entry) {
      const items = parts.items(directory);
      if (item === 0 && words[directory * 2 + 2]! <= count) {
        count -= words[directory * 2 + 2]!;
        leaves += items;
        item = items;
      }
      for (; item < items && parts.count(directory, item) <= count; item++, leaves++) {
        count -= parts.count(directory, item);
      }
      if (item < items) break;
      directory = words[directory * 2]!;
      item = 0;
    }
    this.#directory = directory;
    this.#item = item;
    this.#left = count;
    return leaves;
  }

  /**
   * Removes elements of the leaf at `item`, beginning with the one at `at`: `count`, or as many as there are.
   *
   * @returns the number of elements removed; never all of the leaf
   */
  #cut(entry: number, directory: number, item: number, at: number, count: number): number {
    const words = this.#words;
    const bytes = this.#bytes;
    const leaf = this.#parts.leaf(directory, item);
    const run = words[leaf * 2 + 1]!;
    const base = leaf * 8 + PART_HEADER_BYTES;
    const begin = base + (run >>> 16);
    const end = base + (run & 0xffff);
    let after = at;
    let removed = 0;
    for (; removed < count && after < end; removed++) {
      this.#parts.freeOutside(leaf, after);
      after = nextPacked(bytes, after);
    }
    if (at - begin < end - after) {
      bytes.copyWithin(begin + after - at, begin, at);
      this.#parts.setRun(leaf, begin + after - at - base, end - base);
    } else {
      bytes.copyWithin(at, after, end);
      this.#parts.setRun(leaf, begin - base, end - (after - at) - base);
    }
    this.#parts.addCount(entry, directory, item, -removed);
    return removed;
  }

  /**
   * Removes the leaves from one item up to, but not including, another, which may be the end of the list: item 0 of the
   * entry.
   */
  #removeLeaves(entry: number, directory: number, item: number, lastDirectory: number, lastItem: number): void {
    const words = this.#words;
    const parts = this.#parts;
    if (this.#isMuch(directory, item, lastDirectory, lastItem) && this.#entries.arena.freePages >= DETACHING_PAGES) {
      this.#detachLeaves(entry, directory, item, lastDirectory, lastItem);
      return;
    }
    while (directory !== lastDirectory) {
      const next = words[directory * 2]!;
      parts.removeLeaves(entry, directory, item, parts.items(directory));
      directory = next;
      item = 0;
    }
    if (item < lastItem) parts.removeLeaves(entry, directory, item, lastItem);
  }

  /** Returns whether freeing these leaves takes many steps, and is better done later. */
  #isMuch(directory: number, item: number, lastDirectory: number, lastItem: number): boolean {
    let steps = 0;
    while (directory !== lastDirectory || item < lastItem) {
      if (item === this.#parts.items(directory)) {
        directory = this.#words[directory * 2]!;
        item = 0;
        continue;
      }
      steps += 1 + this.#words[this.#parts.leaf(directory, item) * 2 + 2]!;
      if (steps > FREED_AT_ONCE_MAX_COUNT) return true;
      item++;
    }
    return false;
  }

  /** Removes leaves like `#removeLeaves`, but moves them to separate directories that are freed later. */
  #detachLeaves(entry: number, directory: number, item: number, lastDirectory: number, lastItem: number): void {
    const words = this.#words;
    const parts = this.#parts;
    let first = directory;
    if (item > 0) {
      if (item < parts.items(directory)) {
        first = parts.splitDirectory(entry, directory, item);
        if (lastDirectory === directory) {
          lastDirectory = first;
          lastItem -= item;
        }
      } else {
        first = words[directory * 2]!;
      }
    }
    let after = lastDirectory;
    if (lastDirectory !== entry && lastItem > 0) after = parts.splitDirectory(entry, lastDirectory, lastItem);
    let count = 0;
    let last = first;
    for (let next = first; next !== after; next = words[next * 2]!) {
      count += words[next * 2 + 2]!;
      last = next;
    }
    words[entry * 2 + 4]! -= count;
    this.#entries.garbage.add(this.#entries.chains.detach(entry, first, last, count));
  }

  /**
   * Removes elements that equal these bytes, beginning at one end, and at most `most` of them.
   *
   * @returns the number of elements removed
   */
  removeEqual(
    entry: number,
    fromTail: boolean,
    most: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): number {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    const body = entry * 2 + bodyWord(meta);
    if (kindOf(meta) === KIND_LIST_PACKED) {
      const packed = this.#packed;
      const begin = packed.begin(entry);
      const removed = this.#filter(0, begin, packed.end(entry), fromTail, most, other, start, length);
      packed.removed(entry, this.#end, removed);
      return removed;
    }
    const before = words[entry * 2 + 4]!;
    for (let directory = words[body + (fromTail ? 1 : 0)]!; directory !== entry && most > 0;) {
      const beyond = words[directory * 2 + (fromTail ? 1 : 0)]!;
      most -= this.#filterDirectory(entry, directory, fromTail, most, other, start, length);
      directory = beyond;
    }
    return before - words[entry * 2 + 4]!;
  }

  /** Removes elements of one directory that equal these bytes. Returns their number. */
  #filterDirectory(
    entry: number,
    directory: number,
    fromTail: boolean,
    most: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): number {
    const words = this.#words;
    const parts = this.#parts;
    const items = parts.items(directory);
    const before = words[directory * 2 + 1]!;
    let removedInAll = 0;
    // The number of items that were emptied or joined.
    let gone = 0;
    for (let passed = 0; passed < items && removedInAll < most; passed++) {
      const item = fromTail ? items - 1 - passed : passed - gone;
      const leaf = parts.leaf(directory, item);
      const run = words[leaf * 2 + 1]!;
      const base = leaf * 8 + PART_HEADER_BYTES;
      const left = most - removedInAll;
      const removed = this.#filter(
        leaf,
        base + (run >>> 16),
        base + (run & 0xffff),
        fromTail,
        left,
        other,
        start,
        length,
      );
      if (removed === 0) continue;
      removedInAll += removed;
      parts.setRun(leaf, run >>> 16, this.#end - base);
      parts.addCount(entry, directory, item, -removed);
      if (parts.count(directory, item) === 0) {
        if (!parts.removeLeaves(entry, directory, item, item + 1)) return removedInAll;
        gone++;
      } else if (parts.joinLeaves(directory, fromTail ? item : item - 1)) {
        gone++;
      }
    }
    // Joins only with the directory that was filtered before: the other one is next.
    const seam = fromTail ? directory : before;
    if (removedInAll > 0 && seam !== entry) parts.joinDirectories(entry, seam);
    return removedInAll;
  }

  /**
   * Removes the elements that equal these bytes from the run `[begin, end)`: the first or last `most` of them. The run
   * then ends at `#end`.
   *
   * @param leaf the leaf of the run; 0: the run of a packed list
   * @returns the number of elements removed
   */
  #filter(
    leaf: number,
    begin: number,
    end: number,
    fromTail: boolean,
    most: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): number {
    const bytes = this.#bytes;
    const parts = this.#parts;
    this.#end = end;
    let matches = 0;
    for (let at = begin; at < end; at = nextPacked(bytes, at)) {
      if (parts.isElement(at, other, start, length)) matches++;
    }
    const removed = Math.min(matches, most);
    if (removed === 0) return 0;
    let toPass = fromTail ? matches - removed : 0;
    let toRemove = removed;
    let to = begin;
    // The elements from here on stay, as far as is known.
    let from = begin;
    for (let at = begin; at < end && toRemove > 0;) {
      const after = nextPacked(bytes, at);
      if (parts.isElement(at, other, start, length) && toPass-- <= 0) {
        bytes.copyWithin(to, from, at);
        to += at - from;
        if (leaf !== 0) parts.freeOutside(leaf, at);
        from = after;
        toRemove--;
      }
      at = after;
    }
    bytes.copyWithin(to, from, end);
    this.#end = to + end - from;
    return removed;
  }
}
