/**
 * Hashes: packed while small, then one entry a field in a table that all large hashes share.
 *
 * ```text
 * HASH_PACKED entry   count · … key · packed fields         up to 512 bytes, each up to 64: hash_packed.ts
 *
 * HASH entry          first, last field · id · … key        each field is an entry: hash_fields.ts
 * ```
 *
 * This class has what both forms share: reports to the journal, the cursor over fields, and snapshots. A packed hash
 * that would become too long turns into a large one, and never back.
 *
 * @module
 */

import { copyBytes, copyViewed } from "../../bytes.ts";
import { assertNoEffect, type Effect, type EffectNameOf, EFFECTS, type EffectWriter } from "../../effects.ts";
import { assert } from "../../errors.ts";
import { PACKED_ELEMENT_MAX_BYTES, PACKED_MAX_BYTES, SNAPSHOT_PART_BYTES, SNAPSHOT_PART_ITEMS } from "../../limits.ts";
import {
  bodyWord,
  FLAG_EPOCH,
  flagsOf,
  HEADER_BYTES,
  keyLengthOf,
  type Kind,
  KIND_HASH,
  KIND_HASH_PACKED,
  kindOf,
  topOf,
} from "../block.ts";
import { type Entries, KEEP_NOTHING } from "../entries.ts";
import type { Keyspace } from "../keyspace.ts";
import { HashFields } from "./hash_fields.ts";
import { PackedHashes } from "./hash_packed.ts";
import { afterPacked, findPackedField } from "./packed_fields.ts";
import { RandomStream } from "../random_stream.ts";
import { MISSING, type ValueType } from "./value_type.ts";

/** The number of fields from which the bytes of a large hash are estimated. */
const ESTIMATED_FIELDS_COUNT = 16;

/** The hashes of one store. Every method that changes a hash returns the entry's reference from then on. */
export class Hashes implements ValueType {
  /** Whether the last `set` created a field. */
  added = false;
  /** Whether the last `remove` found its field. */
  removed = false;
  /** The epoch bit of the field that the last `set` or `remove` found or created; of the hash if it is packed. */
  #epoch = 0;
  readonly #keyspace: Keyspace;
  readonly #entries: Entries;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #packed: PackedHashes;
  readonly #fields: HashFields;
  readonly #scratch = new Uint8Array(PACKED_MAX_BYTES);
  readonly #random = new RandomStream();

  // The cursor: a field at #at, its value, and the end of its run (packed), or the entries of a field and its hash.
  #at = 0;
  #valueAt = 0;
  #end = 0;
  #field = 0;
  #entry = 0;

  constructor(keyspace: Keyspace, entries: Entries) {
    this.#keyspace = keyspace;
    this.#entries = entries;
    this.#words = entries.words;
    this.#bytes = entries.bytes;
    this.#view = entries.arena.view;
    this.#packed = new PackedHashes(entries);
    this.#fields = new HashFields(entries);
  }

  /** Returns the number of fields of a hash. */
  length(entry: number): number {
    const meta = this.#words[entry * 2 + 3]!;
    return this.#words[entry * 2 + (kindOf(meta) === KIND_HASH ? 4 : bodyWord(meta))]!;
  }

  /**
   * Sets a field of a hash, and `added`. Creates an absent hash (`entry` 0).
   *
   * @param view a view of `value`, if there is one: it makes copying a short value faster
   */
  set(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    entry: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    view?: DataView,
  ): number {
    const keyspace = this.#keyspace;
    keyspace.changes++;
    if (entry === 0) entry = this.#packed.create(key, keyStart, keyLength, fieldLength + valueLength);
    entry = this.#set(entry, field, fieldStart, fieldLength, value, valueStart, valueLength, view);
    if (keyspace.journal !== undefined) {
      const before = this.length(entry) - (this.added ? 1 : 0);
      keyspace.journal.hashSet(
        entry,
        before,
        key,
        keyStart,
        keyLength,
        field,
        fieldStart,
        fieldLength,
        value,
        valueStart,
        valueLength,
        view,
      );
    }
    return entry;
  }

