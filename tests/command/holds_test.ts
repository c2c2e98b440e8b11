import { assert, assertEquals, assertLess } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { KeySet } from "../../src/command/holds.ts";
import { ReplyError } from "../../src/errors.ts";
import { Store } from "../../src/store/store.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { decodeReply } from "../../src/wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES } from "../../src/wire/native/frame.ts";
import { drain, Interleaving, type Operation } from "../support/interleaving.ts";
import { type MemoryClient, readable } from "../support/memory_client.ts";

const LONG_BYTES = 1_500_000;

/** A store with several clients, each of which runs one step at a time. */
class Rig {
  readonly store: Store;
  readonly all: Interleaving;
  readonly #random = new Random(1);

  constructor(memoryLimitBytes = 64 * 1024 * 1024, evicts = false) {
    this.store = new Store({ memoryLimitBytes, evicts, seed: [1, 2] });
    this.all = new Interleaving(this.store);
  }

  client(steps = 1): MemoryClient {
    return this.all.makeClient(steps);
  }

  async begin(client: MemoryClient, ...requests: (readonly Argument[])[]): Promise<Operation> {
    const operation = this.all.begin(client, requests);
    await drain();
    return operation;
  }

  async end(): Promise<void> {
    await this.all.finish(this.#random, () => Promise.resolve());
    assertEquals(this.all.running.size, 0, "a command waits for ever");
    this.all.assertReleased();
    assertEquals(this.store.audit(), 0);
  }
}

function filled(byte: number, length = LONG_BYTES): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

function valueOf({ frame }: Operation): unknown {
  assert(frame !== undefined, "the command has not ended");
  const value = decodeReply(frame, FRAME_PREFIX_BYTES, frame.length);
  return value instanceof ReplyError ? `${value.code} ${value.message}` : readable(value);
}

function many(count: number, make: (i: number) => Argument | Argument[]): Argument[] {
  return Array.from({ length: count }, (_, i) => make(i)).flat();
}

for (const count of [2, 16, 17, 40, 200, 300]) {
  Deno.test(`a long mset of ${count} keys is atomic`, async () => {
    const rig = new Rig();
    const [writer, reader, other] = [rig.client(), rig.client(), rig.client()];
    const names = many(count, (i) => `k${i}`);
    const value = Math.ceil(LONG_BYTES / count);
    writer.call("mset", ...names.slice(0, 2).flatMap((name) => [name, "old"]));
    const writing = await rig.begin(writer, ["mset", ...names.flatMap((name) => [name, filled(1, value)])]);
    assertEquals(writing.frame, undefined);
    // A command of very many keys collects them first.
    while (rig.store.held === undefined) {
      rig.all.step(new Random(1));
      await drain();
    }
    assert(names.every((name) => rig.store.held!.holds(hashOf(rig.store, String(name)))), "a key is not held");
    const reading = await rig.begin(reader, ["exists", ...names]);
    const removing = await rig.begin(other, ["remove", ...names]);
    assertEquals([reading.frame, removing.frame], [undefined, undefined]);
    await rig.end();
    assertEquals(valueOf(reading), count);
    assertEquals(valueOf(removing), count);
  });
}

function hashOf(store: Store, key: string): number {
  const bytes = new TextEncoder().encode(key);
  return store.keyHash(bytes, 0, bytes.length);
}

for (const count of [2, 40, 300]) {
  Deno.test(`a long mget of ${count} keys is atomic, and writers of any of them wait`, async () => {
    const rig = new Rig();
    const [reader, writer] = [rig.client(), rig.client()];
    const names = many(count, (i) => `k${i}`);
    writer.stepsASlice = Infinity;
    for (const name of names) writer.call("set", name, filled(1, Math.ceil(LONG_BYTES / count)));
    const reading = await rig.begin(reader, ["mget", ...names]);
    assertEquals(reading.frame, undefined);
    const writing = await rig.begin(writer, ["set", names[count - 1]!, "new"]);
    assertEquals(writing.frame, undefined);
    await rig.end();
    assertEquals((valueOf(reading) as string[])[count - 1]!.length, Math.ceil(LONG_BYTES / count));
  });
}

Deno.test("KeySet contains every key that was added, and seems to contain hardly any other", () => {
  const random = new Random(5);
  const hash = () => random.below(2 ** 32) | 0;
  for (const count of [1, 32, 33, 1000, 65_536, 500_000, 1_000_000]) {
    const keys = new KeySet(count);
    const added = Array.from({ length: count }, hash);
    for (const each of added) keys.add(each);
    for (const each of added) assert(keys.holds(each));
    const others = Array.from({ length: 100_000 }, hash).filter((each) => keys.holds(each)).length;
    assertLess(others, count > 500_000 ? 500 : 100, `${others} of 100,000 others, beside ${count}`);
  }
});

Deno.test("two transactions that wait for the same hold do not both begin", async () => {
  const rig = new Rig();
  const [a, b, c] = [rig.client(), rig.client(), rig.client()];
  const first = await rig.begin(a, ["set", "k", filled(1)]);
  const transactions = [
    await rig.begin(b, ["rpush", "l", ...many(600, () => "b")], ["lrange", "l", 0, -1]),
    await rig.begin(c, ["rpush", "l", ...many(600, () => "c")], ["lrange", "l", 0, -1]),
    await rig.begin(rig.client(), ["mset", ...many(600, (i) => [`l${i}`, "x"])]),
    await rig.begin(rig.client(), ["set", "k", "last"], ["get", "k"]),
  ];
  assertEquals(first.frame, undefined);
  await rig.end();
  const lists = transactions.slice(0, 2).map((each) => (valueOf(each) as [[number, number], [number, string[]]])[1][1]);
  assertEquals(lists.map(({ length }) => length).sort(), [1200, 600].sort());
  const [shorter, longer] = lists[0]!.length < lists[1]!.length ? lists : lists.toReversed();
  assertEquals(longer!.slice(0, 600), shorter);
});

Deno.test("a write waits for readers of its keys while a flush waits for everything", async () => {
  const rig = new Rig();
  const [writer, reader, flusher, other] = [rig.client(), rig.client(), rig.client(), rig.client()];
  other.stepsASlice = Infinity;
  other.call("rpush", "l", ...many(500, () => "old"));
  for (let i = 0; i < 12; i++) other.call("rpush", "l", ...many(500, () => "old"));
  const reading = await rig.begin(reader, ["lrange", "l", 0, -1]);
  const writing = await rig.begin(writer, ["set", "s", filled(1)]);
  const changing = await rig.begin(other, ["flush"], ["rpush", "l", "new"]);
  const flushing = await rig.begin(flusher, ["flush"]);
  assertEquals([reading, writing, changing, flushing].map(({ frame }) => frame), new Array(4).fill(undefined));
  await rig.end();
  const seen = valueOf(reading) as string[];
  assert(seen.length === 0 || new Set(seen).size === 1, "the read of a list was not atomic");
});

Deno.test("a flush makes long reads start again", async () => {
  const rig = new Rig();
  const [reader, flusher, filler] = [rig.client(), rig.client(), rig.client(Infinity)];
  const reads: Argument[][] = [
    ["get", "s"],
    ["mget", "s", "t", "u"],
    ["mget", ...many(600, (i) => `m${i}`), "s"],
    ["lrange", "l", 0, -1],
    ["hgetall", "h"],
    ["hmget", "h", "f0", "long", ...many(600, (i) => `f${i}`)],
  ];
  for (const request of reads) {
    for (const key of ["s", "t", "u"]) filler.call("set", key, filled(1));
    for (let i = 0; i < 12; i++) {
      filler.call("rpush", "l", ...many(500, () => "old"));
      filler.call("hset", "h", ...many(250, (j) => [`f${i * 250 + j}`, "old"]), "long", filled(1, 400_000));
    }
    const reading = await rig.begin(reader, request);
    assertEquals(reading.frame, undefined, String(request[0]));
    for (let i = 0; i < 3 && reading.frame === undefined; i++) {
      rig.all.step(new Random(1));
      await drain();
    }
    assertEquals(valueOf(await rig.begin(flusher, ["flush"])), "OK");
    await rig.end();
    const seen = [valueOf(reading)].flat(2);
    const isAtomic = seen.every((each) => each === null) || seen.every((each) => each !== null);
    if (request.length < 513) assert(isAtomic, `${request[0]} has seen a part of a flush`);
  }
});

Deno.test("a key that a long command holds exclusively does not expire, even if another command looks at it", async () => {
  const rig = new Rig();
  const [writer, watcher, other] = [rig.client(), rig.client(), rig.client(Infinity)];
  other.call("set", "s", filled(1), "PX", 100);
  watcher.call("watch", "s");
  const writing = await rig.begin(writer, ["append", "s", filled(2)]);
  rig.all.clock.nowMs += 200;
  // For the client that watches it, the key has expired.
  assertEquals(valueOf(await rig.begin(watcher, ["ping"], ["echo", "x"])), null);
  const reading = await rig.begin(other, ["strlen", "s"]);
  await rig.end();
  assertEquals(valueOf(writing), 2 * LONG_BYTES);
  assertEquals(valueOf(reading), 0);
});

Deno.test("a key that has already expired is absent for the long command that holds it", async () => {
  const rig = new Rig();
  const [writer, other] = [rig.client(), rig.client(Infinity)];
  for (const key of ["k5", "k300"]) other.call("set", key, "old", "PX", 100);
  rig.all.clock.nowMs += 200;
  const writing = await rig.begin(writer, ["mset", ...many(600, (i) => [`k${i}`, "new"])]);
  await rig.end();
  assertEquals(valueOf(writing), "OK");
  assertEquals(rig.store.size, 600);
  assertEquals(other.text("pttl", "k5"), -1);
});

Deno.test("a long read of keys that expire meanwhile sees the time at which it began", async () => {
  const rig = new Rig();
  const [reader, other] = [rig.client(), rig.client(Infinity)];
  for (const key of ["s", "t"]) other.call("set", key, filled(1), "PX", 100);
  const reading = await rig.begin(reader, ["mget", "s", "t"]);
  rig.all.clock.nowMs += 200;
  assertEquals(valueOf(await rig.begin(other, ["exists", "s", "t"])), 0);
  await rig.end();
  assertEquals((valueOf(reading) as string[]).map(({ length }) => length), [LONG_BYTES, LONG_BYTES]);
});

Deno.test("a writer does not wait forever while readers of many keys follow each other", async () => {
  const rig = new Rig();
  const writer = rig.client();
  const names = many(40, (i) => `k${i}`);
  const filler = rig.client(Infinity);
  for (const name of names) filler.call("set", name, filled(1, 60_000));
  const first = await rig.begin(rig.client(), ["mget", ...names]);
  const writing = await rig.begin(writer, ["set", "k7", "new"]);
  const second = await rig.begin(rig.client(), ["mget", ...names]);
  assertEquals([first.frame, writing.frame], [undefined, undefined]);
  await rig.end();
  assertEquals((valueOf(second) as string[])[7], "new");
  assertEquals((valueOf(first) as string[])[7]!.length, 60_000);
});
