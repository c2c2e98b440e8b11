import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { encodeText } from "../../../src/bytes.ts";
import { Store } from "../../../src/store/store.ts";
import { amountOf } from "../../support/amount.ts";
import { StoreReader } from "../../support/store_reader.ts";

const KEY = encodeText("list");
/** The number of elements of a list of which most are removed. */
const ELEMENTS_COUNT = amountOf("ELEMENTS", 40_000, 200_000);

/** A list in a store, and an array that is changed in the same way. */
class Fixture {
  readonly store: Store;
  readonly reader: StoreReader;
  readonly list: string[] = [];

  constructor(memoryLimitBytes = 1 << 26) {
    this.store = new Store({ memoryLimitBytes, evicts: false, seed: [1, 2] });
    this.reader = new StoreReader(this.store);
  }

  get entry(): number {
    return this.store.find(KEY, 0, KEY.length);
  }

  push(elements: readonly string[]): void {
    for (const element of elements) {
      const bytes = encodeText(element);
      this.store.room.make(bytes.length + 12, 3);
      this.store.lists.push(KEY, 0, KEY.length, this.entry, false, bytes, 0, bytes.length);
      this.list.push(element);
    }
  }

  insert(index: number, element: string): void {
    const bytes = encodeText(element);
    this.store.room.make(bytes.length + 24, 5);
    assertEquals(this.store.lists.insert(this.entry, index, bytes, 0, bytes.length), this.entry);
    this.list.splice(index, 0, element);
  }

  remove(index: number, count: number): void {
    assertEquals(this.store.lists.remove(this.entry, index, count), this.entry);
    this.list.splice(index, count);
  }

  /** Removes elements as `lrem` does. Returns their number. */
  removeEqual(element: string, most = Infinity, fromTail = false): number {
    const bytes = encodeText(element);
    const { length } = this.list;
    assertEquals(this.store.lists.removeEqual(this.entry, fromTail, most, bytes, 0, bytes.length), this.entry);
    for (let left = most; left > 0; left--) {
      const index = fromTail ? this.list.lastIndexOf(element) : this.list.indexOf(element);
      if (index < 0) break;
      this.list.splice(index, 1);
    }
    return length - this.list.length;
  }

  check(): void {
    assertEquals(this.reader.value(this.entry), this.list);
    assertEquals(this.store.audit(), 0);
  }
}

/** Returns `count` elements of `length` characters, each with its number. */
function numbered(count: number, length: number): string[] {
  return Array.from({ length: count }, (_, number) => String(number).padEnd(length, "."));
}

Deno.test("Store listInsert() keeps a list packed while it is small", () => {
  const fixture = new Fixture();
  fixture.push(["a", "d"]);
  fixture.insert(1, "b");
  fixture.insert(2, "c");
  fixture.insert(0, "first");
  fixture.insert(5, "last");
  assert(fixture.store.isPacked(fixture.entry));
  fixture.insert(3, "x".repeat(1_025));
  assert(!fixture.store.isPacked(fixture.entry));
  fixture.check();
});

Deno.test("Store listInsert() keeps a list's deadline", () => {
  const fixture = new Fixture();
  fixture.push(["a", "c"]);
  fixture.store.setDeadline(fixture.entry, 1e12);
  fixture.insert(1, "b");
  fixture.insert(1, "x".repeat(1_000));
  assertEquals(fixture.store.deadline(fixture.entry), 1e12);
  fixture.check();
});

for (const length of [0, 30, 250, 900, 3_000]) {
  Deno.test(`Store listInsert() finds the place of elements of ${length} bytes in leaves that are full`, () => {
    const fixture = new Fixture();
    fixture.push(numbered(2_000, 20));
    // Insert before and after one element, repeatedly, and at places far from each other.
    for (let i = 0; i < 300; i++) {
      const place = fixture.list.indexOf("1000................");
      fixture.insert(place + i % 2, `${i}`.padEnd(length, "-"));
      fixture.insert(i * 7, `${i}`.padEnd(length, "+"));
    }
    fixture.check();
  });
}

Deno.test("Store listInsert() next to one element fills leaves", () => {
  const fixture = new Fixture();
  fixture.push(numbered(1_000, 30));
  for (let i = 0; i < 20_000; i++) fixture.insert(500 + (i < 10_000 ? i : 0), "y".repeat(30));
  // An element takes 32 bytes in a leaf.
  assertLess(fixture.store.entryBytes(fixture.entry, 0), 21_000 * 32 * 1.3);
  fixture.check();
});

Deno.test("Store listInsert() splits directories", () => {
  const fixture = new Fixture();
  // Two elements a leaf, 256 leaves a directory.
  fixture.push(numbered(600, 900));
  for (let i = 0; i < 600; i++) fixture.insert(300, `${i}`.padEnd(900, "-"));
  fixture.check();
  for (let index = 0; index < fixture.list.length; index += 97) {
    assert(fixture.store.lists.seek(fixture.entry, index));
    assertEquals(fixture.reader.element(), fixture.list[index]);
  }
});

Deno.test("Store listRemove() removes from a packed list, and the key with the last element", () => {
  const fixture = new Fixture();
  fixture.push(["a", "b", "c", "d", "e", "f"]);
  fixture.remove(1, 2);
  fixture.remove(0, 1);
  fixture.remove(2, 1);
  fixture.check();
  assertEquals(fixture.store.lists.remove(fixture.entry, 0, 2), 0);
  assertEquals([fixture.entry, fixture.store.size, fixture.store.audit()], [0, 0, 0]);
});

