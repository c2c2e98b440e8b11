import { assertAlmostEquals, assertEquals } from "@std/assert";
import { Latencies } from "../../src/metrics/latencies.ts";

/** Asserts a quantile, which is the middle of a bucket. */
function assertNear(found: number | undefined, wanted: number): void {
  assertAlmostEquals(found!, wanted, wanted * 0.05);
}

Deno.test("Latencies quantile() is undefined before any duration was counted", () => {
  assertEquals(new Latencies(10_000, 0).quantile(0.5), undefined);
});

Deno.test("Latencies quantile() is at most 5 % off, from microseconds to a minute", () => {
  for (const durationMs of [0.00013, 0.001, 0.0137, 0.2, 1, 3.3, 47, 999, 60_000]) {
    const latencies = new Latencies(10_000, 0);
    latencies.add(durationMs);
    for (const fraction of [0, 0.5, 0.99, 1]) assertNear(latencies.quantile(fraction), durationMs);
  }
});

Deno.test("Latencies quantile() finds the middle and the end of many", () => {
  const latencies = new Latencies(10_000, 0);
  for (let i = 1; i <= 1000; i++) latencies.add(i / 10);
  assertNear(latencies.quantile(0.5), 50);
  assertNear(latencies.quantile(0.99), 99);
  assertNear(latencies.quantile(1), 100);
});

Deno.test("Latencies add() counts one duration several times", () => {
  const latencies = new Latencies(10_000, 0);
  for (let i = 0; i < 9; i++) latencies.add(80);
  latencies.add(1, 991);
  assertNear(latencies.quantile(0.99), 1);
  assertNear(latencies.quantile(1), 80);
});

Deno.test("Latencies add() counts durations out of range in the first or last bucket", () => {
  const latencies = new Latencies(10_000, 0);
  latencies.add(0);
  latencies.add(-1);
  assertNear(latencies.quantile(1), 0.000125);
  latencies.add(1e9);
  latencies.add(Infinity);
  assertNear(latencies.quantile(1), 134_000 * 0.96);
});

Deno.test("Latencies rotate() forgets durations older than two windows", () => {
  const latencies = new Latencies(10_000, 0);
  latencies.add(5);
  latencies.rotate(9_999);
  latencies.rotate(10_000);
  latencies.add(80);
  assertNear(latencies.quantile(0.5), 5);
  assertNear(latencies.quantile(1), 80);
  latencies.rotate(20_000);
  assertNear(latencies.quantile(0), 80);
  latencies.rotate(30_000);
  assertEquals(latencies.quantile(0.5), undefined);
});
