import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { StoreFullError } from "../../src/errors.ts";
import { KEY_SIZE_MAX_BYTES } from "../../src/limits.ts";
import { Store } from "../../src/store/store.ts";
import { amountOf, isLong } from "../support/amount.ts";
import { assertSameValue, StoreReader } from "../support/store_reader.ts";
import type { HeldValue } from "../support/store_reader.ts";

const MIB = 2 ** 20;
/** The number of hashes of different sizes that are copied into a full store. */
const HASHES_COUNT = amountOf("HASHES", 2, 10);

function newStore(memoryLimitBytes = 64 * MIB, evicts = false): Store {
  return new Store({ memoryLimitBytes, evicts, seed: [1, 2] });
}

function find(store: Store, name: string): number {
  const key = encodeText(name);
  return store.peek(key, 0, key.length);
}

/** Creates a key with a value. Returns its entry. */
function put(store: Store, name: string, value: HeldValue): number {
  const key = encodeText(name);
  if (typeof value === "string") {
    const bytes = encodeText(value);
    store.room.make(key.length + bytes.length, 3);
    return store.strings.set(key, 0, key.length, 0, bytes, 0, bytes.length, 0);
  }
  for (const item of value) {
    const [field, text] = typeof item === "string" ? ["", item] : item;
    const [fieldBytes, bytes] = [encodeText(field), encodeText(text)];
    store.room.make(key.length + fieldBytes.length + bytes.length, 4);
    const entry = store.peek(key, 0, key.length);
    if (Array.isArray(value)) store.lists.push(key, 0, key.length, entry, false, bytes, 0, bytes.length);
    else store.hashes.set(key, 0, key.length, entry, fieldBytes, 0, fieldBytes.length, bytes, 0, bytes.length);
  }
  return find(store, name);
}

function rename(store: Store, entry: number, name: string): number {
  const key = encodeText(name);
  return store.rename(entry, key, 0, key.length);
}

function copy(store: Store, entry: number, name: string): number {
  const key = encodeText(name);
  return store.copyEntry(entry, key, 0, key.length);
}

function texts(count: number, length: number): string[] {
  return Array.from({ length: count }, (_, number) => String(number).padEnd(length, "."));
}

function hashOf(count: number, length: number): Map<string, string> {
  return new Map(texts(count, length).map((text, number) => [`field:${number}`, text]));
}

const VALUES: Record<string, HeldValue> = {
  "an empty string": "",
  "a short string": "abc",
  "a string of 255 bytes": "x".repeat(255),
  "a string of 5,000 bytes": "x".repeat(5_000),
  "a string of pages": "xyz".repeat(100_000),
  "a packed list": ["a", "", "c".repeat(64)],
  "a large list": texts(30_000, 30),
  "a list with elements outside of its leaves": texts(300, 3_000),
  "a packed hash": new Map([["a", "b"], ["", ""]]),
  "a large hash": hashOf(3_000, 20),
  "a hash with values outside of its fields": hashOf(20, 20_000),
};

for (const [name, value] of Object.entries(VALUES)) {
  Deno.test(`Store rename() and copyEntry() keep ${name} under keys of any length`, () => {
    for (const deadlineMs of [0, 1e12]) {
      const store = newStore();
      const reader = new StoreReader(store);
      let entry = store.setDeadline(put(store, "first", value), deadlineMs);
      for (const length of [5, 6, 0, 30, 8_000, KEY_SIZE_MAX_BYTES, 1]) {
        const target = "k".repeat(length);
        store.room.make(length + 6, 3);
        entry = rename(store, entry, target);
        assertEquals([entry, store.size], [find(store, target), 1]);
        assertEquals([reader.key(entry), store.deadline(entry)], [target, deadlineMs]);
        assertSameValue(reader.value(entry), value);
        assertEquals(store.audit(), 0);
        entry = store.room.makeForCopy(entry);
        const other = `${"c".repeat(length)}`.slice(0, KEY_SIZE_MAX_BYTES - 1) + "!";
        const made = copy(store, entry, other);
        assertEquals([made, store.size], [find(store, other), 2]);
        assertEquals([reader.key(made), store.deadline(made)], [other, deadlineMs]);
        assertSameValue(reader.value(made), value);
        // The original is removed, and the copy replaces it.
        store.remove(entry);
        while (store.freeRemoved(100));
        entry = made;
        assertSameValue(reader.value(entry), value);
        assertEquals(store.audit(), 0);
      }
      store.nowMs = deadlineMs + 1_000;
      while (store.expireDue(1_000));
      assertEquals(store.size, deadlineMs === 0 ? 1 : 0);
    }
  });
}

Deno.test("Store copyEntry() shares nothing with the original", () => {
  const store = newStore();
  const reader = new StoreReader(store);
  const list = texts(500, 10);
  const hash = hashOf(500, 10);
  const listCopy = copy(store, put(store, "list", list), "list copy");
  const hashCopy = copy(store, put(store, "hash", hash), "hash copy");
  const bytes = encodeText("changed");
  store.lists.set(find(store, "list"), 250, bytes, 0, bytes.length);
  store.lists.remove(find(store, "list"), 0, 100);
  for (let i = 0; i < 250; i++) {
    const field = encodeText(`field:${i}`);
    store.hashes.remove(find(store, "hash"), field, 0, field.length);
  }
  assertEquals(reader.value(listCopy), list);
  assertEquals(reader.value(hashCopy), hash);
  assert(!store.hashes.find(find(store, "hash"), encodeText("field:1"), 0, 7));
  assert(store.hashes.find(hashCopy, encodeText("field:1"), 0, 7));
  assertEquals(store.audit(), 0);
});

