/**
 * Packed members: the members of a set one after another, each after a tag.
 *
 * ```text
 * tag 0 … 239      the member's bytes: as many as the tag says
 * tag 240 … 245    a decimal integer, in 1 … 6 bytes: two's complement, big-endian
 * tag 255          first piece:32 · length:16 · hash:32, little-endian       the bytes are in a blob (blob.ts)
 * ```
 *
 * A member that is a decimal integer between -2^47 and 2^47 - 1 as Redis writes integers (an optional `-`, no leading
 * zero, no `-0`) is stored as an integer, every other member as its bytes. So each member has exactly one form, and two
 * members are equal if their forms are. A small set is one such run after its key; the leaves of a large set
 * (set_leaves.ts) are runs as well.
 *
 * The *payload* is what follows the tag. A member's hash is that of its payload, or of its bytes when they are in a
 * blob: computing it again would read the whole blob, so the hash is stored beside the reference.
 *
 * @module
 */

import { copyViewed, formatInteger, INTEGER_TEXT_MAX_BYTES, parseInteger } from "../../bytes.ts";

/** The longest member whose bytes are in the run, in bytes. */
export const MEMBER_INLINE_MAX_BYTES = 239;
/** The tag of an integer of no bytes: the tag of an integer of `n` bytes is larger by `n`. */
const INTEGER_TAG = 239;
const INTEGER_WIDTH_MAX_BYTES = 6;
/** The tag of a member whose bytes are in a blob. */
export const OUTSIDE_TAG = 255;
/** The size of a member whose bytes are in a blob, tag included. */
export const OUTSIDE_BYTES = 11;
/** The longest text of an integer of six bytes: a sign and 15 digits. */
const INTEGER_TEXT_BYTES = 16;
const INTEGER_END = 2 ** 47;
const WORD = 2 ** 32;

/** The size of a packed member by its tag, tag included. */
export const PACKED_SIZES: Uint8Array = Uint8Array.from({ length: 256 }, (_, tag) => {
  if (tag <= MEMBER_INLINE_MAX_BYTES) return 1 + tag;
  return tag === OUTSIDE_TAG ? OUTSIDE_BYTES : 1 + Math.min(tag - INTEGER_TAG, INTEGER_WIDTH_MAX_BYTES);
});

/** A member in the form in which it is packed: a tag, and the bytes of its payload. */
export class MemberForm {
  tag = 0;
  /** The array with the payload: that of the member, or one with the bytes of an integer. Borrowed. */
  source: Uint8Array;
  start = 0;
  /** The length of the payload; that of the member when its bytes belong in a blob. */
  length = 0;
  /** The member's hash, if its owner has computed it. */
  hash = 0;
  readonly #integer = new Uint8Array(INTEGER_WIDTH_MAX_BYTES);

  constructor() {
    this.source = this.#integer;
  }

  /** The bytes that the member takes in a run. */
  get size(): number {
    return PACKED_SIZES[this.tag]!;
  }

  /** Finds the form of a member. Its bytes are borrowed until the next call. */
  set(member: Uint8Array, start: number, length: number): void {
    if (length <= INTEGER_TEXT_BYTES && length > 0 && this.#setInteger(member, start, length)) return;
    this.tag = length <= MEMBER_INLINE_MAX_BYTES ? length : OUTSIDE_TAG;
    this.source = member;
    this.start = start;
    this.length = length;
  }

  #setInteger(member: Uint8Array, start: number, length: number): boolean {
    const first = member[start]!;
    if (first === 0x2d ? length === 1 : first < 0x30 || first > 0x39 || length === INTEGER_TEXT_BYTES) return false;
    const value = parseInteger(member, start, length);
    if (!(value >= -INTEGER_END && value < INTEGER_END)) return false;
    let width = 1;
    for (let end = 128; value >= end || value < -end; end *= 256) width++;
    this.tag = INTEGER_TAG + width;
    this.source = this.#integer;
    this.start = INTEGER_WIDTH_MAX_BYTES - width;
    this.length = width;
    const integer = this.#integer;
    // The last four bytes are those of an integer of 32 bits, which needs no division.
    const low = value | 0;
    integer[0] = width > 4 ? Math.floor(value / (WORD * 256)) : 0;
    integer[1] = width > 4 ? Math.floor(value / WORD) : 0;
    integer[2] = low >>> 24;
    integer[3] = low >>> 16;
    integer[4] = low >>> 8;
    integer[5] = low;
    return true;
  }

