import { assert, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { ReplyError } from "../../src/errors.ts";
import { QUEUE_CHUNK_MAX_BYTES } from "../../src/limits.ts";
import { ClientMemory, UNLIMITED_ACCOUNT } from "../../src/memory/client_memory.ts";
import { PackedQueue, varintSize, writeVarint } from "../../src/memory/packed_queue.ts";

function add(queue: PackedQueue, size: number, fill: number): void {
  const at = queue.reserve(size);
  queue.bytes.fill(fill, at, at + size);
}

Deno.test("PackedQueue returns records of any size in any order, and charges its chunks", () => {
  const random = new Random(7);
  const memory = new ClientMemory({ limitBytes: Infinity });
  const account = memory.open({ id: 1, address: "", name: "", isKept: false, connection: { kill: () => {} } });
  const queue = new PackedQueue(account);
  const sizes = Array.from({ length: 3000 }, (_, i) => {
    if (i % 500 === 7) return 2 * QUEUE_CHUNK_MAX_BYTES + i;
    return i % 3 === 0 ? random.below(20_000) : random.below(130);
  });
  sizes.forEach((size, i) => add(queue, size, i % 251));
  assertEquals([queue.count, account.bytes], [sizes.length, queue.size]);
  const check = (i: number) => {
    queue.seek(i);
    assertEquals(queue.end - queue.start, sizes[i], `record ${i}`);
    assert(queue.bytes.subarray(queue.start, queue.end).every((byte) => byte === i % 251), `record ${i}`);
  };
  for (let i = 0; i < sizes.length; i++) check(i);
  for (let n = 0; n < 20; n++) check(random.below(sizes.length));
  queue.free();
  queue.free();
  assertEquals([queue.count, queue.size, account.bytes], [0, 0, 0]);
  add(queue, 3, 9);
  queue.seek(0);
  assertEquals([...queue.bytes.subarray(queue.start, queue.end)], [9, 9, 9]);
});

Deno.test("PackedQueue keeps a short request in few bytes", () => {
  const queue = new PackedQueue(UNLIMITED_ACCOUNT);
  for (let i = 0; i < 980_000; i++) add(queue, 7, 1);
  assert(queue.size <= 980_000 * 8 + QUEUE_CHUNK_MAX_BYTES, String(queue.size));
  queue.free();
});

Deno.test("PackedQueue adds nothing beyond its client's memory", () => {
  const memory = new ClientMemory({ limitBytes: 2000 });
  const account = memory.open({ id: 1, address: "", name: "", isKept: false, connection: { kill: () => {} } });
  const queue = new PackedQueue(account);
  add(queue, 400, 1);
  assertThrows(() => queue.reserve(3000), ReplyError, "--max-client-memory");
  assertEquals([queue.count, queue.size, account.bytes], [1, 512, 512]);
});

Deno.test("writeVarint() writes as many bytes as varintSize() returns", () => {
  const bytes = new Uint8Array(8);
  for (const value of [0, 1, 127, 128, 16_383, 16_384, 2 ** 21 - 1, 2 ** 28, 2 ** 31 + 5, 2 ** 32 - 1]) {
    assertEquals(writeVarint(bytes, 1, value) - 1, varintSize(value), String(value));
  }
});
