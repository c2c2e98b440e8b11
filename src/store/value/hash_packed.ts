/**
 * Packed hashes: creating, growing and shrinking the run of fields (packed_fields.ts) in the entry of a small hash.
 *
 * ```text
 * HASH_PACKED entry   bytes of the run · … count of fields · key · run
 * ```
 *
 * @module
 */

import { copyBytes } from "../../bytes.ts";
import { PACKED_MAX_BYTES } from "../../limits.ts";
import { bodyWord, KIND_HASH_PACKED } from "../block.ts";
import type { Entries } from "../entries.ts";
import { afterPacked, findPackedField, packedFieldSize, writePackedField } from "./packed_fields.ts";

/** The packed hashes of one arena. */
export class PackedHashes {
  readonly #entries: Entries;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #scratch = new Uint8Array(PACKED_MAX_BYTES);

  constructor(entries: Entries) {
    this.#entries = entries;
    this.#words = entries.words;
    this.#bytes = entries.bytes;
  }

  /**
   * Creates a hash without fields under an absent key. The caller immediately sets a field of this size, value
   * included.
   */
  create(key: Uint8Array, start: number, length: number, fieldSize: number): number {
    const room = Math.min(PACKED_MAX_BYTES, packedFieldSize(0) * 2 + fieldSize);
    const entry = this.#entries.create(KIND_HASH_PACKED, key, start, length, 0, room);
    const words = this.#words;
    words[entry * 2 + 4] = 0;
    words[entry * 2 + bodyWord(words[entry * 2 + 3]!)] = 0;
    return entry;
  }

  /** Adds a field to a packed hash; returns 0 when the hash would no longer be small. */
  add(
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
  replace(entry: number, at: number, value: Uint8Array, valueStart: number, valueLength: number): number {
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

  /** Removes a field. Returns whether it existed. */
  remove(entry: number, field: Uint8Array, start: number, length: number): boolean {
    const words = this.#words;
    const bytes = this.#bytes;
    const base = this.#entries.valueStart(entry);
    const used = words[entry * 2 + 4]!;
    const at = findPackedField(bytes, base, base + used, field, start, length);
    if (at < 0) return false;
    const after = afterPacked(bytes, afterPacked(bytes, at));
    bytes.copyWithin(at, after, base + used);
    words[entry * 2 + 4] = used - (after - at);
    words[entry * 2 + bodyWord(words[entry * 2 + 3]!)]!--;
    return true;
  }
}
