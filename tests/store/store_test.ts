import { assert, assertEquals, assertThrows } from "@std/assert";
import { StoreFullError } from "../../src/errors.ts";
import { KEY_SIZE_MAX_BYTES } from "../../src/limits.ts";
import { PAGE_BYTES } from "../../src/store/arena.ts";
import { Store } from "../../src/store/store.ts";
import { equalBytes } from "../support/bytes.ts";

const MIB = 2 ** 20;
const filler = new Uint8Array(4 * MIB).fill(0x78);

function newStore(memoryLimitBytes: number, evicts: boolean): Store {
  return new Store({ memoryLimitBytes, evicts, seed: [1, 2] });
}

/** Returns a key of four bytes or more that is different for each number. */
function keyOf(number: number, length = 4): Uint8Array {
  const key = new Uint8Array(length);
  new DataView(key.buffer).setUint32(0, number);
  return key;
}

function find(store: Store, key: Uint8Array): number {
  return store.find(key, 0, key.length);
}

/** Sets a string without making room. */
function put(store: Store, key: Uint8Array, length: number, deadlineMs = 0): number {
  return store.strings.set(key, 0, key.length, find(store, key), filler, 0, length, deadlineMs);
}

/** Sets a string as the command does. */
function set(store: Store, key: Uint8Array, length: number, deadlineMs = 0): number {
  store.room.make(3 + key.length + length, 3);
  return put(store, key, length, deadlineMs);
}

Deno.test("Store setString() keeps a value in a blob when it does not fit next to a key of half a page", () => {
  const store = newStore(4 * MIB, false);
  const key = keyOf(1, KEY_SIZE_MAX_BYTES);
  for (const length of [0, 32_740, 0, 40_000]) {
    let entry = set(store, key, length);
    entry = store.setDeadline(entry, 1000);
    entry = store.setDeadline(entry, 0);
    assertEquals(store.strings.length(entry), length);
    assertEquals(store.audit(), 0);
    assert(store.statistics.usedBytes > length + PAGE_BYTES, "the value lies outside its key's page");
  }
});

Deno.test("Store setDeadline() removes deadlines without room", () => {
  const store = newStore(4 * MIB, false);
  const numbers: number[] = [];
  // Keys of 56 sizes are set, until there is no room of any size.
  for (let length = 4;; length = (length + 16) % 900) {
    const number = numbers.length;
    try {
      set(store, keyOf(number), length, 1e12);
    } catch (error) {
      assert(error instanceof StoreFullError);
      break;
    }
    numbers.push(number);
  }
  const before = store.statistics;
  for (const number of numbers) assertEquals(store.deadline(store.setDeadline(find(store, keyOf(number)), 0)), 0);
  assertEquals(store.statistics.keysWithDeadline, 0);
  assertEquals(store.statistics.committedBytes, before.committedBytes);
  assertEquals(store.audit(), 0);
});

Deno.test("Store makeRoom() is enough for many keys of half a page", () => {
  const store = newStore(64 * MIB, true);
  fillEvicting(store, 128);
  store.room.make(400 * KEY_SIZE_MAX_BYTES, 801);
  for (let i = 0; i < 400; i++) put(store, keyOf(0x1000_0000 + i, KEY_SIZE_MAX_BYTES), 0);
  for (let i = 0; i < 400; i++) assert(find(store, keyOf(0x1000_0000 + i, KEY_SIZE_MAX_BYTES)) !== 0);
  assertEquals(store.audit(), 0);
});

Deno.test("Store makeRoom() is enough for elements of which a leaf has room for two, and nearly for three", () => {
  for (const limit of [160, 170, 180]) {
    const store = newStore(limit * MIB, true);
    fillEvicting(store, 3 * limit);
    store.room.make(100_000 * 676, 100_002);
    let entry = 0;
    const key = keyOf(0xffff_ffff);
    for (let i = 0; i < 100_000; i++) entry = store.lists.push(key, 0, 4, entry, false, filler, 0, 676);
    assertEquals(store.lists.length(entry), 100_000);
  }
});

/** Fills a store that evicts with `mebibytes` of strings. */
function fillEvicting(store: Store, mebibytes: number): void {
  for (let number = 0; number < mebibytes * 16; number++) set(store, keyOf(number), 60_000);
}

Deno.test("Store makeRoom() leaves the smallest store room for commands of many small arguments", () => {
  const store = newStore(4 * MIB, false);
  for (const count of [9, 21, 50, 101]) store.room.make(count * 8, count);
  assertThrows(() => store.room.make(8 * MIB, 3), StoreFullError);
});

