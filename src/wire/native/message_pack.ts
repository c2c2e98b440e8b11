/**
 * MessagePack headers, read and written in place.
 *
 * Only what the native protocol uses: nil, booleans, integers, float 64, str, bin, array and map
 * (https://github.com/msgpack/msgpack/blob/master/spec.md). `@std/msgpack` allocates an array per number, so it is
 * the oracle in the tests and not the codec of the hot path.
 *
 * Every writer takes the target and a position, needs the room its name promises, and returns the position behind
 * what it wrote.
 *
 * @module
 */

/** Most bytes that the header of a str, bin, array or map, or an integer, takes. */
export const HEADER_MAX_BYTES = 9;

/** First bytes of the forms that are not folded into one byte. */
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

function write16(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 8;
  target[at + 1] = value;
  return at + 2;
}

/** Writes a big-endian 32-bit unsigned integer. */
export function write32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}

/** The big-endian 16-bit unsigned integer at `at`. */
export function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** The big-endian 32-bit unsigned integer at `at`. */
export function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Writes a length behind the form for 8 bits, or that for 16 or 32, which follow it. */
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

/** Writes a count folded into one byte, or behind the form for 16 bits, or that for 32, which follows it. */
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
