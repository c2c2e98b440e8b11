import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { RandomStream } from "../../src/store/random_stream.ts";
import { Store } from "../../src/store/store.ts";
import { amountOf } from "../support/amount.ts";
import { StoreReader } from "../support/store_reader.ts";

const MIB = 2 ** 20;
/** The largest deviation of the least and the most often chosen from the mean, except once in some thousand runs. */
const DEVIATIONS_MAX = 6;
/** The least average number of times that each key is chosen. */
const CHOSEN_EACH_COUNT = amountOf("CHOSEN_EACH", 15, 60);

function newStore(): Store {
  return new Store({ memoryLimitBytes: 64 * MIB, evicts: false, seed: [1, 2] });
}

function set(store: Store, name: string, deadlineMs = 0): void {
  const key = encodeText(name);
  store.room.make(key.length + 1, 3);
  store.strings.set(key, 0, key.length, store.find(key, 0, key.length), key, 0, 1, deadlineMs);
}

function setField(store: Store, name: string, field: string): void {
  const [key, bytes] = [encodeText(name), encodeText(field)];
  store.room.make(key.length + 2 * bytes.length, 4);
  const entry = store.find(key, 0, key.length);
  store.hashes.set(key, 0, key.length, entry, bytes, 0, bytes.length, bytes, 0, bytes.length);
}

function find(store: Store, name: string): number {
  const key = encodeText(name);
  return store.find(key, 0, key.length);
}

/** Asserts that each of `count` things was chosen about `mean` times. */
function assertEven(chosen: ReadonlyMap<string, number>, count: number, mean: number): void {
  assertEquals(chosen.size, count, "some were never chosen");
  const deviation = Math.sqrt(mean);
  assertGreater(Math.min(...chosen.values()), mean - DEVIATIONS_MAX * deviation);
  assertLess(Math.max(...chosen.values()), mean + DEVIATIONS_MAX * deviation);
}

function countChosen(times: number, choose: (random: number) => string): Map<string, number> {
  const random = new Random(7);
  const chosen = new Map<string, number>();
  for (let i = 0; i < times; i++) {
    const name = choose(random.below(2 ** 32) / 2 ** 32);
    chosen.set(name, (chosen.get(name) ?? 0) + 1);
  }
  return chosen;
}

Deno.test("RandomStream below() repeats a stream that began with the same number, and stays within its bounds", () => {
  const random = new RandomStream();
  for (const first of [0, 0.25, 0.999_999_999_999]) {
    const runs = [1, 2].map(() => {
      random.begin(first);
      return Array.from({ length: 1_000 }, () => random.below(10));
    });
    assertEquals(runs[0], runs[1]);
    assertEquals(new Set(runs[0]).size, 10);
    for (const value of runs[0]!) assert(Number.isInteger(value) && value >= 0 && value < 10);
  }
});

// The smallest table, one of which half is split, and one that has shrunk to where it is emptiest.
for (const [count, removed] of [[1, 0], [10, 0], [3_000, 0], [20_000, 0], [60_000, 54_000]] as const) {
  Deno.test(`Store randomEntry() chooses evenly among ${count - removed} of ${count} keys`, () => {
    const store = newStore();
    const reader = new StoreReader(store);
    for (let i = 0; i < count; i++) set(store, `key:${i}`);
    for (let i = 0; i < removed; i++) store.remove(find(store, `key:${i}`));
    const left = count - removed;
    const mean = Math.max(CHOSEN_EACH_COUNT, Math.ceil(20_000 / left));
    assertEven(countChosen(mean * left, (random) => reader.key(store.randomEntry(random))), left, mean);
  });
}

Deno.test("Store randomEntry() returns 0 when there is no key, and no expired key", () => {
  const store = newStore();
  assertEquals(store.randomEntry(0.5), 0);
  store.nowMs = 1_000;
  for (let i = 0; i < 50; i++) set(store, `expired:${i}`, 2_000);
  set(store, "stays", 10_000);
  store.nowMs = 3_000;
  const reader = new StoreReader(store);
  for (let i = 0; i < 20; i++) assertEquals(reader.key(store.randomEntry(i / 20)), "stays");
  store.nowMs = 10_000;
  assertEquals(store.randomEntry(0.5), 0);
  assertEquals([store.size, store.audit()], [0, 0]);
});

