import { assert, assertEquals } from "@std/assert";
import { DEADLINE_MAX_MS } from "../../src/limits.ts";
import { Arena } from "../../src/store/arena.ts";
import { Deadlines } from "../../src/store/deadlines.ts";

const NOW = 1_763_900_000_000;
const DAY = 86_400_000;

class Fixture {
  readonly arena = new Arena(1 << 22);
  readonly wheel = new Deadlines(this.arena);
  readonly due: number[] = [];

  constructor() {
    this.arena.allocatePage();
    this.wheel.expire(NOW, 1000, () => assert(false));
  }

  add(deadlineMs: number): number {
    const entry = this.arena.allocate(36);
    this.arena.words[entry * 2 + 3] = 0x11000000;
    this.wheel.add(entry, deadlineMs);
    return entry;
  }

  /** Runs to `nowMs` in steps of `budget`; returns the number of entries that were due. */
  run(nowMs: number, budget = 1000): number {
    const before = this.due.length;
    while (
      this.wheel.expire(nowMs, budget, (entry) => {
        assert(this.wheel.of(entry) <= nowMs, "not due yet");
        this.wheel.remove(entry);
        this.due.push(this.wheel.of(entry));
      }) === 0
    );
    return this.due.length - before;
  }
}

Deno.test("Deadlines expire() returns entries that are due, at any distance, and no others", () => {
  for (const distance of [1, 127, 1000, 40_000, 3 * 3_600_000, 30 * DAY, 400 * DAY, 40 * 365 * DAY]) {
    const fixture = new Fixture();
    fixture.add(NOW + distance);
    assertEquals(fixture.run(NOW + distance - 1), 0, `${distance}`);
    assertEquals(fixture.run(NOW + distance + 128), 1, `${distance}`);
    assertEquals(fixture.wheel.count, 0);
  }
});

Deno.test("Deadlines expire() returns thousands of entries in the order of their slots, in steps of any budget", () => {
  for (const budget of [1, 7, 100_000]) {
    const fixture = new Fixture();
    const deadlines = Array.from({ length: 5000 }, (_, i) => NOW + 1 + (i * 7_919_333) % (3 * DAY));
    deadlines.forEach((deadline) => fixture.add(deadline));
    let now = NOW;
    while (fixture.wheel.count > 0) fixture.run(now += 3_600_000, budget);
    assertEquals(fixture.due.length, 5000);
    for (let i = 1; i < 5000; i++) assert(fixture.due[i]! >= fixture.due[i - 1]! - 128);
  }
});

Deno.test("Deadlines expire() costs little when nothing is due for years", () => {
  const fixture = new Fixture();
  fixture.add(NOW + 3000 * 365 * DAY);
  fixture.add(DEADLINE_MAX_MS);
  let steps = 0;
  while (fixture.wheel.expire(NOW + 2999 * 365 * DAY, 1, () => assert(false)) === 0) steps++;
  assert(steps < 3000, `${steps} steps`);
  assertEquals(fixture.wheel.count, 2);
});

Deno.test("Deadlines isDueAt() never misses an entry that expire() would return", () => {
  for (const aheadMs of [1, 128, 500, 5_000, 40_000]) {
    for (const distance of [0, 1, 127, 128, 400, 4_999, 32_768, 39_000]) {
      const fixture = new Fixture();
      assert(!fixture.wheel.isDueAt(NOW + aheadMs), "nothing has a deadline");
      fixture.add(NOW + 400 * DAY);
      fixture.add(NOW + distance);
      const says = fixture.wheel.isDueAt(NOW + aheadMs);
      if (fixture.run(NOW + aheadMs) > 0) assert(says, `${distance} ms away, ${aheadMs} ms ahead`);
    }
  }
});

Deno.test("Deadlines isDueAt() lets an owner rest while nothing is due soon", () => {
  const fixture = new Fixture();
  fixture.add(NOW + 400 * DAY);
  let rests = 0;
  for (let nowMs = NOW; nowMs < NOW + 60_000; nowMs += 500) {
    assertEquals(fixture.run(nowMs), 0);
    if (!fixture.wheel.isDueAt(nowMs + 500)) rests++;
  }
  // Every 32.8 s a slot of the next level is spread, which counts as work.
  assert(rests >= 110 && rests < 120, `${rests} of 120`);
});

Deno.test("Deadlines remove() and moved() keep all other entries", () => {
  const fixture = new Fixture();
  const entries = Array.from({ length: 300 }, (_, i) => fixture.add(NOW + (i % 3) * 50_000 + 10));
  for (let i = 0; i < 300; i += 3) fixture.wheel.remove(entries[i]!);
  for (let i = 1; i < 300; i += 3) {
    const to = fixture.arena.allocate(36);
    for (let word = 0; word < 9; word++) {
      fixture.arena.words[to * 2 + word] = fixture.arena.words[entries[i]! * 2 + word]!;
    }
    fixture.wheel.moved(entries[i]!, to);
    fixture.arena.free(entries[i]!);
  }
  assertEquals(fixture.run(NOW + 200_000), 200);
});

Deno.test("Deadlines tolerate a clock that steps back and forth", () => {
  const fixture = new Fixture();
  fixture.run(NOW + DAY);
  fixture.add(NOW + 5000);
  fixture.add(NOW + DAY + 5000);
  assertEquals(fixture.run(NOW + 4000), 0, "back: the wheel waits");
  assertEquals(fixture.run(NOW + DAY + 1000), 1, "overdue when it was added");
  assertEquals(fixture.run(NOW + 2 * DAY), 1);
});

Deno.test("Deadlines meanMs is the mean of the deadlines that are in the wheel", () => {
  const fixture = new Fixture();
  assertEquals(fixture.wheel.meanMs, 0);
  const entries = [1_000, 3_000, 40 * 365 * DAY].map((distance) => fixture.add(NOW + distance));
  assertEquals(Math.round(fixture.wheel.meanMs), NOW + Math.round((4_000 + 40 * 365 * DAY) / 3));
  fixture.wheel.remove(entries[2]!);
  assertEquals(fixture.wheel.meanMs, NOW + 2_000);
  fixture.run(NOW + 2_000);
  assertEquals(fixture.wheel.meanMs, NOW + 3_000);
  fixture.wheel.clear();
  assertEquals(fixture.wheel.meanMs, 0);
});