for (const [name, length] of [["leaves", 20], ["elements outside of leaves", 2_000]] as const) {
  Deno.test(`Store listRemove() removes ranges that end anywhere in ${name}`, () => {
    const fixture = new Fixture();
    for (const [index, count] of [[0, 1], [0, 700], [1_500, 800], [100, 3], [600, 195], [299, 300]] as const) {
      fixture.push(numbered(2_500 - fixture.list.length, length));
      fixture.remove(index, count);
      fixture.check();
    }
    fixture.remove(1, fixture.list.length - 2);
    fixture.check();
    assertEquals(fixture.store.lists.remove(fixture.entry, 0, 2), 0);
    while (fixture.store.freeRemoved(10));
    assertEquals(fixture.store.audit(), 0);
  });
}

Deno.test("Store listRemove() leaves long ranges to be freed in steps", () => {
  const fixture = new Fixture();
  fixture.push(numbered(200_000, 20));
  const { usedBytes } = fixture.store.statistics;
  fixture.remove(100_005, 99_990);
  fixture.remove(5, 99_990);
  assertEquals(fixture.list.length, 20);
  fixture.check();
  assertGreater(fixture.store.statistics.usedBytes, usedBytes * 0.9);
  let steps = 1;
  while (fixture.store.freeRemoved(100)) {
    steps++;
    assertEquals(fixture.store.audit(), 0);
  }
  assertGreater(steps, 10);
  assertLess(fixture.store.statistics.usedBytes, 200_000);
  fixture.check();
});

Deno.test("Store listRemove() frees in a full store, where no page is left to split anything", () => {
  const fixture = new Fixture(4 << 20);
  fixture.push(numbered(80_000, 20));
  // Values of a page each are set, without making room, until there is no page.
  const page = new Uint8Array(65_520);
  for (let i = 0; fixture.store.statistics.committedBytes < 4 << 20; i++) {
    const key = encodeText(`key:${i}`);
    fixture.store.strings.set(key, 0, key.length, 0, page, 0, page.length, 0);
  }
  fixture.remove(100, 79_000);
  assert(!fixture.store.freeRemoved(1));
  fixture.check();
});

Deno.test("Store listRemoveEqual() removes up to the given number from either end", () => {
  for (const elements of [["a", "b", "a", "c", "a", "a", "b"], numbered(5_000, 20).flatMap((each) => ["a", each])]) {
    const fixture = new Fixture();
    fixture.push(elements);
    assertEquals(fixture.removeEqual("a", 1), 1);
    assertEquals(fixture.removeEqual("a", 2, true), 2);
    fixture.check();
    assertEquals(fixture.removeEqual("absent"), 0);
    fixture.removeEqual("a");
    fixture.check();
    assert(!fixture.list.includes("a"));
  }
});

Deno.test("Store listRemoveEqual() compares elements in blobs", () => {
  const fixture = new Fixture();
  const long = "x".repeat(200_000);
  fixture.push(["a", `${long}y`, `${long}z`, "b", `${long}y`, "c"]);
  assertEquals(fixture.removeEqual(`${long}y`), 2);
  fixture.check();
});

Deno.test("Store listRemoveEqual() removes the key with the last element, and counts no change without one", () => {
  const fixture = new Fixture();
  fixture.push(Array.from({ length: 10_000 }, () => "same"));
  const { changes } = fixture.store;
  fixture.removeEqual("other");
  assertEquals(fixture.store.changes, changes);
  const bytes = encodeText("same");
  assertEquals(fixture.store.lists.removeEqual(fixture.entry, false, Infinity, bytes, 0, bytes.length), 0);
  assertEquals([fixture.entry, fixture.store.audit()], [0, 0]);
});

Deno.test("Store lists of which most elements were removed one by one take no more memory than others", () => {
  for (const fromTail of [false, true]) {
    const fixture = new Fixture();
    const count = ELEMENTS_COUNT;
    for (let i = 0; i < count; i++) fixture.push([`${i % 50}`.padEnd(20, ".")]);
    for (let kind = 0; kind < 49; kind++) {
      const bytes = encodeText(`${kind}`.padEnd(20, "."));
      fixture.store.lists.removeEqual(fixture.entry, fromTail, Infinity, bytes, 0, bytes.length);
    }
    assertEquals(fixture.store.lists.length(fixture.entry), count / 50);
    // An element takes 22 bytes in a leaf, and leaves that were joined may be no more than a quarter full.
    assertLess(fixture.store.entryBytes(fixture.entry, 0), count / 50 * 22 * 4);
    assertEquals(fixture.store.audit(), 0);
  }
});

Deno.test("Store listPrevious() goes back to the first element", () => {
  for (const elements of [["a", "b", "c"], numbered(30_000, 20), numbered(50, 3_000)]) {
    const fixture = new Fixture();
    fixture.push(elements);
    let index = elements.length;
    for (let more = fixture.store.lists.seek(fixture.entry, -1); more; more = fixture.store.lists.previous()) {
      assertEquals(fixture.reader.element(), elements[--index]);
    }
    assertEquals(index, 0);
    assert(fixture.store.lists.seek(fixture.entry, 1));
    assert(fixture.store.lists.previous());
    assert(!fixture.store.lists.previous());
  }
});

Deno.test("Store elementEquals() compares the whole element", () => {
  const fixture = new Fixture();
  for (const element of ["", "a", "b".repeat(300), "c".repeat(150_000)]) {
    fixture.push([element]);
    assert(fixture.store.lists.seek(fixture.entry, -1));
    for (
      const [other, isEqual] of [[element, true], [`${element}-`, false], [element.replace(/.$/, "-"), false]] as const
    ) {
      const bytes = encodeText(other);
      assertEquals(fixture.store.lists.elementEquals(bytes, 0, bytes.length), isEqual || other === element);
    }
  }
});
