/**
 * The parts of large sets: leaves of packed members under a tree of nodes, which is a hash table that grows one bucket
 * at a time (linear hashing, Litwin 1980).
 *
 * ```text
 * SET entry   word 4 members · root node · buckets · size of the leaves' members in units of 8 bytes
 *     │
 * node        word 0  the node above, or the entry       word 1  its number among the nodes of its height
 *     │       word 2  children                           word 3  kind
 *     │       words 4 …  nodes, or leaves by bucket (0: an empty bucket)                        up to 256
 *     ▼
 * leaf        word 0  its node                           word 1  its bucket
 *             word 2  bytes used:16 · members:16         word 3  kind · members outside (blobs):16
 *             bytes   packed members (packed_members.ts)                            about 160 bytes on average
 * ```
 *
 * With 2^level + split buckets, a hash h belongs in bucket h mod 2^(level + 1) if there is such a bucket, and in
 * h mod 2^level otherwise. Adding a bucket moves some members of one leaf to the new one; removing the last bucket is
 * the reverse. So no operation moves more than two leaves, and no second table is needed. The number of buckets follows
 * the size of the members, so that a leaf has as many as a search compares in little time.
 *
 * Bucket b is child b mod 256 of node b / 256, and so on upwards. A million members of 16 bytes have three nodes above
 * a leaf, all but the lowest in the processor's cache. A leaf therefore takes 20 bytes besides its members, and a search
 * waits for memory twice: for the lowest node and for the leaf.
 *
 * **Order.** Members are visited in the order of the reversed bits of their hashes, as keys are (table.ts). A bucket is
 * one interval of that order, whatever the number of buckets, so a position in it stays valid while the set grows and
 * shrinks.
 *
 * **Room.** Removing needs none: a leaf moves to a smaller block, and two leaves are joined, only if there is a free
 * slot of the size. A leaf never exceeds a page: the seed of the hashes is secret, so nobody can choose many members
 * for one bucket.
 *
 * @module
 */

import { assert } from "../../errors.ts";
import type { Arena } from "../arena.ts";
import { bodyWord, KIND_SET_LEAF, KIND_SET_NODE, kindOf, metaOf } from "../block.ts";
import type { Entries } from "../entries.ts";
import { halfSipHash } from "../siphash.ts";
import { reverseBits } from "../table.ts";
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

/** The size of the header of a leaf or a node, in bytes. */
export const PART_HEADER_BYTES = 16;
const HEADER_WORDS = PART_HEADER_BYTES / 4;
const LEAF_META = metaOf(KIND_SET_LEAF);
const NODE_META = metaOf(KIND_SET_NODE);
const NODE_CHILDREN_SHIFT = 8;
/** The most children of a node. Updating them all after the node has moved takes a few microseconds. */
const NODE_CHILDREN_MAX_COUNT = 1 << NODE_CHILDREN_SHIFT;
const CHILD_MASK = NODE_CHILDREN_MAX_COUNT - 1;
const NODE_INITIAL_CHILDREN = 2;
/** The average size of a leaf's members above which a bucket is added, in units of 8 bytes. */
const GROW_UNITS = 20;
/** The average size of a leaf's members below which a bucket is removed, in units of 8 bytes. */
const SHRINK_UNITS = 7;
/**
 * The most buckets that are added or removed at a time. The longest member that is in a leaf needs two, and those that
 * could not be removed for lack of a slot are removed later.
 */
const BUCKETS_AT_A_TIME = 2;
const LEAF_USED_MAX_BYTES = 0xffff;

/** The leaves and nodes of the large sets of one arena. */
export class SetLeaves {
  readonly #entries: Entries;
  readonly #arena: Arena;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #seed0: number;
  readonly #seed1: number;
  /** The members of a leaf that move to another one. */
  #scratch = new Uint8Array(1024);

