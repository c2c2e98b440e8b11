import { assert, assertEquals } from "@std/assert";
import { SLICE_MS } from "../../src/limits.ts";
import { Slices } from "../../src/role/slices.ts";
import { WakeQueue } from "../../src/role/wake_queue.ts";
import { pause } from "../support/pause.ts";

/** Runs a test with a clock that it controls. */
async function withClock(test: (advance: (ms: number) => void, now: () => number) => Promise<void>): Promise<void> {
  const original = performance.now;
  let nowMs = 1_000;
  performance.now = () => nowMs;
  try {
    await test((ms) => nowMs += ms, () => nowMs);
  } finally {
    performance.now = original;
  }
}

/** The work of a woken client, which takes this many microtasks. */
async function goOn(microtasks: number, work: () => void): Promise<void> {
  for (let i = 0; i < microtasks; i++) await undefined;
  work();
}

function turn(): Promise<void> {
  return pause(0);
}

Deno.test("WakeQueue wakes a few clients immediately, without reading the clock", () => {
  const original = performance.now;
  performance.now = () => {
    throw new Error("the clock was looked at");
  };
  try {
    const queue = new WakeQueue(new Slices());
    const woken: number[] = [];
    for (let i = 0; i < 7; i++) {
      queue.wake(() => woken.push(i));
      assertEquals(woken.length, i + 1);
    }
  } finally {
    performance.now = original;
  }
});

Deno.test("WakeQueue wakes each of many clients that arrive one at a time in the same turn", () =>
  withClock(async (advance) => {
    const queue = new WakeQueue(new Slices());
    for (let i = 0; i < 100; i++) {
      let isWoken = false;
      queue.wake(() => isWoken = true);
      for (let j = 0; j < 10; j++) await undefined;
      assert(isWoken, `client ${i}`);
      advance(SLICE_MS / 100);
    }
    await turn();
  }));

for (const microtasks of [0, 3, 12]) {
  Deno.test(`WakeQueue lets others run while it wakes many that work after ${microtasks} microtasks, in order`, () =>
    withClock(async (advance, now) => {
      const queue = new WakeQueue(new Slices());
      const order: number[] = [];
      const count = 1_000;
      const workMs = SLICE_MS / 50;
      for (let i = 0; i < count; i++) {
        queue.wake(() => {
          order.push(i);
          void goOn(microtasks, () => advance(workMs));
        });
      }
      let longestMs = 0;
      let turns = 0;
      while (order.length < count) {
        const startedMs = now();
        await turn();
        longestMs = Math.max(longestMs, now() - startedMs);
        turns++;
      }
      assertEquals(order, Array.from({ length: count }, (_, i) => i));
      assert(longestMs <= 2 * SLICE_MS, `${longestMs} ms`);
      assert(turns >= 10, `${turns} turns`);
      // Enough clients continue in each turn that the last is not woken long after the first.
      assert(turns <= 60, `${turns} turns`);
    }));
}

Deno.test("WakeQueue lets others run when each of many clients arrives in a separate step", () =>
  withClock(async (advance, now) => {
    const queue = new WakeQueue(new Slices());
    const count = 500;
    const workMs = SLICE_MS / 50;
    let woken = 0;
    // Timers that fire in the same turn arrive like this, with microtasks between them.
    for (let i = 0; i < count; i++) {
      queue.wake(() => {
        woken++;
        void goOn(3, () => advance(workMs));
      });
      for (let j = 0; j < 20; j++) await undefined;
    }
    const startedMs = now();
    assert(startedMs - 1_000 <= 2 * SLICE_MS, `${startedMs - 1_000} ms`);
    while (woken < count) await turn();
    await turn();
  }));
