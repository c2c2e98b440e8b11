import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { HotKeys } from "../../src/metrics/hot_keys.ts";
import { halfSipHash } from "../../src/store/siphash.ts";
import { RandomStream } from "../../src/store/random_stream.ts";
import {
  HOT_KEYS_COUNT,
  HOT_KEYS_MIN_PER_SECOND,
  HOT_KEYS_SAMPLES_MIN_COUNT,
  HOT_KEYS_WINDOW_MS,
  KEY_SIZE_MAX_BYTES,
} from "../../src/limits.ts";

const hash = (bytes: Uint8Array, start: number, length: number) => halfSipHash(bytes, start, length, 1, 2);

/** A sketch beside the exact, decayed weight of each key. */
class Compared {
  readonly exact = new Map<string, number>();
  total = 0;
  nowMs = 1_000_000;
  readonly keys: HotKeys;
  readonly #startMs = this.nowMs;

  constructor(readonly capacity = HOT_KEYS_COUNT) {
    this.keys = new HotKeys(hash, this.nowMs, capacity);
  }

  note(key: string, weight = 1): void {
    const bytes = encodeText(`..${key}.`);
    this.keys.note(bytes, 2, bytes.length - 3, weight);
    this.exact.set(key, (this.exact.get(key) ?? 0) + weight);
    this.total += weight;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.keys.decay(this.nowMs);
    const factor = Math.exp(-ms / HOT_KEYS_WINDOW_MS);
    for (const [key, weight] of this.exact) this.exact.set(key, weight * factor);
    this.total *= factor;
  }

