/**
 * The leaves of large sets: buckets of packed members in a hash table that grows one bucket at a time (linear hashing,
 * Litwin 1980).
 *
 * ```text
 * SET entry   word 4 members · root node · buckets · size of the members in units of 8 bytes
 *     │
 *    nodes    from the number of a bucket to its leaf (set_buckets.ts)
 *     ▼
 * leaf        word 0  its node                           word 1  its bucket
 *             word 2  bytes used:16 · members:16         word 3  kind · members outside (blobs):16
 *             bytes   packed members (packed_members.ts)                               about 160 on average
 * ```
 *
 * With 2^level + split buckets, a hash h belongs in bucket h mod 2^(level + 1) if there is such a bucket, and in
 * h mod 2^level otherwise. Adding a bucket moves some members of one leaf to the new one; removing the last bucket is
 * the reverse. So no operation moves more than two leaves, and no second table is needed. The number of buckets follows
 * the size of the members, so that a leaf has as many as a search compares in little time: nine of 16 bytes.
 *
 * A leaf takes 20 bytes besides its members, four of them in its node. A search in a large set waits for memory twice:
 * for that node and for the leaf.
 *
 * **Order.** Members are visited in the order of the reversed bits of their hashes, as keys are (table.ts). A bucket is
 * one interval of that order in a set of any size, so a position in it stays valid while the set grows and shrinks.
 *
 * **Room.** Removing needs none: a leaf moves to a smaller block, and two leaves are joined, only if there is a free
 * slot of the size. A leaf never exceeds a page: clients do not know the seed of the hashes, so they cannot choose many
 * members for one bucket.
 *
 * @module
 */

import { assert } from "../../errors.ts";
import { PACKED_MAX_BYTES } from "../../limits.ts";
import { type Arena, PAGE_BYTES } from "../arena.ts";
import { bodyWord, KIND_SET_LEAF, metaOf } from "../block.ts";
import type { Entries } from "../entries.ts";
import { halfSipHash } from "../siphash.ts";
import {
  findPackedMember,
  type MemberForm,
  OUTSIDE_TAG,
  outsideHash,
  outsideLength,
  outsidePiece,
  PACKED_SIZES,
  setOutsidePiece,
  writeOutside,
} from "./packed_members.ts";
import { bucketFor, PART_HEADER_BYTES, SetBuckets } from "./set_buckets.ts";

const LEAF_META = metaOf(KIND_SET_LEAF);
/** The average size of a leaf's members above which a bucket is added, in units of 8 bytes. */
const GROW_UNITS = 20;
/** The average number of a leaf's members above which a bucket is added: a search compares their tags one by one. */
const GROW_MEMBERS_COUNT = 16;
/** A bucket is removed when a third of the buckets would have room for all members. */
const SHRINK_FACTOR = 3;
/**
 * The most buckets that are added or removed at a time. The longest member that is in a leaf needs two, and those that
 * could not be removed for lack of a slot are removed later.
 */
const BUCKETS_AT_A_TIME = 2;
const LEAF_USED_MAX_BYTES = PAGE_BYTES - PART_HEADER_BYTES;
/** A leaf moves to a smaller block when more than this part of its block is unused: the size shifted right by this. */
const UNUSED_SHIFT = 2;

/**
 * The leaves of the large sets of one arena. `body` is the index of a SET entry's first word that belongs to its kind.
 */
export class SetLeaves {
  readonly buckets: SetBuckets;
  readonly #entries: Entries;
  readonly #arena: Arena;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #seed0: number;
  readonly #seed1: number;
  // The members that were taken from a leaf: word 2 of a leaf with them, the number of them in blobs, and their bytes.
  #takenCounts = 0;
  #takenOutside = 0;
  readonly #takenBytes = new Uint8Array(PAGE_BYTES);
  readonly #takenWords = new Uint32Array(this.#takenBytes.buffer);
  /** The hashes of the members of a packed set, each of which takes a byte or more. */
  readonly #hashes = new Int32Array(PACKED_MAX_BYTES);