  constructor(entries: Entries) {
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
  begin(entry: number): void {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    const root = this.#addNode(0, NODE_INITIAL_CHILDREN);
    words[root * 2] = entry;
    words[root * 2 + 2] = 1;
    words[root * 2 + HEADER_WORDS] = 0;
    words[entry * 2 + 4] = 0;
    words[body] = root;
    words[body + 1] = 1;
    words[body + 2] = 0;
  }

  /** Returns the number of buckets. */
  buckets(entry: number): number {
    return this.#words[entry * 2 + bodyWord(this.#words[entry * 2 + 3]!) + 1]!;
  }

  /** Returns the leaf of a bucket, or 0. */
  leafOf(entry: number, bucket: number): number {
    return this.#words[this.#slotOf(entry, bucket)]!;
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
  bucketOfLeaf(leaf: number): number {
    return this.#words[leaf * 2 + 1]!;
  }

  /** Returns the word with the leaf of a bucket. */
  #slotOf(entry: number, bucket: number): number {
    return this.#slotIn(entry * 2 + bodyWord(this.#words[entry * 2 + 3]!), bucket);
  }

  /** Returns the word with the leaf of a bucket of the set whose words of its kind begin at `body`. */
  #slotIn(body: number, bucket: number): number {
    const words = this.#words;
    let node = words[body]!;
    for (let shift = rootShift(words[body + 1]!); shift > 0; shift -= NODE_CHILDREN_SHIFT) {
      node = words[node * 2 + HEADER_WORDS + ((bucket >>> shift) & CHILD_MASK)]!;
    }
    return node * 2 + HEADER_WORDS + (bucket & CHILD_MASK);
  }