Deno.test("Store makeRoom() evicts about one key a set when all have the same size", () => {
  const store = newStore(16 * MIB, true);
  let number = 0;
  for (; number < 300_000; number++) set(store, keyOf(number, 16), 32);
  const before = store.statistics;
  for (const end = number + 100_000; number < end; number++) set(store, keyOf(number, 16), 32);
  const evicted = store.statistics.evictedKeys - before.evictedKeys;
  assert(evicted > 90_000 && evicted < 110_000, `${evicted} evictions in 100,000 sets`);
});

Deno.test("Store freeRemoved() counts the blobs of a removed list and the fields of a removed hash", () => {
  const store = newStore(64 * MIB, false);
  const key = keyOf(1);
  for (const type of ["list", "hash"]) {
    let entry = 0;
    for (let i = 0; i < 1000; i++) {
      store.room.make(20_000, 4);
      const field = keyOf(i);
      entry = find(store, key);
      if (type === "list") store.lists.push(key, 0, 4, entry, false, filler, 0, 20_000);
      else store.hashes.set(key, 0, 4, entry, field, 0, 4, filler, 0, 20_000);
    }
    store.remove(find(store, key));
    const before = store.statistics.usedBytes;
    assert(store.freeRemoved(10), `a ${type} of 1,000 values was freed in 10 steps`);
    // A leaf is freed as a whole: 203 elements.
    assert(before - store.statistics.usedBytes < 220 * 21_840);
    while (store.freeRemoved(10));
    assertEquals([store.size, store.audit()], [0, 0]);
  }
});

Deno.test("Store overwriteString() writes into strings of any length, and beyond their ends", () => {
  for (const length of [0, 5, 250, 255, 5_000, 8_100, 70_000, 3 * MIB]) {
    // The memory after a string's end has been used before.
    const store = newStore(16 * MIB, false);
    for (const from of [0, 3, 100, 254, 8_000, 65_000, 200_000, 3 * MIB + 100_000]) {
      for (const written of [1, 300, 66_000]) {
        const grown = Math.max(length, from + written);
        set(store, keyOf(1), length, 1e12);
        store.room.make(grown - length, 4);
        const source = new Uint8Array(written + 2).fill(0x79);
        const entry = store.strings.overwrite(find(store, keyOf(1)), from, source, 1, written);
        assertEquals([entry, store.strings.length(entry)], [find(store, keyOf(1)), grown]);
        const got = new Uint8Array(grown);
        store.strings.copy(entry, 0, got, 0, grown);
        const expected = new Uint8Array(grown);
        expected.fill(0x78, 0, length);
        expected.fill(0x79, from, from + written);
        assert(equalBytes(got, expected), `${written} bytes at ${from} of ${length}`);
        assertEquals([store.deadline(entry), store.audit()], [1e12, 0]);
        store.remove(entry);
        while (store.freeRemoved(100));
      }
    }
  }
});

Deno.test("Store entryBytes() is what removing a key frees, and its places in tables", () => {
  const fieldsOf = { string: 0, list: 0, hash: 0, "large list": 0, "large hash": 500 };
  for (const [kind, fields] of Object.entries(fieldsOf)) {
    const store = newStore(64 * MIB, false);
    const key = keyOf(1);
    const before = store.statistics.usedBytes - store.statistics.tableBytes;
    for (let i = 0; i < (kind.startsWith("large") ? 500 : 3); i++) {
      store.room.make(100 + i * 10, 4);
      const entry = find(store, key);
      const length = i * 10;
      if (kind === "string") put(store, key, length);
      else if (kind.endsWith("list")) store.lists.push(key, 0, 4, entry, false, filler, 0, length);
      else store.hashes.set(key, 0, 4, entry, keyOf(i), 0, 4, filler, 0, length);
    }
    const entry = find(store, key);
    assertEquals(store.isPacked(entry), kind === "list" || kind === "hash");
    const exact = store.entryBytes(entry, 0);
    const used = store.statistics.usedBytes - store.statistics.tableBytes - before;
    assertEquals(exact, used + 9 * (1 + fields), kind);
    assertEquals(store.entryBytes(entry, 1e6), exact);
    // The elements grow, so that the first ones are the smallest.
    const sampled = store.entryBytes(entry, 5);
    assert(kind.startsWith("large") ? sampled < exact : sampled === exact, kind);
    store.remove(entry);
    while (store.freeRemoved(10));
    assertEquals(store.statistics.usedBytes - store.statistics.tableBytes, before);
  }
});
