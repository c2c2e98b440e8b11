/**
 * Packed fields: a small hash as one run, read from its beginning.
 *
 * ```text
 * length:8 · field · length:8 · value      length:8 · field · length:8 · value      …
 * ```
 *
 * Each length has one byte: a packed field or value has at most `PACKED_ELEMENT_MAX_BYTES`, and the run at most
 * `PACKED_MAX_BYTES`, so a search compares a few dozen lengths at worst. Fields are never searched from the end, so
 * they have no second length there, unlike a list's elements (packed.ts).
 *
 * @module
 */

import { copyBytes } from "../../bytes.ts";

/** Returns the bytes that a field or value of `length` bytes takes in a run. */
export function packedFieldSize(length: number): number {
  return 1 + length;
}

/** Returns the position after the field or value at `at`: that of the field's value, or of the next field. */
export function afterPacked(bytes: Uint8Array, at: number): number {
  return at + 1 + bytes[at]!;
}

/** Returns the position of a field in the run `[begin, end)`, or -1. */
export function findPackedField(
  bytes: Uint8Array,
  begin: number,
  end: number,
  field: Uint8Array,
  start: number,
  length: number,
): number {
  for (let at = begin; at < end;) {
    const size = bytes[at]!;
    const valueAt = at + 1 + size;
    if (size === length) {
      let i = 0;
      while (i < length && bytes[at + 1 + i] === field[start + i]) i++;
      if (i === length) return at;
    }
    at = valueAt + 1 + bytes[valueAt]!;
  }
  return -1;
}

/** Writes a field or a value at `at`, and returns the position after it. */
export function writePackedField(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  length: number,
): number {
  target[at] = length;
  copyBytes(source, start, target, at + 1, length);
  return at + 1 + length;
}
