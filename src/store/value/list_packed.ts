/**
 * Packed lists: all elements are in the entry, as one run with room around it.
 *
 * ```text
 * LIST_PACKED entry   word 4  end of the run            word body  start of the run:16 · count of elements:16
 *                     … key · room · run of packed elements · room
 *                             0      start            end    capacity      in bytes after the key
 * ```
 *
 * A change in the middle moves the shorter part of the run, before or after its place. Adding or removing an element at
 * either end moves nothing while there is room at that end.
 *
 * A run without room at one end is moved within its block if it gains a 16th of its size there, as in a queue.
 * Otherwise it moves into a larger block with that much room. So a list wastes about 4 % on average, and no byte that
 * is added costs moving more than 16 others.
 *
 * @module
 */

import { ELEMENT_INLINE_MAX_BYTES, LEAF_MAX_BYTES } from "../../limits.ts";
import type { Arena } from "../arena.ts";
import { bodyWord, HEADER_BYTES, keyLengthOf, KIND_LIST_PACKED } from "../block.ts";
import type { Entries } from "../entries.ts";
import { LEAF_RUN_MAX_BYTES } from "./list_parts.ts";
import { nextPacked, packedSize, previousPacked, writePacked } from "./packed.ts";

/**
 * The most bytes of a block that a run uses. A block with a long key may have more, but a run that begins
 * further from the key would not fit in a block with an even longer key when the list is renamed.
 */
const CAPACITY_MAX_BYTES = LEAF_MAX_BYTES * 2;
/** Each time a run is moved, it gains at least its size shifted right by this: a 16th. */
const ROOM_SHIFT = 4;

/**
 * The packed lists of one arena. A method that adds an element returns the entry's reference from then on, or 0 when
 * the list would no longer be small.
 */
