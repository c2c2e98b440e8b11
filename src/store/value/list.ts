/**
 * Lists: packed while small, then leaves of packed elements under a chain of directories.
 *
 * ```text
 * LIST_PACKED entry   start, count · … key · packed elements      as many as fit in a leaf: list_packed.ts
 *
 * LIST entry          first, last directory · … key              leaves under directories: list_parts.ts
 * ```
 *
 * Pushing and popping work on the packed run, or on the first or last leaf. Reaching an index skips a directory (tens
 * of thousands of elements) or a leaf (a hundred) at a time, from the nearer end. Elements above 1 KiB are in separate
 * blobs.
 *
 * @module
 */

import { copyBytes, copyViewed } from "../../bytes.ts";
import {
  assertNoEffect,
  type Effect,
  type EffectNameOf,
  type EffectRow,
  EFFECTS,
  type EffectWriter,
} from "../../effects.ts";
import { assert } from "../../errors.ts";
import {
  BLOCK_SHARED_MAX_BYTES,
  DIRECTORY_LEAVES_MAX_COUNT,
  ELEMENT_INLINE_MAX_BYTES,
  LEAF_INITIAL_BYTES,
  LEAF_REPLACED_MAX_BYTES,
  SNAPSHOT_PART_BYTES,
  SNAPSHOT_PART_ITEMS,
} from "../../limits.ts";
import {
  bodyWord,
  flagsOf,
  HEADER_BYTES,
  type Kind,
  KIND_DIRECTORY,
  KIND_LEAF,
  KIND_LIST,
  KIND_LIST_PACKED,
  kindOf,
  topOf,
} from "../block.ts";
import { type Entries, KEEP_NOTHING } from "../entries.ts";
import type { Keyspace } from "../keyspace.ts";
import { ListEditor } from "./list_edit.ts";
import { PackedLists } from "./list_packed.ts";
import { ListParts, PART_HEADER_BYTES } from "./list_parts.ts";
import {
  isOutside,
  nextPacked,
  OUTSIDE_BYTES,
  outsidePiece,
  packedLength,
  packedSize,
  packedStart,
  previousPacked,
  seekPacked,
  setOutsidePiece,
  writeOutside,
  writePacked,
} from "./packed.ts";
import { MISSING, type ValueType } from "./value_type.ts";

/** The lists of one store. Every method that changes a list returns the entry's reference from then on. */
export class Lists implements ValueType {
  /** The number of elements that the last `removeEqual` removed from the captured part of the partial list. */
  #capturedEqual = 0;
  readonly #keyspace: Keyspace;
  readonly #entries: Entries;
  readonly #packed: PackedLists;
  readonly #parts: ListParts;
  readonly #editor: ListEditor;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** A buffer for rebuilding a run. */
  readonly #scratch = new Uint8Array(BLOCK_SHARED_MAX_BYTES * 2);

  // The cursor: an element at #at, the bounds of its run, and (large lists) its directory and item.
  #entry = 0;
  #directory = 0;
  #item = 0;
  #at = 0;
  #begin = 0;
  #end = 0;

  constructor(keyspace: Keyspace, entries: Entries) {
    this.#keyspace = keyspace;
    this.#entries = entries;
    this.#packed = new PackedLists(entries);
    this.#parts = new ListParts(entries);
    this.#editor = new ListEditor(entries, this.#packed, this.#parts);
    this.#words = entries.words;
    this.#bytes = entries.bytes;
    this.#view = entries.arena.view;
  }

  /** Returns the number of elements of a list. */
  length(entry: number): number {
    const isLarge = kindOf(this.#words[entry * 2 + 3]!) === KIND_LIST;
    return isLarge ? this.#words[entry * 2 + 4]! : this.#packed.count(entry);
  }

  /**
   * Adds an element at the head or the tail of a list. Creates an absent list (`entry` 0).
   *
   * @param view a view of `source`, if there is one: it makes copying a short element faster
   */
  push(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    entry: number,
    head: boolean,
    source: Uint8Array,
    start: number,
    length: number,
    view?: DataView,
  ): number {
    const keyspace = this.#keyspace;
    keyspace.changes++;
    if (keyspace.journal !== undefined) {
      const before = entry === 0 ? 0 : this.length(entry);
      keyspace.journal.listPush(entry, before, key, keyStart, keyLength, head, source, start, length, view);
    }
    return entry === 0
      ? this.#create(key, keyStart, keyLength, source, start, length)
      : this.#push(entry, head, source, start, length, view);
  }

  /** Creates a list of one element under an absent key. */
  #create(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): number {
    const packed = this.#packed.create(key, keyStart, keyLength, source, start, length);
    if (packed !== 0) return packed;
    const entry = this.#entries.create(KIND_LIST, key, keyStart, keyLength, 0, 0);
    this.#emptyLarge(entry);
    this.#pushLarge(entry, false, source, start, length);
    return entry;
  }

