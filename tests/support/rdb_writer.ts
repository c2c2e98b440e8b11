/**
 * Writes RDB files with the encodings that no installed program writes any more, or not yet.
 *
 * @module
 */

/** Bytes, or text that has one character for each byte. */
export type Data = string | Uint8Array;

/** Returns the bytes of some data. */
export function bytesOf(data: Data): Uint8Array {
  return typeof data === "string" ? Uint8Array.from(data, (character) => character.charCodeAt(0)) : data;
}

function concat(...parts: readonly (Data | readonly number[])[]): Uint8Array {
  const arrays = parts.map((part) => Array.isArray(part) ? Uint8Array.from(part) : bytesOf(part as Data));
  const joined = new Uint8Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    joined.set(array, at);
    at += array.length;
  }
  return joined;
}

/** Returns an integer in little-endian bytes. */
export function little(value: number | bigint, size: number): number[] {
  return Array.from({ length: size }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 0xffn));
}

function big(value: number | bigint, size: number): number[] {
  return little(value, size).reverse();
}

/** Returns a length as RDB files have it, in the shortest form or in that of as many bits. */
export function length(
  value: number | bigint,
  bits = value < 64 ? 6 : value < 16_384 ? 14 : value < 2 ** 32 ? 32 : 64,
) {
  if (bits === 6) return [Number(value)];
  if (bits === 14) return [0x40 | Number(value) >> 8, Number(value) & 0xff];
  return bits === 32 ? [0x80, ...big(value, 4)] : [0x81, ...big(value, 8)];
}

/** Returns a string as RDB files have it. */
export function string(data: Data): Uint8Array {
  const bytes = bytesOf(data);
  return concat(length(bytes.length), bytes);
}

/** Returns a ziplist. A number is stored as an integer. */
export function ziplist(...elements: readonly (Data | number)[]): Uint8Array {
  const entries: Uint8Array[] = [];
  let before = 0;
  for (const element of elements) {
    const prefix = before < 254 ? [before] : [254, ...little(before, 4)];
    const entry = concat(prefix, ziplistEntry(element));
    entries.push(entry);
    before = entry.length;
  }
  const body = concat(...entries);
  const total = 10 + body.length + 1;
  return concat(little(total, 4), little(total - 1 - before, 4), little(Math.min(elements.length, 65_535), 2), body, [
    255,
  ]);
}

function ziplistEntry(element: Data | number): Uint8Array {
  if (typeof element === "number") {
    if (element >= 0 && element <= 12) return concat([0xf1 + element]);
    if (element >= -128 && element < 128) return concat([0xfe], little(element, 1));
    if (element >= -32_768 && element < 32_768) return concat([0xc0], little(element, 2));
    if (element >= -8_388_608 && element < 8_388_608) return concat([0xf0], little(element, 3));
    if (element >= -(2 ** 31) && element < 2 ** 31) return concat([0xd0], little(element, 4));
    return concat([0xe0], little(element, 8));
  }
  const bytes = bytesOf(element);
  if (bytes.length < 64) return concat([bytes.length], bytes);
  if (bytes.length < 16_384) return concat([0x40 | bytes.length >> 8, bytes.length & 0xff], bytes);
  return concat([0x80], big(bytes.length, 4), bytes);
}

/** Returns a listpack of strings. */
export function listpack(...elements: readonly Data[]): Uint8Array {
  const entries = elements.map((element) => {
    const bytes = bytesOf(element);
    const entry = bytes.length < 64
      ? concat([0x80 | bytes.length], bytes)
      : concat([0xe0 | bytes.length >> 8, bytes.length & 0xff], bytes);
    // The size of these entries, from the end on, with seven bits in each byte.
    const size = entry.length <= 127 ? [entry.length] : [entry.length >> 7, 0x80 | entry.length & 0x7f];
    return concat(entry, size);
  });
  const body = concat(...entries);
  return concat(little(6 + body.length + 1, 4), little(elements.length, 2), body, [255]);
}

/** Returns a zipmap of fields and values. */
export function zipmap(...pairs: readonly (readonly [field: Data, value: Data])[]): Uint8Array {
  const part = (bytes: Uint8Array) => bytes.length < 254 ? [bytes.length] : [254, ...little(bytes.length, 4)];
  const entries = pairs.map(([field, value], index) => {
    const free = index % 3;
    return concat(part(bytesOf(field)), field, part(bytesOf(value)), [free], value, new Uint8Array(free));
  });
  return concat([pairs.length], ...entries, [255]);
}

/** Returns the checksum of RDB files, computed bit by bit. */
export function crc64(bytes: Uint8Array): bigint {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n;
  }
  return crc;
}

/** Returns an RDB file of a version. The parts are operations, and types with keys and values. */
export function rdbFile(version: string, ...parts: readonly (Data | readonly number[])[]): Uint8Array {
  const content = concat(version, ...parts, [255]);
  const hasChecksum = Number(version.replace(/\D/g, "")) >= 5;
  return hasChecksum ? concat(content, little(crc64(content), 8)) : content;
}