  /** Checks the bounds that the module states, and returns the names that are reported. */
  check(): string[] {
    const windowS = HOT_KEYS_WINDOW_MS / 1000 * (1 - Math.exp(-(this.nowMs - this.#startMs) / HOT_KEYS_WINDOW_MS));
    const bound = this.total / this.capacity + 0.5;
    const found = this.keys.top(this.capacity, this.nowMs);
    const uses = new Map(found.map(({ name, perSecond }) => [decodeText(name), perSecond * windowS]));
    for (const [key, weight] of this.exact) {
      const reported = uses.get(key);
      if (weight > bound * 2 + HOT_KEYS_SAMPLES_MIN_COUNT + windowS * HOT_KEYS_MIN_PER_SECOND) {
        assert(reported !== undefined, `${key} with ${weight} of ${this.total} is missing`);
      }
      if (reported === undefined) continue;
      assert(reported <= weight * 1.000001, `${key}: ${reported} is more than ${weight}`);
      assert(reported >= weight - bound - 0.000001, `${key}: ${reported} is too far below ${weight}: ${bound}`);
    }
    const order = found.map(({ perSecond }) => perSecond);
    assertEquals(order, order.toSorted((a, b) => b - a));
    return found.map(({ name }) => decodeText(name));
  }
}

/** Returns a function that draws numbers from 0 on, of which number n has a frequency proportional to 1 / (n + 1)^s. */
function zipf(count: number, s: number): () => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let n = 0; n < count; n++) sums[n] = sum += (n + 1) ** -s;
  const random = new RandomStream();
  random.begin(0.5);
  return () => {
    const wanted = random.below(1_000_000_000) / 1e9 * sum;
    let low = 0;
    for (let high = count - 1; low < high;) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

for (const s of [0.7, 1, 1.3]) {
  Deno.test(`HotKeys keeps its bounds for a Zipf distribution with exponent ${s}`, () => {
    const compared = new Compared();
    const next = zipf(20_000, s);
    for (let i = 1; i <= 40_000; i++) {
      compared.note(`key${next()}`);
      if (i % 1000 === 0) compared.pass(500);
      if (i % 10_000 === 0) assert(compared.check().slice(0, 3).includes("key0"));
    }
  });
}

Deno.test("HotKeys keeps its bounds when each other key occurs once, in any order", () => {
  for (const hotEvery of [2, 20, 50]) {
    const compared = new Compared();
    for (let i = 0; i < 20_000; i++) {
      compared.note(i % hotEvery === 0 ? "hot" : `once${i}`);
      if (i % 500 === 0) compared.pass(250);
    }
    assertEquals(compared.check()[0], "hot");
  }
});

Deno.test("HotKeys keeps its bounds when keys take turns to evict each other", () => {
  const compared = new Compared(16);
  // One key more than there are places: each new one takes the place of the one that comes next.
  for (let i = 0; i < 17_000; i++) {
    compared.note(`key${i % 17}`);
    if (i % 1700 === 0) compared.pass(1000);
  }
  compared.check();
  // A burst of other keys, and then a key that becomes hot at last.
  for (let i = 0; i < 1000; i++) compared.note(`burst${i}`);
  for (let i = 0; i < 3000; i++) compared.note("late");
  assertEquals(compared.check()[0], "late");
});

Deno.test("HotKeys counts weights, so that commands that are measured rarely count as often as others", () => {
  const compared = new Compared();
  for (let second = 0; second < 30; second++) {
    for (let i = 0; i < 10; i++) compared.note("rarely measured", 1001);
    for (let i = 0; i < 300; i++) compared.note("often measured", 3);
    compared.pass(1000);
  }
  const [first, second] = compared.keys.top(2, compared.nowMs);
  assertEquals([decodeText(first!.name), decodeText(second!.name)], ["rarely measured", "often measured"]);
  // The decay at the end of the second leaves e^-0.1 of it.
  assertAlmostEquals(first!.perSecond, 10_010, 600);
  assertAlmostEquals(second!.perSecond, 900, 60);
  assertAlmostEquals(first!.share, 10_010 / 10_910, 0.001);
  compared.check();
});

Deno.test("HotKeys reports rates from the first second on, and forgets what is used no more", () => {
  const keys = new HotKeys(hash, 0);
  const [hot, later] = [encodeText("hot"), encodeText("later")];
  for (let i = 0; i < 500; i++) keys.note(hot, 0, 3, 1);
  assertAlmostEquals(keys.top(1, 500)[0]!.perSecond, 500, 30);
  let nowMs = 1000;
  for (; nowMs < 61_000; nowMs += 100) {
    keys.decay(nowMs);
    for (let i = 0; i < 50; i++) keys.note(later, 0, 5, 1);
  }
  const found = keys.top(10, nowMs);
  assertEquals(found.map(({ name }) => decodeText(name)), ["later"]);
  assertAlmostEquals(found[0]!.perSecond, 500, 10);
  assertEquals(keys.top(10, nowMs + 200_000), []);
});

Deno.test("HotKeys reports no key that was measured very few times, however many uses they stand for", () => {
  const keys = new HotKeys(hash, 0);
  for (let i = 1; i < HOT_KEYS_SAMPLES_MIN_COUNT; i++) keys.note(encodeText("seldom"), 0, 6, 100_000);
  assertEquals(keys.top(1, 100), []);
  keys.note(encodeText("seldom"), 0, 6, 100_000);
  assertEquals(keys.top(1, 100).length, 1);
});

Deno.test("HotKeys reports no key that is used less than once in a second", () => {
  const keys = new HotKeys(hash, 0);
  for (let second = 1; second <= 100; second++) {
    if (second % 2 === 0) keys.note(encodeText("slow"), 0, 4, 1);
    for (let i = 0; i < 2; i++) keys.note(encodeText("twice"), 0, 5, 1);
    keys.decay(second * 1000);
  }
  assertEquals(keys.top(9, 100_000).map(({ name }) => decodeText(name)), ["twice"]);
});

Deno.test("HotKeys tells keys of any bytes and length apart, also with equal hashes", () => {
  const keys = new HotKeys(() => 7, 0);
  const names = [new Uint8Array(0), new Uint8Array(1), new Uint8Array(KEY_SIZE_MAX_BYTES), Uint8Array.of(255, 0, 13)];
  names.push(names[2]!.with(KEY_SIZE_MAX_BYTES - 1, 1));
  for (let i = 0; i < 10; i++) for (const name of names) keys.note(name, 0, name.length, 1);
  const found = keys.top(10, 0).map(({ name }) => name);
  assertEquals(found.length, names.length);
  for (const name of names) assert(found.some((each) => each.length === name.length && each.at(-1) === name.at(-1)));
});

Deno.test("HotKeys keeps a copy of a key, in a place that other keys have had", () => {
  const keys = new HotKeys(hash, 0, 2);
  const buffer = new Uint8Array(2000).fill(65);
  for (const length of [2000, 3, 1500, 70, 5]) {
    for (let i = 0; i < 9; i++) keys.note(buffer, 0, length, 1);
  }
  buffer.fill(66);
  for (const { name } of keys.top(2, 0)) assertEquals(name, new Uint8Array(name.length).fill(65));
});

Deno.test("HotKeys survives a clock that is set back, and clear()", () => {
  const keys = new HotKeys(hash, 1_000_000);
  const key = encodeText("key");
  for (let i = 0; i < 100; i++) keys.note(key, 0, 3, 1);
  const [found] = keys.top(1, 5_000);
  assertAlmostEquals(found!.perSecond, 100, 10);
  assertEquals(keys.top(1, 500_000), []);
  for (let i = 0; i < 100; i++) keys.note(key, 0, 3, 1);
  keys.clear(500_000);
  assertEquals(keys.top(1, 500_000), []);
});