  /** Returns the leaf for a hash, or 0. */
  leafFor(entry: number, hash: number): number {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    return words[this.#slotIn(body, bucketFor(hash, words[body + 1]!))]!;
  }

  /** Returns where a leaf has a member whose hash is set, or -1. */
  find(leaf: number, form: MemberForm): number {
    const at = leaf * 8 + PART_HEADER_BYTES;
    const end = at + (this.#words[leaf * 2 + 2]! >>> 16);
    return form.tag === OUTSIDE_TAG ? this.#findOutside(at, end, form) : findPackedMember(this.#bytes, at, end, form);
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
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    const bucket = bucketFor(form.hash, words[body + 1]!);
    const slot = this.#slotIn(body, bucket);
    let leaf = words[slot]!;
    const size = PACKED_SIZES[form.tag]!;
    let used = 0;
    if (leaf === 0) {
      leaf = this.#addLeaf(slot, bucket, size);
    } else {
      if (this.find(leaf, form) >= 0) return false;
      used = words[leaf * 2 + 2]! >>> 16;
      leaf = this.#resize(leaf, used + size);
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
      if (words[body + 2]! <= words[body + 1]! * GROW_UNITS) break;
      this.#split(entry, body);
    }
    return true;
  }

  /** Removes the member at `at` of a leaf. Removes buckets if the set is too empty. Needs no room. */
  remove(entry: number, leaf: number, at: number): void {
    const words = this.#words;
    const bytes = this.#bytes;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
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
      words[this.#slotOfLeaf(leaf)] = 0;
      this.#arena.free(leaf);
    } else {
      bytes.copyWithin(at, at + size, leaf * 8 + PART_HEADER_BYTES + used);
      this.#shrink(leaf);
    }
    for (let left = BUCKETS_AT_A_TIME; left > 0; left--) {
      if (words[body + 1] === 1 || words[body + 2]! >= words[body + 1]! * SHRINK_UNITS) break;
      if (!this.#join(entry, body)) break;
    }
  }

  /** Returns the word that names a leaf. */
  #slotOfLeaf(leaf: number): number {
    return this.#words[leaf * 2]! * 2 + HEADER_WORDS + (this.#words[leaf * 2 + 1]! & CHILD_MASK);
  }

  /** Allocates the leaf of an empty bucket, without members. */
  #addLeaf(slot: number, bucket: number, capacity: number): number {
    const words = this.#words;
    const leaf = this.#arena.allocate(PART_HEADER_BYTES + capacity);
    words[leaf * 2] = (slot - HEADER_WORDS - (bucket & CHILD_MASK)) / 2;
    words[leaf * 2 + 1] = bucket;
    words[leaf * 2 + 2] = 0;
    words[leaf * 2 + 3] = LEAF_META;
    words[slot] = leaf;
    return leaf;
  }

  /** Gives a leaf a block for `used` bytes. Returns the leaf from now on. */
  #resize(leaf: number, used: number): number {
    assert(used <= LEAF_USED_MAX_BYTES, "a leaf of a set exceeds its page");
    if (this.#arena.fits(leaf, PART_HEADER_BYTES + used)) return leaf;
    const words = this.#words;
    const to = this.#arena.allocate(PART_HEADER_BYTES + used);
    const count = (PART_HEADER_BYTES + Math.min(used, words[leaf * 2 + 2]! >>> 16) + 3) >>> 2;
    for (let word = 0; word < count; word++) words[to * 2 + word] = words[leaf * 2 + word]!;
    this.leafMoved(to);
    this.#arena.free(leaf);
    return to;
  }

  /** Moves a leaf to a smaller block if that needs no room. */
  #shrink(leaf: number): void {
    const used = this.#words[leaf * 2 + 2]! >>> 16;
    if (this.#arena.hasSlot(PART_HEADER_BYTES + used)) this.#resize(leaf, used);
  }

  /** Adds a bucket, and moves the members that belong in it. */
  #split(entry: number, body: number): void {
    const words = this.#words;
    const bytes = this.#bytes;
    const added = words[body + 1]!;
    const bit = 1 << (31 - Math.clz32(added));
    this.#addBucket(entry, body);
    const leaf = this.leafOf(entry, added ^ bit);
    if (leaf === 0) return;
    const used = words[leaf * 2 + 2]! >>> 16;
    const before = words[leaf * 2 + 2]!;
    if (this.#scratch.length < used) this.#scratch = new Uint8Array(LEAF_USED_MAX_BYTES);
    const scratch = this.#scratch;
    const start = leaf * 8 + PART_HEADER_BYTES;
    let [kept, moved, movedCount, movedOutside] = [start, 0, 0, 0];
    for (let at = start; at < start + used;) {
      const size = PACKED_SIZES[bytes[at]!]!;
      if (this.hashAt(at) & bit) {
        if (bytes[at] === OUTSIDE_TAG) movedOutside++;
        for (let i = 0; i < size; i++) scratch[moved + i] = bytes[at + i]!;
        moved += size;
        movedCount++;
      } else {
        if (kept !== at) { for (let i = 0; i < size; i++) bytes[kept + i] = bytes[at + i]!; }
        kept += size;
      }
      at += size;
    }
    if (moved === 0) return;
    const slot = this.#slotOf(entry, added);
    if (moved === used) {
      words[this.#slotOfLeaf(leaf)] = 0;
      words[leaf * 2] = (slot - HEADER_WORDS - (added & CHILD_MASK)) / 2;
      words[leaf * 2 + 1] = added;
      words[slot] = leaf;
      // Nothing was copied within the leaf, since no member is kept.
      return;
    }
    const made = this.#addLeaf(slot, added, moved);
    const at = made * 8 + PART_HEADER_BYTES;
    for (let i = 0; i < moved; i++) bytes[at + i] = scratch[i]!;
    words[made * 2 + 2] = (moved << 16) | movedCount;
    words[made * 2 + 3]! += movedOutside;
    words[leaf * 2 + 2] = before - ((moved << 16) | movedCount);
    words[leaf * 2 + 3]! -= movedOutside;
    if (movedOutside > 0) this.#ownPieces(made);
    this.#resize(leaf, used - moved);
    words[body + 2]! += unitsOf(moved) + unitsOf(used - moved) - unitsOf(used);
  }

  /**
   * Removes the last bucket, and moves its members to the bucket from which it was split. Returns `false`, and changes
   * nothing, when that needs room.
   */
  #join(entry: number, body: number): boolean {
    const words = this.#words;
    const bytes = this.#bytes;
    const removed = words[body + 1]! - 1;
    const leaf = this.leafOf(entry, removed);
    if (leaf !== 0) {
      const bucket = removed ^ (1 << (31 - Math.clz32(removed)));
      const slot = this.#slotOf(entry, bucket);
      let target = words[slot]!;
      if (target === 0) {
        words[leaf * 2] = (slot - HEADER_WORDS - (bucket & CHILD_MASK)) / 2;
        words[leaf * 2 + 1] = bucket;
        words[slot] = leaf;
      } else {
        const size = words[leaf * 2 + 2]! >>> 16;
        const used = words[target * 2 + 2]! >>> 16;
        const needed = PART_HEADER_BYTES + used + size;
        if (used + size > LEAF_USED_MAX_BYTES) return false;
        if (!this.#arena.fits(target, needed)) {
          if (!this.#arena.hasSlot(needed)) return false;
          target = this.#resize(target, used + size);
        }
        const from = leaf * 8 + PART_HEADER_BYTES;
        bytes.copyWithin(target * 8 + PART_HEADER_BYTES + used, from, from + size);
        words[target * 2 + 2]! += words[leaf * 2 + 2]!;
        const outside = words[leaf * 2 + 3]! & 0xffff;
        words[target * 2 + 3]! += outside;
        if (outside > 0) this.#ownPieces(target);
        words[body + 2]! += unitsOf(used + size) - unitsOf(used) - unitsOf(size);
        this.#arena.free(leaf);
      }
    }
    this.#removeBucket(body);
    return true;
  }

  /** Makes the pieces of a leaf's members name it as their owner. */
  #ownPieces(leaf: number): void {
    this.eachOutside(leaf, (at) => this.#entries.blobs.ownerMoved(outsidePiece(this.#bytes, at), leaf));
  }

  /** Visits the members of a leaf that are in blobs. */
  eachOutside(leaf: number, visit: (at: number) => void): void {
    if ((this.#words[leaf * 2 + 3]! & 0xffff) === 0) return;
    const end = this.end(leaf);
    for (let at = this.start(leaf); at < end; at += PACKED_SIZES[this.#bytes[at]!]!) {
      if (this.#bytes[at] === OUTSIDE_TAG) visit(at);
    }
  }

  // Nodes.

  /** Allocates a node without a parent and children. */
  #addNode(number: number, capacity: number): number {
    const words = this.#words;
    const node = this.#arena.allocate(PART_HEADER_BYTES + capacity * 4);
    words[node * 2 + 1] = number;
    words[node * 2 + 2] = 0;
    words[node * 2 + 3] = NODE_META;
    return node;
  }

  /** Adds a bucket after the last one. */
  #addBucket(entry: number, body: number): void {
    const words = this.#words;
    const bucket = words[body + 1]!++;
    const top = rootShift(bucket);
    let child = 0;
    // Upwards from the new bucket, to the lowest node that exists and has room.
    for (let shift = 0; shift <= top; shift += NODE_CHILDREN_SHIFT) {
      if (((bucket >>> shift) & CHILD_MASK) !== 0) {
        this.#append(this.#nodeAbove(body, bucket, shift, top), child, shift);
        return;
      }
      const node = this.#addNode(bucket >>> shift >>> NODE_CHILDREN_SHIFT, NODE_INITIAL_CHILDREN);
      this.#append(node, child, shift);
      child = node;
    }
    const old = words[body]!;
    const root = this.#addNode(0, NODE_INITIAL_CHILDREN);
    words[root * 2] = entry;
    words[body] = root;
    this.#append(root, old, 1);
    this.#append(root, child, 1);
  }

  /** Returns the node that has the children of a height above a bucket. */
  #nodeAbove(body: number, bucket: number, shift: number, top: number): number {
    const words = this.#words;
    let node = words[body]!;
    for (let above = top; above > shift; above -= NODE_CHILDREN_SHIFT) {
      node = words[node * 2 + HEADER_WORDS + ((bucket >>> above) & CHILD_MASK)]!;
    }
    return node;
  }

  /**
   * Adds a child after the last one of a node, which may move.
   *
   * @param shift 0 when the child is a bucket, which is empty
   */
  #append(node: number, child: number, shift: number): void {
    const words = this.#words;
    const count = words[node * 2 + 2]!;
    if (PART_HEADER_BYTES + count * 4 >= this.#arena.sizeAt(node)) {
      const capacity = Math.min(NODE_CHILDREN_MAX_COUNT, count + (count >>> 1) + 1);
      const to = this.#arena.allocate(PART_HEADER_BYTES + capacity * 4);
      for (let word = 0; word < HEADER_WORDS + count; word++) words[to * 2 + word] = words[node * 2 + word]!;
      this.nodeMoved(to);
      this.#arena.free(node);
      node = to;
    }
    words[node * 2 + HEADER_WORDS + count] = child;
    words[node * 2 + 2] = count + 1;
    if (shift > 0) words[child * 2] = node;
  }

  /** Removes the last bucket, which has no leaf of its own. */
  #removeBucket(body: number): void {
    const words = this.#words;
    const bucket = --words[body + 1]!;
    const top = rootShift(bucket + 1);
    for (let shift = 0; shift <= top; shift += NODE_CHILDREN_SHIFT) {
      const node = this.#nodeAbove(body, bucket, shift, top);
      if (--words[node * 2 + 2]! > 0) break;
      this.#arena.free(node);
    }
    if (rootShift(bucket) === top) return;
    const root = words[body]!;
    const child = words[root * 2 + HEADER_WORDS]!;
    words[child * 2] = words[root * 2]!;
    words[body] = child;
    this.#arena.free(root);
  }

  // References to parts that have moved.

  /** Updates the references to a leaf that has moved to `to`. */
  leafMoved(to: number): void {
    this.#words[this.#slotOfLeaf(to)] = to;
    if (this.#words[to * 2 + 3]! & 0xffff) this.#ownPieces(to);
  }

  /** Updates the references to a node that has moved to `to`. */
  nodeMoved(to: number): void {
    const words = this.#words;
    const above = words[to * 2]!;
    const meta = words[above * 2 + 3]!;
    if (kindOf(meta) === KIND_SET_NODE) words[above * 2 + HEADER_WORDS + (words[to * 2 + 1]! & CHILD_MASK)] = to;
    else words[above * 2 + bodyWord(meta)] = to;
    const end = to * 2 + HEADER_WORDS + words[to * 2 + 2]!;
    for (let slot = to * 2 + HEADER_WORDS; slot < end; slot++) {
      if (words[slot] !== 0) words[words[slot]! * 2] = to;
    }
  }

  /** Updates a leaf after a first piece of one of its members has moved. */
  pieceMoved(leaf: number, from: number, to: number): void {
    this.eachOutside(leaf, (at) => {
      if (outsidePiece(this.#bytes, at) === from) setOutsidePiece(this.#bytes, at, to);
    });
  }

  // Whole sets.

  /**
   * Frees leaves of a set, the last ones first, and finally all of its parts. A leaf is one step, and so is a piece of
   * a member.
   *
   * @returns the budget left: the parts are freed when it is above 0
   */
  free(entry: number, budget: number): number {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    while (words[body] !== 0) {
      if (budget-- <= 0) return 0;
      const bucket = words[body + 1]! - 1;
      const leaf = this.leafOf(entry, bucket);
      if (leaf !== 0) {
        this.eachOutside(leaf, (at) => budget -= this.#entries.blobs.free(outsidePiece(this.#bytes, at)));
        words[entry * 2 + 4]! -= this.count(leaf);
        this.#arena.free(leaf);
      }
      if (bucket > 0) {
        this.#removeBucket(body);
      } else {
        this.#arena.free(words[body]!);
        words[body] = 0;
      }
    }
    return Math.max(1, budget);
  }

  /** Visits the sizes of the blocks that a copy of a set's parts would take. */
  eachSize(entry: number, visit: (size: number) => void): void {
    const { blobs } = this.#entries;
    this.#eachPart(entry, (part) => {
      if (kindOf(this.#words[part * 2 + 3]!) === KIND_SET_NODE) {
        return visit(PART_HEADER_BYTES + this.#words[part * 2 + 2]! * 4);
      }
      visit(PART_HEADER_BYTES + (this.#words[part * 2 + 2]! >>> 16));
      this.eachOutside(part, (at) => blobs.eachSize(outsidePiece(this.#bytes, at), visit));
    });
  }

  /** Visits the nodes and the leaves of a set. */
  #eachPart(entry: number, visit: (part: number) => void): void {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    const descend = (node: number, shift: number): void => {
      visit(node);
      const end = node * 2 + HEADER_WORDS + words[node * 2 + 2]!;
      for (let slot = node * 2 + HEADER_WORDS; slot < end; slot++) {
        if (shift > 0) descend(words[slot]!, shift - NODE_CHILDREN_SHIFT);
        else if (words[slot] !== 0) visit(words[slot]!);
      }
    };
    if (words[body] !== 0) descend(words[body]!, rootShift(words[body + 1]!));
  }

  /** Copies the parts of a set to another SET entry, which has none. */
  copy(from: number, to: number): void {
    const words = this.#words;
    const source = from * 2 + bodyWord(words[from * 2 + 3]!);
    const target = to * 2 + bodyWord(words[to * 2 + 3]!);
    words[to * 2 + 4] = words[from * 2 + 4]!;
    words[target + 1] = words[source + 1]!;
    words[target + 2] = words[source + 2]!;
    words[target] = this.#copyNode(words[source]!, to, rootShift(words[source + 1]!));
  }

  #copyNode(node: number, above: number, shift: number): number {
    const words = this.#words;
    const count = words[node * 2 + 2]!;
    const made = this.#addNode(words[node * 2 + 1]!, count);
    words[made * 2] = above;
    words[made * 2 + 2] = count;
    for (let i = 0; i < count; i++) {
      const child = words[node * 2 + HEADER_WORDS + i]!;
      let copied = 0;
      if (shift > 0) copied = this.#copyNode(child, made, shift - NODE_CHILDREN_SHIFT);
      else if (child !== 0) copied = this.#copyLeaf(child, made);
      words[made * 2 + HEADER_WORDS + i] = copied;
    }
    return made;
  }

  #copyLeaf(leaf: number, node: number): number {
    const words = this.#words;
    const bytes = this.#bytes;
    const used = words[leaf * 2 + 2]! >>> 16;
    const made = this.#arena.allocate(PART_HEADER_BYTES + used);
    const count = (PART_HEADER_BYTES + used + 3) >>> 2;
    for (let word = 1; word < count; word++) words[made * 2 + word] = words[leaf * 2 + word]!;
    words[made * 2] = node;
    this.eachOutside(made, (at) => {
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
    const { blobs } = this.#entries;
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    if (words[body] === 0) return 0;
    const buckets = words[body + 1]!;
    const measured = samples === 0 ? buckets : Math.min(samples, buckets);
    let bytes = 0;
    for (let bucket = 0; bucket < measured; bucket++) {
      const leaf = this.leafOf(entry, bucket);
      if (leaf === 0) continue;
      bytes += this.#arena.sizeAt(leaf);
      this.eachOutside(leaf, (at) => bytes += blobs.bytes(outsidePiece(this.#bytes, at)));
    }
    const nodes = measured === buckets ? this.#nodesBytes(words[body]!, rootShift(buckets)) : buckets * 4;
    return Math.round(bytes / measured * buckets) + nodes;
  }

  #nodesBytes(node: number, shift: number): number {
    const words = this.#words;
    let bytes = this.#arena.sizeAt(node);
    const end = node * 2 + HEADER_WORDS + words[node * 2 + 2]!;
    for (let slot = node * 2 + HEADER_WORDS; shift > 0 && slot < end; slot++) {
      bytes += this.#nodesBytes(words[slot]!, shift - NODE_CHILDREN_SHIFT);
    }
    return bytes;
  }
}

/** Returns the bucket for a hash among `buckets`. */
export function bucketFor(hash: number, buckets: number): number {
  const mask = (2 << (31 - Math.clz32(buckets))) - 1;
  const bucket = hash & mask;
  return bucket < buckets ? bucket : bucket & (mask >>> 1);
}

/**
 * Returns where the interval of a bucket ends in the order of reversed hashes: the number of hashes that it and the
 * buckets before it have, up to 2^32.
 */
export function endOfBucket(bucket: number, buckets: number): number {
  const level = 31 - Math.clz32(buckets);
  const low = bucket & ((1 << level) - 1);
  // A bucket that was split, and the one that was split from it, have one more bit.
  const bits = low + (1 << level) < buckets ? level + 1 : level;
  return reverseBits(bucket) + 2 ** (32 - bits);
}

/** Returns the shift by which a bucket's number is the index of a child of the root. */
function rootShift(buckets: number): number {
  if (buckets <= NODE_CHILDREN_MAX_COUNT) return 0;
  if (buckets <= NODE_CHILDREN_MAX_COUNT ** 2) return NODE_CHILDREN_SHIFT;
  return buckets <= NODE_CHILDREN_MAX_COUNT ** 3 ? 2 * NODE_CHILDREN_SHIFT : 3 * NODE_CHILDREN_SHIFT;
}

/** Returns the units of 8 bytes that `bytes` take. */
function unitsOf(bytes: number): number {
  return (bytes + 7) >>> 3;
}
