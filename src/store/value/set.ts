/**
 * Sets: packed while small, then leaves of packed members in a hash table.
 *
 * ```text
 * SET_PACKED entry   count · … key · packed members (packed_members.ts)         up to 512 bytes, each up to 64
 *
 * SET entry          root node · buckets · size                                 (block.ts draws the rest)
 *      │
 * leaf leaf leaf …   packed members, by the low bits of their hashes            (set_leaves.ts)
 * ```
 *
 * A member has no separate entry, as a field of a large hash has: it has no value that could grow, so members can
 * share a block. A member of 16 bytes takes 20 this way.
 *
 * The hash of a member is the same in all sets. So a copy of a set has the same leaves, and two sets have their members
 * in the same order.
 *
 * @module
 */

import { copyBytes, copyViewed } from "../../bytes.ts";
import { assertNoEffect, type Effect, type EffectNameOf, EFFECTS, type EffectWriter } from "../../effects.ts";
import { PACKED_ELEMENT_MAX_BYTES, PACKED_MAX_BYTES, SNAPSHOT_PART_BYTES, SNAPSHOT_PART_ITEMS } from "../../limits.ts";
import { bodyWord, flagsOf, type Kind, KIND_SET, KIND_SET_NODE, KIND_SET_PACKED, kindOf, topOf } from "../block.ts";
import { type Entries, KEEP_NOTHING } from "../entries.ts";
import type { Keyspace } from "../keyspace.ts";
import { RandomStream } from "../random_stream.ts";
import { reverseBits } from "../table.ts";
import {
  findPackedMember,
  formatPackedInteger,
  INTEGER_ROOM_BYTES,
  isPackedInteger,
  MemberForm,
  OUTSIDE_TAG,
  outsideLength,
  outsidePiece,
  PACKED_SIZES,
} from "./packed_members.ts";
import { bucketFor, endOfBucket } from "./set_buckets.ts";
import { SetLeaves } from "./set_leaves.ts";
import { MISSING, type ValueType } from "./value_type.ts";

/** The number of buckets from which the bytes of a large set are estimated. */
const ESTIMATED_BUCKETS_COUNT = 24;
const HASHES_COUNT = 2 ** 32;
/** The number of members after which a `scan` of a large set ends with the bucket that it is in. */
const SCAN_MEMBERS_COUNT = 10;
/** The most tries of `seekRandom`: by then it has found a member, except in one of 10^27 cases. */
const RANDOM_TRIES_MAX_COUNT = 1000;

/** The sets of one store. Every method that changes a set returns the entry's reference from then on. */
export class Sets implements ValueType {
  /** Whether the last {@linkcode add} added a member. */
  added = false;
  /** Whether the last {@linkcode remove} found its member. */
  removed = false;
  readonly #keyspace: Keyspace;
  readonly #entries: Entries;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #leaves: SetLeaves;
  readonly #form = new MemberForm();
  readonly #random = new RandomStream();
  readonly #scratch = new Uint8Array(PACKED_MAX_BYTES);
  readonly #text = new Uint8Array(INTEGER_ROOM_BYTES);

  /** The number of hashes, in their reversed order, whose members the snapshot has of the partial set. */
  #capturedHashes = 0;

  // The cursor: a member at #at in a run that ends at #end; in a large set (#entry, else 0) it is that of a leaf.
  #at = 0;
  #end = 0;
  #entry = 0;
  #leaf = 0;

  constructor(keyspace: Keyspace, entries: Entries) {
    this.#keyspace = keyspace;
    this.#entries = entries;
    this.#words = entries.words;
    this.#bytes = entries.bytes;
    this.#view = entries.arena.view;
    this.#leaves = new SetLeaves(entries);
  }

  /** Returns the number of members. */
  length(entry: number): number {
    const meta = this.#words[entry * 2 + 3]!;
    return this.#words[entry * 2 + (kindOf(meta) === KIND_SET ? 4 : bodyWord(meta))]!;
  }

