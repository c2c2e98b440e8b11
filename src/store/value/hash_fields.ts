/**
 * The fields of large hashes: an entry each, in a table that all large hashes share.
 *
 * ```text
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

import { copyViewed } from "../../bytes.ts";
import {
  bodyWord,
  FLAG_EPOCH,
  HEADER_BYTES,
  keyLengthOf,
  type Kind,
  KIND_FIELD,
  KIND_FIELD_BLOB,
  kindOf,
  topOf,
} from "../block.ts";
import { type Entries, isInline } from "../entries.ts";
import type { RandomStream } from "../random_stream.ts";

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

/** The fields of the large hashes of one arena. */
export class HashFields {
  /** Whether the last `set` created a field. */
  added = false;
  readonly #entries: Entries;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #nextId = 1;

  constructor(entries: Entries) {
    this.#entries = entries;
    this.#words = entries.words;
    this.#bytes = entries.bytes;
    this.#view = entries.arena.view;
  }

  /** Gives a HASH entry no fields and a new id. */
  begin(entry: number): void {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    const id = this.#nextId++;
    words[entry * 2 + 4] = 0;
    words[body] = words[body + 1] = 0;
    words[body + 2] = id % WORD;
    words[body + 3] = Math.floor(id / WORD);
  }

  /** Returns the entry of a field, or 0. */
  find(entry: number, field: Uint8Array, start: number, length: number): number {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    const idLow = words[body + 2]!;
    const idHigh = words[body + 3]!;
    const hash = this.#entries.hashField(field, start, length, idLow, idHigh);
    return this.#entries.fields.find(hash, field, start, length, idLow, idHigh);
  }

  /** Sets a field, and `added`. Returns the field's entry. */
  set(
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
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    const idLow = words[body + 2]!;
    const idHigh = words[body + 3]!;
    const hash = this.#entries.hashField(field, fieldStart, fieldLength, idLow, idHigh);
    const found = this.#entries.fields.find(hash, field, fieldStart, fieldLength, idLow, idHigh);
    this.added = found === 0;
    if (found !== 0) {
      // Most writes replace a value with one of the same length.
      if (kindOf(words[found * 2 + 3]!) === KIND_FIELD && words[found * 2 + 4] === valueLength) {
        const at = this.#entries.valueStart(found);
        copyViewed(value, view, valueStart, this.#bytes, this.#view, at, valueLength);
        return found;
      }
      return this.#entries.replaceValue(found, fieldKind(fieldLength, valueLength), value, valueStart, valueLength);
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
    return made;
  }

  /** Removes a field, given as its entry, and frees it. Returns the number of pieces of its value. */
  remove(entry: number, field: number): number {
    const words = this.#words;
    this.#entries.cursor.fieldLeaves(field, words[field * 2]!, entry);
    this.#entries.fields.remove(words[field * 2 + 2]! | 0, field);
    this.#entries.chains.unlink(entry, field);
    const pieces = this.#entries.freeBlob(field);
    this.#entries.arena.free(field);
    words[entry * 2 + 4]!--;
    return pieces;
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
      budget -= this.remove(entry, words[body]!);
    }
    this.#entries.garbage.remove(entry);
    this.#entries.arena.free(entry);
    return Math.max(1, budget);
  }

  /**
   * Returns a random field, each with about the same probability: from the table, or along the chain if it is short.
   */
  choose(entry: number, random: RandomStream): number {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    const count = words[entry * 2 + 4]!;
    const { fields } = this.#entries;
    if (count * count > fields.count * CHOOSE_FACTOR) {
      // The table has fields of all hashes. Fields of others are skipped, until walking along the chain would have been
      // cheaper.
      for (let left = fields.count * CHOOSE_FACTOR / count; left > 0; left--) {
        const field = fields.choose(random);
        if (words[field * 2 + 5] === words[body + 2] && words[field * 2 + 6] === words[body + 3]) return field;
      }
    }
    const index = random.below(count);
    const fromLast = index > count / 2;
    let field = words[fromLast ? body + 1 : body]!;
    for (let left = fromLast ? count - 1 - index : index; left > 0; left--) {
      field = words[field * 2 + (fromLast ? 1 : 0)]!;
    }
    return field;
  }

  /**
   * Visits a few fields, the newest first, and returns the next cursor: the hash of the next field.
   *
   * Fields are in the order of their creation. A field that was created or created again since a call is among those
   * already visited, and the next field is still in its place or among them too: no field is skipped. If the next field
   * was removed, or several fields have its hash, the scan starts again.
   *
   * @param cursor 0 at the beginning; 0 is returned at the end
   * @param visit a function of a field's entry that must not change the store
   */
  scan(entry: number, cursor: number, visit: (field: number) => void): number {
    const words = this.#words;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    const idLow = words[body + 2]!;
    const idHigh = words[body + 3]!;
    const { fields } = this.#entries;
    let field = cursor === 0 ? 0 : fields.findOnly(cursor | 0, idLow, idHigh);
    if (field === 0) field = words[body + 1]!;
    for (let visited = 0; field !== entry; visited++) {
      const hash = words[field * 2 + 2]!;
      if (visited >= SCAN_FIELDS_COUNT && hash !== 0 && fields.findOnly(hash | 0, idLow, idHigh) === field) return hash;
      visit(field);
      field = words[field * 2 + 1]!;
    }
    return 0;
  }

  /**
   * Returns the bytes that the fields of a large hash take in the arena beyond its entry.
   *
   * @param samples the number of fields that are measured, the others count as their average; 0: all
   */
  partsBytes(entry: number, samples: number): number {
    const words = this.#words;
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

  /** Visits the sizes of the fields and pieces of blobs of a copy. */
  measureCopy(entry: number, count: (size: number) => void): void {
    const words = this.#words;
    const entries = this.#entries;
    const body = entry * 2 + bodyWord(words[entry * 2 + 3]!);
    for (let field = words[body]!; field !== entry; field = words[field * 2]!) {
      const meta = words[field * 2 + 3]!;
      count(HEADER_BYTES[meta >>> 24]! + keyLengthOf(meta) + entries.inlineSize(field));
      entries.blobs.eachSize(entries.firstPiece(field), count);
    }
  }

  /** Copies all fields of a large hash to another one, whose id and chain begin here. */
  copy(from: number, to: number): void {
    const words = this.#words;
    const entries = this.#entries;
    this.begin(to);
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
}
