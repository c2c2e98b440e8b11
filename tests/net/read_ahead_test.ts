import { assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { READ_BUFFER_BATCH_BYTES } from "../../src/limits.ts";
import { Connection } from "../../src/net/connection.ts";
import { ReadAhead } from "../../src/net/read_ahead.ts";

/** Returns a connection that delivers `size` bytes, and then ends, fails or stays silent. */
function connectionOf(size: number, then: "end" | "failure" | "silence"): Connection {
  let left = size;
  return new Connection({
    read: async (target) => {
      await undefined;
      const count = Math.min(left, target.length);
      left -= count;
      if (count > 0) return count;
      if (then === "failure") throw new Deno.errors.ConnectionReset("lost");
      return then === "end" ? null : await new Promise<number>(() => {});
    },
    write: (source) => Promise.resolve(source.length),
    close: () => {},
  });
}

Deno.test("ReadAhead watch() reads to the end, keeps the earlier bytes, and occupies shared memory briefly", async () => {
  for (const size of [0, 1, READ_BUFFER_BATCH_BYTES, READ_BUFFER_BATCH_BYTES + 1, 1_000_000]) {
    for (const then of ["end", "failure"] as const) {
      const ahead = new ReadAhead(1_000_000);
      const connection = connectionOf(size, then);
      assertEquals(await ahead.watch(connection, () => true), "ended");
      assertEquals(connection.end - connection.start, size);
      ahead.release(connection);
      ahead.release(connection);
      assertEquals(ahead.leftBytes, 1_000_000);
    }
  }
});

Deno.test("ReadAhead watch() stops when the memory for all watched connections is used up", async () => {
  const ahead = new ReadAhead(400_000);
  const first = connectionOf(300_000, "silence");
  const watching = ahead.watch(first, () => true);
  while (ahead.leftBytes > 400_000 - (300_000 - READ_BUFFER_BATCH_BYTES)) await undefined;
  const second = connectionOf(10_000_000, "end");
  assertEquals(await ahead.watch(second, () => true), "full");
  const keptBytes = second.end - second.start;
  assertGreaterOrEqual(keptBytes, 400_000 - 300_000);
  assertLessOrEqual(keptBytes, 1_000_000);
  // What fits into its own batch needs no shared memory.
  ahead.release(second);
  const third = connectionOf(READ_BUFFER_BATCH_BYTES, "end");
  assertEquals(await ahead.watch(third, () => true), "ended");
  // The first connection is still watched, and a read is in progress when that ends.
  ahead.release(first);
  assertEquals(ahead.leftBytes, 400_000);
  assertEquals(await Promise.race([watching, Promise.resolve("watched")]), "watched");
});

Deno.test("ReadAhead watch() stops when it is released", async () => {
  const ahead = new ReadAhead();
  const connection = connectionOf(10_000_000, "end");
  let reads = 0;
  assertEquals(await ahead.watch(connection, () => reads++ < 3), "stopped");
  assertEquals(reads, 4);
});
