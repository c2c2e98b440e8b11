import { assert, assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { Store } from "../../src/store/store.ts";
import { amountOf } from "../support/amount.ts";

const ITEMS_COUNT = amountOf("ESTIMATE_ITEMS_COUNT", 50_000, 2_000_000);
const KEY = encodeText("key");
/**
 * The greatest difference between the estimate and the exact bytes, as a part of these. It is largest for a hash of
 * some hundred thousand small fields, whose buckets have just been divided.
 */
const ERROR_MAX_SHARE = 0.2;

function makeStore(): Store {
  return new Store({
    memoryLimitBytes: amountOf("ESTIMATE_STORE_MIB", 128, 2048) * 2 ** 20,
    evicts: false,
    seed: [1, 2],
  });
}

function find(store: Store): number {
  return store.find(KEY, 0, KEY.length);
}

/** Compares the estimate with the exact bytes. */
function check(store: Store, what: string): void {
  const entry = find(store);
  const exact = store.entryBytes(entry, 0);
  const error = Math.abs(store.estimateBytes(entry) - exact) / exact;
  assert(error <= ERROR_MAX_SHARE, `${what}: ${store.estimateBytes(entry)} instead of ${exact}`);
}

/** Adds an item to the value of {@linkcode KEY}. */
type Add = (store: Store, entry: number, item: Uint8Array) => void;

const ADDERS: Readonly<Record<string, Add>> = {
  list: ({ lists }, entry, item) => void lists.push(KEY, 0, KEY.length, entry, false, item, 0, item.length),
  hash: ({ hashes }, entry, item) =>
    void hashes.set(KEY, 0, KEY.length, entry, item, 0, Math.min(20, item.length), item, 0, item.length),
  set: ({ sets }, entry, item) => void sets.add(KEY, 0, KEY.length, entry, item, 0, item.length),
  string: ({ strings }, entry, item) => {
    if (entry === 0) strings.set(KEY, 0, KEY.length, entry, item, 0, item.length, 0);
    else strings.append(entry, item, 0, item.length);
  },
};

for (const [type, add] of Object.entries(ADDERS)) {
  Deno.test(`estimateBytes() of a ${type} is close to its bytes while it grows by small items`, () => {
    const store = makeStore();
    for (let i = 0; i < ITEMS_COUNT; i++) {
      store.room.make(200, 2);
      add(store, find(store), encodeText(`item-${i}`));
      // At each power of two, so that packed values and those that have just become large are compared too.
      if ((i & (i - 1)) === 0) check(store, `${type} of ${i + 1}`);
    }
    check(store, type);
  });
}

Deno.test("estimateBytes() is exact for values of one block, and close for large items", () => {
  for (const [type, add] of Object.entries(ADDERS)) {
    const store = makeStore();
    for (let i = 0; i < 200; i++) {
      const item = new Uint8Array(i < 2 ? 10 : 12_000 + i).fill(i);
      item.set(encodeText(`${i}`.padEnd(20, ".")).subarray(0, item.length));
      store.room.make(item.length * 2 + 200, 2);
      add(store, find(store), item);
      if (i < 2) assertEquals(store.estimateBytes(find(store)), store.entryBytes(find(store), 0), type);
    }
    check(store, `${type} of large items`);
  }
});

Deno.test("estimateBytes() takes no longer for large values than for small ones", () => {
  // Bounded by construction; an error in the bound is one of orders of magnitude, so a generous factor finds it.
  for (const [type, add] of Object.entries(ADDERS)) {
    const store = makeStore();
    const item = new Uint8Array(1000);
    const times = [1000, 15_000].map((count) => {
      for (let i = 0; i < count; i++) {
        new DataView(item.buffer).setUint32(0, i);
        store.room.make(4000, 2);
        add(store, find(store), item);
      }
      const entry = find(store);
      let leastMs = Infinity;
      for (let round = 0; round < 20; round++) {
        const startMs = performance.now();
        for (let i = 0; i < 50; i++) store.estimateBytes(entry);
        leastMs = Math.min(leastMs, performance.now() - startMs);
      }
      return leastMs;
    });
    assert(times[1]! < times[0]! * 10 + 0.5, `${type}: ${times}`);
  }
});