Deno.test("Store rename() keeps the key's place in the order of use", () => {
  const store = newStore();
  for (const name of ["a", "b", "c"]) put(store, name, name);
  rename(store, find(store, "b"), "a much longer name than before, for which another block is needed");
  const reader = new StoreReader(store);
  const values: HeldValue[] = [];
  for (let entry = store.oldest(); entry !== 0; entry = store.newer(entry)) values.push(reader.value(entry));
  assertEquals(values, ["a", "b", "c"]);
});

Deno.test("Store rename() renames a list or hash of any size in the same time", () => {
  const store = newStore();
  put(store, "list", texts(100_000, 20));
  put(store, "hash", hashOf(100_000, 20));
  for (const name of ["list", "hash"]) {
    const { usedBytes } = store.statistics;
    rename(store, find(store, name), `${name}, renamed`);
    // Only the entry was moved, so only its size may differ.
    assertLess(Math.abs(store.statistics.usedBytes - usedBytes), 64);
    assertEquals(find(store, name), 0);
  }
  assertEquals(store.audit(), 0);
});

/** Values for which a store of 10 MiB has room twice, and one of 6 MiB once. */
const LARGE_VALUES: readonly HeldValue[] = [texts(90_000, 30), hashOf(30_000, 30), "x".repeat(3 * MIB)];

Deno.test("Store makeRoomForCopy() evicts all but the copied entry", () => {
  for (const value of LARGE_VALUES) {
    const store = newStore(10 * MIB, true);
    for (let i = 0; i < 17_000; i++) put(store, `other:${i}`, "x".repeat(300));
    put(store, "value", value);
    const before = store.size;
    const entry = store.room.makeForCopy(find(store, "value"));
    assertEquals(entry, find(store, "value"));
    assertLess(store.size, before);
    const made = copy(store, entry, "copy");
    assertSameValue(new StoreReader(store).value(made), value);
    assertEquals(store.audit(), 0);
    // More copies replace other keys, never the original.
    for (let i = 0; i < (isLong ? 5 : 2); i++) {
      copy(store, store.room.makeForCopy(find(store, "value")), `copy:${i}`);
      assertSameValue(new StoreReader(store).value(find(store, "value")), value);
    }
    assertEquals(find(store, "copy"), 0);
    assertEquals(store.audit(), 0);
  }
});

Deno.test("Store makeRoomForCopy() refuses a value that does not fit twice, and evicts nothing for it", () => {
  for (const value of LARGE_VALUES) {
    const store = newStore(6 * MIB, true);
    put(store, "other", "x");
    put(store, "value", value);
    assertThrows(() => store.room.makeForCopy(find(store, "value")), StoreFullError);
    assertEquals([store.size, store.statistics.evictedKeys], [2, 0]);
    const small = put(store, "small", "x");
    assertEquals(new StoreReader(store).value(copy(store, store.room.makeForCopy(small), "copy")), "x");
  }
});

Deno.test("Store makeRoomForCopy() evicts about as much as a small copy takes", () => {
  const store = newStore(8 * MIB, true);
  for (let i = 0; store.statistics.evictedKeys < 1_000; i++) put(store, `key:${i}`, "x".repeat(50));
  const before = store.statistics.evictedKeys;
  for (let i = 0; i < 1_000; i++) {
    const entry = store.room.makeForCopy(store.oldest());
    copy(store, entry, `copy:${i}`);
  }
  assertLess(store.statistics.evictedKeys - before, 3_000);
  assertEquals(store.audit(), 0);
});

Deno.test("Store makeRoomForCopy() makes enough room for blocks of all sizes", () => {
  for (let seed = 0; seed < 20; seed += 20 / HASHES_COUNT) {
    const store = newStore(20 * MIB, true);
    const hash = new Map<string, string>();
    // The hash has fields of nearly every size class, and the table has to grow.
    for (let i = 0; i < 400; i++) hash.set(`long:${i}`, "x".repeat((i * 20 + seed) % 8_000));
    for (let i = 0; i < 20_000 + seed * 1_000; i++) hash.set(`${i}`, "");
    put(store, "hash", hash);
    for (let i = 0; store.statistics.evictedKeys === 0; i++) put(store, `other:${i}`, "x".repeat((i * 37) % 9_000));
    find(store, "hash");
    const key = encodeText("hash");
    // The hash itself may have been evicted, as it was not in use.
    if (store.find(key, 0, 4) === 0) put(store, "hash", hash);
    const made = copy(store, store.room.makeForCopy(find(store, "hash")), "copy");
    assertEquals(store.hashes.length(made), hash.size);
    assertEquals(store.audit(), 0);
  }
});
