import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { decode } from "@std/msgpack";
import type { ValueType } from "@std/msgpack";
import {
  HEADER_MAX_BYTES,
  writeArrayHeader,
  writeBinHeader,
  writeInteger,
  writeInteger64,
  writeMapHeader,
  writeStrHeader,
} from "../../../src/wire/native/message_pack.ts";
import { read16, read32, write32 } from "../../../src/bytes.ts";
import { concat } from "../../support/hex.ts";

/** Lengths on both sides of every boundary between forms. */
const LENGTHS = [0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536];

type HeaderWriter = (target: Uint8Array, at: number, count: number) => number;

/** Returns what a writer wrote at position 3, and verifies that it wrote nothing else. */
function written(write: HeaderWriter, count: number): Uint8Array {
  const target = new Uint8Array(3 + HEADER_MAX_BYTES + 3).fill(0xee);
  const end = write(target, 3, count);
  assertEquals([...target.subarray(0, 3)], [0xee, 0xee, 0xee]);
  for (let i = end; i < target.length; i++) assertEquals(target[i], 0xee, `byte ${i} after ${count}`);
  return target.slice(3, end);
}

Deno.test("read16(), read32() and write32() are big-endian and unsigned", () => {
  const bytes = Uint8Array.of(9, 0xfe, 0xdc, 0xba, 0x98, 9);
  assertEquals(read16(bytes, 1), 0xfedc);
  assertEquals(read32(bytes, 1), 0xfedcba98);
  for (const value of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
    assertEquals(write32(bytes, 1, value), 5);
    assertEquals(read32(bytes, 1), value);
  }
  assertEquals([bytes[0], bytes[5]], [9, 9]);
});

Deno.test("writeBinHeader() begins what the oracle decodes as bytes", () => {
  for (const length of LENGTHS) {
    const data = new Uint8Array(length).fill(7);
    assertEquals(decode(concat(written(writeBinHeader, length), data)), data, `length ${length}`);
  }
});

Deno.test("writeStrHeader() begins what the oracle decodes as text", () => {
  for (const length of LENGTHS) {
    const data = new Uint8Array(length).fill(0x78);
    assertEquals(decode(concat(written(writeStrHeader, length), data)), "x".repeat(length), `length ${length}`);
  }
});

Deno.test("writeArrayHeader() begins what the oracle decodes as an array", () => {
  for (const count of LENGTHS) {
    const items = new Uint8Array(count).fill(5);
    assertEquals(decode(concat(written(writeArrayHeader, count), items)), Array(count).fill(5), `count ${count}`);
  }
});

Deno.test("writeMapHeader() begins what the oracle decodes as a map", () => {
  for (const count of LENGTHS) {
    const parts = [written(writeMapHeader, count)];
    for (let i = 0; i < count; i++) {
      const name = String(i);
      parts.push(written(writeStrHeader, name.length), new TextEncoder().encode(name), Uint8Array.of(1));
    }
    const found = Object.entries(decode(Buffer.concat(parts)) as Record<string, ValueType>);
    assertEquals(found.length, count);
    assert(found.every(([name, value], i) => name === String(i) && value === 1), `count ${count}`);
  }
});

Deno.test("writeInteger() writes each integer in its shortest form", () => {
  const lengthOf = new Map<number, number>([
    [0, 1],
    [127, 1],
    [128, 2],
    [255, 2],
    [256, 3],
    [65535, 3],
    [65536, 5],
    [2 ** 31, 5],
    [2 ** 32 - 1, 5],
    [2 ** 32, 9],
    [2 ** 32 + 1, 9],
    [Number.MAX_SAFE_INTEGER, 9],
    [-1, 1],
    [-32, 1],
    [-33, 2],
    [-128, 2],
    [-129, 3],
    [-32768, 3],
    [-32769, 5],
    [-(2 ** 31), 5],
    [-(2 ** 31) - 1, 9],
    [-(2 ** 32), 9],
    [-(2 ** 32) - 1, 9],
    [Number.MIN_SAFE_INTEGER, 9],
  ]);
  for (const [value, length] of lengthOf) {
    const bytes = written(writeInteger, value);
    assertEquals(bytes.length, length, `length of ${value}`);
    // The oracle decodes 64-bit forms as bigint.
    assertEquals(Number(decode(bytes)), value);
  }
});

Deno.test("writeInteger64() writes what the oracle decodes, up to both ends of 64 bits", () => {
  for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n), 2n ** 62n + 0xffffffffn, -1n]) {
    const target = new Uint8Array(HEADER_MAX_BYTES);
    assertEquals(writeInteger64(target, 0, value), HEADER_MAX_BYTES);
    assertEquals(decode(target), value);
  }
});
