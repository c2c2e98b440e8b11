/**
 * Strings: one byte string a key, after the key while it is small, and in a blob otherwise.
 *
 * ```text
 * STRING_SHORT entry   … key · value          up to 255 bytes, without a deadline; the length is in word 3
 * STRING entry         length · … key · value
 * STRING_BLOB entry    length · first piece · … key           the value is in pieces (blob.ts)
 * ```
 *
 * The kind follows from the lengths of key and value and from whether there is a deadline (`kindFor`), so every write
 * decides it again. entries.ts reads and writes both forms, which the fields of large hashes have as well.
 *
 * @module
 */

import { copyViewed, parseInteger64 } from "../../bytes.ts";
import { assertNoEffect, type Effect, type EffectNameOf, EFFECTS, type EffectWriter } from "../../effects.ts";
import { assert } from "../../errors.ts";
import { SNAPSHOT_PART_BYTES } from "../../limits.ts";
import type { Arena } from "../arena.ts";
import {
  DEADLINE_WORDS,
  EntryType,
  FLAG_DEADLINE,
  HEADER_BYTES,
  keyLengthOf,
  type Kind,
  KIND_STRING,
  KIND_STRING_BLOB,
  KIND_STRING_SHORT,
  kindOf,
  SHORT_MAX_BYTES,
  shortLengthOf,
  topOf,
  TRAIT_INLINE,
  TRAITS,
  traitsOf,
  TYPES,
  withShortLength,
} from "../block.ts";
import { type Entries, isInline } from "../entries.ts";
import type { Keyspace } from "../keyspace.ts";
import type { ValueType } from "./value_type.ts";

const SHORT_HEADER_BYTES = HEADER_BYTES[topOf(KIND_STRING_SHORT, 0)]!;
const STRING_HEADER_BYTES = HEADER_BYTES[topOf(KIND_STRING, 0)]!;

/** The longest string that Redis stores in one block with its header, in bytes. */
const EMBEDDED_MAX_BYTES = 44;
/** The longest integer of 64 bits in decimal, in bytes. */
const INTEGER64_TEXT_MAX_BYTES = 20;

/** The number of zero bytes that are appended at a time when a string is written to far beyond its end. */
const GAP_PIECE_BYTES = 2 ** 20;

/** Returns the kind of a string whose value has `length` bytes. */
function kindFor(hasDeadline: boolean, keyLength: number, length: number): Kind {
  if (!hasDeadline && length <= SHORT_MAX_BYTES && isInline(SHORT_HEADER_BYTES, keyLength, length)) {
    return KIND_STRING_SHORT;
  }
  const header = STRING_HEADER_BYTES + (hasDeadline ? DEADLINE_WORDS * 4 : 0);
  return isInline(header, keyLength, length) ? KIND_STRING : KIND_STRING_BLOB;
}

