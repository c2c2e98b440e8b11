import { assert, assertEquals } from "@std/assert";
import { BATCH_MAX_MS, SLICE_MS } from "../../src/limits.ts";
import { Slices } from "../../src/role/slices.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

/** Runs a test with a clock that it controls. */
async function withClock(test: (advance: (ms: number) => void) => void | Promise<void>): Promise<void> {
  const original = performance.now;
  let nowMs = 1_000;
  performance.now = () => nowMs;
  try {
    await test((ms) => nowMs += ms);
  } finally {
    performance.now = original;
  }
}

/** Resolves after the timers that fire in the next turn. */
function nextTurn(): Promise<void> {
  return pause(0);
}

Deno.test("Slices run() continues until all is done, or the slice is over", () =>
  withClock((advance) => {
    const slices = new Slices();
    let steps = 0;
    const step = (last: number) => () => {
      advance(SLICE_MS / 10);
      return ++steps === last;
    };
    assert(slices.run(step(3)));
    assertEquals(steps, 3);
    steps = 0;
    assert(!slices.run(step(1_000)), "what the first has left");
    assert(steps >= 6 && steps <= 8, `${steps} steps`);
  }));

Deno.test("Slices run() shares a turn among all callers in it", () =>
  withClock((advance) => {
    const slices = new Slices();
    let steps = 0;
    for (let i = 0; i < 100; i++) {
      slices.run(() => {
        advance(SLICE_MS / 10);
        return steps++ % 2 === 1;
      });
    }
    assert(steps >= 10 && steps <= 12, `${steps} steps`);
    assert(!slices.run(() => true), "not even a step");
  }));

Deno.test("Slices run() has time again after other code ran, and subtracts what a step took too long", () =>
  withClock((advance) => {
    const slices = new Slices();
    const step = (ms: number) => () => {
      advance(ms);
      return true;
    };
    assert(slices.run(step(SLICE_MS * 1.5)));
    advance(SLICE_MS * 0.4);
    assert(!slices.run(step(0)));
    advance(SLICE_MS * 0.2);
    assert(slices.run(step(SLICE_MS * 0.2)));
    assert(!slices.run(step(0)));
    advance(1_000_000);
    assert(slices.run(step(SLICE_MS)), "a slice, however long nobody needed one");
    assert(!slices.run(step(0)));
  }));

Deno.test("Slices next() gives each caller a separate turn, in order, with a whole slice", async () => {
  const slices = new Slices();
  let turns = 0;
  let timer = 0;
  const count = () => {
    turns++;
    timer = setTimeout(count, 0);
  };
  timer = setTimeout(count, 0);
  const seen: [name: string, turn: number][] = [];
  const wait = async (name: string) => {
    for (let round = 0; round < 3; round++) {
      await slices.next();
      seen.push([name, turns]);
      assert(slices.run(() => true), "there is time");
    }
  };
  await Promise.all([wait("a"), wait("b"), wait("c")]);
  clearTimeout(timer);
  assertEquals(seen.map(([name]) => name).join(""), "abcabcabc");
  for (let i = 1; i < seen.length; i++) assert(seen[i]![1] > seen[i - 1]![1], `one turn for both: ${seen.join(" ")}`);
});

Deno.test("Slices readTurn() continues readers in order, as many per turn as have time in it", () =>
  withClock(async (advance) => {
    const slices = new Slices();
    const log: string[] = [];
    const reader = async (name: string, rounds: number, takesMs: number) => {
      for (let round = 0; round < rounds; round++) {
        if (slices.isTurnLong) await slices.readTurn();
        log.push(name);
        advance(takesMs);
      }
    };
    let turns = 0;
    let timer = 0;
    const count = () => {
      turns++;
      log.push("|");
      timer = setTimeout(count, 0);
    };
    timer = setTimeout(count, 0);
    const names = "abcdefghij".split("");
    await Promise.all(names.map((name) => reader(name, 5, BATCH_MAX_MS * 0.4)));
    clearTimeout(timer);
    await nextTurn();
    const rounds = log.filter((name) => name !== "|").join("");
    assertEquals(rounds.length, 50);
    // The first reader of the first turn is then the last in the queue, and all readers run equally often.
    for (const name of names) assertEquals(rounds.split(name).length - 1, 5, rounds);
    for (const turn of log.join("").split("|")) assert(turn.length <= 4, `too much in a turn: ${log.join("")}`);
    assert(turns >= 12, `${turns} turns`);
  }));

Deno.test("Slices isTurnLong is false for a small reader, and true for all readers while others wait", () =>
  withClock(async (advance) => {
    const slices = new Slices();
    assert(!slices.isTurnLong);
    advance(BATCH_MAX_MS / 2);
    assert(!slices.isTurnLong);
    advance(BATCH_MAX_MS);
    assert(slices.isTurnLong);
    const turn = slices.readTurn();
    advance(-BATCH_MAX_MS);
    assert(slices.isTurnLong, "another one would be overtaken");
    await turn;
    await nextTurn();
    assert(!slices.isTurnLong, "a new turn");
    await nextTurn();
  }));

Deno.test("Slices continue only after the system was asked for input in their turn", async () => {
  let asked = 0;
  let gate = Promise.withResolvers<void>();
  const slices = new Slices({
    pass: () => {
      asked++;
      return gate.promise;
    },
  });
  const letOn = async () => {
    const before = gate;
    gate = Promise.withResolvers<void>();
    before.resolve();
    await before.promise;
  };
  const seen: string[] = [];
  const first = slices.next().then(() => seen.push("a"));
  const second = slices.next().then(() => seen.push("b"));
  await until(() => asked === 1, "it asks");
  assertEquals(seen, []);
  await letOn();
  await first;
  assertEquals(seen, ["a"]);
  await until(() => asked === 2, "it asks again");
  assertEquals(seen, ["a"], "each has a turn of its own");
  await letOn();
  await second;
  assert(!slices.isTurnLong);
  const turned = slices.readTurn().then(() => seen.push("c"));
  await until(() => asked === 3, "it asks a third time");
  assertEquals(seen, ["a", "b"]);
  await letOn();
  await turned;
  await until(() => asked === 4, "it asks a fourth time");
  await letOn();
});
