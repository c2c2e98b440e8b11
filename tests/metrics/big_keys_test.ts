import { assertEquals } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { BIG_KEYS_COUNT } from "../../src/limits.ts";
import { BigKeys, type SizeMeasure, type ValueSize } from "../../src/metrics/big_keys.ts";
import { RandomStream } from "../../src/store/random_stream.ts";
import { halfSipHash } from "../../src/store/siphash.ts";

const hash = (bytes: Uint8Array, start: number, length: number) => halfSipHash(bytes, start, length, 1, 2);

/** Keys with sizes, and the table of the largest of them. */
class Keys {
  readonly sizes = new Map<string, ValueSize>();
  readonly table: BigKeys;
  readonly measure = (name: Uint8Array) => this.sizes.get(decodeText(name));

  constructor(readonly capacity = 8) {
    this.table = new BigKeys(hash, capacity);
  }

  write(name: string, bytes: number, elements = 1): void {
    this.sizes.set(name, { bytes, elements, type: "list" });
    const key = encodeText(`[${name}]`);
    this.table.offer(key, 1, key.length - 2, bytes, elements);
  }

  top(count: number, by: SizeMeasure = "bytes"): string[] {
    return this.table.top(count, by, this.measure).map(({ name }) => decodeText(name));
  }

  /** Returns what is expected of the table: the names by size. */
  largest(count: number, by: SizeMeasure): number[] {
    return [...this.sizes.values()].map((size) => size[by]).sort((a, b) => b - a).slice(0, count);
  }
}

Deno.test("BigKeys returns the largest keys by bytes and by elements", () => {
  const keys = new Keys();
  keys.write("wide", 1_000_000, 2);
  keys.write("long", 20_000, 5_000);
  for (let i = 0; i < 100; i++) keys.write(`small${i}`, 100 + i, 3);
  assertEquals(keys.top(2), ["wide", "long"]);
  assertEquals(keys.top(2, "elements")[0], "long");
  assertEquals(keys.table.top(1, "bytes", keys.measure), [
    { name: encodeText("wide"), bytes: 1_000_000, elements: 2, type: "list" },
  ]);
  assertEquals(keys.top(0), []);
  assertEquals(keys.top(1000).length, 8);
});

Deno.test("BigKeys holds exactly the largest keys when each write is offered", () => {
  const random = new RandomStream();
  random.begin(0.25);
  const keys = new Keys(16);
  for (let i = 0; i < 5000; i++) {
    // Values only grow, so that what the table has dropped is offered again before it is among the largest.
    const name = `key${random.below(200)}`;
    const before = keys.sizes.get(name) ?? { bytes: 0, elements: 0 };
    keys.write(name, before.bytes + random.below(1000), before.elements + random.below(3));
    if (i % 500 > 0) continue;
    for (const by of ["bytes", "elements"] as const) {
      assertEquals(keys.table.top(16, by, keys.measure).map((each) => each[by]), keys.largest(16, by));
    }
  }
});

Deno.test("BigKeys looks sizes up again, and drops keys that are gone", () => {
  const keys = new Keys();
  for (let i = 1; i <= 8; i++) keys.write(`key${i}`, i * 1000, i);
  keys.sizes.delete("key8");
  keys.sizes.set("key7", { bytes: 5, elements: 1, type: "string" });
  assertEquals(keys.top(3), ["key6", "key5", "key4"]);
  assertEquals(keys.top(8).at(-1), "key7");
  // Until it is refreshed, the table believes that key 8 keeps its place.
  keys.table.refresh(keys.measure);
  keys.write("new1", 100);
  keys.write("new2", 200);
  assertEquals(keys.top(8), ["key6", "key5", "key4", "key3", "key2", "key1", "new2", "new1"]);
});

Deno.test("BigKeys has free places again after all keys were removed", () => {
  const keys = new Keys();
  for (let i = 1; i <= 20; i++) keys.write(`old${i}`, 1_000_000 * i);
  keys.sizes.clear();
  keys.table.refresh(keys.measure);
  keys.write("tiny", 60);
  assertEquals(keys.top(10), ["tiny"]);
  assertEquals(keys.top(10, "elements"), ["tiny"]);
});

Deno.test("BigKeys follows a key that shrinks while it is written to", () => {
  const keys = new Keys(2);
  keys.write("a", 3000);
  keys.write("b", 2000);
  keys.write("a", 10);
  keys.table.refresh(keys.measure);
  keys.write("c", 1000);
  assertEquals(keys.top(2), ["b", "c"]);
});

Deno.test("BigKeys has a bounded number of keys", () => {
  const keys = new Keys(BIG_KEYS_COUNT);
  for (let i = 0; i < 1000; i++) keys.write(`key${i}`, i, 1000 - i);
  assertEquals([keys.top(10_000).length, keys.top(10_000, "elements").length], [BIG_KEYS_COUNT, BIG_KEYS_COUNT]);
  assertEquals([keys.top(1), keys.top(1, "elements")], [["key999"], ["key0"]]);
});