/** The strings of one store. Every method that changes a string returns the entry's reference from then on. */
export class Strings implements ValueType {
  readonly #keyspace: Keyspace;
  readonly #entries: Entries;
  readonly #arena: Arena;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(keyspace: Keyspace, entries: Entries) {
    this.#keyspace = keyspace;
    this.#entries = entries;
    this.#arena = entries.arena;
    this.#words = entries.words;
    this.#bytes = entries.bytes;
    this.#view = entries.arena.view;
  }

  /** Returns the length of a string in bytes. */
  length(entry: number): number {
    const meta = this.#words[entry * 2 + 3]!;
    return meta >>> 27 === KIND_STRING_SHORT ? shortLengthOf(meta) : this.#words[entry * 2 + 4]!;
  }

  /**
   * Copies bytes `[from, from + length)` of a string.
   *
   * @param view a view of `target`, if there is one: it makes copying a few bytes faster
   */
  copy(entry: number, from: number, target: Uint8Array, at: number, length: number, view?: DataView): void {
    const meta = this.#words[entry * 2 + 3]!;
    if (meta >>> 27 !== KIND_STRING_BLOB) {
      const start = entry * 8 + HEADER_BYTES[meta >>> 24]! + (meta & 0xffff) + from;
      copyViewed(this.#bytes, this.#view, start, target, view, at, length);
    } else {
      this.#entries.copyValue(entry, from, target, at, length);
    }
  }

  /**
   * Sets a string.
   *
   * @param entry the key's entry, of any type, or 0
   * @param deadlineMs when the key expires; 0: never
   * @param view a view of `value`, if there is one: it makes copying a short value faster
   * @returns the entry
   */
  set(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    entry: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    deadlineMs: number,
    view?: DataView,
  ): number {
    const keyspace = this.#keyspace;
    keyspace.changes++;
    if (keyspace.journal !== undefined) {
      keyspace.journal.setString(entry, key, keyStart, keyLength, deadlineMs, value, valueStart, valueLength, view);
    }
    if (entry !== 0) {
      const words = this.#words;
      const meta = words[entry * 2 + 3]!;
      // Most writes replace a short string with one of about the same size.
      if (
        meta >>> 27 === KIND_STRING_SHORT && deadlineMs === 0 && valueLength <= SHORT_MAX_BYTES &&
        this.#arena.fits(entry, SHORT_HEADER_BYTES + keyLength + valueLength)
      ) {
        words[entry * 2 + 3] = withShortLength(meta, valueLength);
        const at = entry * 8 + SHORT_HEADER_BYTES + keyLength;
        copyViewed(value, view, valueStart, this.#bytes, this.#view, at, valueLength);
        return entry;
      }
      if (TYPES[meta >>> 27] === EntryType.String) {
        if (keyspace.deadline(entry) !== deadlineMs) entry = this.#entries.setDeadline(entry, deadlineMs);
        return this.#replace(entry, value, valueStart, valueLength);
      }
      keyspace.drop(entry);
    }
    const made = this.#create(key, keyStart, keyLength, valueLength, deadlineMs);
    this.#entries.writeValue(made, value, valueStart, valueLength);
    return made;
  }

  /** Creates a string of `length` bytes under an absent key. The caller immediately writes its value. */
  #create(key: Uint8Array, start: number, keyLength: number, length: number, deadlineMs: number): number {
    const kind = kindFor(deadlineMs !== 0, keyLength, length);
    return this.#entries.create(kind, key, start, keyLength, deadlineMs, TRAITS[kind]! & TRAIT_INLINE ? length : 0);
  }

  /** Replaces the value and keeps the deadline. */
  #replace(entry: number, source: Uint8Array, start: number, length: number): number {
    const meta = this.#words[entry * 2 + 3]!;
    const kind = kindFor((meta & FLAG_DEADLINE) !== 0, keyLengthOf(meta), length);
    return this.#entries.replaceValue(entry, kind, source, start, length);
  }

  /** Appends to a string. */
  append(entry: number, source: Uint8Array, start: number, length: number): number {
    this.#keyspace.changes++;
    if (this.#keyspace.journal !== undefined) {
      const effect = this.#keyspace.effect(EFFECTS.appendString, entry, this.length(entry));
      effect.setValue(source, start, length);
      this.#keyspace.report(effect);
    }
    return this.#append(entry, source, start, length);
  }

  #append(entry: number, source: Uint8Array, start: number, length: number): number {
    const entries = this.#entries;
    const meta = this.#words[entry * 2 + 3]!;
    const old = this.length(entry);
    const kind = kindFor((meta & FLAG_DEADLINE) !== 0, keyLengthOf(meta), old + length);
    if (kindOf(meta) === KIND_STRING_BLOB || kind === kindOf(meta)) {
      return entries.appendValue(entry, source, start, length);
    }
    const joined = new Uint8Array(old + length);
    entries.copyValue(entry, 0, joined, 0, old);
    joined.set(source.subarray(start, start + length), old);
    return entries.replaceValue(entry, kind, joined, 0, joined.length);
  }

  /**
   * Overwrites a string from byte `from` on. Zero bytes fill a gap between its end and `from`. Needs the room of the
   * bytes by which the string grows.
   */
  overwrite(entry: number, from: number, source: Uint8Array, start: number, length: number): number {
    this.#keyspace.changes++;
    if (this.#keyspace.journal !== undefined) {
      const effect = this.#keyspace.effect(EFFECTS.overwriteString, entry, this.length(entry));
      effect.index = from;
      effect.setValue(source, start, length);
      this.#keyspace.report(effect);
    }
    for (let gap = from - this.length(entry); gap > 0; gap -= GAP_PIECE_BYTES) {
      const size = Math.min(gap, GAP_PIECE_BYTES);
      entry = this.#append(entry, new Uint8Array(size), 0, size);
    }
    const overwritten = Math.min(length, this.length(entry) - from);
    this.#entries.overwriteValue(entry, from, source, start, overwritten);
    if (overwritten === length) return entry;
    return this.#append(entry, source, start + overwritten, length - overwritten);
  }

  // These are the methods of every type of value.

  /** Returns what Redis would do with the value: integers are numbers there, and short strings are in one block. */
  encoding(entry: number): string {
    const length = this.length(entry);
    if (length > EMBEDDED_MAX_BYTES) return "raw";
    if (length > INTEGER64_TEXT_MAX_BYTES) return "embstr";
    const text = new Uint8Array(length);
    this.copy(entry, 0, text, 0, length);
    return parseInteger64(text, 0, length) === undefined ? "embstr" : "int";
  }

  /** Moves the value into or out of its entry if a string of its length with such a key has it there. */
  renamed(entry: number): number {
    const meta = this.#words[entry * 2 + 3]!;
    const length = this.length(entry);
    const kind = kindFor((meta & FLAG_DEADLINE) !== 0, keyLengthOf(meta), length);
    if ((TRAITS[kind]! & TRAIT_INLINE) === (traitsOf(meta) & TRAIT_INLINE)) return entry;
    const value = new Uint8Array(length);
    this.#entries.copyValue(entry, 0, value, 0, length);
    return this.#entries.replaceValue(entry, kind, value, 0, length);
  }

  /** Never called: a string has no parts. */
  free(): never {
    assert(false, "a string was freed in steps");
  }

  /** Never called: a string has no parts. */
  partMoved(): never {
    assert(false, "a part of a string moved");
  }

  /** Never called: a string has no parts. */
  pieceMoved(): never {
    assert(false, "a piece of a part of a string moved");
  }

  /** Returns the bytes of the value's blob. */
  partsBytes(entry: number): number {
    return this.#entries.blobs.bytes(this.#entries.firstPiece(entry));
  }

  /** Estimates the bytes of the value's blob. */
  estimatePartsBytes(entry: number): number {
    return this.#entries.blobs.estimateBytes(this.#entries.firstPiece(entry), this.length(entry));
  }

  /** Returns 0: a string has no fields. */
  fieldsCount(): number {
    return 0;
  }

  /** Visits the sizes of the pieces of the value's blob. */
  measureCopy(entry: number, count: (size: number) => void): void {
    this.#entries.blobs.eachSize(this.#entries.firstPiece(entry), count);
  }

  /** Copies a string to an absent key. */
  copyEntry(entry: number, key: Uint8Array, start: number, length: number, deadlineMs: number): number {
    const made = this.#create(key, start, length, this.length(entry), deadlineMs);
    this.#entries.cloneValue(entry, made);
    return made;
  }

  /** Captures a string of up to one part whole. */
  capture(entry: number, writer: EffectWriter): boolean {
    const length = this.length(entry);
    if (length > SNAPSHOT_PART_BYTES) {
      this.#entries.cursor.partial = entry;
      return false;
    }
    const effect = this.#keyspace.effect(EFFECTS.setString, entry);
    effect.deadlineMs = this.#keyspace.deadline(entry);
    effect.valueLength = length;
    const at = writer.writeRoom(effect);
    this.copy(entry, 0, writer.buffer, at, length);
    return true;
  }

  /** Captures the next bytes of a long string. */
  capturePart(entry: number, writer: EffectWriter): boolean {
    const { cursor } = this.#entries;
    const length = this.length(entry);
    const part = Math.min(SNAPSHOT_PART_BYTES, length - cursor.capturedTo);
    const effect = this.#keyspace.effect(EFFECTS.appendString, entry, cursor.capturedTo);
    effect.valueLength = part;
    const at = writer.writeRoom(effect);
    this.copy(entry, cursor.capturedTo, writer.buffer, at, part);
    cursor.capturedTo += part;
    if (cursor.capturedTo < length) return false;
    this.#keyspace.endCapture(entry, writer);
    return true;
  }

  /** Limits an overwriting to the bytes that are captured. What is appended is captured later. */
  changesPart(effect: Effect): boolean {
    const name = effect.row.name as EffectNameOf<"string">;
    switch (name) {
      case "overwriteString":
        effect.valueLength = Math.min(effect.valueLength, effect.before - effect.index);
        return effect.valueLength > 0;
      case "appendString":
        return false;
      case "setString":
        return true;
      default:
        return assertNoEffect(name);
    }
  }

  /** Applies an effect on a string. */
  apply(effect: Effect, entry: number): number {
    const { key, keyStart, keyLength, deadlineMs, value, valueStart, valueLength } = effect;
    const name = effect.row.name as EffectNameOf<"string">;
    switch (name) {
      case "setString":
        return this.set(key, keyStart, keyLength, entry, value, valueStart, valueLength, deadlineMs);
      case "appendString":
        if (entry !== 0) return this.append(entry, value, valueStart, valueLength);
        return this.set(key, keyStart, keyLength, 0, value, valueStart, valueLength, 0);
      case "overwriteString":
        return this.overwrite(entry, effect.index, value, valueStart, valueLength);
      default:
        return assertNoEffect(name);
    }
  }
}
