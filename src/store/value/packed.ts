/**
 * Packed elements: short byte strings one after another, readable from both ends.
 *
 * ```text
 * length ≤ 252      length:8 · bytes · length:8
 * length ≤ 65,535   253 · length:16 little-endian · bytes · length:16 · 253
 * outside           255 · first piece:32 · length:32 · 255          the bytes are in a blob (blob.ts)
 * ```
 *
 * A small list is one such run after its key; the leaves of large lists are runs as well.
 *
 * @module
 */

import { copyBytes, copyViewed, equalBytes } from "../../bytes.ts";

const SHORT_MAX_BYTES = 252;
const LONG = 253;
const OUTSIDE = 255;

/** The bytes that a reference to a blob takes in a run. */
export const OUTSIDE_BYTES = 10;

/** Returns the bytes that an element of `length` bytes takes in a run. */
export function packedSize(length: number): number {
  return length <= SHORT_MAX_BYTES ? length + 2 : length + 6;
}

/**
 * Writes an element at `at`, and returns the position after it. Short elements are copied faster if both buffers' views
 * are given.
 */
export function writePacked(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  length: number,
  targetView?: DataView,
  sourceView?: DataView,
): number {
  if (length <= SHORT_MAX_BYTES) {
    target[at] = length;
    copyViewed(source, sourceView, start, target, targetView, at + 1, length);
    target[at + 1 + length] = length;
    return at + 2 + length;
  }
  target[at] = LONG;
  target[at + 1] = length;
  target[at + 2] = length >>> 8;
  copyBytes(source, start, target, at + 3, length);
  const after = at + 3 + length;
  target[after] = length;
  target[after + 1] = length >>> 8;
  target[after + 2] = LONG;
  return after + 3;
}

/** Writes an element whose bytes are in the blob that begins at `piece`, and returns the position after it. */
export function writeOutside(target: Uint8Array, at: number, piece: number, length: number): number {
  target[at] = OUTSIDE;
  write32(target, at + 1, piece);
  write32(target, at + 5, length);
  target[at + 9] = OUTSIDE;
  return at + OUTSIDE_BYTES;
}

/** Returns whether the bytes of the element at `at` are in a blob. */
export function isOutside(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === OUTSIDE;
}

/** Returns the first piece of the element at `at`, which is in a blob. */
export function outsidePiece(bytes: Uint8Array, at: number): number {
  return read32(bytes, at + 1);
}

/** Sets the first piece of the element at `at`, which is in a blob. */
export function setOutsidePiece(bytes: Uint8Array, at: number, piece: number): void {
  write32(bytes, at + 1, piece);
}

/** Returns the length of the element at `at`. */
export function packedLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first <= SHORT_MAX_BYTES) return first;
  return first === LONG ? bytes[at + 1]! | (bytes[at + 2]! << 8) : read32(bytes, at + 5);
}

/** Returns where the bytes of the element at `at` begin, which is not in a blob. */
export function packedStart(bytes: Uint8Array, at: number): number {
  return bytes[at]! <= SHORT_MAX_BYTES ? at + 1 : at + 3;
}

/** Returns the position after the element at `at`. */
export function nextPacked(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first <= SHORT_MAX_BYTES) return at + first + 2;
  return first === LONG ? at + (bytes[at + 1]! | (bytes[at + 2]! << 8)) + 6 : at + OUTSIDE_BYTES;
}

/** Returns the position of the element that ends before `end`. */
export function previousPacked(bytes: Uint8Array, end: number): number {
  const last = bytes[end - 1]!;
  if (last <= SHORT_MAX_BYTES) return end - last - 2;
  return last === LONG ? end - (bytes[end - 3]! | (bytes[end - 2]! << 8)) - 6 : end - OUTSIDE_BYTES;
}

/** Returns whether the element at `at`, which is not in a blob, equals these bytes. */
export function equalsPacked(
  bytes: Uint8Array,
  at: number,
  other: Uint8Array,
  start: number,
  length: number,
): boolean {
  return packedLength(bytes, at) === length && equalBytes(bytes, packedStart(bytes, at), other, start, length);
}

/** Returns the position of element `index` of the `count` in `[start, end)`. Counts from the nearer end. */
export function seekPacked(bytes: Uint8Array, start: number, end: number, count: number, index: number): number {
  if (index * 2 < count) {
    let at = start;
    for (let i = 0; i < index; i++) at = nextPacked(bytes, at);
    return at;
  }
  let at = end;
  for (let i = count; i > index; i--) at = previousPacked(bytes, at);
  return at;
}

function write32(target: Uint8Array, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
}

function read32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
