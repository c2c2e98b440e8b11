import { assert, assertEquals } from "@std/assert";
import { SLICE_MS } from "../../src/limits.ts";
import { DeliveryQueue } from "../../src/role/delivery_queue.ts";
import type { Deliverable } from "../../src/role/delivery_queue.ts";
import { Slices } from "../../src/role/slices.ts";
import { pause } from "../support/pause.ts";

/** Takes a while to deliver, and records when it did. */
class Slow implements Deliverable {
  isDue = false;
  readonly #log: number[];
  readonly #durationMs: number;

  constructor(log: number[], durationMs: number) {
    this.#log = log;
    this.#durationMs = durationMs;
  }

  deliver(): void {
    const endMs = performance.now() + this.#durationMs;
    while (performance.now() < endMs);
    this.#log.push(endMs);
  }
}

Deno.test("DeliveryQueue delivers after the present step, once for any number of calls", async () => {
  const queue = new DeliveryQueue(new Slices());
  const log: number[] = [];
  const each = [new Slow(log, 0), new Slow(log, 0)];
  for (let i = 0; i < 3; i++) for (const one of each) queue.schedule(one);
  assertEquals([log.length, each[0]!.isDue], [0, true]);
  await undefined;
  await undefined;
  assertEquals([log.length, each[0]!.isDue], [2, false]);
  queue.schedule(each[1]!);
  await undefined;
  await undefined;
  assertEquals(log.length, 3);
});

Deno.test("DeliveryQueue lets timers run while it delivers to many", async () => {
  const queue = new DeliveryQueue(new Slices());
  const log: number[] = [];
  const count = 200;
  for (let i = 0; i < count; i++) queue.schedule(new Slow(log, SLICE_MS / 10));
  let turns = 0;
  while (log.length < count) {
    await pause(0);
    turns++;
  }
  // The work takes 20 slices, with other code between any two.
  assert(turns >= 10, `${turns} turns`);
});
