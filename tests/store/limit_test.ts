/** Tests that the limit of a store can change: lower limits make room in small steps, and lose no key needlessly. */

import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { StoreFullError } from "../../src/errors.ts";
import { Store } from "../../src/store/store.ts";

const MIB = 2 ** 20;
const bytes = new Uint8Array(300_000).map((_, at) => at * 31);

function newStore(evicts: boolean): Store {
  return new Store({ memoryLimitBytes: 64 * MIB, evicts, seed: [1, 2] });
}

const key = new Uint8Array(4);

function find(store: Store, number: number): number {
  new DataView(key.buffer).setUint32(0, number);
  return store.find(key, 0, 4);
}

/** Sets a string as the command does. */
function set(store: Store, number: number, length: number): void {
  store.room.make(7 + length, 3);
  store.strings.set(key, 0, 4, find(store, number), bytes, 0, length, 0);
}

/** Calls `approachLimit()` until it has nothing left to do. Returns the number of calls. */
function approach(store: Store): number {
  let calls = 1;
  while (store.room.approachLimit()) calls++;
  return calls;
}

Deno.test("a lower limit evicts the least recently used keys, a few at a time", () => {
  const store = newStore(true);
  const count = 60_000;
  for (let number = 0; number < count; number++) set(store, number, 700);
  const { keys, usedBytes } = store.statistics;
  assertEquals(keys, count);
  store.room.limit(16 * MIB);
  assertEquals(store.statistics.limitBytes, 16 * MIB);
  assertEquals(store.statistics.keys, count, "nothing is evicted at that moment");
  // Each step evicts at most 128 keys.
  assert(approach(store) >= (usedBytes - 16 * MIB) / 720 / 130);
  const lowered = store.statistics;
  assertLessOrEqual(lowered.committedBytes, 16 * MIB);
  assertLessOrEqual(lowered.usedBytes, 16 * MIB);
  assert(lowered.usedBytes > 12 * MIB, `too much is gone: ${lowered.usedBytes}`);
  for (let number = count - lowered.keys; number < count; number++) assert(find(store, number) !== 0, String(number));
  assertEquals(store.audit(), 0);
  assertEquals(store.room.approachLimit(), false);

  for (let number = 0; number < count; number++) set(store, number, 700);
  assertLessOrEqual(store.statistics.committedBytes, 16 * MIB);
  store.room.limit(64 * MIB);
  for (let number = 0; number < count; number++) set(store, number, 700);
  assertEquals(store.statistics.keys, count);
  assertEquals(store.audit(), 0);
});

Deno.test("without eviction a lower limit refuses writes until enough keys are removed", () => {
  const store = newStore(false);
  const count = 30_000;
  for (let number = 0; number < count; number++) set(store, number, 700);
  store.room.limit(8 * MIB);
  approach(store);
  assertEquals(store.statistics.keys, count);
  assertThrows(() => set(store, count, 700), StoreFullError);
  let left = count;
  for (; left > 0 && store.statistics.committedBytes > 8 * MIB; left--) {
    store.remove(find(store, left - 1));
    if (left % 100 === 0) approach(store);
  }
  for (let gone = 0; gone < 2_000; gone++) store.remove(find(store, --left));
  approach(store);
  assertLessOrEqual(store.statistics.committedBytes, 8 * MIB);
  set(store, count, 700);
  for (let number = 0; number < left; number++) assert(find(store, number) !== 0);
  assertEquals(store.audit(), 0);
});

Deno.test("an empty store has its new limit, and one that is cleared too", () => {
  const store = newStore(true);
  set(store, 1, 10);
  store.room.limit(5 * MIB + 17);
  approach(store);
  store.clear();
  assertEquals(store.statistics.limitBytes, 5 * MIB);
  for (let number = 0; number < 20_000; number++) set(store, number, 700);
  assertLessOrEqual(store.statistics.committedBytes, 5 * MIB);
  store.room.limit(Infinity);
  assertEquals([store.room.limitBytes, store.room.limitMaxBytes], [64 * MIB, 64 * MIB]);
});

Deno.test("limits that change at random lose no value and exceed no bound", () => {
  const seed = pickSeed();
  console.log(`SEED=${seed}`);
  const random = new Random(seed);
  const store = newStore(true);
  for (let round = 0; round < 60; round++) {
    store.room.limit((4 + random.below(61)) * MIB);
    if (random.below(4) === 0) store.room.evicts = !store.room.evicts;
    for (let step = 0; step < 300; step++) {
      const number = random.below(2_000);
      const length = random.below(20) === 0 ? random.below(bytes.length) : random.below(9_000);
      try {
        set(store, number, length);
        assertEquals(store.strings.length(find(store, number)), length);
      } catch (error) {
        if (!(error instanceof StoreFullError)) throw error;
        const entry = find(store, random.below(2_000));
        if (entry !== 0) store.remove(entry);
      }
      if (step % 10 === 0) store.room.approachLimit();
      if (step % 16 === 0) store.freeRemoved(100);
    }
    assertLessOrEqual(store.statistics.committedBytes, 64 * MIB);
    if (store.room.evicts) {
      approach(store);
      assertLessOrEqual(store.statistics.committedBytes, store.room.limitBytes);
    }
    assertEquals(store.audit(), 0);
  }
});
