/**
 * The buckets of large sets: an array of references in the arena that grows and shrinks at its end.
 *
 * ```text
 * SET entry   words of the kind:  root node · number of buckets · …
 *     │
 * node        word 0  the node above, or the entry       word 1  its number among the nodes of its height
 *     │       word 2  children                           word 3  kind
 *     │       words 4 …  nodes, or leaves by bucket (0: an empty bucket)                        up to 256
 *     ▼
 * leaf        word 0  its node                           word 1  its bucket           (set_leaves.ts draws the rest)
 * ```
 *
 * Bucket b is child b mod 256 of node b / 256, and so on upwards, so a path follows from the number. All nodes but the
 * last of each height are full. A million members of 16 bytes have three nodes above a leaf, all but the lowest in the
 * processor's cache. A leaf takes 4 bytes of its node.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import { bodyWord, KIND_SET_NODE, kindOf, metaOf } from "../block.ts";
import { reverseBits } from "../table.ts";

/** The size of the header of a leaf or a node, in bytes. */
export const PART_HEADER_BYTES = 16;
const HEADER_WORDS = PART_HEADER_BYTES / 4;
const NODE_META = metaOf(KIND_SET_NODE);
const CHILDREN_SHIFT = 8;
/** The most children of a node. Updating them all after the node has moved takes a few microseconds. */
const CHILDREN_MAX_COUNT = 1 << CHILDREN_SHIFT;
const CHILD_MASK = CHILDREN_MAX_COUNT - 1;
const CHILDREN_INITIAL_COUNT = 2;

/**
 * The nodes of the large sets of one arena. `body` is the index of a SET entry's first word that belongs to its kind.
 */
