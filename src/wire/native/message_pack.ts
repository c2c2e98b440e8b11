/**
 * MessagePack headers, read and written in place.
 *
 * Every value begins with a header. Its first byte determines what the value is and how long the header is; the bytes
 * after it, if any, are one big-endian number.
 *
 * ```text
 * first byte        header     the number is                      the value continues with
 * 00..7f  e0..ff    1 byte     the value, in the first byte       -
 * c0  c2  c3        1 byte     - (0 or 1 for a boolean)           -
 * cc..cf  d0..d3    2 3 5 9    the value                          -
 * cb                9          - (float 64)                       -
 * a0..bf            1          a length, in the first byte        that many bytes of UTF-8
 * d9..db            2 3 5      a length                           that many bytes of UTF-8
 * c4..c6            2 3 5      a length                           that many bytes
 * 90..9f            1          a count, in the first byte         that many values
 * dc  dd            3 5        a count                            that many values
 * 80..8f            1          a count, in the first byte         that many pairs of values
 * de  df            3 5        a count                            that many pairs of values
 * ```
 *
 * These are the forms that the native protocol and the log use, of those in
 * https://github.com/msgpack/msgpack/blob/master/spec.md. `@std/msgpack` allocates an array per number, so it is the
 * oracle in the tests and not the codec of the hot path.
 *
 * All readers of MessagePack use the same three functions: {@linkcode kindOf} and {@linkcode headerSize} look the first
 * byte up in a table, and {@linkcode headerNumber} reads the number once the caller has seen that the whole header has
 * arrived. Nothing is allocated, and each caller decides what it accepts and how it refuses the rest.
 *
 * Every writer takes the target and a position, needs the room that its name promises, and returns the position after
 * what it wrote.
 *
 * @module
 */

import { read16, read32, write16, write32 } from "../../bytes.ts";

/** The largest header, in bytes: that of an integer of 64 bits. */
export const HEADER_MAX_BYTES = 9;

/** The first bytes of the headers that have a number after the first byte, and of nil and the booleans. */
export const enum Form {
  Nil = 0xc0,
  False = 0xc2,
  True = 0xc3,
  Bin8 = 0xc4,
  Bin16 = 0xc5,
  Bin32 = 0xc6,
  Float64 = 0xcb,
  Unsigned8 = 0xcc,
  Unsigned16 = 0xcd,
  Unsigned32 = 0xce,
  Unsigned64 = 0xcf,
  Signed8 = 0xd0,
  Signed16 = 0xd1,
  Signed32 = 0xd2,
  Signed64 = 0xd3,
  Str8 = 0xd9,
  Str16 = 0xda,
  Str32 = 0xdb,
  Array16 = 0xdc,
  Array32 = 0xdd,
  Map16 = 0xde,
  Map32 = 0xdf,
}

/**
 * The kinds of values. A hot module copies the kinds that it uses into local constants: V8 folds a constant of the same
 * module into the code, but loads an imported one each time.
 */