export class PackedLists {
  readonly #entries: Entries;
  readonly #arena: Arena;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(entries: Entries) {
    this.#entries = entries;
    this.#arena = entries.arena;
    this.#words = entries.words;
    this.#bytes = entries.bytes;
    this.#view = entries.arena.view;
  }

  /** Returns the number of elements. */
  count(entry: number): number {
    return this.#words[this.#body(entry)]! & 0xffff;
  }

  /** Returns where the run begins, in the arena's bytes. */
  begin(entry: number): number {
    return this.#entries.valueStart(entry) + (this.#words[this.#body(entry)]! >>> 16);
  }

  /** Returns where the run ends, in the arena's bytes. */
  end(entry: number): number {
    return this.#entries.valueStart(entry) + this.#words[entry * 2 + 4]!;
  }

  #body(entry: number): number {
    return entry * 2 + bodyWord(this.#words[entry * 2 + 3]!);
  }

  /** Creates a list of one element under an absent key. */
  create(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): number {
    if (length > ELEMENT_INLINE_MAX_BYTES) return 0;
    const size = packedSize(length);
    const entry = this.#entries.create(KIND_LIST_PACKED, key, keyStart, keyLength, 0, size);
    this.#words[entry * 2 + 4] = size;
    this.#words[this.#body(entry)] = 1;
    writePacked(this.#bytes, this.#entries.valueStart(entry), source, start, length);
    return entry;
  }

  /** Adds an element at the head or the tail. */
  push(entry: number, head: boolean, source: Uint8Array, start: number, length: number, view?: DataView): number {
    const size = packedSize(length);
    if (!this.#isSmall(entry, size, length)) return 0;
    entry = this.#makeRoom(entry, head, size);
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    const value = entry * 8 + HEADER_BYTES[meta >>> 24]! + keyLengthOf(meta);
    const body = entry * 2 + bodyWord(meta);
    const run = words[body]!;
    let at = words[entry * 2 + 4]!;
    if (head) {
      at = (run >>> 16) - size;
      words[body] = run - (size << 16) + 1;
    } else {
      words[entry * 2 + 4] = at + size;
      words[body] = run + 1;
    }
    writePacked(this.#bytes, value + at, source, start, length, this.#view, view);
    return entry;
  }

  /** Inserts an element before the one at `at`. */
  insert(entry: number, at: number, source: Uint8Array, start: number, length: number): number {
    entry = this.#replace(entry, at, 0, source, start, length);
    if (entry !== 0) this.#words[this.#body(entry)]!++;
    return entry;
  }

  /** Replaces the element at `at`. */
  set(entry: number, at: number, source: Uint8Array, start: number, length: number): number {
    return this.#replace(entry, at, nextPacked(this.#bytes, at) - at, source, start, length);
  }

  /** Replaces `removed` bytes at `at` with an element. */
  #replace(entry: number, at: number, removed: number, source: Uint8Array, start: number, length: number): number {
    const size = packedSize(length);
    if (!this.#isSmall(entry, size - removed, length)) return 0;
    const begin = this.begin(entry);
    const head = at - begin < this.end(entry) - at - removed;
    if (size > removed) entry = this.#makeRoom(entry, head, size - removed);
    const offset = at - begin;
    this.#resize(entry, head, this.begin(entry) + offset, removed, size);
    writePacked(this.#bytes, this.begin(entry) + offset, source, start, length);
    return entry;
  }

  /** Returns whether a list stays small that grows by `size` bytes to store an element of `length` bytes. */
  #isSmall(entry: number, size: number, length: number): boolean {
    const words = this.#words;
    const used = words[entry * 2 + 4]! - (words[this.#body(entry)]! >>> 16);
    return length <= ELEMENT_INLINE_MAX_BYTES && used + size <= LEAF_RUN_MAX_BYTES;
  }

  /** Removes the first or the last element. Returns the number of elements left. */
  pop(entry: number, head: boolean): number {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    const value = entry * 8 + HEADER_BYTES[meta >>> 24]! + keyLengthOf(meta);
    const body = entry * 2 + bodyWord(meta);
    const run = words[body]!;
    if (head) {
      const begin = value + (run >>> 16);
      words[body] = run + ((nextPacked(this.#bytes, begin) - begin) << 16) - 1;
    } else {
      words[entry * 2 + 4] = previousPacked(this.#bytes, value + words[entry * 2 + 4]!) - value;
      words[body] = run - 1;
    }
    return (run - 1) & 0xffff;
  }

  /** Removes `count` elements from the one at `at` on, which must exist. */
  remove(entry: number, at: number, count: number): void {
    let after = at;
    for (let i = 0; i < count; i++) after = nextPacked(this.#bytes, after);
    this.#resize(entry, at - this.begin(entry) < this.end(entry) - after, at, after - at, 0);
    this.#words[this.#body(entry)]! -= count;
  }

  /** Ends the run at `end`. The caller has removed `count` elements and moved the others together. */
  removed(entry: number, end: number, count: number): void {
    this.#words[entry * 2 + 4] = end - this.#entries.valueStart(entry);
    this.#words[this.#body(entry)]! -= count;
  }

  /**
   * Makes `newSize` bytes of the `size` bytes at `at`, for which there is room. Moves the part of the run before them
   * (`head`) or after them.
   */
  #resize(entry: number, head: boolean, at: number, size: number, newSize: number): void {
    const words = this.#words;
    const grown = newSize - size;
    if (grown === 0) return;
    if (head) {
      const begin = this.begin(entry);
      if (at > begin) this.#bytes.copyWithin(begin - grown, begin, at);
      words[this.#body(entry)]! -= grown * 0x10000;
    } else {
      const end = this.end(entry);
      if (at + size < end) this.#bytes.copyWithin(at + newSize, at + size, end);
      words[entry * 2 + 4]! += grown;
    }
  }

  /** Makes `size` bytes free at the head or the tail of a run. Returns the entry from now on. */
  #makeRoom(entry: number, head: boolean, size: number): number {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    const start = words[entry * 2 + bodyWord(meta)]! >>> 16;
    const end = words[entry * 2 + 4]!;
    const capacity = this.#capacity(entry, meta);
    const needed = end - start + size;
    // A block of more than twice the size is replaced by a smaller one.
    if ((head ? start : capacity - end) >= size && capacity <= needed * 2) return entry;
    const wanted = needed + (needed >>> ROOM_SHIFT);
    if (wanted > capacity || wanted * 2 < capacity) {
      if (end > wanted) this.#slide(entry, 0);
      entry = this.#entries.reform(entry, meta >>> 24, wanted, words[entry * 2 + 4]!);
    }
    this.#slide(entry, head ? this.#capacity(entry, meta) - (end - start) : 0);
    return entry;
  }

  /** Returns the number of bytes after the key that the run may use. */
  #capacity(entry: number, meta: number): number {
    const block = this.#arena.sizeAt(entry);
    return Math.min(CAPACITY_MAX_BYTES, block - HEADER_BYTES[meta >>> 24]! - keyLengthOf(meta));
  }

  /** Moves the run to `start`. */
  #slide(entry: number, start: number): void {
    const words = this.#words;
    const body = this.#body(entry);
    const from = words[body]! >>> 16;
    if (from === start) return;
    const value = this.#entries.valueStart(entry);
    const end = words[entry * 2 + 4]!;
    this.#bytes.copyWithin(value + start, value + from, value + end);
    words[body]! += (start - from) * 0x10000;
    words[entry * 2 + 4] = start + end - from;
  }
}