  #set(
    entry: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    view?: DataView,
  ): number {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    this.#epoch = meta & FLAG_EPOCH;
    if (meta >>> 27 === KIND_HASH_PACKED) {
      const bytes = this.#bytes;
      const base = entry * 8 + HEADER_BYTES[meta >>> 24]! + (meta & 0xffff);
      const at = findPackedField(bytes, base, base + words[entry * 2 + 4]!, field, fieldStart, fieldLength);
      // Most writes replace a value with one of the same length.
      if (at >= 0 && bytes[at + 1 + fieldLength] === valueLength) {
        copyBytes(value, valueStart, bytes, at + 2 + fieldLength, valueLength);
        this.added = false;
        return entry;
      }
      if (fieldLength <= PACKED_ELEMENT_MAX_BYTES && valueLength <= PACKED_ELEMENT_MAX_BYTES) {
        const set = at < 0
          ? this.#packed.add(entry, field, fieldStart, fieldLength, value, valueStart, valueLength)
          : this.#packed.replace(entry, at, value, valueStart, valueLength);
        if (set !== 0) {
          this.added = at < 0;
          return set;
        }
      }
      entry = this.#enlarge(entry);
    }
    const fields = this.#fields;
    const set = fields.set(entry, field, fieldStart, fieldLength, value, valueStart, valueLength, view);
    this.added = fields.added;
    this.#epoch = words[set * 2 + 3]! & FLAG_EPOCH;
    return entry;
  }

  /** Turns a packed hash into a large one. */
  #enlarge(entry: number): number {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    const used = words[entry * 2 + 4]!;
    const scratch = this.#scratch;
    copyBytes(this.#bytes, this.#entries.valueStart(entry), scratch, 0, used);
    const large = this.#entries.reform(entry, topOf(KIND_HASH, flagsOf(meta)), 0, KEEP_NOTHING);
    this.#fields.begin(large);
    for (let at = 0; at < used;) {
      const valueAt = afterPacked(scratch, at);
      this.#fields.set(large, scratch, at + 1, scratch[at]!, scratch, valueAt + 1, scratch[valueAt]!);
      at = afterPacked(scratch, valueAt);
    }
    return large;
  }

  /**
   * Removes a field, and sets `removed`.
   *
   * @returns the entry, or 0 when the hash became empty and its key was removed
   */
  remove(entry: number, field: Uint8Array, start: number, length: number): number {
    const keyspace = this.#keyspace;
    const left = this.#remove(entry, field, start, length);
    if (!this.removed) return entry;
    keyspace.changes++;
    if (keyspace.journal !== undefined) {
      const effect = keyspace.effect(EFFECTS.hashRemove, entry, this.length(entry) + 1);
      effect.setField(field, start, length);
      keyspace.report(effect);
    }
    if (left !== 0) return left;
    keyspace.drop(entry);
    return 0;
  }

  /** Removes a field. Returns 0 when the hash is empty then; its entry remains. */
  #remove(entry: number, field: Uint8Array, start: number, length: number): number {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    this.#epoch = meta & FLAG_EPOCH;
    if (kindOf(meta) === KIND_HASH_PACKED) {
      this.removed = this.#packed.remove(entry, field, start, length);
      return words[entry * 2 + bodyWord(meta)] === 0 ? 0 : entry;
    }
    const found = this.#fields.find(entry, field, start, length);
    this.removed = found !== 0;
    if (found === 0) return entry;
    this.#epoch = words[found * 2 + 3]! & FLAG_EPOCH;
    this.#fields.remove(entry, found);
    return words[entry * 2 + 4] === 0 ? 0 : entry;
  }

  /** Puts the cursor on a field; returns `false` when it is absent. */
  find(entry: number, field: Uint8Array, start: number, length: number): boolean {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    if (meta >>> 27 !== KIND_HASH_PACKED) {
      this.#field = this.#fields.find(entry, field, start, length);
      return this.#field !== 0;
    }
    const base = entry * 8 + HEADER_BYTES[meta >>> 24]! + (meta & 0xffff);
    const at = findPackedField(this.#bytes, base, base + words[entry * 2 + 4]!, field, start, length);
    if (at < 0) return false;
    this.#field = 0;
    this.#at = at;
    this.#valueAt = at + 1 + length;
    return true;
  }

  /** Puts the cursor on a field so that {@linkcode next} can continue from it; returns `false` when it is absent. */
  seek(entry: number, field: Uint8Array, start: number, length: number): boolean {
    const meta = this.#words[entry * 2 + 3]!;
    this.#entry = entry;
    if (kindOf(meta) === KIND_HASH_PACKED) this.#end = this.#entries.valueStart(entry) + this.#words[entry * 2 + 4]!;
    return this.find(entry, field, start, length);
  }

  /** Returns whether a hash is large, so that a snapshot captures its fields one by one. */
  isLarge(entry: number): boolean {
    return kindOf(this.#words[entry * 2 + 3]!) === KIND_HASH;
  }

  /** Puts the cursor on a field of a large hash, given as its entry. */
  seekField(entry: number, field: number): void {
    this.#entry = entry;
    this.#field = field;
  }

  /** Puts the cursor on the first field. A hash has at least one. */
  first(entry: number): boolean {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    this.#entry = entry;
    if (kindOf(meta) === KIND_HASH_PACKED) {
      const base = this.#entries.valueStart(entry);
      this.#end = base + words[entry * 2 + 4]!;
      return this.#enter(base);
    }
    this.#field = words[entry * 2 + bodyWord(meta)]!;
    return this.#field !== 0;
  }

  /** Moves the cursor, after `first`, to the next field; returns `false` after the last. */
  next(): boolean {
    if (this.#field === 0) return this.#enter(afterPacked(this.#bytes, this.#valueAt));
    const next = this.#words[this.#field * 2]!;
    if (next === this.#entry) return false;
    this.#field = next;
    return true;
  }

  /** Puts the cursor on the packed field at `at`; returns `false` when the run ends there. */
  #enter(at: number): boolean {
    if (at >= this.#end) return false;
    this.#field = 0;
    this.#at = at;
    this.#valueAt = afterPacked(this.#bytes, at);
    return true;
  }

  /**
   * Puts the cursor on a random field, each with about the same probability. In a hash of n fields, where large hashes
   * have m in all, this takes n / 4 or 5 m / n steps, whichever is fewer. For many fields, it is faster to visit all.
   *
   * @param from a number in [0, 1)
   * @returns `true`: a hash has a field
   */
  seekRandom(entry: number, from: number): boolean {
    this.#random.begin(from);
    if (this.isLarge(entry)) {
      this.seekField(entry, this.#fields.choose(entry, this.#random));
    } else {
      const index = this.#random.below(this.length(entry));
      this.first(entry);
      for (let i = 0; i < index; i++) this.next();
    }
    return true;
  }

  /**
   * Visits a few fields with the cursor on each, and returns the next cursor. A field that exists from the first call,
   * with cursor 0, until 0 is returned, is visited regardless of other changes in the meantime: once, unless fields are
   * removed. All fields of a packed hash are visited in one call.
   *
   * @param cursor an unsigned 32-bit integer
   * @param visit a function that must not change the store
   */
  scan(entry: number, cursor: number, visit: () => void): number {
    if (this.isLarge(entry)) {
      return this.#fields.scan(entry, cursor, (field) => {
        this.seekField(entry, field);
        visit();
      });
    }
    for (let more = this.first(entry); more; more = this.next()) visit();
    return 0;
  }

  /** Returns the length of the field at the cursor. */
  fieldLength(): number {
    return this.#field === 0 ? this.#bytes[this.#at]! : keyLengthOf(this.#words[this.#field * 2 + 3]!);
  }

  /** Copies the field at the cursor; `view` is a view of `target`, if there is one. */
  copyField(target: Uint8Array, at: number, view?: DataView): void {
    const field = this.#field;
    const start = field === 0 ? this.#at + 1 : field * 8 + HEADER_BYTES[this.#words[field * 2 + 3]! >>> 24]!;
    copyViewed(this.#bytes, this.#view, start, target, view, at, this.fieldLength());
  }

  /** Returns the length of the value at the cursor. */
  valueLength(): number {
    return this.#field === 0 ? this.#bytes[this.#valueAt]! : this.#words[this.#field * 2 + 4]!;
  }

  /** Copies the value at the cursor; `view` is a view of `target`, if there is one. */
  copyValue(target: Uint8Array, at: number, view?: DataView): void {
    if (this.#field === 0) {
      copyViewed(this.#bytes, this.#view, this.#valueAt + 1, target, view, at, this.#bytes[this.#valueAt]!);
    } else this.#entries.copyValue(this.#field, 0, target, at, this.#words[this.#field * 2 + 4]!);
  }

  /** Copies bytes `[from, from + length)` of the value at the cursor. */
  copyValuePart(from: number, target: Uint8Array, at: number, length: number): void {
    if (this.#field === 0) copyBytes(this.#bytes, this.#valueAt + 1 + from, target, at, length);
    else this.#entries.copyValue(this.#field, from, target, at, length);
  }

  // These are the methods of every type of value.

  /** Returns Redis's name for a packed hash or for a table. */
  encoding(entry: number): string {
    return this.isLarge(entry) ? "hashtable" : "listpack";
  }

  /** Returns the entry: a hash takes the same room with any key. */
  renamed(entry: number): number {
    return entry;
  }

  /** Frees the fields of a large hash that was removed from the table, and finally its entry. */
  free(entry: number, budget: number): number {
    return this.#fields.free(entry, budget);
  }

  /** Updates the references to a field that compaction has moved. */
  partMoved(_kind: Kind, from: number, to: number): void {
    this.#entries.moved(from, to);
  }

  /** Never called: a field with a blob is an entry, and entries.ts updates it. */
  pieceMoved(): never {
    assert(false, "a piece of a part of a hash moved");
  }

  /** Returns the bytes that the fields of a hash take in the arena beyond its entry. */
  partsBytes(entry: number, samples: number): number {
    return this.isLarge(entry) ? this.#fields.partsBytes(entry, samples) : 0;
  }

  /** Estimates the bytes of the fields from a few of them. */
  estimatePartsBytes(entry: number): number {
    return this.partsBytes(entry, ESTIMATED_FIELDS_COUNT);
  }

  /** Returns the number of fields that have an entry. */
  fieldsCount(entry: number): number {
    return this.isLarge(entry) ? this.#words[entry * 2 + 4]! : 0;
  }

  /** Visits the sizes of the fields, and of the pieces of their blobs, of a copy. */
  measureCopy(entry: number, count: (size: number) => void): void {
    if (this.isLarge(entry)) this.#fields.measureCopy(entry, count);
  }

  /** Copies a hash to an absent key. */
  copyEntry(entry: number, key: Uint8Array, start: number, length: number, deadlineMs: number): number {
    if (!this.isLarge(entry)) return this.#entries.clonePacked(entry, key, start, length, deadlineMs);
    const made = this.#entries.create(KIND_HASH, key, start, length, deadlineMs, 0);
    this.#fields.copy(entry, made);
    return made;
  }

  /** Captures a packed hash whole. */
  capture(entry: number, writer: EffectWriter): boolean {
    if (this.isLarge(entry)) {
      this.#entries.cursor.beginHash(entry);
      return false;
    }
    writer.beginParts(this.#keyspace.effect(EFFECTS.hashSet, entry));
    for (let found = this.first(entry); found; found = this.next()) this.#captureField(writer);
    writer.finish();
    this.#keyspace.endCapture(entry, writer);
    return true;
  }

  /** Captures the next fields of a large hash. */
  capturePart(entry: number, writer: EffectWriter): boolean {
    const { cursor } = this.#entries;
    let field = cursor.nextField();
    if (field !== 0) {
      writer.beginParts(this.#keyspace.effect(EFFECTS.hashSet, entry, cursor.capturedTo));
      let bytes = 0;
      for (let count = 1; field !== 0; count++) {
        this.seekField(entry, field);
        bytes += this.#captureField(writer);
        cursor.capturedTo++;
        if (count === SNAPSHOT_PART_ITEMS || bytes >= SNAPSHOT_PART_BYTES) break;
        field = cursor.nextField();
      }
      writer.finish();
    }
    if (field !== 0) return false;
    this.#keyspace.endCapture(entry, writer);
    return true;
  }

  /** Captures the field at the cursor. Returns the bytes of the field and its value. */
  #captureField(writer: EffectWriter): number {
    const [fieldLength, valueLength] = [this.fieldLength(), this.valueLength()];
    const fieldAt = writer.room(fieldLength);
    this.copyField(writer.buffer, fieldAt);
    const valueAt = writer.room(valueLength);
    this.copyValue(writer.buffer, valueAt);
    return fieldLength + valueLength;
  }

  /** Lets those effects pass that are on a captured field, or on a new one, which counts as captured. */
  changesPart(effect: Effect): boolean {
    if (this.#epoch !== this.#entries.cursor.epoch) return false;
    const { cursor } = this.#entries;
    const name = effect.row.name as EffectNameOf<"hash">;
    switch (name) {
      case "hashSet":
        if (this.added) cursor.capturedTo++;
        return true;
      case "hashRemove":
        cursor.capturedTo--;
        return true;
      default:
        return assertNoEffect(name);
    }
  }

  /** Applies an effect on a hash. */
  apply(effect: Effect, entry: number): number {
    const { key, keyStart, keyLength, field, fieldStart, fieldLength, value, valueStart, valueLength } = effect;
    const name = effect.row.name as EffectNameOf<"hash">;
    switch (name) {
      case "hashSet":
        return this.set(
          key,
          keyStart,
          keyLength,
          entry,
          field,
          fieldStart,
          fieldLength,
          value,
          valueStart,
          valueLength,
        );
      case "hashRemove": {
        const left = this.remove(entry, field, fieldStart, fieldLength);
        return this.removed ? left : MISSING;
      }
      default:
        return assertNoEffect(name);
    }
  }
}
