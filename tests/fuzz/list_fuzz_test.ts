/**
 * Compares one large list, of many directories, with an array: elements are inserted and removed in its middle, in
 * clusters and in long ranges, while other keys are added and removed so that its parts are moved.
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { Store } from "../../src/store/store.ts";
import { amountOf } from "../support/amount.ts";
import { StoreReader } from "../support/store_reader.ts";

/** The memory limit. The list takes half of it. Eviction takes other keys, since the list is always in use. */
const LIMIT_BYTES = 16 << 20;
const KEY = encodeText("list");
const OTHER_VALUE = new Uint8Array(8_000);

/** The properties of a list. */
interface Shape {
  /** The number of elements at the beginning, and approximately after each refill. */
  readonly count: number;
  /** One of this many elements may have up to `longest` bytes, the others have up to 20. */
  readonly longInterval: number;
  readonly longest: number;
  /** The number of different beginnings of elements. */
  readonly alphabet: number;
}

/** A list in a store beside its model. Elements are ASCII. */
class Run {
  readonly store: Store;
  readonly reader: StoreReader;
  readonly list: string[] = [];
  readonly #random: Random;
  #others = 0;

  constructor(seed: number, readonly shape: Shape) {
    this.#random = new Random(seed);
    this.store = new Store({ memoryLimitBytes: LIMIT_BYTES, evicts: true, seed: [seed, ~seed >>> 0] });
    this.reader = new StoreReader(this.store);
    for (let i = 0; i < shape.count; i++) this.push();
  }

  below(count: number): number {
    return this.#random.below(count);
  }

  text(): string {
    const { alphabet, longest, longInterval } = this.shape;
    const length = this.below(longInterval) === 0 ? this.below(longest) : this.below(20);
    return String(this.below(alphabet)).padEnd(length, "-");
  }

  find(): number {
    return this.store.find(KEY, 0, KEY.length);
  }

  push(): void {
    const element = this.text();
    const bytes = encodeText(element);
    this.store.room.make(bytes.length + 10, 3);
    this.store.lists.push(KEY, 0, KEY.length, this.find(), false, bytes, 0, bytes.length);
    this.list.push(element);
  }

  /** Adds and removes keys, which moves the parts of the list. */
  shiftOthers(): void {
    const { store } = this;
    for (let i = 0; i < 200; i++) {
      const key = encodeText(`other:${this.below(5_000)}`);
      store.room.make(OTHER_VALUE.length + 20, 3);
      const entry = store.find(key, 0, key.length);
      if (entry !== 0) store.remove(entry);
      else store.strings.set(key, 0, key.length, 0, OTHER_VALUE, 0, this.below(OTHER_VALUE.length), 0);
    }
    this.#others++;
    if (this.#others % 3 === 0) store.freeRemoved(this.below(200));
  }

  insertMany(): void {
    const place = this.below(this.list.length + 1);
    for (let i = this.below(600); i >= 0; i--) {
      const index = Math.min(this.list.length, place + this.below(3));
      const element = this.text();
      const bytes = encodeText(element);
      this.store.room.make(bytes.length + 20, 5);
      this.store.lists.insert(this.find(), index, bytes, 0, bytes.length);
      this.list.splice(index, 0, element);
    }
  }

  removeRange(): void {
    const { list, store } = this;
    const index = this.below(4) === 0 ? 0 : this.below(list.length);
    const most = list.length - index;
    const wanted = [5, 500, 10_000, 60_000][this.below(4)]!;
    const count = this.below(5) === 0 ? most : 1 + this.below(Math.min(most, wanted));
    // Never removes all elements: the model requires an existing list.
    if (count === list.length) return;
    assertEquals(store.lists.remove(this.find(), index, count), this.find());
    list.splice(index, count);
  }

  removeEqual(): void {
    const { list, store } = this;
    const target = list[this.below(list.length)]!;
    const bytes = encodeText(target);
    const indexes = [...list.keys()].filter((index) => list[index] === target);
    if (indexes.length === list.length) return;
    const most = this.below(3) === 0 ? Infinity : 1 + this.below(indexes.length);
    const fromTail = this.below(2) === 0;
    store.lists.removeEqual(this.find(), fromTail, most, bytes, 0, bytes.length);
    const gone = new Set(fromTail ? indexes.slice(-most) : indexes.slice(0, most));
    const kept = list.filter((_, index) => !gone.has(index));
    list.length = 0;
    for (const element of kept) list.push(element);
  }

  step(): void {
    const op = this.below(10);
    if (op < 3) this.insertMany();
    else if (op < 5) this.removeRange();
    else if (op < 7) this.removeEqual();
    else this.shiftOthers();
    while (this.list.length < this.shape.count / 50) for (let i = 0; i < this.shape.count / 2; i++) this.push();
    assertEquals(this.store.lists.length(this.find()), this.list.length);
    // A few reads are sufficient: each finds its place by the counts of all parts.
    for (let i = 0; i < 20; i++) {
      const index = this.below(this.list.length);
      assert(this.store.lists.seek(this.find(), index - (this.below(2) === 0 ? this.list.length : 0)));
      assertEquals(this.reader.element(), this.list[index]);
    }
  }

  /** Compares everything, in both directions. */
  check(): void {
    const { list, store } = this;
    assertEquals(store.audit(), 0, "the allocator's account differs from what is reachable");
    const entry = this.find();
    let index = 0;
    for (let more = store.lists.seek(entry, 0); more; more = store.lists.next()) {
      assertEquals(this.reader.element(), list[index++]);
    }
    assertEquals(index, list.length);
    for (let more = store.lists.seek(entry, -1); more; more = store.lists.previous()) {
      assertEquals(this.reader.element(), list[--index]);
    }
    assertEquals(index, 0);
  }
}

const seed = Number(Deno.env.get("SEED") ?? 20261125);
const steps = Math.ceil(amountOf("STEPS", 4_000, 60_000) / 600);
/** The number of steps after which everything is compared. */
const CHECK_EVERY = 10;

const SHAPES: Record<string, Shape> = {
  "short elements": { count: 120_000, longInterval: 50, longest: 40, alphabet: 1e9 },
  "few different elements": { count: 120_000, longInterval: 50, longest: 20, alphabet: 5 },
  "elements of which some lie outside": { count: 120_000, longInterval: 50, longest: 3_000, alphabet: 100 },
  "elements of which a leaf holds a few": { count: 10_000, longInterval: 1, longest: 1_100, alphabet: 1e9 },
};

for (const [name, shape] of Object.entries(SHAPES)) {
  Deno.test(`Store agrees with an array in the middle of a large list, ${name}, seed ${seed}`, () => {
    const run = new Run(seed, shape);
    for (let i = 0; i < steps; i++) {
      run.step();
      if (i % CHECK_EVERY === 0) run.check();
    }
    run.check();
    run.store.remove(run.find());
    while (run.store.freeRemoved(1000));
    assertEquals(run.store.audit(), 0);
    run.store.clear();
    assertEquals([run.store.size, run.store.audit()], [0, 0]);
  });
}
