/**
 * Combinations of large sets run in steps. Replies are the same with any steps, and no other command sees or changes a
 * part of what a combination reads or stores.
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { LONG_ARGUMENTS_COUNT } from "../../src/limits.ts";
import { Store } from "../../src/store/store.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { FRAME_PREFIX_BYTES } from "../../src/wire/native/frame.ts";
import { decodeReply } from "../../src/wire/native/reply_reader.ts";
import { drain, Interleaving, type Operation } from "../support/interleaving.ts";
import { type MemoryClient, readable } from "../support/memory_client.ts";

function makeStore(): Store {
  return new Store({ memoryLimitBytes: 32 * 1024 * 1024, evicts: false, seed: [1, 2] });
}

/** Adds `count` members, from number `from` on. */
function fill(client: MemoryClient, key: string, from: number, count: number): void {
  for (let i = from; i < from + count; i += 500) {
    client.call("sadd", key, ...Array.from({ length: Math.min(500, from + count - i) }, (_, j) => `member ${i + j}`));
  }
}

/** Returns the reply of an operation that has ended, with the items of an array sorted. */
function replyOf({ frame }: Operation): unknown {
  assert(frame !== undefined, "the command has not ended");
  const value = decodeReply(frame, FRAME_PREFIX_BYTES, frame.length);
  if (value instanceof Error) return value.message;
  const items = readable(value);
  return Array.isArray(items) ? items.toSorted() : items;
}

const COMBINATIONS: readonly (readonly [request: readonly Argument[], size: number])[] = [
  [["smembers", "a"], 6_000],
  [["sinter", "a", "b"], 3_000],
  [["sintercard", 2, "a", "b"], 3_000],
  [["sunion", "a", "b"], 9_000],
  [["sunion", "few", "a", "b", "c", "a", "b", "c"], 10_000],
  [["sdiff", "a", "b"], 3_000],
  [["sdiff", "a", "few", "c", "c", "c"], 5_998],
  [["srandmember", "a", 100_000], 6_000],
  [["sinterstore", "stored", "a", "b"], 3_000],
  [["sunionstore", "a", "a", "b"], 9_000],
  [["sdiffstore", "b", "a", "b"], 3_000],
  [["spop", "a", 5_000], 5_000],
  [["spop", "a", 6_000], 6_000],
];

for (const steps of [0, 1, 2]) {
  Deno.test(`combinations of sets appear atomic to writers that wait for them, with ${steps} steps at first`, async () => {
    for (const [request, size] of COMBINATIONS) {
      const store = makeStore();
      const all = new Interleaving(store);
      const [runner, other] = [all.makeClient(steps), all.makeClient(Infinity)];
      fill(other, "a", 0, 6_000);
      fill(other, "b", 3_000, 6_000);
      fill(other, "c", 9_000, 1_000);
      other.call("sadd", "few", "member 4000", "member 5000");
      const running = all.begin(runner, [request]);
      await drain();
      assert(running.frame === undefined, `${request} has ended in its first steps`);
      // A read of the same sets runs at the same time as another read, and after a write.
      const writing = all.begin(other, [["sadd", "a", "new"]]);
      await drain();
      assert(writing.frame === undefined, `a write did not wait for ${request}`);
      await all.finish(new Random(1), () => Promise.resolve());
      for (const { bugs } of all.clients) for (const bug of bugs) throw bug;
      const reply = replyOf(running);
      assertEquals(Array.isArray(reply) ? new Set(reply).size : reply, size, `${request}`);
      if (Array.isArray(reply)) assertEquals(reply.length, size, `${request} replies with a member twice`);
      assertEquals(replyOf(writing), 1);
      assertEquals(other.call("sismember", "a", "new"), 1);
      if (/store$/.test(String(request[0]))) {
        assertEquals(other.call("scard", request[1]!), request[1] === "a" ? size + 1 : size);
      }
      all.assertReleased();
      assertEquals(store.audit(), 0);
    }
  });
}

Deno.test("a combination of very many sets holds all of them, also when it only reads", async () => {
  const store = makeStore();
  const all = new Interleaving(store);
  const [reader, writer] = [all.makeClient(1), all.makeClient(Infinity)];
  const keys = Array.from({ length: LONG_ARGUMENTS_COUNT + 100 }, (_, i) => `k${i}`);
  for (const key of keys) fill(writer, key, 0, 30);
  const reading = all.begin(reader, [["sunion", ...keys]]);
  for (let i = 0; i < 12; i++) {
    await drain();
    all.step(new Random(i));
  }
  const writing = all.begin(writer, [["sadd", keys.at(-1)!, "late"]]);
  await drain();
  assert(reading.frame === undefined && writing.frame === undefined, "the write does not wait");
  await all.finish(new Random(1), () => Promise.resolve());
  assertEquals((replyOf(reading) as string[]).length, 30);
  assertEquals(replyOf(writing), 1);
  all.assertReleased();
});

Deno.test("a flush ends a read of sets that has begun, which then finds them empty", async () => {
  const all = new Interleaving(makeStore());
  const [reader, writer] = [all.makeClient(1), all.makeClient(Infinity)];
  fill(writer, "a", 0, 5_000);
  fill(writer, "b", 0, 5_000);
  const reading = all.begin(reader, [["sunion", "a", "b"]]);
  await drain();
  const flushing = all.begin(writer, [["flush"]]);
  await drain();
  assertEquals(replyOf(flushing), "OK");
  await all.finish(new Random(1), () => Promise.resolve());
  for (const { bugs } of all.clients) for (const bug of bugs) throw bug;
  assertEquals(replyOf(reading), []);
  all.assertReleased();
});
