import { assertEquals } from "@std/assert";
import { PREFETCH_MAX_COUNT } from "../../src/limits.ts";
import { Store } from "../../src/store/store.ts";

const KEY_BYTES = 4;

/** Keys one after another, as in a request or a read buffer. */
class Keys {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly lengths: Int32Array;

  constructor(numbers: readonly number[]) {
    this.bytes = new Uint8Array(numbers.length * KEY_BYTES);
    this.starts = Int32Array.from(numbers, (_, i) => i * KEY_BYTES);
    this.lengths = new Int32Array(numbers.length).fill(KEY_BYTES);
    const view = new DataView(this.bytes.buffer);
    numbers.forEach((number, i) => view.setUint32(i * KEY_BYTES, number));
  }
}

function fill(count: number): Store {
  const store = new Store({ memoryLimitBytes: 1 << 26, evicts: false, seed: [3, 4] });
  const key = new Uint8Array(KEY_BYTES);
  const view = new DataView(key.buffer);
  for (let i = 0; i < count; i++) {
    view.setUint32(0, i);
    store.room.make(20);
    store.strings.set(key, 0, KEY_BYTES, 0, key, 0, KEY_BYTES, 0);
  }
  return store;
}

Deno.test("Store prefetch() changes nothing with any keys, and continues where it stopped", () => {
  const store = fill(250_000);
  assertEquals(store.isLarge, true);
  const numbers = Array.from({ length: 100 }, (_, i) => i % 3 === 0 ? 1e9 + i : i * 2_003);
  const { bytes, starts, lengths } = new Keys(numbers);
  lengths[7] = 0;
  const { changes } = store;
  const oldest = store.oldest();
  const stops: number[] = [];
  for (let from = 0; from < numbers.length;) stops.push(from = store.prefetch(bytes, starts, lengths, from, 100, 1));
  assertEquals(stops, [PREFETCH_MAX_COUNT, 2 * PREFETCH_MAX_COUNT, 3 * PREFETCH_MAX_COUNT, 100]);
  assertEquals(store.prefetch(bytes, starts, lengths, 1, 9, 2), 9);
  assertEquals([store.changes, store.oldest(), store.size, store.audit()], [changes, oldest, 250_000, 0]);
  numbers.forEach((number, i) => {
    if (i !== 7) assertEquals(store.find(bytes, starts[i]!, lengths[i]!) !== 0, number < 250_000, `key ${number}`);
  });
});

Deno.test("Store prefetch() leaves small stores alone, and can read at the very end of the arena", () => {
  const small = fill(10);
  const { bytes, starts, lengths } = new Keys([1, 2, 3]);
  assertEquals([small.isLarge, small.prefetch(bytes, starts, lengths, 0, 3, 1)], [false, 3]);
  // As many keys as fit are set, so that some are in the last page.
  const full = new Store({ memoryLimitBytes: 1 << 24, evicts: true, seed: [3, 4] });
  const key = new Uint8Array(KEY_BYTES);
  const view = new DataView(key.buffer);
  for (let i = 0; full.statistics.evictedKeys === 0; i++) {
    view.setUint32(0, i);
    full.room.make(20);
    full.strings.set(key, 0, KEY_BYTES, full.find(key, 0, KEY_BYTES), key, 0, KEY_BYTES, 0);
  }
  const size = full.size;
  assertEquals(full.isLarge, true);
  for (let first = 0; first < 300_000; first += PREFETCH_MAX_COUNT) {
    const keys = new Keys(Array.from({ length: PREFETCH_MAX_COUNT }, (_, i) => first + i));
    full.prefetch(keys.bytes, keys.starts, keys.lengths, 0, PREFETCH_MAX_COUNT, 1);
  }
  assertEquals([full.size, full.audit()], [size, 0]);
});

Deno.test("Store find() after prefetch() uses the current bytes, in any order, after forgetAhead()", () => {
  const store = fill(250_000);
  const { bytes, starts, lengths } = new Keys(Array.from({ length: 20 }, (_, i) => i));
  const view = new DataView(bytes.buffer);
  const found = (i: number) => store.find(bytes, starts[i]!, lengths[i]!) !== 0;
  store.prefetch(bytes, starts, lengths, 0, 20, 1);
  // Keys are found twice, backwards, with some left out, with another length, and at the same place of another buffer.
  for (const i of [0, 0, 5, 3, 9, 19, 2]) assertEquals(found(i), true);
  store.prefetch(bytes, starts, lengths, 0, 20, 1);
  assertEquals(store.find(bytes, starts[1]!, KEY_BYTES - 1), 0);
  const other = new Keys(Array.from({ length: 20 }, (_, i) => 1e9 + i));
  for (let i = 0; i < 20; i++) assertEquals([store.find(other.bytes, starts[i]!, KEY_BYTES), found(i)], [0, true]);
  // The buffer is reused.
  store.prefetch(bytes, starts, lengths, 0, 20, 1);
  for (let i = 0; i < 20; i++) view.setUint32(i * KEY_BYTES, 1e9 + i);
  store.forgetAhead();
  for (let i = 0; i < 20; i++) assertEquals(found(i), false);
  // An entry that is created with a known hash is found by its key.
  store.prefetch(bytes, starts, lengths, 0, 20, 1);
  store.room.make(20);
  store.strings.set(bytes, starts[4]!, KEY_BYTES, 0, bytes, 0, KEY_BYTES, 0);
  store.forgetAhead();
  assertEquals(Array.from({ length: 6 }, (_, i) => found(i)), [false, false, false, false, true, false]);
});