export const Kind = {
  /** No value that we use begins with this byte. */
  NONE: 0,
  NIL: 1,
  BOOLEAN: 2,
  UNSIGNED: 3,
  SIGNED: 4,
  FLOAT: 5,
  STR: 6,
  BIN: 7,
  ARRAY: 8,
  MAP: 9,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** The kind of the value that begins with each byte. */
const KINDS = new Uint8Array(256);
/** The size of the header that begins with each byte, in bytes. */
const SIZES = new Uint8Array(256);

/** Defines the headers that begin with the bytes `first` to `last`. */
function define(first: number, last: number, kind: Kind, size: number): void {
  KINDS.fill(kind, first, last + 1);
  SIZES.fill(size, first, last + 1);
}

/** Defines headers that begin with consecutive bytes, one of each size. */
function defineSizes(first: number, kind: Kind, sizes: readonly number[]): void {
  for (const [i, size] of sizes.entries()) define(first + i, first + i, kind, size);
}

define(0x00, 0x7f, Kind.UNSIGNED, 1);
define(0x80, 0x8f, Kind.MAP, 1);
define(0x90, 0x9f, Kind.ARRAY, 1);
define(0xa0, 0xbf, Kind.STR, 1);
define(Form.Nil, Form.Nil, Kind.NIL, 1);
define(Form.False, Form.True, Kind.BOOLEAN, 1);
defineSizes(Form.Bin8, Kind.BIN, [2, 3, 5]);
define(Form.Float64, Form.Float64, Kind.FLOAT, 9);
defineSizes(Form.Unsigned8, Kind.UNSIGNED, [2, 3, 5, 9]);
defineSizes(Form.Signed8, Kind.SIGNED, [2, 3, 5, 9]);
defineSizes(Form.Str8, Kind.STR, [2, 3, 5]);
defineSizes(Form.Array16, Kind.ARRAY, [3, 5]);
defineSizes(Form.Map16, Kind.MAP, [3, 5]);
define(0xe0, 0xff, Kind.SIGNED, 1);

/** Returns what the value that begins with the byte `first` is. */
export function kindOf(first: number): Kind {
  return KINDS[first]! as Kind;
}

/**
 * Returns the size in bytes of the header that begins with the byte `first`, that byte included. The byte begins a
 * value, and is not of `Kind.NONE`.
 */
export function headerSize(first: number): number {
  // The next header cannot be read before the size of this one is known. The processor predicts these branches, so it
  // need not wait for the table.
  if (first < 0xc0 || first >= 0xe0) return 1;
  if (first === Form.Bin8) return 2;
  return SIZES[first]!;
}

/**
 * Returns the number in the header at `at`: a length, a count, or the value of an unsigned integer. `size` is what
 * {@linkcode headerSize} returns, and is less than 9. For signed integers see {@linkcode signedNumber}.
 */
export function headerNumber(bytes: Uint8Array, at: number, size: number): number {
  if (size === 1) {
    const first = bytes[at]!;
    return first >= 0xa0 ? first & 0x1f : first >= 0x80 ? first & 0x0f : first;
  }
  if (size === 2) return bytes[at + 1]!;
  return size === 3 ? read16(bytes, at + 1) : read32(bytes, at + 1);
}

/** Returns the signed integer that {@linkcode headerNumber} has returned as `number` for a header of `size` bytes. */
export function signedNumber(number: number, size: number): number {
  if (size === 1) return number - 32;
  if (size === 2) return number << 24 >> 24;
  return size === 3 ? number << 16 >> 16 : number | 0;
}

/** Writes a length after `form8`, or after one of the two forms that follow it, for lengths of 16 and 32 bits. */
function writeLength(target: Uint8Array, at: number, length: number, form8: number): number {
  if (length < 0x100) {
    target[at] = form8;
    target[at + 1] = length;
    return at + 2;
  }
  if (length < 0x10000) {
    target[at] = form8 + 1;
    return write16(target, at + 1, length);
  }
  target[at] = form8 + 2;
  return write32(target, at + 1, length);
}

/** Writes a count in the byte `folded`, or after `form16`, or after the form that follows it, for counts of 32 bits. */
function writeCount(target: Uint8Array, at: number, count: number, folded: number, form16: number): number {
  if (count < 16) {
    target[at] = folded | count;
    return at + 1;
  }
  if (count < 0x10000) {
    target[at] = form16;
    return write16(target, at + 1, count);
  }
  target[at] = form16 + 1;
  return write32(target, at + 1, count);
}

/** Writes the header of a bin of `length` bytes. */
export function writeBinHeader(target: Uint8Array, at: number, length: number): number {
  return writeLength(target, at, length, Form.Bin8);
}

/** Writes the header of a str whose UTF-8 takes `length` bytes. */
export function writeStrHeader(target: Uint8Array, at: number, length: number): number {
  if (length >= 32) return writeLength(target, at, length, Form.Str8);
  target[at] = 0xa0 | length;
  return at + 1;
}

/** Writes the header of an array of `count` items. */
export function writeArrayHeader(target: Uint8Array, at: number, count: number): number {
  return writeCount(target, at, count, 0x90, Form.Array16);
}

/** Writes the header of a map of `count` pairs. */
export function writeMapHeader(target: Uint8Array, at: number, count: number): number {
  return writeCount(target, at, count, 0x80, Form.Map16);
}

/** Writes a safe integer in its shortest form. */
export function writeInteger(target: Uint8Array, at: number, value: number): number {
  if (value >= 0) {
    if (value < 0x80) {
      target[at] = value;
      return at + 1;
    }
    if (value < 0x100) {
      target[at] = Form.Unsigned8;
      target[at + 1] = value;
      return at + 2;
    }
    if (value < 0x10000) {
      target[at] = Form.Unsigned16;
      return write16(target, at + 1, value);
    }
    if (value < 0x100000000) {
      target[at] = Form.Unsigned32;
      return write32(target, at + 1, value);
    }
    target[at] = Form.Unsigned64;
  } else {
    if (value >= -32) {
      target[at] = value;
      return at + 1;
    }
    if (value >= -0x80) {
      target[at] = Form.Signed8;
      target[at + 1] = value;
      return at + 2;
    }
    if (value >= -0x8000) {
      target[at] = Form.Signed16;
      return write16(target, at + 1, value);
    }
    if (value >= -0x80000000) {
      target[at] = Form.Signed32;
      return write32(target, at + 1, value);
    }
    target[at] = Form.Signed64;
  }
  const high = Math.floor(value / 0x100000000);
  return write32(target, write32(target, at + 1, high), value - high * 0x100000000);
}

/** Writes a 64-bit signed integer that is too large for {@linkcode writeInteger}. */
export function writeInteger64(target: Uint8Array, at: number, value: bigint): number {
  target[at] = Form.Signed64;
  const unsigned = BigInt.asUintN(64, value);
  return write32(target, write32(target, at + 1, Number(unsigned >> 32n)), Number(unsigned & 0xffffffffn));
}
