import { assert, assertEquals } from "@std/assert";
import { Arena } from "../../src/store/arena.ts";
import { HEADER_BYTES, KIND_FIELD, KIND_STRING, metaOf, topOf } from "../../src/store/block.ts";
import { RandomStream } from "../../src/store/random_stream.ts";
import { halfSipHash } from "../../src/store/siphash.ts";
import { reverseBits, Table } from "../../src/store/table.ts";

/** A table of four-byte keys. */
class Fixture {
  readonly arena = new Arena(1 << 26);
  readonly table = new Table(this.arena, false);
  readonly entries = new Map<number, number>();
  #key = new Uint8Array(4);

  constructor(readonly hash = (key: Uint8Array) => halfSipHash(key, 0, 4, 1, 2)) {
    this.table.allocate();
  }

  key(number: number): Uint8Array {
    new DataView(this.#key.buffer).setUint32(0, number);
    return this.#key;
  }

  add(number: number): void {
    const key = this.key(number);
    const entry = this.arena.allocate(24);
    this.arena.words[entry * 2 + 2] = this.hash(key);
    this.arena.words[entry * 2 + 3] = metaOf(KIND_STRING) | 4;
    this.arena.bytes.set(key, entry * 8 + HEADER_BYTES[topOf(KIND_STRING, 0)]!);
    this.table.insert(this.hash(key), entry);
    this.entries.set(number, entry);
  }

  find(number: number): number {
    const key = this.key(number);
    return this.table.find(this.hash(key), key, 0, 4, 0, 0);
  }

  remove(number: number): void {
    const entry = this.entries.get(number)!;
    this.table.remove(this.hash(this.key(number)), entry);
    this.arena.free(entry);
    this.entries.delete(number);
  }

  number(entry: number): number {
    return new DataView(this.arena.bytes.buffer).getUint32(entry * 8 + HEADER_BYTES[topOf(KIND_STRING, 0)]!);
  }
}

Deno.test("Table finds every key while it grows and shrinks, and frees its pages", () => {
  const fixture = new Fixture();
  for (let i = 0; i < 100_000; i++) {
    fixture.add(i);
    if (i % 10_007 === 0) { for (let j = 0; j <= i; j++) assertEquals(fixture.find(j), fixture.entries.get(j)); }
  }
  const pages = fixture.arena.tablePages;
  assert(pages >= 13 && pages <= 18, `${pages} pages of buckets`);
  assertEquals(fixture.find(100_000), 0);
  for (let i = 0; i < 99_990; i++) fixture.remove(i);
  for (let i = 0; i < 100_000; i++) assertEquals(fixture.find(i), i < 99_990 ? 0 : fixture.entries.get(i));
  assert(fixture.arena.tablePages <= 4, `${fixture.arena.tablePages} pages after removal`);
});

Deno.test("Table works with keys whose hashes are all equal", () => {
  const fixture = new Fixture(() => 0xdeadbeef | 0);
  for (let i = 0; i < 500; i++) fixture.add(i);
  for (let i = 0; i < 500; i++) assertEquals(fixture.find(i), fixture.entries.get(i));
  for (let i = 0; i < 500; i += 2) fixture.remove(i);
  for (let i = 0; i < 500; i++) assertEquals(fixture.find(i), i % 2 ? fixture.entries.get(i) : 0);
});

Deno.test("Table scan() visits entries that are present throughout exactly once, across growth and shrinking", () => {
  for (const grows of [true, false]) {
    const fixture = new Fixture();
    for (let i = 0; i < 60_000; i++) fixture.add(i);
    const stable = 5_000;
    const seen = new Map<number, number>();
    let cursor = 0;
    let other = stable;
    let calls = 0;
    do {
      cursor = fixture.table.scan(cursor, (entry) => {
        const number = fixture.number(entry);
        seen.set(number, (seen.get(number) ?? 0) + 1);
      });
      calls++;
      for (let i = 0; i < 7; i++, other++) {
        if (grows) fixture.add(100_000 + other);
        else if (other < 60_000) fixture.remove(other);
      }
    } while (cursor !== 0);
    for (let i = 0; i < stable; i++) assertEquals(seen.get(i), 1, `key ${i}, ${grows ? "growing" : "shrinking"}`);
    for (const [number, times] of seen) assertEquals(times, 1, `key ${number}`);
    assert(calls > 1000);
  }
});

Deno.test("reverseBits() is its own inverse", () => {
  assertEquals(reverseBits(1), 0x80000000);
  assertEquals(reverseBits(0xf0), 0x0f000000);
  for (let i = 0; i < 1000; i++) {
    const word = Math.imul(i, 0x9e3779b1) >>> 0;
    assertEquals(reverseBits(reverseBits(word)), word);
  }
});

Deno.test("Table findOnly() finds an entry by its hash if no other of its scope has the same", () => {
  const arena = new Arena(1 << 22);
  const table = new Table(arena, true);
  // This takes page 0, in which no entry may be.
  table.allocate();
  const add = (hash: number, scope: number): number => {
    const entry = arena.allocate(32);
    arena.words[entry * 2 + 2] = hash;
    arena.words[entry * 2 + 3] = metaOf(KIND_FIELD);
    arena.words[entry * 2 + 5] = scope;
    arena.words[entry * 2 + 6] = 0;
    table.insert(hash, entry);
    return entry;
  };
  assertEquals(table.findOnly(17, 1, 0), 0);
  const entry = add(17, 1);
  for (let scope = 2; scope < 30; scope++) add(17, scope);
  assertEquals(table.findOnly(17, 1, 0), entry);
  assertEquals([table.findOnly(18, 1, 0), table.findOnly(17, 1, 1), table.findOnly(17, 30, 0)], [0, 0, 0]);
  const other = add(17, 1);
  assertEquals(table.findOnly(17, 1, 0), 0);
  table.remove(17, entry);
  assertEquals(table.findOnly(17, 1, 0), other);
});

Deno.test("Table choose() returns every entry of a chain of any length", () => {
  // The hashes differ only in their tags, so there is one bucket.
  const fixture = new Fixture((key) => (key[3]! << 24) | 5);
  for (let i = 0; i < 100; i++) fixture.add(i);
  // This table is larger than the smallest size, in which the entries are counted.
  const spread = new Fixture();
  for (let i = 0; i < 20_000; i++) spread.add(i);
  const random = new RandomStream();
  const chosen = new Set<number>();
  for (let i = 0; i < 2_000; i++) {
    random.begin(i / 2_000);
    chosen.add(fixture.number(fixture.table.choose(random)));
    assert(spread.entries.has(spread.number(spread.table.choose(random))));
  }
  assertEquals(chosen.size, 100);
});
