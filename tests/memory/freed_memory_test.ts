import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { FREED_AT_ONCE_MIN_BYTES, FREED_QUEUE_MAX_BYTES } from "../../src/limits.ts";
import { freeBuffer, FreedMemory } from "../../src/memory/freed_memory.ts";
import { amountOf } from "../support/amount.ts";
import { residentBytes } from "../support/resident.ts";
import { until } from "../support/until.ts";

const LARGE_BYTES = 64 * 1024 * 1024;
/** The step between the tested sizes, of a hundred. */
const SIZES_STEP = amountOf("SIZES_STEP", 10, 1);

/** Returns the share of a buffer's whole pages that begin with zero. */
function returnedShare(bytes: Uint8Array): number {
  let zeros = 0;
  for (let at = 0; at < bytes.length; at += 4096) if (bytes[at] === 0) zeros++;
  return zeros / Math.ceil(bytes.length / 4096);
}

/** Returns whether a buffer contains one repeated byte. */
function isFilledWith(bytes: Uint8Array, byte: number): boolean {
  return Buffer.alloc(bytes.length, byte).equals(bytes);
}

Deno.test("freeBuffer() returns the memory of a large buffer, and keeps the buffer's length", () => {
  for (const size of [FREED_AT_ONCE_MIN_BYTES, 1024 * 1024, 1_500_000, LARGE_BYTES]) {
    const large = new Uint8Array(size).fill(1);
    const before = residentBytes(large);
    {
      using _memory = FreedMemory.open();
      freeBuffer(large);
    }
    if (size === LARGE_BYTES) assert(before - residentBytes(large) > size * 0.9, "its memory is still there");
    assert(returnedShare(large) > 0.4, `${returnedShare(large)} of ${size} bytes were returned`);
    // A detached buffer would slow down every access to other ones.
    assertEquals(large.length, size);
    large.fill(2);
    assert(isFilledWith(large, 2));
  }
});

Deno.test("freeBuffer() changes nothing beside the buffer, for any size and position", () => {
  const neighbours: Uint8Array[] = [];
  {
    using _memory = FreedMemory.open();
    for (let more = 0; more < 100; more += SIZES_STEP) {
      const size = FREED_AT_ONCE_MIN_BYTES + more * 19_997;
      const [before, freed, after] = [0, 1, 2].map(() => new Uint8Array(size).fill(7));
      freeBuffer(freed!.subarray(1000, 2000));
      freeBuffer(freed!);
      neighbours.push(before!, after!);
    }
  }
  for (const each of neighbours) assert(isFilledWith(each, 7), `${each.length} bytes`);
});

Deno.test("freeBuffer() does nothing with small buffers, or if no code has opened the memory", () => {
  const large = new Uint8Array(FREED_AT_ONCE_MIN_BYTES).fill(1);
  freeBuffer(large);
  assertEquals(large.indexOf(0), -1);
  const memory = FreedMemory.open();
  const other = FreedMemory.open();
  const small = new Uint8Array(FREED_AT_ONCE_MIN_BYTES - 1).fill(1);
  freeBuffer(small);
  assertEquals(small.indexOf(0), -1);
  memory[Symbol.dispose]();
  memory[Symbol.dispose]();
  // The other owner still has it open.
  freeBuffer(new Int32Array(large.buffer));
  other[Symbol.dispose]();
  assert(large.includes(0));
});

Deno.test("freeBuffer() returns memory in later tasks, part by part, and immediately if much of it waits", async () => {
  using _memory = FreedMemory.open();
  const count = FREED_QUEUE_MAX_BYTES / LARGE_BYTES + 2;
  const buffers = Array.from({ length: count }, () => new Uint8Array(LARGE_BYTES).fill(1));
  for (const each of buffers) freeBuffer(each);
  const returned = () => buffers.filter((bytes) => returnedShare(bytes) > 0.9).length;
  assertEquals(returned(), 2);
  await until(() => returned() === count, "all memory is returned");
});
