/**
 * How much of its limit a store can use, and that all memory is freed again: what `bench/bounds.ts` measures at full
 * size, as far as it can be asserted without a clock.
 */

import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { ShiftingSizes, SIZE_PHASES } from "../../bench/support/shifting_sizes.ts";
import { VALUE_SIZE_MAX_BYTES } from "../../src/limits.ts";
import { PAGE_BYTES } from "../../src/store/arena.ts";
import { Store } from "../../src/store/store.ts";
import { longOnly } from "../support/amount.ts";

const MIB = 2 ** 20;
const SHIFTING_LIMIT_BYTES = 64 * MIB;
/**
 * The share of its limit that a store can use at least. With mixed sizes, each of the arena's size classes has up to a
 * page of free slots: 6 MiB in all, a tenth of this limit and a fortieth of an ordinary one.
 */
const USABLE_MIN_SHARE = 0.88;
const ELEMENTS_COUNT = 100_000;
const FREEING_BUDGET = 100;
const value = new Uint8Array(VALUE_SIZE_MAX_BYTES);
for (let at = 0; at < value.length; at++) value[at] = at * 31 + (at >>> 8);

function newStore(memoryLimitBytes: number): Store {
  return new Store({ memoryLimitBytes, evicts: false, seed: [1, 2] });
}

const numberedKey = new Uint8Array(4);

/** Returns a different key for each number; borrowed until the next call. */
function keyOf(number: number): Uint8Array {
  new DataView(numberedKey.buffer).setUint32(0, number);
  return numberedKey;
}

function find(store: Store, number: number): number {
  return store.find(keyOf(number), 0, 4);
}

/** Sets a string as the command does. */
function set(store: Store, number: number, length: number): void {
  store.room.make(7 + length, 3);
  store.strings.set(keyOf(number), 0, 4, find(store, number), value, 0, length, 0);
}

Deno.test("Store uses most of its limit, and never more, with any sequence of sizes", longOnly, () => {
  const sizes = new ShiftingSizes(SHIFTING_LIMIT_BYTES, 11);
  for (const phase of SIZE_PHASES) {
    const { usedShare, committedShare } = sizes.run(phase);
    assertGreaterOrEqual(usedShare, USABLE_MIN_SHARE, phase.name);
    assertLessOrEqual(committedShare, 1, phase.name);
    assertEquals(sizes.store.audit(), 0, phase.name);
  }
});

Deno.test("Store keeps values of every length unchanged", () => {
  const store = newStore(96 * MIB);
  const got = new Uint8Array(VALUE_SIZE_MAX_BYTES);
  for (
    const length of [VALUE_SIZE_MAX_BYTES, 0, 1, 255, 256, 8_192, 65_535, 65_536, 3 * MIB + 1, VALUE_SIZE_MAX_BYTES]
  ) {
    set(store, 1, length);
    const entry = find(store, 1);
    assertEquals(store.strings.length(entry), length);
    got.fill(0, 0, length);
    store.strings.copy(entry, 0, got, 0, length);
    assertEquals(indexOfDifference(got, value, length), -1, `a value of ${length} bytes came back as another`);
    assertEquals(store.audit(), 0);
  }
});

/** Returns where the first `length` bytes of two arrays differ; -1 when they are equal. */
function indexOfDifference(bytes: Uint8Array, others: Uint8Array, length: number): number {
  for (let at = 0; at < length; at++) {
    if (bytes[at] !== others[at]) return at;
  }
  return -1;
}

Deno.test("Store frees the pages of its index when most keys are removed", () => {
  const store = newStore(64 * MIB);
  const count = 200_000;
  for (let number = 0; number < count; number++) set(store, number, 8);
  const full = store.statistics;
  // Buckets of 64 bytes with 7.5 keys each, and some that overflow.
  assertGreaterOrEqual(full.tableBytes, count / 7.5 * 64);
  assertLessOrEqual(full.tableBytes, count / 7.5 * 64 * 1.25);
  for (let number = 0; number < count - 1_000; number++) store.remove(find(store, number));
  const { tableBytes, committedBytes } = store.statistics;
  assertLessOrEqual(tableBytes, full.tableBytes / 5);
  assertLessOrEqual(committedBytes, full.committedBytes / 5);
  for (let number = count - 1_000; number < count; number++) assert(find(store, number) !== 0);
  assertEquals(store.audit(), 0);
});

for (const type of ["list", "hash"] as const) {
  Deno.test(`Store freeRemoved() frees a large ${type} in steps no larger than the budget`, () => {
    const store = newStore(64 * MIB);
    const before = blockBytes(store);
    const partBytes = makeLarge(store, type);
    const removedBytes = blockBytes(store) - before;
    store.remove(find(store, 0));
    assertEquals(store.size, 0);
    let left = removedBytes;
    let steps = 0;
    for (let isMore = true; isMore; steps++) {
      isMore = store.freeRemoved(FREEING_BUDGET);
      const freed = left + before - blockBytes(store);
      // The last step frees the entry as well.
      assertLessOrEqual(freed, (FREEING_BUDGET + 1) * partBytes);
      left -= freed;
      assertEquals(store.audit(), 0);
    }
    assertEquals(left, 0);
    assertGreaterOrEqual(steps, Math.floor(removedBytes / partBytes / FREEING_BUDGET));
  });

  Deno.test(`Store clear() also forgets a large ${type} that is being freed`, () => {
    const store = newStore(64 * MIB);
    makeLarge(store, type);
    store.remove(find(store, 0));
    assert(store.freeRemoved(FREEING_BUDGET));
    store.clear();
    assertEquals(store.freeRemoved(FREEING_BUDGET), false);
    const { usedBytes, tableBytes, committedBytes } = store.statistics;
    // The table of keys keeps its first page.
    assertEquals([usedBytes, tableBytes, committedBytes], [PAGE_BYTES, PAGE_BYTES, PAGE_BYTES]);
    assertEquals(store.audit(), 0);
  });
}

Deno.test("Store clear() leaves no old table to the next large hash", () => {
  const store = newStore(16 * MIB);
  const fields = 50;
  for (let field = 0; field < fields; field++) setField(store, field, 100);
  store.clear();
  // The first page of the former table of fields now holds strings.
  for (let number = 1; number <= 12_000; number++) set(store, number, 1_000);
  for (let field = 0; field < fields; field++) setField(store, field, 100);
  assertEquals(store.hashes.length(find(store, 0)), fields);
  assertEquals(store.audit(), 0);
});

/** Sets a field of the hash under key 0 as the command does. */
function setField(store: Store, field: number, length: number): void {
  store.room.make(16 + length, 4);
  const entry = find(store, 0);
  store.hashes.set(new Uint8Array(4), 0, 4, entry, keyOf(field), 0, 4, value, 0, length);
}

/** Returns the bytes of the data, without tables. */
function blockBytes(store: Store): number {
  const { usedBytes, tableBytes } = store.statistics;
  return usedBytes - tableBytes;
}

/** Creates a list or hash of many elements under key 0. Returns the most bytes that one of its parts has. */
function makeLarge(store: Store, type: "list" | "hash"): number {
  const key = new Uint8Array(4);
  for (let number = 0; number < ELEMENTS_COUNT; number++) {
    if (type === "hash") {
      setField(store, number, 10);
      continue;
    }
    store.room.make(24, 3);
    store.lists.push(key, 0, 4, find(store, 0), false, value, 0, 10);
  }
  // A leaf, with its directory if it is the last one below it; or a field.
  return type === "list" ? 2 * 2_184 : 64;
}
