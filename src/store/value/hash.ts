/**
 * Hashes: packed while small, then one entry a field in a table that all large hashes share.
 *
 * ```text
 * HASH_PACKED entry   count · … key · packed fields (packed_fields.ts)         up to 512 bytes, each up to 64
 *
 * HASH entry          first, last field · id
 *      │
 * field ◀─▶ field ◀─▶ …         chain that begins and ends at the entry, in the order of creation
 *      word 0  next field, or the entry     word 1  previous field, or the entry     (block.ts draws the rest)
 * ```
 *
 * A field is found by the hash of its bytes under a seed mixed with the id of its hash. So reaching a field costs as
 * much as reaching a key, regardless of the size of the hash, and only the table has to grow. An id is never used
 * twice, so the fields of a removed hash cannot be found while they wait to be freed.
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
  KIND_FIELD,
  KIND_FIELD_BLOB,
  KIND_HASH,
  KIND_HASH_PACKED,
  kindOf,
  topOf,
} from "../block.ts";
import { type Entries, isInline, KEEP_NOTHING } from "../entries.ts";
import type { Keyspace } from "../keyspace.ts";
import { afterPacked, findPackedField, packedFieldSize, writePackedField } from "./packed_fields.ts";
import { RandomStream } from "../random_stream.ts";
import { MISSING, type ValueType } from "./value_type.ts";

const FIELD_HEADER_BYTES = HEADER_BYTES[topOf(KIND_FIELD, 0)]!;

const WORD = 2 ** 32;
/** The cost of choosing a field from the table, in steps along the chain: five tries, each with two cache misses. */
const CHOOSE_FACTOR = 20;
/** The number of fields that one `scan` visits. */
const SCAN_FIELDS_COUNT = 10;

