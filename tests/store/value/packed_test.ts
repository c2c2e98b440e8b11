import { assert, assertEquals } from "@std/assert";
import {
  equalsPacked,
  isOutside,
  nextPacked,
  OUTSIDE_BYTES,
  outsidePiece,
  packedLength,
  packedSize,
  packedStart,
  previousPacked,
  seekPacked,
  setOutsidePiece,
  writeOutside,
  writePacked,
} from "../../../src/store/value/packed.ts";

const LENGTHS = [0, 1, 2, 251, 252, 253, 254, 255, 256, 300, 65_535, 7, 0];

Deno.test("packed elements of every length can be read from both ends", () => {
  const run = new Uint8Array(1 << 18);
  const source = Uint8Array.from({ length: 140_000 }, (_, i) => i * 31);
  const positions: number[] = [];
  let at = 5;
  for (const length of LENGTHS) {
    positions.push(at);
    const after = writePacked(run, at, source, length, length);
    assertEquals(after - at, packedSize(length));
    at = after;
  }
  positions.push(at);
  for (const [i, length] of LENGTHS.entries()) {
    const position = positions[i]!;
    assertEquals(packedLength(run, position), length);
    assertEquals(nextPacked(run, position), positions[i + 1]);
    assertEquals(previousPacked(run, positions[i + 1]!), position);
    assertEquals(seekPacked(run, 5, at, LENGTHS.length, i), position);
    assert(equalsPacked(run, position, source, length, length));
    assertEquals(equalsPacked(run, position, source, length + 1, length), length === 0);
    assertEquals(run.subarray(packedStart(run, position)).subarray(0, length), source.subarray(length, 2 * length));
  }
});

Deno.test("a packed element in a blob names it, and keeps its length when the blob moves", () => {
  const run = new Uint8Array(64);
  assertEquals(writeOutside(run, 3, 0xfffffff0, 0x80000001), 3 + OUTSIDE_BYTES);
  assert(isOutside(run, 3));
  assertEquals([outsidePiece(run, 3), packedLength(run, 3)], [0xfffffff0, 0x80000001]);
  setOutsidePiece(run, 3, 42);
  assertEquals([outsidePiece(run, 3), packedLength(run, 3)], [42, 0x80000001]);
  assertEquals([nextPacked(run, 3), previousPacked(run, 13)], [13, 3]);
});
