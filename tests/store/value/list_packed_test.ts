import { assert, assertEquals, assertLess } from "@std/assert";
import { Random } from "../../../bench/support/random.ts";
import { encodeText } from "../../../src/bytes.ts";
import { Store } from "../../../src/store/store.ts";
import { StoreReader } from "../../support/store_reader.ts";

/** A list in a store, and an array that is changed in the same way. */
class Fixture {
  readonly store = new Store({ memoryLimitBytes: 1 << 25, evicts: false, seed: [1, 2] });
  readonly reader = new StoreReader(this.store);
  readonly list: string[] = [];
  key = encodeText("key:000000000000");

  get entry(): number {
    return this.store.find(this.key, 0, this.key.length);
  }

  push(head: boolean, element: string): void {
    const bytes = encodeText(element);
    this.store.lists.push(this.key, 0, this.key.length, this.entry, head, bytes, 0, bytes.length);
    if (head) this.list.unshift(element);
    else this.list.push(element);
  }

  pop(head: boolean): void {
    this.store.lists.pop(this.entry, head);
    if (head) this.list.shift();
    else this.list.pop();
  }

  insert(index: number, element: string): void {
    const bytes = encodeText(element);
    this.store.lists.insert(this.entry, index, bytes, 0, bytes.length);
    this.list.splice(index, 0, element);
  }

  set(index: number, element: string): void {
    const bytes = encodeText(element);
    this.store.lists.set(this.entry, index, bytes, 0, bytes.length);
    this.list[index] = element;
  }

  remove(index: number, count: number): void {
    this.store.lists.remove(this.entry, index, count);
    this.list.splice(index, count);
  }

  rename(name: string): void {
    const key = encodeText(name);
    this.store.rename(this.entry, key, 0, key.length);
    this.key = key;
  }

  get bytes(): number {
    return this.store.entryBytes(this.entry, 0);
  }

  check(): void {
    assertEquals(this.entry === 0 ? [] : this.reader.value(this.entry), this.list);
    assertEquals(this.store.audit(), 0);
  }
}

const ELEMENT = "ten bytes.";

Deno.test("Lists keep 100 elements of 10 bytes in 1,300 bytes, from either end", () => {
  for (const head of [false, true]) {
    const fixture = new Fixture();
    for (let i = 0; i < 100; i++) fixture.push(head, ELEMENT);
    assertLess(fixture.bytes, 1_300);
    fixture.check();
  }
});

Deno.test("Lists take at most an eighth more than their elements while they are packed", () => {
  for (const head of [false, true]) {
    const fixture = new Fixture();
    for (let i = 1; i * 12 <= 2_000; i++) {
      fixture.push(head, ELEMENT);
      assert(fixture.store.isPacked(fixture.entry));
      assertLess(fixture.bytes, (i * 12 + 65) * 1.125);
    }
  }
});

Deno.test("Lists used as queues stay packed, in a block of about their size", () => {
  for (const head of [false, true]) {
    const fixture = new Fixture();
    for (let i = 0; i < 100; i++) fixture.push(head, `${i}`.padStart(10));
    for (let i = 0; i < 1_000; i++) {
      fixture.push(head, `${i}`.padStart(10));
      fixture.pop(!head);
      if (i % 50 === 0) fixture.check();
    }
    fixture.check();
    assert(fixture.store.isPacked(fixture.entry));
    assertLess(fixture.bytes, 1_400);
    // A push gives the memory back that a list no longer needs.
    for (let i = 0; i < 90; i++) fixture.pop(!head);
    fixture.push(head, ELEMENT);
    assertLess(fixture.bytes, 350);
    fixture.check();
  }
});

Deno.test("Lists with room before their elements can be renamed to the longest key", () => {
  for (const length of [1, 1_000, 20_000, 32_740]) {
    const fixture = new Fixture();
    fixture.key = encodeText("k".repeat(length));
    for (let i = 0; i < 5; i++) fixture.push(true, `${i}`);
    fixture.rename("l".repeat(32_768));
    fixture.check();
    fixture.rename("m");
    fixture.push(true, "first");
    fixture.push(false, "last");
    fixture.check();
  }
});

Deno.test("Lists agree with an array after any changes around the largest packed size", () => {
  const random = new Random(20261130);
  for (const longest of [3, 40, 300, 1_100]) {
    const fixture = new Fixture();
    const text = () => "x".repeat(random.below(longest + 1)) + random.below(10);
    for (let i = 0; i < 3_000; i++) {
      const { length } = fixture.list;
      const grows = random.below(100) < 60 - Math.min(30, fixture.list.join("..").length / 80);
      if (length === 0 || grows) {
        if (length === 0 || random.chance(0.6)) fixture.push(random.chance(0.5), text());
        else fixture.insert(random.below(length + 1), text());
      } else if (random.chance(0.4)) fixture.set(random.below(length), text());
      else if (random.chance(0.7)) fixture.pop(random.chance(0.5));
      else {
        const index = random.below(length);
        fixture.remove(index, 1 + random.below(Math.min(4, length - index)));
      }
      if (fixture.entry !== 0 && random.chance(0.02)) {
        fixture.store.setDeadline(fixture.entry, random.chance(0.5) ? 0 : 1e12);
      }
      if (fixture.entry !== 0 && random.chance(0.02)) fixture.rename("k".repeat(1 + random.below(100)));
      if (i % 20 === 0) fixture.check();
    }
    fixture.check();
  }
});