for (
  const [name, count, othersCount] of [
    ["a packed hash", 5, 0],
    ["a large hash", 1_000, 0],
    ["a large hash among some of others", 1_000, 10_000],
    ["a large hash among many of others", 70, 20_000],
  ] as const
) {
  Deno.test(`Store hashSeekRandom() chooses evenly among the fields of ${name}`, () => {
    const store = newStore();
    const reader = new StoreReader(store);
    for (let i = 0; i < othersCount; i++) setField(store, `other:${i % 10}`, `f${i}`);
    for (let i = 0; i < count; i++) setField(store, "hash", `field:${i}`);
    const entry = find(store, "hash");
    const mean = 2 * CHOSEN_EACH_COUNT;
    const chosen = countChosen(mean * count, (random) => {
      assert(store.hashes.seekRandom(entry, random));
      assertEquals(reader.field(), reader.fieldValue());
      return reader.field();
    });
    assertEven(chosen, count, mean);
  });
}

Deno.test("Store hashNext() continues from where hashSeekRandom() has put the cursor", () => {
  for (const count of [5, 500]) {
    const store = newStore();
    const reader = new StoreReader(store);
    for (let i = 0; i < count; i++) setField(store, "hash", `${i}`);
    for (let i = 0; i < 50; i++) {
      store.hashes.seekRandom(find(store, "hash"), i / 50);
      const number = Number(reader.field());
      assertEquals(store.hashes.next(), number + 1 < count);
      if (number + 1 < count) assertEquals(reader.field(), `${number + 1}`);
    }
  }
});

Deno.test("Store hashScan() visits a packed hash in one call with any cursor", () => {
  const store = newStore();
  const reader = new StoreReader(store);
  for (let i = 0; i < 10; i++) setField(store, "hash", `${i}`);
  for (const cursor of [0, 17]) {
    const fields: string[] = [];
    assertEquals(store.hashes.scan(find(store, "hash"), cursor, () => fields.push(reader.field())), 0);
    assertEquals(fields.length, 10);
  }
});

Deno.test("Store hashScan() visits each field of a large hash once, a few at a time, with unsigned cursors", () => {
  const store = newStore();
  const reader = new StoreReader(store);
  for (let i = 0; i < 5_000; i++) setField(store, "hash", `${i}`);
  const visited = new Map<string, number>();
  let cursor = 0;
  do {
    let visits = 0;
    cursor = store.hashes.scan(find(store, "hash"), cursor, () => {
      visited.set(reader.field(), (visited.get(reader.field()) ?? 0) + 1);
      visits++;
    });
    assert(visits > 0 && visits < 20, `${visits} fields at a time`);
    assert(cursor >= 0 && cursor < 2 ** 32);
  } while (cursor !== 0);
  assertEquals([visited.size, Math.max(...visited.values())], [5_000, 1]);
});

Deno.test("Store hashScan() starts again with a cursor that it has not returned", () => {
  const store = newStore();
  const reader = new StoreReader(store);
  for (let i = 0; i < 500; i++) setField(store, "hash", `${i}`);
  const first: string[] = [];
  store.hashes.scan(find(store, "hash"), 0x1234_5678, () => first.push(reader.field()));
  assertEquals(first[0], "499");
});

Deno.test("Store hashScan() skips no field when the next one is created again", () => {
  const store = newStore();
  const reader = new StoreReader(store);
  for (let i = 0; i < 500; i++) setField(store, "hash", `${i}`);
  const visited = new Set<string>();
  let oldest = "";
  const visit = () => visited.add(oldest = reader.field());
  const cursor = store.hashes.scan(find(store, "hash"), 0, visit);
  const next = encodeText(`${Number(oldest) - 1}`);
  store.hashes.remove(find(store, "hash"), next, 0, next.length);
  setField(store, "hash", `${Number(oldest) - 1}`);
  for (let at = cursor; at !== 0;) at = store.hashes.scan(find(store, "hash"), at, visit);
  assertEquals(visited.size, 500);
});