/** Returns the kind of a field of a large hash whose value has `length` bytes. */
function fieldKind(fieldLength: number, length: number): Kind {
  return isInline(FIELD_HEADER_BYTES, fieldLength, length) ? KIND_FIELD : KIND_FIELD_BLOB;
}

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
  readonly #scratch = new Uint8Array(PACKED_MAX_BYTES * 2);
  readonly #random = new RandomStream();
  #nextId = 1;

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
  }

  /** Returns the number of fields of a hash. */
  length(entry: number): number {
    const meta = this.#words[entry * 2 + 3]!;
    return this.#words[entry * 2 + (kindOf(meta) === KIND_HASH ? 4 : bodyWord(meta))]!;
  }

  /**
   * Creates a hash without fields under an absent key. The caller immediately sets a field of this size, value
   * included.
   */
  #create(key: Uint8Array, start: number, length: number, fieldSize: number): number {
    const room = Math.min(PACKED_MAX_BYTES, packedFieldSize(0) * 2 + fieldSize);
    const entry = this.#entries.create(KIND_HASH_PACKED, key, start, length, 0, room);
    const words = this.#words;
    words[entry * 2 + 4] = 0;
    words[entry * 2 + bodyWord(words[entry * 2 + 3]!)] = 0;
    return entry;
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
    if (entry === 0) entry = this.#create(key, keyStart, keyLength, fieldLength + valueLength);
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
          ? this.#addPacked(entry, field, fieldStart, fieldLength, value, valueStart, valueLength)
          : this.#replacePacked(entry, at, value, valueStart, valueLength);
        if (set !== 0) return set;
      }
      entry = this.#enlarge(entry);
    }
    this.#setLarge(entry, field, fieldStart, fieldLength, value, valueStart, valueLength, view);
    return entry;
  }

  /** Adds a field to a packed hash; returns 0 when the hash would no longer be small. */
  #addPacked(
    entry: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): number {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    const used = words[entry * 2 + 4]!;
    const size = used + packedFieldSize(fieldLength) + packedFieldSize(valueLength);
    if (size > PACKED_MAX_BYTES) return 0;
    this.added = true;
    entry = this.#entries.reform(entry, meta >>> 24, size, used);
    const at = this.#entries.valueStart(entry) + used;
    const after = writePackedField(this.#bytes, at, field, fieldStart, fieldLength);
    writePackedField(this.#bytes, after, value, valueStart, valueLength);
    words[entry * 2 + 4] = size;
    words[entry * 2 + bodyWord(meta)]!++;
    return entry;
  }

  /**
   * Replaces the value of the packed field at `at` with one of another length; returns 0 when the hash would no longer
   * be small.
   */
  #replacePacked(entry: number, at: number, value: Uint8Array, valueStart: number, valueLength: number): number {
    const words = this.#words;
    const bytes = this.#bytes;
    const meta = words[entry * 2 + 3]!;
    const used = words[entry * 2 + 4]!;
    const base = this.#entries.valueStart(entry);
    const valueAt = afterPacked(bytes, at);
    const offset = valueAt - base;
    const tail = afterPacked(bytes, valueAt) - base;
    const size = offset + packedFieldSize(valueLength) + used - tail;
    if (size > PACKED_MAX_BYTES) return 0;
    this.added = false;
    // The bytes after the value are copied through the scratch, since the value's size changes and the block may
    // change.
    copyBytes(bytes, base + tail, this.#scratch, 0, used - tail);
    entry = this.#entries.reform(entry, meta >>> 24, size, offset);
    const start = this.#entries.valueStart(entry);
    const after = writePackedField(bytes, start + offset, value, valueStart, valueLength);
    copyBytes(this.#scratch, 0, bytes, after, used - tail);
    words[entry * 2 + 4] = size;
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
    this.#beginLarge(large);
    for (let at = 0; at < used;) {
      const valueAt = afterPacked(scratch, at);
      this.#setLarge(large, scratch, at + 1, scratch[at]!, scratch, valueAt + 1, scratch[valueAt]!);
      at = afterPacked(scratch, valueAt);
    }
    return large;
  }

  /** Gives a HASH entry no fields and a new id. */
  #beginLarge(entry: number): void {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    const id = this.#nextId++;
    words[entry * 2 + 4] = 0;
    words[body] = words[body + 1] = 0;
    words[body + 2] = id % WORD;
    words[body + 3] = Math.floor(id / WORD);
  }

  #setLarge(
    entry: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    view?: DataView,
  ): void {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    const idLow = words[body + 2]!;
    const idHigh = words[body + 3]!;
    const hash = this.#entries.hashField(field, fieldStart, fieldLength, idLow, idHigh);
    const found = this.#entries.fields.find(hash, field, fieldStart, fieldLength, idLow, idHigh);
    this.added = found === 0;
    if (found !== 0) {
      this.#epoch = words[found * 2 + 3]! & FLAG_EPOCH;
      // Most writes replace a value with one of the same length.
      if (kindOf(words[found * 2 + 3]!) === KIND_FIELD && words[found * 2 + 4] === valueLength) {
        const at = this.#entries.valueStart(found);
        copyViewed(value, view, valueStart, this.#bytes, this.#view, at, valueLength);
      } else {
        this.#entries.replaceValue(found, fieldKind(fieldLength, valueLength), value, valueStart, valueLength);
      }
      return;
    }
    const kind = fieldKind(fieldLength, valueLength);
    const made = this.#entries.createField(
      kind,
      words[entry * 2 + 3]! & FLAG_EPOCH,
      hash,
      idLow,
      idHigh,
      field,
      fieldStart,
      fieldLength,
      kind === KIND_FIELD ? valueLength : 0,
    );
    this.#entries.writeValue(made, value, valueStart, valueLength);
    this.#entries.chains.link(entry, made, false);
    words[entry * 2 + 4]!++;
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
    const bytes = this.#bytes;
    const meta = words[entry * 2 + 3]!;
    this.#epoch = meta & FLAG_EPOCH;
    if (kindOf(meta) === KIND_HASH_PACKED) {
      const base = this.#entries.valueStart(entry);
      const used = words[entry * 2 + 4]!;
      const at = findPackedField(bytes, base, base + used, field, start, length);
      this.removed = at >= 0;
      if (at < 0) return entry;
      const after = afterPacked(bytes, afterPacked(bytes, at));
      bytes.copyWithin(at, after, base + used);
      words[entry * 2 + 4] = used - (after - at);
      return --words[entry * 2 + bodyWord(meta)]! === 0 ? 0 : entry;
    }
    const found = this.#findLarge(entry, field, start, length);
    this.removed = found !== 0;
    if (found === 0) return entry;
    this.#epoch = words[found * 2 + 3]! & FLAG_EPOCH;
    this.#freeField(entry, found);
    return words[entry * 2 + 4] === 0 ? 0 : entry;
  }

  #findLarge(entry: number, field: Uint8Array, start: number, length: number): number {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    const idLow = words[body + 2]!;
    const idHigh = words[body + 3]!;
    const hash = this.#entries.hashField(field, start, length, idLow, idHigh);
    return this.#entries.fields.find(hash, field, start, length, idLow, idHigh);
  }

  /** Frees a field. Returns the number of pieces of its value. */
  #freeField(entry: number, field: number): number {
    const words = this.#words;
    this.#entries.cursor.fieldLeaves(field, words[field * 2]!, entry);
    this.#entries.fields.remove(words[field * 2 + 2]! | 0, field);
    this.#entries.chains.unlink(entry, field);
    const pieces = this.#entries.freeBlob(field);
    this.#entries.arena.free(field);
    words[entry * 2 + 4]!--;
    return pieces;
  }

  /** Puts the cursor on a field; returns `false` when it is absent. */
  find(entry: number, field: Uint8Array, start: number, length: number): boolean {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    if (meta >>> 27 !== KIND_HASH_PACKED) {
      this.#field = this.#findLarge(entry, field, start, length);
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
    const random = this.#random;
    random.begin(from);
    const count = this.length(entry);
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    const { fields } = this.#entries;
    this.#entry = entry;
    if (kindOf(meta) === KIND_HASH && count * count > fields.count * CHOOSE_FACTOR) {
      const body = entry * 2 + bodyWord(meta);
      // The table has fields of all hashes. Fields of others are skipped, until walking along the chain would have been
      // cheaper.
      for (let left = fields.count * CHOOSE_FACTOR / count; left > 0; left--) {
        const field = fields.choose(random);
        if (words[field * 2 + 5] !== words[body + 2] || words[field * 2 + 6] !== words[body + 3]) continue;
        this.#field = field;
        return true;
      }
    }
    const index = random.below(count);
    if (kindOf(meta) === KIND_HASH && index > count / 2) {
      this.#field = words[entry * 2 + bodyWord(meta) + 1]!;
      for (let i = count - 1; i > index; i--) this.#field = words[this.#field * 2 + 1]!;
    } else {
      this.first(entry);
      for (let i = 0; i < index; i++) this.next();
    }
    return true;
  }

  /**
   * Visits a few fields, the newest first, and returns the next cursor: the hash of the next field.
   *
   * Fields are in the order of their creation. A field that was created or created again since a call is among those
   * already visited, and the next field is still in its place or among them too: no field is skipped. If the next field
   * was removed, or several fields have its hash, the scan starts again.
   *
   * @param cursor 0 at the beginning; 0 is returned at the end
   * @param visit a function that must not change the store
   */
  scan(entry: number, cursor: number, visit: () => void): number {
    const words = this.#words;
    const meta = words[entry * 2 + 3]!;
    if (kindOf(meta) === KIND_HASH_PACKED) {
      for (let more = this.first(entry); more; more = this.next()) visit();
      return 0;
    }
    const body = entry * 2 + bodyWord(meta);
    const idLow = words[body + 2]!;
    const idHigh = words[body + 3]!;
    const { fields } = this.#entries;
    let field = cursor === 0 ? 0 : fields.findOnly(cursor | 0, idLow, idHigh);
    if (field === 0) field = words[body + 1]!;
    this.#entry = entry;
    for (let visited = 0; field !== entry; visited++) {
      const hash = words[field * 2 + 2]!;
      if (visited >= SCAN_FIELDS_COUNT && hash !== 0 && fields.findOnly(hash | 0, idLow, idHigh) === field) return hash;
      this.#field = field;
      visit();
      field = words[field * 2 + 1]!;
    }
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

  /**
   * Frees the fields of a large hash that was removed from the table, and finally its entry. A field is one step, and
   * so is a piece of its value.
   *
   * @returns the budget left; the entry is freed when it is above 0
   */
  free(entry: number, budget: number): number {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    while (words[body] !== 0) {
      if (budget-- <= 0) return 0;
      budget -= this.#freeField(entry, words[body]!);
    }
    this.#entries.garbage.remove(entry);
    this.#entries.arena.free(entry);
    return Math.max(1, budget);
  }

  /** Updates the references to a field that compaction has moved. */
  partMoved(_kind: Kind, from: number, to: number): void {
    this.#entries.moved(from, to);
  }

  /** Never called: a field with a blob is an entry, and entries.ts updates it. */
  pieceMoved(): never {
    assert(false, "a piece of a part of a hash moved");
  }

  /**
   * Returns the bytes that the fields of a hash take in the arena beyond its entry.
   *
   * @param samples the number of fields that are measured, the others count as their average; 0: all
   */
  partsBytes(entry: number, samples: number): number {
    const words = this.#words;
    if (kindOf(words[entry * 2 + 3]!) !== KIND_HASH) return 0;
    let bytes = 0;
    let measured = 0;
    let field = words[entry * 2 + bodyWord(words[entry * 2 + 3]!)]!;
    for (; field !== 0 && field !== entry && (samples === 0 || measured < samples); measured++) {
      bytes += this.#entries.arena.sizeAt(field) + this.#entries.blobs.bytes(this.#entries.firstPiece(field));
      field = words[field * 2]!;
    }
    const count = words[entry * 2 + 4]!;
    return measured === count ? bytes : Math.round(bytes / measured * count);
  }

  /** Returns the number of fields that have an entry. */
  fieldsCount(entry: number): number {
    return this.isLarge(entry) ? this.#words[entry * 2 + 4]! : 0;
  }

  /** Visits the sizes of the fields and pieces of blobs of a copy. */
  measureCopy(entry: number, count: (size: number) => void): void {
    const words = this.#words;
    if (kindOf(words[entry * 2 + 3]!) !== KIND_HASH) return;
    const entries = this.#entries;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    for (let field = words[body]!; field !== entry; field = words[field * 2]!) {
      const meta = words[field * 2 + 3]!;
      count(HEADER_BYTES[meta >>> 24]! + keyLengthOf(meta) + entries.inlineSize(field));
      entries.blobs.eachSize(entries.firstPiece(field), count);
    }
  }

  /** Copies a hash to an absent key. */
  copyEntry(entry: number, key: Uint8Array, start: number, length: number, deadlineMs: number): number {
    if (!this.isLarge(entry)) return this.#entries.clonePacked(entry, key, start, length, deadlineMs);
    const made = this.#entries.create(KIND_HASH, key, start, length, deadlineMs, 0);
    this.#copyFields(entry, made);
    return made;
  }

  #copyFields(from: number, to: number): void {
    const words = this.#words;
    const entries = this.#entries;
    this.#beginLarge(to);
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
      entries.chains.link(to, made, false);
    }
    words[to * 2 + 4] = words[from * 2 + 4]!;
  }

  /** Captures a packed hash whole. */
  capture(entry: number, writer: EffectWriter): boolean {
    if (kindOf(this.#words[entry * 2 + 3]!) === KIND_HASH) {
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