  constructor(entries: Entries) {
    this.buckets = new SetBuckets(entries.arena);
    this.#entries = entries;
    this.#arena = entries.arena;
    this.#words = entries.words;
    this.#bytes = entries.bytes;
    this.#view = entries.arena.view;
    this.#seed0 = entries.seed0;
    this.#seed1 = entries.seed1;
  }

  /** Sets the hash of a member. It is the same in all sets. */
  hash(form: MemberForm): void {
    form.hash = halfSipHash(form.source, form.start, form.length, this.#seed0, this.#seed1);
  }

  /** Returns the hash of the member at `at`. */
  hashAt(at: number): number {
    const tag = this.#bytes[at]!;
    if (tag === OUTSIDE_TAG) return outsideHash(this.#bytes, at);
    return halfSipHash(this.#bytes, at + 1, PACKED_SIZES[tag]! - 1, this.#seed0, this.#seed1);
  }

  /** Gives a SET entry no members, and one empty bucket. */
  #begin(entry: number): void {
    const words = this.#words;
    const body = this.#bodyOf(entry);
    words[entry * 2 + 4] = 0;
    words[body + 2] = 0;
    this.buckets.begin(entry, body);
  }

  /**
   * Gives a SET entry the members of a packed set, `run[0, used)`. Each leaf is allocated once, in its final size, so
   * this needs blocks of few different sizes.
   */
  fill(entry: number, run: Uint8Array, used: number): void {
    const words = this.#words;
    const hashes = this.#hashes;
    let count = 0;
    for (let at = 0; at < used; at += PACKED_SIZES[run[at]!]!) {
      hashes[count++] = halfSipHash(run, at + 1, PACKED_SIZES[run[at]!]! - 1, this.#seed0, this.#seed1);
    }
    this.#begin(entry);
    const body = this.#bodyOf(entry);
    const buckets = Math.ceil(Math.max(unitsOf(used) / GROW_UNITS, count / GROW_MEMBERS_COUNT));
    while (words[body + 1]! < buckets) this.buckets.push(entry, body);
    words[entry * 2 + 4] = count;
    for (let bucket = 0; bucket < buckets; bucket++) {
      let [size, members] = [0, 0];
      let at = 0;
      for (let i = 0; i < count; i++) {
        const end = at + PACKED_SIZES[run[at]!]!;
        if (bucketFor(hashes[i]!, buckets) === bucket) {
          members++;
          for (; at < end; at++) this.#takenBytes[size++] = run[at]!;
        }
        at = end;
      }
      if (members === 0) continue;
      const leaf = this.#addLeaf(this.buckets.slotOf(body, bucket), bucket, size);
      this.#putTaken(leaf, size);
      words[leaf * 2 + 2] = (size << 16) | members;
      words[body + 2]! += unitsOf(size);
    }
  }

  #bodyOf(entry: number): number {
    return entry * 2 + bodyWord(this.#words[entry * 2 + 3]!);
  }

  /** Returns the number of buckets. */
  bucketsCount(entry: number): number {
    return this.#words[this.#bodyOf(entry) + 1]!;
  }

  /** Returns the leaf of a bucket, or 0. */
  leafOf(entry: number, bucket: number): number {
    return this.#words[this.buckets.slotOf(this.#bodyOf(entry), bucket)]!;
  }

  /** Returns the leaf for a hash, or 0. */
  leafFor(entry: number, hash: number): number {
    const body = this.#bodyOf(entry);
    return this.#words[this.buckets.slotOf(body, bucketFor(hash, this.#words[body + 1]!))]!;
  }

  /** Returns where the members of a leaf begin. */
  start(leaf: number): number {
    return leaf * 8 + PART_HEADER_BYTES;
  }

  /** Returns where the members of a leaf end. */
  end(leaf: number): number {
    return leaf * 8 + PART_HEADER_BYTES + (this.#words[leaf * 2 + 2]! >>> 16);
  }

  /** Returns the number of members of a leaf. */
  count(leaf: number): number {
    return this.#words[leaf * 2 + 2]! & 0xffff;
  }

  /** Returns the bucket of a leaf. */
  bucketOf(leaf: number): number {
    return this.#words[leaf * 2 + 1]!;
  }

  /** Returns where a leaf has a member whose hash is set, or -1. */
  find(leaf: number, form: MemberForm): number {
    const at = leaf * 8 + PART_HEADER_BYTES;
    const end = at + (this.#words[leaf * 2 + 2]! >>> 16);
    if (form.tag === OUTSIDE_TAG) return this.#findOutside(at, end, form);
    return findPackedMember(this.#bytes, at, end, form);
  }

  #findOutside(at: number, end: number, form: MemberForm): number {
    const bytes = this.#bytes;
    for (; at < end; at += PACKED_SIZES[bytes[at]!]!) {
      if (bytes[at] !== OUTSIDE_TAG || outsideHash(bytes, at) !== form.hash) continue;
      if (outsideLength(bytes, at) !== form.length) continue;
      if (this.#entries.blobs.equals(outsidePiece(bytes, at), form.source, form.start, form.length)) return at;
    }
    return -1;
  }

  /** Adds a member whose hash is set; returns `false` when the set has it. Adds buckets if the set is too full. */
  add(entry: number, form: MemberForm, view?: DataView): boolean {
    const words = this.#words;
    const body = this.#bodyOf(entry);
    const bucket = bucketFor(form.hash, words[body + 1]!);
    const slot = this.buckets.slotOf(body, bucket);
    let leaf = words[slot]!;
    const size = PACKED_SIZES[form.tag]!;
    let used = 0;
    if (leaf === 0) {
      leaf = this.#addLeaf(slot, bucket, size);
    } else {
      if (this.find(leaf, form) >= 0) return false;
      used = words[leaf * 2 + 2]! >>> 16;
      leaf = this.#grow(leaf, used, size);
    }
    const at = leaf * 8 + PART_HEADER_BYTES + used;
    form.write(this.#bytes, at, this.#view, view);
    if (form.tag === OUTSIDE_TAG) {
      words[leaf * 2 + 3]!++;
      const piece = this.#entries.blobs.create(leaf, form.source, form.start, form.length);
      writeOutside(this.#bytes, at, piece, form.length, form.hash);
    }
    words[leaf * 2 + 2]! += (size << 16) + 1;
    words[entry * 2 + 4]!++;
    words[body + 2]! += unitsOf(used + size) - unitsOf(used);
    for (let left = BUCKETS_AT_A_TIME; left > 0; left--) {
      const buckets = words[body + 1]!;
      if (words[body + 2]! <= buckets * GROW_UNITS && words[entry * 2 + 4]! <= buckets * GROW_MEMBERS_COUNT) break;
      this.#split(entry, body);
    }
    return true;
  }

  /** Removes the member at `at` of a leaf. Removes buckets if the set is too empty. Needs no room. */
  remove(entry: number, leaf: number, at: number): void {
    const words = this.#words;
    const bytes = this.#bytes;
    const body = this.#bodyOf(entry);
    const size = PACKED_SIZES[bytes[at]!]!;
    const used = words[leaf * 2 + 2]! >>> 16;
    if (bytes[at] === OUTSIDE_TAG) {
      this.#entries.blobs.free(outsidePiece(bytes, at));
      words[leaf * 2 + 3]!--;
    }
    words[leaf * 2 + 2]! -= (size << 16) + 1;
    words[entry * 2 + 4]!--;
    words[body + 2]! -= unitsOf(used) - unitsOf(used - size);
    if (used === size) {
      words[this.buckets.slotOfLeaf(leaf)] = 0;
      this.#arena.free(leaf);
    } else {
      bytes.copyWithin(at, at + size, leaf * 8 + PART_HEADER_BYTES + used);
      if (this.#arena.hasSlot(PART_HEADER_BYTES + used - size)) this.#shrink(leaf);
    }
    for (let left = BUCKETS_AT_A_TIME; left > 0; left--) {
      const few = words[body + 1]! / SHRINK_FACTOR;
      if (few < 1 || words[body + 2]! >= few * GROW_UNITS || words[entry * 2 + 4]! >= few * GROW_MEMBERS_COUNT) break;
      if (!this.#join(body)) break;
    }
  }

  /** Allocates the leaf of an empty bucket, without members. */
  #addLeaf(slot: number, bucket: number, capacity: number): number {
    const words = this.#words;
    const leaf = this.#arena.allocate(PART_HEADER_BYTES + capacity);
    words[leaf * 2 + 2] = 0;
    words[leaf * 2 + 3] = LEAF_META;
    this.buckets.place(slot, bucket, leaf);
    return leaf;
  }

  /**
   * Makes room for a member of `size` bytes in a leaf that uses `used`, and if the leaf moves, for another one like it.
   * Returns the leaf from now on.
   */
  #grow(leaf: number, used: number, size: number): number {
    const needed = used + size;
    if (PART_HEADER_BYTES + needed <= this.#arena.sizeAt(leaf)) return leaf;
    assert(needed <= LEAF_USED_MAX_BYTES, "a leaf of a set exceeds its page");
    return this.#move(leaf, Math.min(needed + size, LEAF_USED_MAX_BYTES));
  }

  /** Moves a leaf to a smaller block if that saves a quarter of it. */
  #shrink(leaf: number): void {
    const size = this.#arena.sizeAt(leaf);
    const used = this.#words[leaf * 2 + 2]! >>> 16;
    if (size - PART_HEADER_BYTES - used > size >>> UNUSED_SHIFT) this.#move(leaf, used);
  }

  /** Moves a leaf to another block, for members of up to `capacity` bytes. Returns the leaf from now on. */
  #move(leaf: number, capacity: number): number {
    const words = this.#words;
    const to = this.#arena.allocate(PART_HEADER_BYTES + capacity);
    const count = (PART_HEADER_BYTES + (words[leaf * 2 + 2]! >>> 16) + 3) >>> 2;
    for (let word = 0; word < count; word++) words[to * 2 + word] = words[leaf * 2 + word]!;
    this.leafMoved(to);
    this.#arena.free(leaf);
    return to;
  }

  /** Adds a bucket, and moves the members that belong in it. */
  #split(entry: number, body: number): void {
    const words = this.#words;
    const added = words[body + 1]!;
    const bit = 1 << (31 - Math.clz32(added));
    this.buckets.push(entry, body);
    const leaf = words[this.buckets.slotOf(body, added ^ bit)]!;
    const moved = leaf === 0 ? 0 : this.#takeMembers(leaf, bit);
    if (moved === 0) return;
    const slot = this.buckets.slotOf(body, added);
    const kept = words[leaf * 2 + 2]! >>> 16;
    if (kept === 0) {
      // All members move, so the leaf does.
      words[this.buckets.slotOfLeaf(leaf)] = 0;
      this.#putTaken(leaf, moved);
      words[leaf * 2 + 2] = this.#takenCounts;
      words[leaf * 2 + 3]! += this.#takenOutside;
      this.buckets.place(slot, added, leaf);
      return;
    }
    const made = this.#addLeaf(slot, added, moved);
    this.#putTaken(made, moved);
    words[made * 2 + 2] = this.#takenCounts;
    words[made * 2 + 3]! += this.#takenOutside;
    if (this.#takenOutside > 0) this.#ownPieces(made);
    this.#shrink(leaf);
    words[body + 2]! += unitsOf(moved) + unitsOf(kept) - unitsOf(kept + moved);
  }

  /**
   * Takes the members with a bit in their hashes from a leaf, in their order.
   *
   * @returns the bytes that they take
   */
  #takeMembers(leaf: number, bit: number): number {
    const words = this.#words;
    const bytes = this.#bytes;
    const used = words[leaf * 2 + 2]! >>> 16;
    const scratch = this.#takenBytes;
    const end = leaf * 8 + PART_HEADER_BYTES + used;
    let kept = leaf * 8 + PART_HEADER_BYTES;
    let [taken, count, outside] = [0, 0, 0];
    for (let at = kept; at < end;) {
      const size = PACKED_SIZES[bytes[at]!]!;
      if (this.hashAt(at) & bit) {
        if (bytes[at] === OUTSIDE_TAG) outside++;
        for (let i = 0; i < size; i++) scratch[taken + i] = bytes[at + i]!;
        taken += size;
        count++;
      } else {
        if (kept !== at) { for (let i = 0; i < size; i++) bytes[kept + i] = bytes[at + i]!; }
        kept += size;
      }
      at += size;
    }
    this.#takenCounts = (taken << 16) | count;
    this.#takenOutside = outside;
    words[leaf * 2 + 2]! -= this.#takenCounts;
    words[leaf * 2 + 3]! -= outside;
    return taken;
  }

  /** Copies the members that were taken last to a leaf without members. */
  #putTaken(leaf: number, used: number): void {
    const words = this.#words;
    const scratch = this.#takenWords;
    const base = leaf * 2 + PART_HEADER_BYTES / 4;
    for (let word = (used + 3) >>> 2; word-- > 0;) words[base + word] = scratch[word]!;
  }

  /**
   * Removes the last bucket, and moves its members to the bucket from which it was split. Returns `false`, and changes
   * nothing, when that needs room.
   */
  #join(body: number): boolean {
    const words = this.#words;
    const removed = words[body + 1]! - 1;
    const leaf = words[this.buckets.slotOf(body, removed)]!;
    if (leaf !== 0) {
      const bucket = removed ^ (1 << (31 - Math.clz32(removed)));
      const slot = this.buckets.slotOf(body, bucket);
      if (words[slot] === 0) this.buckets.place(slot, bucket, leaf);
      else if (!this.#joinLeaves(body, words[slot]!, leaf)) return false;
    }
    this.buckets.pop(body);
    return true;
  }

  /** Moves the members of `leaf` to `target`. Returns `false`, and changes nothing, when that needs room. */
  #joinLeaves(body: number, target: number, leaf: number): boolean {
    const words = this.#words;
    const size = words[leaf * 2 + 2]! >>> 16;
    const used = words[target * 2 + 2]! >>> 16;
    const needed = PART_HEADER_BYTES + used + size;
    if (used + size > LEAF_USED_MAX_BYTES) return false;
    if (needed > this.#arena.sizeAt(target)) {
      if (!this.#arena.hasSlot(needed)) return false;
      target = this.#move(target, used + size);
    }
    const from = leaf * 8 + PART_HEADER_BYTES;
    this.#bytes.copyWithin(target * 8 + PART_HEADER_BYTES + used, from, from + size);
    words[target * 2 + 2]! += words[leaf * 2 + 2]!;
    const outside = words[leaf * 2 + 3]! & 0xffff;
    words[target * 2 + 3]! += outside;
    if (outside > 0) this.#ownPieces(target);
    words[body + 2]! += unitsOf(used + size) - unitsOf(used) - unitsOf(size);
    this.#arena.free(leaf);
    return true;
  }

  /** Makes the pieces of a leaf's members name it as their owner. */
  #ownPieces(leaf: number): void {
    this.#eachOutside(leaf, (at) => this.#entries.blobs.ownerMoved(outsidePiece(this.#bytes, at), leaf));
  }

  /** Visits the members of a leaf that are in blobs. */
  #eachOutside(leaf: number, visit: (at: number) => void): void {
    if ((this.#words[leaf * 2 + 3]! & 0xffff) === 0) return;
    const end = this.end(leaf);
    for (let at = this.start(leaf); at < end; at += PACKED_SIZES[this.#bytes[at]!]!) {
      if (this.#bytes[at] === OUTSIDE_TAG) visit(at);
    }
  }

  /** Updates the references to a leaf that has moved to `to`. */
  leafMoved(to: number): void {
    this.#words[this.buckets.slotOfLeaf(to)] = to;
    if (this.#words[to * 2 + 3]! & 0xffff) this.#ownPieces(to);
  }

  /** Updates a leaf after a first piece of one of its members has moved. */
  pieceMoved(leaf: number, from: number, to: number): void {
    this.#eachOutside(leaf, (at) => {
      if (outsidePiece(this.#bytes, at) === from) setOutsidePiece(this.#bytes, at, to);
    });
  }

  /**
   * Frees leaves of a set, the last ones first, and finally all of its parts. A bucket is one step, and so is a piece
   * of a member.
   *
   * @returns the budget left: the parts are freed when it is above 0
   */
  free(entry: number, budget: number): number {
    const words = this.#words;
    const body = this.#bodyOf(entry);
    while (words[body] !== 0) {
      if (budget-- <= 0) return 0;
      const bucket = words[body + 1]! - 1;
      const slot = this.buckets.slotOf(body, bucket);
      const leaf = words[slot]!;
      if (leaf !== 0) {
        this.#eachOutside(leaf, (at) => budget -= this.#entries.blobs.free(outsidePiece(this.#bytes, at)));
        words[entry * 2 + 4]! -= this.count(leaf);
        this.#arena.free(leaf);
        words[slot] = 0;
      }
      if (bucket > 0) this.buckets.pop(body);
      else this.buckets.end(body);
    }
    return Math.max(1, budget);
  }

  /** Visits the sizes of the blocks that a copy of a set's parts takes. */
  eachSize(entry: number, visit: (size: number) => void): void {
    const { blobs } = this.#entries;
    const visitLeaf = (leaf: number): void => {
      visit(PART_HEADER_BYTES + (this.#words[leaf * 2 + 2]! >>> 16));
      this.#eachOutside(leaf, (at) => blobs.eachSize(outsidePiece(this.#bytes, at), visit));
    };
    this.buckets.each(this.#bodyOf(entry), (_, children) => visit(PART_HEADER_BYTES + children * 4), visitLeaf);
  }

  /** Copies the parts of a set to another SET entry, which has none. */
  copy(from: number, to: number): void {
    const words = this.#words;
    const [source, target] = [this.#bodyOf(from), this.#bodyOf(to)];
    words[to * 2 + 4] = words[from * 2 + 4]!;
    words[target + 2] = words[source + 2]!;
    this.buckets.copy(source, to, target, (leaf) => this.#copyLeaf(leaf));
  }

  #copyLeaf(leaf: number): number {
    const words = this.#words;
    const bytes = this.#bytes;
    const used = words[leaf * 2 + 2]! >>> 16;
    const made = this.#arena.allocate(PART_HEADER_BYTES + used);
    const count = (PART_HEADER_BYTES + used + 3) >>> 2;
    for (let word = 2; word < count; word++) words[made * 2 + word] = words[leaf * 2 + word]!;
    this.#eachOutside(made, (at) => {
      setOutsidePiece(bytes, at, this.#entries.blobs.clone(outsidePiece(bytes, at), made));
    });
    return made;
  }

  /**
   * Returns the bytes that the parts of a set take in the arena.
   *
   * @param samples the number of buckets that are measured, the others count as their average; 0: all
   */
  partsBytes(entry: number, samples: number): number {
    const body = this.#bodyOf(entry);
    let bytes = 0;
    const add = (leaf: number): void => {
      bytes += this.#arena.sizeAt(leaf);
      this.#eachOutside(leaf, (at) => bytes += this.#entries.blobs.bytes(outsidePiece(this.#bytes, at)));
    };
    const buckets = this.#words[body + 1]!;
    if (samples === 0 || samples >= buckets) {
      this.buckets.each(body, (node) => bytes += this.#arena.sizeAt(node), add);
      return bytes;
    }
    // Evenly spread, since the leaves of buckets that were split lately are smaller.
    for (let sample = 0; sample < samples; sample++) {
      const leaf = this.leafOf(entry, Math.floor(sample * buckets / samples));
      if (leaf !== 0) add(leaf);
    }
    return Math.round((bytes / samples + 4) * buckets);
  }
}

/** Returns the units of 8 bytes that `bytes` take. */
function unitsOf(bytes: number): number {
  return (bytes + 7) >>> 3;
}