  /**
   * Returns how the set is stored, by the name that Redis has for it: `intset` for a small set of integers, `listpack`
   * for another small one, and `hashtable` for a large one.
   */
  encoding(entry: number): "intset" | "listpack" | "hashtable" {
    if (this.isLarge(entry)) return "hashtable";
    for (let more = this.first(entry); more; more = this.next()) {
      if (!isPackedInteger(this.#bytes, this.#at)) return "listpack";
    }
    return "intset";
  }

  /**
   * Adds a member. Creates an absent set (`entry` 0). Returns the set's entry; `added` is set.
   *
   * @param view a view of `member`, if there is one: it makes copying a short member faster
   */
  add(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    entry: number,
    member: Uint8Array,
    start: number,
    length: number,
    view?: DataView,
  ): number {
    const form = this.#form;
    form.set(member, start, length);
    const words = this.#words;
    if (entry === 0) {
      const size = Math.min(form.size, PACKED_MAX_BYTES);
      entry = this.#entries.create(KIND_SET_PACKED, key, keyStart, keyLength, 0, size);
      words[entry * 2 + 4] = 0;
      words[entry * 2 + bodyWord(words[entry * 2 + 3]!)] = 0;
    }
    if (kindOf(words[entry * 2 + 3]!) === KIND_SET_PACKED) entry = this.#addToPacked(entry, form, length, view);
    else this.#addToLarge(entry, form, view);
    if (!this.added) return entry;
    const keyspace = this.#keyspace;
    keyspace.changes++;
    if (keyspace.journal !== undefined) {
      const effect = keyspace.effect(EFFECTS.setAdd, entry, this.length(entry) - 1);
      effect.setValue(member, start, length, view);
      keyspace.report(effect);
    }
    return entry;
  }

  #addToLarge(entry: number, form: MemberForm, view?: DataView): void {
    this.#leaves.hash(form);
    this.added = this.#leaves.add(entry, form, view);
  }

  #addToPacked(entry: number, form: MemberForm, length: number, view?: DataView): number {
    const words = this.#words;
    const used = words[entry * 2 + 4]!;
    const start = this.#entries.valueStart(entry);
    this.added = findPackedMember(this.#bytes, start, start + used, form) < 0;
    if (!this.added) return entry;
    const meta = words[entry * 2 + 3]!;
    const size = used + form.size;
    if (length > PACKED_ELEMENT_MAX_BYTES || size > PACKED_MAX_BYTES) {
      entry = this.#enlarge(entry);
      this.#addToLarge(entry, form, view);
      return entry;
    }
    entry = this.#entries.reform(entry, meta >>> 24, size, used);
    form.write(this.#bytes, this.#entries.valueStart(entry) + used, this.#view, view);
    words[entry * 2 + 4] = size;
    words[entry * 2 + bodyWord(meta)]!++;
    return entry;
  }

  /** Turns a packed set into a large one. */
  #enlarge(entry: number): number {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    const used = words[entry * 2 + 4]!;
    const scratch = this.#scratch;
    copyBytes(this.#bytes, this.#entries.valueStart(entry), scratch, 0, used);
    const large = this.#entries.reform(entry, topOf(KIND_SET, flagsOf(meta)), 0, KEEP_NOTHING);
    this.#leaves.fill(large, scratch, used);
    return large;
  }

  /**
   * Removes a member, and sets `removed`. Needs no room. Returns the set's entry, or 0 when the set became empty and
   * its key was removed.
   */
  remove(entry: number, member: Uint8Array, start: number, length: number): number {
    this.removed = this.seek(entry, member, start, length);
    if (!this.removed) return entry;
    const words = this.#words;
    if (this.#entry === 0) {
      const meta = words[entry * 2 + 3]!;
      const size = PACKED_SIZES[this.#bytes[this.#at]!]!;
      this.#bytes.copyWithin(this.#at, this.#at + size, this.#end);
      words[entry * 2 + 4]! -= size;
      words[entry * 2 + bodyWord(meta)]!--;
    } else {
      this.#leaves.remove(entry, this.#leaf, this.#at);
    }
    const keyspace = this.#keyspace;
    keyspace.changes++;
    const left = this.length(entry);
    if (keyspace.journal !== undefined) {
      const effect = keyspace.effect(EFFECTS.setRemove, entry, left + 1);
      effect.setValue(member, start, length);
      keyspace.report(effect);
    }
    if (left > 0) return entry;
    keyspace.drop(entry);
    return 0;
  }

  /** Returns whether the set has a member. */
  has(entry: number, member: Uint8Array, start: number, length: number): boolean {
    return this.seek(entry, member, start, length);
  }

  /** Puts the cursor on a member so that {@linkcode next} continues from it; returns `false` when it is absent. */
  seek(entry: number, member: Uint8Array, start: number, length: number): boolean {
    const form = this.#form;
    form.set(member, start, length);
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_SET_PACKED) {
      this.#entry = 0;
      const base = this.#entries.valueStart(entry);
      this.#end = base + this.#words[entry * 2 + 4]!;
      this.#at = findPackedMember(this.#bytes, base, this.#end, form);
      return this.#at >= 0;
    }
    const leaves = this.#leaves;
    leaves.hash(form);
    const leaf = leaves.leafFor(entry, form.hash);
    if (leaf === 0) return false;
    const at = leaves.find(leaf, form);
    if (at < 0) return false;
    this.#entry = entry;
    this.#leaf = leaf;
    this.#at = at;
    this.#end = leaves.end(leaf);
    return true;
  }

  /** Puts the cursor on the first member. A set has at least one. */
  first(entry: number): boolean {
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_SET) {
      this.#entry = entry;
      return this.#enterFrom(0);
    }
    this.#entry = 0;
    this.#at = this.#entries.valueStart(entry);
    this.#end = this.#at + this.#words[entry * 2 + 4]!;
    return this.#at < this.#end;
  }

  /**
   * Moves the cursor, after `first`, `seek` or `seekRandom`, to the next member; returns `false` after the last. The
   * set must not have changed meanwhile.
   */
  next(): boolean {
    this.#at += PACKED_SIZES[this.#bytes[this.#at]!]!;
    if (this.#at < this.#end) return true;
    if (this.#entry === 0) return false;
    return this.#enterFrom(endOfBucket(this.#leaves.bucketOf(this.#leaf), this.#leaves.bucketsCount(this.#entry)));
  }

  /** Puts the cursor on the first member of the first leaf whose bucket begins at a reversed hash or later. */
  #enterFrom(position: number): boolean {
    const leaves = this.#leaves;
    const buckets = leaves.bucketsCount(this.#entry);
    while (position < HASHES_COUNT) {
      const bucket = bucketFor(reverseBits(position) | 0, buckets);
      const leaf = leaves.leafOf(this.#entry, bucket);
      if (leaf !== 0) {
        this.#enterLeaf(leaf);
        return true;
      }
      position = endOfBucket(bucket, buckets);
    }
    return false;
  }

  #enterLeaf(leaf: number): void {
    this.#leaf = leaf;
    this.#at = this.#leaves.start(leaf);
    this.#end = this.#leaves.end(leaf);
  }

  /**
   * Puts the cursor on a random member, each with about the same probability.
   *
   * In a large set, a bucket and one of more places than nearly any leaf has members are drawn until there is a member
   * in that place: four tries on average.
   *
   * @param random a number in [0, 1)
   * @returns `true`: a set has a member
   */
  seekRandom(entry: number, random: number): boolean {
    this.#random.begin(random);
    const stream = this.#random;
    const length = this.length(entry);
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_SET_PACKED) {
      this.first(entry);
      for (let left = stream.below(length); left > 0; left--) this.next();
      return true;
    }
    const leaves = this.#leaves;
    const buckets = leaves.bucketsCount(entry);
    const places = Math.ceil(length / buckets * 3) + 8;
    this.#entry = entry;
    for (let tries = 0; tries < RANDOM_TRIES_MAX_COUNT; tries++) {
      const leaf = leaves.leafOf(entry, stream.below(buckets));
      if (leaf === 0) continue;
      const count = leaves.count(leaf);
      let place = stream.below(Math.max(places, count));
      if (place >= count) continue;
      this.#enterLeaf(leaf);
      for (; place > 0; place--) this.#at += PACKED_SIZES[this.#bytes[this.#at]!]!;
      return true;
    }
    return this.first(entry);
  }

  /**
   * Visits a few members with the cursor on each, and returns the next cursor. A member that exists from the first
   * call, with cursor 0, until 0 is returned, is visited exactly once, regardless of other changes in the meantime. All
   * members of a packed set are visited in one call.
   *
   * @param cursor an unsigned 32-bit integer
   * @param visit a function that must not change the store
   */
  scan(entry: number, cursor: number, visit: () => void): number {
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_SET_PACKED) {
      for (let more = this.first(entry); more; more = this.next()) visit();
      return 0;
    }
    let visited = 0;
    const visitOne = (): void => {
      visited++;
      visit();
    };
    let next = cursor;
    do next = this.#visitBucket(entry, next, visitOne); while (next < HASHES_COUNT && visited < SCAN_MEMBERS_COUNT);
    return next < HASHES_COUNT ? next : 0;
  }

  /**
   * Visits the members of one bucket of a large set with the cursor on each: those whose reversed hash is at least
   * `from`, which is in the interval of the bucket. Returns the end of the interval: the next `from`, or 2^32.
   */
  #visitBucket(entry: number, from: number, visit: () => void): number {
    const leaves = this.#leaves;
    const buckets = leaves.bucketsCount(entry);
    const bucket = bucketFor(reverseBits(from) | 0, buckets);
    const leaf = leaves.leafOf(entry, bucket);
    if (leaf !== 0) {
      // Buckets may have been joined since the last call, so that a part of this one was visited.
      const isWhole = reverseBits(bucket) === from;
      this.#entry = entry;
      this.#enterLeaf(leaf);
      for (; this.#at < this.#end; this.#at += PACKED_SIZES[this.#bytes[this.#at]!]!) {
        if (isWhole || reverseBits(leaves.hashAt(this.#at)) >= from) visit();
      }
    }
    return endOfBucket(bucket, buckets);
  }

  /** Returns the length of the member at the cursor. */
  memberLength(): number {
    const at = this.#at;
    const tag = this.#bytes[at]!;
    if (isPackedInteger(this.#bytes, at)) return formatPackedInteger(this.#bytes, at, this.#text);
    return tag === OUTSIDE_TAG ? outsideLength(this.#bytes, at) : tag;
  }

  /** Copies the member at the cursor; `view` is a view of `target`, if there is one. */
  copyMember(target: Uint8Array, at: number, view?: DataView): void {
    const from = this.#at;
    const tag = this.#bytes[from]!;
    if (isPackedInteger(this.#bytes, from)) {
      copyBytes(this.#text, 0, target, at, formatPackedInteger(this.#bytes, from, this.#text));
    } else if (tag === OUTSIDE_TAG) {
      this.#entries.blobs.copy(outsidePiece(this.#bytes, from), 0, target, at, outsideLength(this.#bytes, from));
    } else {
      copyViewed(this.#bytes, this.#view, from + 1, target, view, at, tag);
    }
  }

  // These are the methods of every type of value.

  /** Returns the entry: a set takes the same room with any key. */
  renamed(entry: number): number {
    return entry;
  }

  /**
   * Frees leaves of a large set that was removed from the table, and finally its entry. A leaf is one step, and so is a
   * piece of a member.
   *
   * @returns the budget left; the entry is freed when it is above 0
   */
  free(entry: number, budget: number): number {
    const left = this.#leaves.free(entry, budget);
    if (left > 0) {
      this.#entries.garbage.remove(entry);
      this.#entries.arena.free(entry);
    }
    return left;
  }

  /** Updates the references to a leaf or a node that compaction has moved. */
  partMoved(kind: Kind, _from: number, to: number): void {
    if (kind === KIND_SET_NODE) this.#leaves.buckets.nodeMoved(to);
    else this.#leaves.leafMoved(to);
  }

  /** Updates a leaf of which compaction has moved the first piece of a member. */
  pieceMoved(leaf: number, from: number, to: number): void {
    this.#leaves.pieceMoved(leaf, from, to);
  }

  /** Returns whether a set is large, so that a snapshot captures it in parts. */
  isLarge(entry: number): boolean {
    return kindOf(this.#words[entry * 2 + 3]!) === KIND_SET;
  }

  /**
   * Returns the bytes that a set takes in the arena beyond its entry.
   *
   * @param samples the number of buckets that are measured, the others count as their average; 0: all
   */
  partsBytes(entry: number, samples: number): number {
    return this.isLarge(entry) ? this.#leaves.partsBytes(entry, samples) : 0;
  }

  /** Estimates the bytes of the leaves from a few of them. */
  estimatePartsBytes(entry: number): number {
    return this.partsBytes(entry, ESTIMATED_BUCKETS_COUNT);
  }

  /** Returns 0: members are in no table that sets share. */
  fieldsCount(): number {
    return 0;
  }

  /** Visits the sizes of the leaves, nodes and pieces of a copy. */
  measureCopy(entry: number, count: (size: number) => void): void {
    if (this.isLarge(entry)) this.#leaves.eachSize(entry, count);
  }

  /** Copies a set to an absent key. */
  copyEntry(entry: number, key: Uint8Array, start: number, length: number, deadlineMs: number): number {
    if (!this.isLarge(entry)) return this.#entries.clonePacked(entry, key, start, length, deadlineMs);
    const made = this.#entries.create(KIND_SET, key, start, length, deadlineMs, 0);
    this.#leaves.copy(entry, made);
    return made;
  }

  /** Captures a packed set whole. */
  capture(entry: number, writer: EffectWriter): boolean {
    if (this.isLarge(entry)) {
      this.#entries.cursor.partial = entry;
      this.#capturedHashes = 0;
      return false;
    }
    writer.beginParts(this.#keyspace.effect(EFFECTS.setAdd, entry));
    for (let more = this.first(entry); more; more = this.next()) this.#captureMember(writer);
    writer.finish();
    this.#keyspace.endCapture(entry, writer);
    return true;
  }

  /** Captures the next members of a large set: those of the next buckets, in the order of `scan`. */
  capturePart(entry: number, writer: EffectWriter): boolean {
    const { cursor } = this.#entries;
    let [count, bytes] = [0, 0];
    const visit = (): void => {
      if (count++ === 0) writer.beginParts(this.#keyspace.effect(EFFECTS.setAdd, entry, cursor.capturedTo));
      bytes += this.#captureMember(writer);
    };
    do this.#capturedHashes = this.#visitBucket(entry, this.#capturedHashes, visit); while (
      this.#capturedHashes < HASHES_COUNT && count < SNAPSHOT_PART_ITEMS && bytes < SNAPSHOT_PART_BYTES
    );
    if (count > 0) writer.finish();
    cursor.capturedTo += count;
    if (this.#capturedHashes < HASHES_COUNT) return false;
    this.#keyspace.endCapture(entry, writer);
    return true;
  }

  /** Captures the member at the cursor. Returns its length. */
  #captureMember(writer: EffectWriter): number {
    const length = this.memberLength();
    const at = writer.room(length);
    this.copyMember(writer.buffer, at);
    return length;
  }

  /** Lets those effects pass that are on a member whose hash is among the captured ones. */
  changesPart(effect: Effect): boolean {
    if (reverseBits(this.#form.hash) >= this.#capturedHashes) return false;
    const { cursor } = this.#entries;
    const name = effect.row.name as EffectNameOf<"set">;
    switch (name) {
      case "setAdd":
        cursor.capturedTo++;
        return true;
      case "setRemove":
        cursor.capturedTo--;
        return true;
      default:
        return assertNoEffect(name);
    }
  }

  /** Applies an effect on a set. */
  apply(effect: Effect, entry: number): number {
    const { key, keyStart, keyLength, value, valueStart, valueLength, valueView } = effect;
    const name = effect.row.name as EffectNameOf<"set">;
    switch (name) {
      case "setAdd": {
        const added = this.add(key, keyStart, keyLength, entry, value, valueStart, valueLength, valueView);
        return this.added ? added : MISSING;
      }
      case "setRemove": {
        if (entry === 0) return MISSING;
        const left = this.remove(entry, value, valueStart, valueLength);
        return this.removed ? left : MISSING;
      }
      default:
        return assertNoEffect(name);
    }
  }
}