  #push(
    entry: number,
    head: boolean,
    source: Uint8Array,
    start: number,
    length: number,
    view?: DataView,
  ): number {
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_LIST_PACKED) {
      const pushed = this.#packed.push(entry, head, source, start, length, view);
      if (pushed !== 0) return pushed;
      entry = this.#enlarge(entry);
    }
    this.#pushLarge(entry, head, source, start, length, view);
    return entry;
  }

  #emptyLarge(entry: number): void {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    words[entry * 2 + 4] = 0;
    words[body] = words[body + 1] = 0;
  }

  /** Turns a packed list into a large one. */
  #enlarge(entry: number): number {
    const flags = flagsOf(this.#words[entry * 2 + 3]!);
    const begin = this.#packed.begin(entry);
    const used = this.#packed.end(entry) - begin;
    const count = this.#packed.count(entry);
    copyBytes(this.#bytes, begin, this.#scratch, 0, used);
    const large = this.#entries.reform(entry, topOf(KIND_LIST, flags), 0, KEEP_NOTHING);
    this.#emptyLarge(large);
    const directory = this.#parts.addDirectory(large, false);
    const leaf = this.#parts.addLeaf(directory, 0, used, false);
    copyBytes(this.#scratch, 0, this.#bytes, leaf * 8 + PART_HEADER_BYTES, used);
    this.#parts.setRun(leaf, 0, used);
    this.#parts.addCount(large, directory, 0, count);
    return large;
  }

  #pushLarge(
    entry: number,
    head: boolean,
    source: Uint8Array,
    start: number,
    length: number,
    view?: DataView,
  ): void {
    const words = this.#words;
    const outside = length > ELEMENT_INLINE_MAX_BYTES;
    const size = outside ? OUTSIDE_BYTES : packedSize(length);
    let directory = words[entry * 2 + bodyWord(words[entry * 2 + 3]!) + (head ? 0 : 1)]!;
    if (directory === 0) directory = this.#parts.addDirectory(entry, head);
    let item = head ? 0 : this.#parts.items(directory) - 1;
    let leaf = this.#parts.items(directory) === 0 ? 0 : this.#parts.makeLeafRoom(directory, item, head, size);
    if (leaf === 0) {
      if (this.#parts.items(directory) === DIRECTORY_LEAVES_MAX_COUNT) {
        directory = this.#parts.addDirectory(entry, head);
      }
      directory = this.#parts.growDirectory(directory);
      item = head ? 0 : this.#parts.items(directory);
      leaf = this.#parts.addLeaf(directory, item, Math.max(size, LEAF_INITIAL_BYTES - PART_HEADER_BYTES), head);
    }
    const run = words[leaf * 2 + 1]!;
    const begin = run >>> 16;
    const end = run & 0xffff;
    const at = leaf * 8 + PART_HEADER_BYTES + (head ? begin - size : end);
    if (outside) {
      writeOutside(this.#bytes, at, this.#entries.blobs.create(leaf, source, start, length), length);
      words[leaf * 2 + 2]!++;
    } else {
      writePacked(this.#bytes, at, source, start, length, this.#view, view);
    }
    if (head) this.#parts.setRun(leaf, begin - size, end);
    else this.#parts.setRun(leaf, begin, end + size);
    this.#parts.addCount(entry, directory, item, 1);
  }

  /** Removes the first or the last element. Returns 0 when the list became empty and its key was removed. */
  pop(entry: number, head: boolean): number {
    const keyspace = this.#keyspace;
    keyspace.changes++;
    this.#reportRemoval(entry, head ? 0 : this.length(entry) - 1, 1);
    if (this.#pop(entry, head) !== 0) return entry;
    keyspace.drop(entry);
    return 0;
  }

  /** Removes the first or the last element. Returns the number of elements left. */
  #pop(entry: number, head: boolean): number {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    if (kindOf(meta) === KIND_LIST_PACKED) return this.#packed.pop(entry, head);
    const directory = words[entry * 2 + bodyWord(meta) + (head ? 0 : 1)]!;
    const item = head ? 0 : this.#parts.items(directory) - 1;
    const leaf = this.#parts.leaf(directory, item);
    const run = words[leaf * 2 + 1]!;
    const base = leaf * 8 + PART_HEADER_BYTES;
    const begin = run >>> 16;
    const end = run & 0xffff;
    const at = head ? base + begin : previousPacked(this.#bytes, base + end);
    const after = nextPacked(this.#bytes, at);
    this.#parts.freeOutside(leaf, at);
    if (head) this.#parts.setRun(leaf, after - base, end);
    else this.#parts.setRun(leaf, begin, at - base);
    this.#parts.addCount(entry, directory, item, -1);
    if (words[directory * 2 + 5 + item * 2] === 0) this.#parts.removeLeaf(entry, directory, item);
    return words[entry * 2 + 4]!;
  }

  /** Replaces element `index`, which must exist. */
  set(entry: number, index: number, source: Uint8Array, start: number, length: number): number {
    this.#keyspace.changes++;
    if (this.#keyspace.journal !== undefined) {
      const before = this.length(entry);
      this.#reportAt(EFFECTS.listSet, entry, before, index < 0 ? index + before : index, source, start, length);
    }
    this.seek(entry, index);
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_LIST_PACKED) {
      const changed = this.#packed.set(entry, this.#at, source, start, length);
      if (changed !== 0) return changed;
      entry = this.#enlarge(entry);
      this.seek(entry, index);
    }
    this.#setLarge(source, start, length);
    return entry;
  }

  /** Writes a run with the element at `[offset, tail)` replaced to the scratch. */
  #rebuild(
    base: number,
    offset: number,
    tail: number,
    used: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    copyBytes(this.#bytes, base, this.#scratch, 0, offset);
    const at = writePacked(this.#scratch, offset, source, start, length);
    copyBytes(this.#bytes, base + tail, this.#scratch, at, used - tail);
  }

  #setLarge(source: Uint8Array, start: number, length: number): void {
    const words = this.#words;
    let leaf = this.#parts.leaf(this.#directory, this.#item);
    this.#parts.freeOutside(leaf, this.#at);
    const base = leaf * 8 + PART_HEADER_BYTES;
    const run = words[leaf * 2 + 1]!;
    const begin = base + (run >>> 16);
    const used = (run & 0xffff) - (run >>> 16);
    const offset = this.#at - begin;
    const tail = nextPacked(this.#bytes, this.#at) - begin;
    const rest = used - (tail - offset);
    const outside = length > ELEMENT_INLINE_MAX_BYTES || rest + packedSize(length) > LEAF_REPLACED_MAX_BYTES;
    const size = rest + (outside ? OUTSIDE_BYTES : packedSize(length));
    if (outside) {
      copyBytes(this.#bytes, begin, this.#scratch, 0, offset);
      writeOutside(this.#scratch, offset, 0, length);
      copyBytes(this.#bytes, begin + tail, this.#scratch, offset + OUTSIDE_BYTES, used - tail);
    } else {
      this.#rebuild(begin, offset, tail, used, source, start, length);
    }
    const resized = size > this.#entries.arena.sizeAt(leaf) - PART_HEADER_BYTES;
    if (resized) {
      // The run is in the scratch, so the new block need not copy the old one, which names a freed blob.
      this.#parts.setRun(leaf, 0, 0);
      leaf = this.#parts.resizeLeaf(this.#directory, this.#item, size, false);
    }
    copyBytes(this.#scratch, 0, this.#bytes, leaf * 8 + PART_HEADER_BYTES, size);
    this.#parts.setRun(leaf, 0, size);
    if (outside) {
      const piece = this.#entries.blobs.create(leaf, source, start, length);
      setOutsidePiece(this.#bytes, leaf * 8 + PART_HEADER_BYTES + offset, piece);
      words[leaf * 2 + 2]!++;
    }
    if (resized) {
      this.#parts.eachOutside(leaf, (at) => this.#entries.blobs.ownerMoved(outsidePiece(this.#bytes, at), leaf));
    }
  }

  /**
   * Inserts an element before the one at `index`, which is 0 to the list's length. Needs the room of a push.
   */
  insert(entry: number, index: number, source: Uint8Array, start: number, length: number): number {
    this.#keyspace.changes++;
    if (this.#keyspace.journal !== undefined) {
      this.#reportAt(EFFECTS.listInsert, entry, this.length(entry), index, source, start, length);
    }
    if (index === 0 || index === this.length(entry)) return this.#push(entry, index === 0, source, start, length);
    this.seek(entry, index);
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_LIST_PACKED) {
      const inserted = this.#packed.insert(entry, this.#at, source, start, length);
      if (inserted !== 0) return inserted;
      entry = this.#enlarge(entry);
      this.seek(entry, index);
    }
    this.#editor.insertLarge(entry, this.#directory, this.#item, this.#at, source, start, length);
    return entry;
  }

  /**
   * Removes elements `[index, index + count)`, which must exist. Whole leaves between them are freed immediately or,
   * when there are many, later in steps. Needs no room.
   *
   * @returns the entry, or 0 when the list became empty and its key was removed
   */
  remove(entry: number, index: number, count: number): number {
    const keyspace = this.#keyspace;
    keyspace.changes++;
    this.#reportRemoval(entry, index, count);
    if (count === this.length(entry)) {
      keyspace.drop(entry);
      return 0;
    }
    this.seek(entry, index);
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_LIST_PACKED) this.#packed.remove(entry, this.#at, count);
    else this.#editor.removeLarge(entry, this.#directory, this.#item, this.#at, count);
    return entry;
  }

  /**
   * Removes elements that equal these bytes, in one pass, and at most `most` of them: the first ones, or the last ones
   * (`fromTail`). Needs no room. The change of the list's length is the number removed.
   *
   * @param most 1 or more; `Infinity` for all
   * @returns the entry, or 0 when the list became empty and its key was removed
   */
  removeEqual(
    entry: number,
    fromTail: boolean,
    most: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): number {
    const keyspace = this.#keyspace;
    const before = this.length(entry);
    // How many of them a snapshot has must be known before they are removed.
    const captured = entry === this.#entries.cursor.partial
      ? this.#countCapturedEqual(entry, fromTail, most, other, start, length)
      : 0;
    const count = this.#editor.removeEqual(entry, fromTail, most, other, start, length);
    if (count === 0) return entry;
    keyspace.changes++;
    if (keyspace.journal !== undefined) {
      this.#capturedEqual = captured;
      const effect = keyspace.effect(EFFECTS.listRemoveEqual, entry, before);
      effect.tail = fromTail ? 1 : 0;
      effect.count = count;
      effect.setValue(other, start, length);
      keyspace.report(effect);
    }
    if (count < before) return entry;
    keyspace.drop(entry);
    return 0;
  }

  /** Returns how many elements `removeEqual` removes from the captured part of the partial list. */
  #countCapturedEqual(
    entry: number,
    fromTail: boolean,
    most: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): number {
    const { capturedTo } = this.#entries.cursor;
    let [captured, ahead] = [0, 0];
    let index = 0;
    for (let found = this.seek(entry, 0); found; found = this.next(), index++) {
      if (!this.elementEquals(other, start, length)) continue;
      if (index < capturedTo) captured++;
      else ahead++;
    }
    return Math.min(captured, fromTail ? Math.max(0, most - ahead) : most);
  }

  /** Reports that elements `[index, index + count)` are removed. */
  #reportRemoval(entry: number, index: number, count: number): void {
    const keyspace = this.#keyspace;
    if (keyspace.journal === undefined) return;
    const effect = keyspace.effect(EFFECTS.listRemove, entry, this.length(entry));
    effect.index = index;
    effect.count = count;
    keyspace.report(effect);
  }

  /** Reports an effect with one element at `index`. */
  #reportAt(
    row: EffectRow,
    entry: number,
    before: number,
    index: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    const effect = this.#keyspace.effect(row, entry, before);
    effect.index = index;
    effect.setValue(source, start, length);
    this.#keyspace.report(effect);
  }

  /** Puts the cursor on element `index`; a negative index counts from the end. Returns `false` when there is none. */
  seek(entry: number, index: number): boolean {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    const body = entry * 2 + bodyWord(meta);
    if (meta >>> 27 === KIND_LIST_PACKED) {
      const count = words[body]! & 0xffff;
      if (index < 0) index += count;
      if (index < 0 || index >= count) return false;
      const value = entry * 8 + HEADER_BYTES[meta >>> 24]! + (meta & 0xffff);
      this.#directory = 0;
      this.#begin = value + (words[body]! >>> 16);
      this.#end = value + words[entry * 2 + 4]!;
      this.#at = seekPacked(this.#bytes, this.#begin, this.#end, count, index);
      return true;
    }
    this.#entry = entry;
    return this.#seekLarge(body, index, words[entry * 2 + 4]!);
  }

  /**
   * Puts the cursor on element `index` of the `count` of a large list, as `seek` does.
   *
   * @param body the index of the word that names the first directory; the next word names the last
   */
  #seekLarge(body: number, index: number, count: number): boolean {
    if (index < 0) index += count;
    if (index < 0 || index >= count) return false;
    const words = this.#words;
    if (index < count / 2) {
      this.#directory = words[body]!;
      for (let total; index >= (total = words[this.#directory * 2 + 2]!);) {
        index -= total;
        this.#directory = words[this.#directory * 2]!;
      }
    } else {
      this.#directory = words[body + 1]!;
      let before = count - words[this.#directory * 2 + 2]!;
      while (index < before) {
        this.#directory = words[this.#directory * 2 + 1]!;
        before -= words[this.#directory * 2 + 2]!;
      }
      index -= before;
    }
    this.#seekItem(index);
    return true;
  }

  /** Puts the cursor on element `index` of its directory. */
  #seekItem(index: number): void {
    const words = this.#words;
    const counts = this.#directory * 2 + 5;
    if (index < words[this.#directory * 2 + 2]! / 2) {
      this.#item = 0;
      for (let count; index >= (count = words[counts + this.#item * 2]!);) {
        index -= count;
        this.#item++;
      }
    } else {
      this.#item = this.#parts.items(this.#directory) - 1;
      let before = words[this.#directory * 2 + 2]! - words[counts + this.#item * 2]!;
      while (index < before) {
        this.#item--;
        before -= words[counts + this.#item * 2]!;
      }
      index -= before;
    }
    this.#enterLeaf();
    this.#at = seekPacked(this.#bytes, this.#at, this.#end, words[counts + this.#item * 2]!, index);
  }

  /** Puts the cursor at the beginning of its leaf's run. */
  #enterLeaf(): void {
    const leaf = this.#parts.leaf(this.#directory, this.#item);
    const run = this.#words[leaf * 2 + 1]!;
    const base = leaf * 8 + PART_HEADER_BYTES;
    this.#at = this.#begin = base + (run >>> 16);
    this.#end = base + (run & 0xffff);
  }

  /** Moves the cursor one element towards the tail; returns `false` after the last. */
  next(): boolean {
    this.#at = nextPacked(this.#bytes, this.#at);
    if (this.#at < this.#end) return true;
    if (this.#directory === 0) return false;
    this.#item++;
    if (this.#item === this.#parts.items(this.#directory)) {
      this.#directory = this.#words[this.#directory * 2]!;
      if (this.#directory === this.#entry) return false;
      this.#item = 0;
    }
    this.#enterLeaf();
    return true;
  }

  /** Moves the cursor one element towards the head; returns `false` before the first. */
  previous(): boolean {
    if (this.#at === this.#begin) {
      if (this.#directory === 0) return false;
      if (this.#item === 0) {
        this.#directory = this.#words[this.#directory * 2 + 1]!;
        if (this.#directory === this.#entry) return false;
        this.#item = this.#parts.items(this.#directory);
      }
      this.#item--;
      this.#enterLeaf();
      this.#at = this.#end;
    }
    this.#at = previousPacked(this.#bytes, this.#at);
    return true;
  }

  /** Returns the length of the element at the cursor. */
  elementLength(): number {
    return packedLength(this.#bytes, this.#at);
  }

  /** Returns whether the element at the cursor equals these bytes. */
  elementEquals(other: Uint8Array, start: number, length: number): boolean {
    return this.#parts.isElement(this.#at, other, start, length);
  }

  /** Copies the element at the cursor; `view` is a view of `target`, if there is one. */
  copyElement(target: Uint8Array, at: number, view?: DataView): void {
    const bytes = this.#bytes;
    const from = this.#at;
    const length = packedLength(bytes, from);
    if (isOutside(bytes, from)) this.#entries.blobs.copy(outsidePiece(bytes, from), 0, target, at, length);
    else copyViewed(bytes, this.#view, packedStart(bytes, from), target, view, at, length);
  }

  /** Copies bytes `[from, from + length)` of the element at the cursor. */
  copyElementPart(from: number, target: Uint8Array, at: number, length: number): void {
    const bytes = this.#bytes;
    if (isOutside(bytes, this.#at)) this.#entries.blobs.copy(outsidePiece(bytes, this.#at), from, target, at, length);
    else copyBytes(bytes, packedStart(bytes, this.#at) + from, target, at, length);
  }

  // These are the methods of every type of value.

  /** Returns Redis's name for a list of packed nodes. */
  encoding(): string {
    return "quicklist";
  }

  /** Returns the entry: a list takes the same room with any key. */
  renamed(entry: number): number {
    return entry;
  }

  /**
   * Frees the leaves of a large list that was removed from the table, and finally its entry. A leaf is one step, and so
   * is a piece of a blob.
   *
   * @returns the budget left; the entry is freed when it is above 0
   */
  free(entry: number, budget: number): number {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    while (words[body] !== 0) {
      if (budget-- <= 0) return 0;
      const directory = words[body]!;
      const item = this.#parts.items(directory) - 1;
      const leaf = this.#parts.leaf(directory, item);
      this.#parts.eachOutside(leaf, (at) => budget -= this.#entries.blobs.free(outsidePiece(this.#bytes, at)));
      this.#parts.removeLeaf(entry, directory, item);
    }
    this.#entries.garbage.remove(entry);
    this.#entries.arena.free(entry);
    return Math.max(1, budget);
  }

  /** Updates the references to a leaf or a directory that compaction has moved. */
  partMoved(kind: Kind, from: number, to: number): void {
    if (kind === KIND_LEAF) return this.#parts.leafMoved(from, to);
    assert(kind === KIND_DIRECTORY, "a list has no such part");
    this.#parts.directoryMoved(to);
  }

  /** Updates the element of a leaf of which compaction has moved the first piece. */
  pieceMoved(leaf: number, from: number, to: number): void {
    this.#parts.pieceMoved(leaf, from, to);
  }

  /**
   * Returns the bytes that the leaves and directories of a list take in the arena.
   *
   * @param samples the number of leaves that are measured, the others count as their average; 0: all
   */
  partsBytes(entry: number, samples: number): number {
    const words = this.#words;
    if (kindOf(words[entry * 2 + 3]!) !== KIND_LIST) return 0;
    const arena = this.#entries.arena;
    let bytes = 0;
    let leafBytes = 0;
    let leaves = 0;
    let measured = 0;
    let directory = words[entry * 2 + bodyWord(words[entry * 2 + 3]!)]!;
    while (directory !== 0 && directory !== entry) {
      bytes += arena.sizeAt(directory);
      const items = this.#parts.items(directory);
      for (let item = 0; item < items && (samples === 0 || measured < samples); item++, measured++) {
        const leaf = this.#parts.leaf(directory, item);
        leafBytes += arena.sizeAt(leaf);
        this.#parts.eachOutside(leaf, (at) => leafBytes += this.#entries.blobs.bytes(outsidePiece(this.#bytes, at)));
      }
      leaves += items;
      directory = words[directory * 2]!;
    }
    return measured === leaves ? bytes + leafBytes : bytes + Math.round(leafBytes / measured * leaves);
  }

  /** Estimates the bytes of the leaves from some at both ends of the list. */
  estimatePartsBytes(entry: number): number {
    return kindOf(this.#words[entry * 2 + 3]!) === KIND_LIST ? this.#parts.estimateBytes(entry) : 0;
  }

  /** Returns 0: leaves are found through directories. */
  fieldsCount(): number {
    return 0;
  }

  /** Visits the sizes of the directories, leaves and pieces of blobs of a copy. */
  measureCopy(entry: number, count: (size: number) => void): void {
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_LIST) this.#parts.measureCopy(entry, count);
  }

  /** Copies a list to an absent key. */
  copyEntry(entry: number, key: Uint8Array, start: number, length: number, deadlineMs: number): number {
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_LIST_PACKED) {
      return this.#entries.clonePacked(entry, key, start, length, deadlineMs);
    }
    const made = this.#entries.create(KIND_LIST, key, start, length, deadlineMs, 0);
    this.#emptyLarge(made);
    this.#parts.copy(entry, made);
    return made;
  }

  /** Captures a packed list whole. */
  capture(entry: number, writer: EffectWriter): boolean {
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_LIST) {
      this.#entries.cursor.partial = entry;
      return false;
    }
    this.#captureFrom(entry, 0, writer);
    this.#keyspace.endCapture(entry, writer);
    return true;
  }

  /** Captures the next elements of a large list. */
  capturePart(entry: number, writer: EffectWriter): boolean {
    const { cursor } = this.#entries;
    cursor.capturedTo += this.#captureFrom(entry, cursor.capturedTo, writer);
    if (cursor.capturedTo < this.length(entry)) return false;
    this.#keyspace.endCapture(entry, writer);
    return true;
  }

  /** Captures some elements from `index` on. Returns their number. */
  #captureFrom(entry: number, index: number, writer: EffectWriter): number {
    let count = 0;
    let bytes = 0;
    for (let found = this.seek(entry, index); found; found = this.next()) {
      if (count === SNAPSHOT_PART_ITEMS || bytes >= SNAPSHOT_PART_BYTES) break;
      if (count === 0) writer.beginParts(this.#keyspace.effect(EFFECTS.listPushTail, entry, index));
      const length = this.elementLength();
      const at = writer.room(length);
      this.copyElement(writer.buffer, at);
      bytes += length;
      count++;
    }
    if (count > 0) writer.finish();
    return count;
  }

  /** Limits an effect to the first elements, which are captured. */
  changesPart(effect: Effect): boolean {
    const { cursor } = this.#entries;
    const { before, index } = effect;
    const name = effect.row.name as EffectNameOf<"list">;
    switch (name) {
      case "listPushHead":
        cursor.capturedTo++;
        return true;
      case "listPushTail":
        return false;
      case "listRemove":
        effect.count = Math.min(effect.count, before - index);
        if (effect.count <= 0) return false;
        cursor.capturedTo -= effect.count;
        return true;
      case "listSet":
        return index < before;
      case "listInsert":
        if (index >= before) return false;
        cursor.capturedTo++;
        return true;
      case "listRemoveEqual":
        effect.count = this.#capturedEqual;
        cursor.capturedTo -= effect.count;
        return effect.count > 0;
      default:
        return assertNoEffect(name);
    }
  }

  /** Applies an effect on a list. */
  apply(effect: Effect, entry: number): number {
    const { key, keyStart, keyLength, before, index, count, value, valueStart, valueLength } = effect;
    const name = effect.row.name as EffectNameOf<"list">;
    switch (name) {
      case "listPushTail":
        return this.push(key, keyStart, keyLength, entry, false, value, valueStart, valueLength);
      case "listPushHead":
        return this.push(key, keyStart, keyLength, entry, true, value, valueStart, valueLength);
      case "listRemove":
        if (count === 0 || index + count > before) return MISSING;
        if (count === 1 && (index === 0 || index === before - 1)) return this.pop(entry, index === 0);
        return this.remove(entry, index, count);
      case "listSet":
        return index < before ? this.set(entry, index, value, valueStart, valueLength) : MISSING;
      case "listInsert":
        return index <= before ? this.insert(entry, index, value, valueStart, valueLength) : MISSING;
      case "listRemoveEqual": {
        const left = this.removeEqual(entry, effect.tail === 1, count, value, valueStart, valueLength);
        return (left === 0 ? 0 : this.length(left)) === before - count ? left : MISSING;
      }
      default:
        return assertNoEffect(name);
    }
  }
}