  /**
   * Writes the member at `at`, without what follows the tag of a member in a blob.
   *
   * @param view a view of `source` before {@linkcode set} was called, if there is one
   */
  write(target: Uint8Array, at: number, targetView?: DataView, view?: DataView): void {
    target[at] = this.tag;
    if (this.tag === OUTSIDE_TAG) return;
    const sourceView = this.source === this.#integer ? undefined : view;
    copyViewed(this.source, sourceView, this.start, target, targetView, at + 1, this.length);
  }
}

/**
 * Returns the position of a member, whose bytes do not belong in a blob, in the run `[at, end)`, or -1. Members are
 * compared from their ends, where they differ most.
 */
export function findPackedMember(bytes: Uint8Array, at: number, end: number, form: MemberForm): number {
  const { tag, source, start, length } = form;
  const last = start + length - 1;
  while (at < end) {
    const other = bytes[at]!;
    if (other === tag) {
      let i = length;
      let from = last;
      while (i > 0 && bytes[at + i] === source[from]) {
        i--;
        from--;
      }
      if (i === 0) return at;
    }
    at += PACKED_SIZES[other]!;
  }
  return -1;
}

/** Returns whether the member at `at` is stored as an integer. */
export function isPackedInteger(bytes: Uint8Array, at: number): boolean {
  const tag = bytes[at]!;
  return tag > INTEGER_TAG && tag !== OUTSIDE_TAG;
}

/** Returns the value of the member at `at`, which is stored as an integer. */
export function packedInteger(bytes: Uint8Array, at: number): number {
  const width = bytes[at]! - INTEGER_TAG;
  const last = at + width;
  // The first byte has the sign.
  let value = (bytes[at + 1]! << 24) >> 24;
  for (let i = at + 2; i <= last; i++) value = value * 256 + bytes[i]!;
  return value;
}

/** The room that the text of an integer needs, in bytes. */
export const INTEGER_ROOM_BYTES = INTEGER_TEXT_MAX_BYTES;

/** Writes the text of the integer at `at` to `target`, which has room for it, and returns its length. */
export function formatPackedInteger(bytes: Uint8Array, at: number, target: Uint8Array): number {
  return formatInteger(packedInteger(bytes, at), target, 0);
}

/** Writes the reference of the member at `at`, whose tag is written, to a blob. */
export function writeOutside(target: Uint8Array, at: number, piece: number, length: number, hash: number): void {
  write32(target, at + 1, piece);
  target[at + 5] = length;
  target[at + 6] = length >>> 8;
  write32(target, at + 7, hash);
}

/** Returns the first piece of the member at `at`, which is in a blob. */
export function outsidePiece(bytes: Uint8Array, at: number): number {
  return read32(bytes, at + 1) >>> 0;
}

/** Sets the first piece of the member at `at`, which is in a blob. */
export function setOutsidePiece(bytes: Uint8Array, at: number, piece: number): void {
  write32(bytes, at + 1, piece);
}

/** Returns the length of the member at `at`, which is in a blob. */
export function outsideLength(bytes: Uint8Array, at: number): number {
  return bytes[at + 5]! | (bytes[at + 6]! << 8);
}

/** Returns the hash of the member at `at`, which is in a blob. */
export function outsideHash(bytes: Uint8Array, at: number): number {
  return read32(bytes, at + 7);
}

function write32(target: Uint8Array, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
}

function read32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