export class SetBuckets {
  readonly #arena: Arena;
  readonly #words: Uint32Array;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#words = arena.words;
  }

  /** Gives a SET entry one bucket, which is empty. */
  begin(entry: number, body: number): void {
    const words = this.#words;
    const root = this.#addNode(0, CHILDREN_INITIAL_COUNT);
    words[root * 2] = entry;
    words[root * 2 + 2] = 1;
    words[root * 2 + HEADER_WORDS] = 0;
    words[body] = root;
    words[body + 1] = 1;
  }

  /** Returns the word with the leaf of a bucket. */
  slotOf(body: number, bucket: number): number {
    const words = this.#words;
    let node = words[body]!;
    for (let shift = rootShift(words[body + 1]!); shift > 0; shift -= CHILDREN_SHIFT) {
      node = words[node * 2 + HEADER_WORDS + ((bucket >>> shift) & CHILD_MASK)]!;
    }
    return node * 2 + HEADER_WORDS + (bucket & CHILD_MASK);
  }

  /** Returns the word that names a leaf. */
  slotOfLeaf(leaf: number): number {
    return this.#words[leaf * 2]! * 2 + HEADER_WORDS + (this.#words[leaf * 2 + 1]! & CHILD_MASK);
  }

  /** Puts a leaf into the empty bucket whose word is `slot`. */
  place(slot: number, bucket: number, leaf: number): void {
    const words = this.#words;
    words[leaf * 2] = (slot - HEADER_WORDS - (bucket & CHILD_MASK)) / 2;
    words[leaf * 2 + 1] = bucket;
    words[slot] = leaf;
  }

  /** Adds an empty bucket after the last one. */
  push(entry: number, body: number): void {
    const words = this.#words;
    const bucket = words[body + 1]!++;
    const top = rootShift(bucket);
    let child = 0;
    // Upwards from the new bucket, to the lowest node that exists and has room.
    for (let shift = 0; shift <= top; shift += CHILDREN_SHIFT) {
      if (((bucket >>> shift) & CHILD_MASK) !== 0) {
        this.#append(this.#nodeAt(body, bucket, shift, top), child);
        return;
      }
      const node = this.#addNode(bucket >>> shift >>> CHILDREN_SHIFT, CHILDREN_INITIAL_COUNT);
      this.#append(node, child);
      child = node;
    }
    const root = this.#addNode(0, CHILDREN_INITIAL_COUNT);
    words[root * 2] = entry;
    this.#append(root, words[body]!);
    this.#append(root, child);
    words[body] = root;
  }

  /** Removes the last bucket, which is empty, and not the only one. */
  pop(body: number): void {
    const words = this.#words;
    const bucket = --words[body + 1]!;
    const top = rootShift(bucket + 1);
    for (let shift = 0; shift <= top; shift += CHILDREN_SHIFT) {
      const node = this.#nodeAt(body, bucket, shift, top);
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

  /** Frees the only bucket, which is empty. The entry has no buckets from then on. */
  end(body: number): void {
    this.#arena.free(this.#words[body]!);
    this.#words[body] = 0;
  }

  /** Allocates a node without a node above it and without children. */
  #addNode(number: number, capacity: number): number {
    const words = this.#words;
    const node = this.#arena.allocate(PART_HEADER_BYTES + capacity * 4);
    words[node * 2 + 1] = number;
    words[node * 2 + 2] = 0;
    words[node * 2 + 3] = NODE_META;
    return node;
  }

  /** Returns the node on the path to a bucket whose children are of a height, given as the shift of their index. */
  #nodeAt(body: number, bucket: number, shift: number, top: number): number {
    const words = this.#words;
    let node = words[body]!;
    for (let above = top; above > shift; above -= CHILDREN_SHIFT) {
      node = words[node * 2 + HEADER_WORDS + ((bucket >>> above) & CHILD_MASK)]!;
    }
    return node;
  }

  /** Adds a child, or an empty bucket (0), after the last one of a node, which may move. */
  #append(node: number, child: number): void {
    const words = this.#words;
    const count = words[node * 2 + 2]!;
    if (PART_HEADER_BYTES + count * 4 >= this.#arena.sizeAt(node)) {
      const capacity = Math.min(CHILDREN_MAX_COUNT, count + (count >>> 1) + 1);
      const to = this.#arena.allocate(PART_HEADER_BYTES + capacity * 4);
      for (let word = 0; word < HEADER_WORDS + count; word++) words[to * 2 + word] = words[node * 2 + word]!;
      this.nodeMoved(to);
      this.#arena.free(node);
      node = to;
    }
    words[node * 2 + HEADER_WORDS + count] = child;
    words[node * 2 + 2] = count + 1;
    if (child !== 0) words[child * 2] = node;
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

  /** Visits each node with the number of its children, and each leaf. A node is visited before what is below it. */
  each(body: number, visitNode: (node: number, children: number) => void, visitLeaf: (leaf: number) => void): void {
    const words = this.#words;
    const descend = (node: number, shift: number): void => {
      const children = words[node * 2 + 2]!;
      visitNode(node, children);
      const end = node * 2 + HEADER_WORDS + children;
      for (let slot = node * 2 + HEADER_WORDS; slot < end; slot++) {
        if (shift > 0) descend(words[slot]!, shift - CHILDREN_SHIFT);
        else if (words[slot] !== 0) visitLeaf(words[slot]!);
      }
    };
    if (words[body] !== 0) descend(words[body]!, rootShift(words[body + 1]!));
  }

  /** Copies the buckets of one set to another, which has none. `copyLeaf` copies a leaf, without its words 0 and 1. */
  copy(body: number, entry: number, target: number, copyLeaf: (leaf: number) => number): void {
    const words = this.#words;
    words[target + 1] = words[body + 1]!;
    words[target] = this.#copyNode(words[body]!, entry, rootShift(words[body + 1]!), copyLeaf);
  }

  #copyNode(node: number, above: number, shift: number, copyLeaf: (leaf: number) => number): number {
    const words = this.#words;
    const count = words[node * 2 + 2]!;
    const made = this.#addNode(words[node * 2 + 1]!, count);
    words[made * 2] = above;
    words[made * 2 + 2] = count;
    for (let i = 0; i < count; i++) {
      const child = words[node * 2 + HEADER_WORDS + i]!;
      const slot = made * 2 + HEADER_WORDS + i;
      words[slot] = 0;
      if (shift > 0) words[slot] = this.#copyNode(child, made, shift - CHILDREN_SHIFT, copyLeaf);
      else if (child !== 0) this.place(slot, words[child * 2 + 1]!, copyLeaf(child));
    }
    return made;
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
  if (buckets <= CHILDREN_MAX_COUNT) return 0;
  if (buckets <= CHILDREN_MAX_COUNT ** 2) return CHILDREN_SHIFT;
  return buckets <= CHILDREN_MAX_COUNT ** 3 ? 2 * CHILDREN_SHIFT : 3 * CHILDREN_SHIFT;
}
