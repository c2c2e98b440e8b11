import { assert, assertEquals } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { ReplyError } from "../../src/errors.ts";
import { Store } from "../../src/store/store.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { decodeReply } from "../../src/wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES } from "../../src/wire/native/frame.ts";
import { isLong } from "../support/amount.ts";
import { drain, Interleaving, type Operation } from "../support/interleaving.ts";

const OUT_OF_MEMORY = "OOM";

function codeOf({ frame }: Operation): string {
  assert(frame !== undefined, "the command has not ended");
  const value = decodeReply(frame, FRAME_PREFIX_BYTES, frame.length);
  return value instanceof ReplyError ? value.code : "OK";
}

function makeStore(evicts: boolean, memoryLimitBytes = 16 * 1024 * 1024): Store {
  return new Store({ memoryLimitBytes, evicts, seed: [1, 2] });
}

const LONG_WRITES: readonly (readonly Argument[])[] = [
  ["set", "new", new Uint8Array(2_000_000)],
  ["append", "s", new Uint8Array(2_000_000)],
  ["setrange", "new", 2_000_000, "x"],
  ["getset", "s", new Uint8Array(1_500_000)],
  ["set", "s", new Uint8Array(1_000_000), "GET"],
  ["mset", ...Array.from({ length: 700 }, (_, i) => [`k${i}`, new Uint8Array(2_000)]).flat()],
  ["msetnx", ...Array.from({ length: 700 }, (_, i) => [`k${i}`, new Uint8Array(2_000)]).flat()],
  ["hset", "h", ...Array.from({ length: 3_000 }, (_, i) => [`f${i}`, new Uint8Array(500)]).flat()],
  ["rpush", "l", ...Array.from({ length: 3_000 }, () => new Uint8Array(500))],
  ["sadd", "a", ...Array.from({ length: 3_000 }, (_, i) => `${i}`.padEnd(500, "m"))],
  ["sunionstore", "s", "set1", "set2"],
  ["sdiffstore", "set1", "set1", "set3"],
  ["copy", "s", "copied"],
  ["copy", "list", "copied"],
];

for (const steps of isLong ? [0, 1, 3] : [1]) {
  Deno.test(`a long write in a full store succeeds completely or changes nothing, with ${steps} steps at first`, async () => {
    for (const request of LONG_WRITES) {
      const store = makeStore(false);
      const all = new Interleaving(store);
      const [writer, other] = [all.makeClient(steps), all.makeClient(Infinity)];
      other.call("set", "s", new Uint8Array(1_200_000));
      for (let i = 0; i < 3; i++) {
        other.call(
          "rpush",
          "list",
          ...Array.from({ length: 400 }, () => new Uint8Array(500)),
        );
      }
      for (let i = 0; i < 1_200; i += 400) {
        const members = Array.from({ length: 400 }, (_, j) => `${i + j}`.padEnd(300, "m"));
        other.call("sadd", "set1", ...members);
        other.call("sadd", "set2", ...members.map((member) => `other ${member}`));
      }
      other.call("sadd", "set3", "0".padEnd(300, "m"));
      const before = store.size;
      const writing = all.begin(writer, [request]);
      await drain();
      // Between any two steps, another client uses all the memory that it can get.
      let count = 0;
      const random = new Random(1);
      const take = async () => {
        for (;; count++) {
          const operation = all.begin(other, [["set", `other${count}`, new Uint8Array(60_000)]]);
          await drain();
          if (codeOf(operation) === OUT_OF_MEMORY) return;
        }
      };
      await take();
      await all.finish(random, take);
      for (const { bugs } of all.clients) for (const bug of bugs) throw bug;
      const code = codeOf(writing);
      assert(code === "OK" || code === OUT_OF_MEMORY, `${request[0]} replied ${code}`);
      if (code === OUT_OF_MEMORY) {
        // The store contains only the earlier values, and those that the other client has stored.
        assertEquals(store.size, before + count, `${request[0]} has left a part of what it stores`);
        other.call("remove", ...Array.from({ length: count }, (_, i) => `other${i}`).slice(0, 500));
        assertEquals(other.call("strlen", "s"), 1_200_000);
        assertEquals([other.call("scard", "set1"), other.call("scard", "set2")], [1_200, 1_200]);
      }
      all.assertReleased();
      assertEquals(store.audit(), 0);
    }
  });
}

Deno.test("a copy does not evict its source, even while other clients hold keys", async () => {
  for (const key of ["s", "list", "h", "short"]) {
    const store = makeStore(true, 8 * 1024 * 1024);
    const all = new Interleaving(store);
    const [holder, copier, other] = [all.makeClient(1), all.makeClient(1), all.makeClient(Infinity)];
    other.call("set", "held", new Uint8Array(700_000));
    const count = key === "short" ? 300 : 600;
    if (key === "s") other.call("set", "s", new Uint8Array(1_300_000));
    else if (key === "h") {
      for (let i = 0; i < 6; i++) {
        other.call(
          "hset",
          "h",
          ...Array.from({ length: 100 }, (_, j) => [`f${i * 100 + j}`, new Uint8Array(1_500)]).flat(),
        );
      }
    } else {for (let i = 0; i < count; i += 100) {
        other.call("rpush", key, ...Array.from({ length: 100 }, () => new Uint8Array(1_500)));
      }}
    for (let i = 0; i < 60; i++) other.call("set", `filler${i}`, new Uint8Array(50_000));
    other.call(key === "s" ? "get" : "touch", key);
    const length = (name: string) => other.call(key === "s" ? "strlen" : key === "h" ? "hlen" : "llen", name);
    const before = length(key);
    // One client reads for long, and the reads of the other do not count as use.
    const reading = all.begin(holder, [["get", "held"]]);
    copier.touches = false;
    const copying = all.begin(copier, [["copy", key, "copied"]]);
    await drain();
    await all.finish(new Random(1), () => Promise.resolve());
    for (const { bugs } of all.clients) for (const bug of bugs) throw bug;
    assertEquals(codeOf(reading), "OK");
    if (codeOf(copying) === "OK") {
      assertEquals(length("copied"), before);
      assertEquals(length(key), before);
    } else {
      assertEquals(codeOf(copying), OUT_OF_MEMORY);
      assertEquals(length(key), before);
      assertEquals(length("copied"), 0);
    }
    all.assertReleased();
  }
});

Deno.test("a copy that can never fit is refused before anything is evicted for it", async () => {
  const store = makeStore(true, 8 * 1024 * 1024);
  const all = new Interleaving(store);
  const [copier, other] = [all.makeClient(1), all.makeClient(Infinity)];
  other.call("set", "l", new Uint8Array(4_500_000));
  for (let i = 0; i < 10; i++) other.call("set", `filler${i}`, "x");
  const copying = all.begin(copier, [["copy", "l", "copied"]]);
  await drain();
  await all.finish(new Random(1), () => Promise.resolve());
  assertEquals(codeOf(copying), OUT_OF_MEMORY);
  assertEquals(store.size, 11);
  all.assertReleased();
});
