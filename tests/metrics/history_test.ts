import { assertEquals } from "@std/assert";
import { History, HISTORY_SERIES } from "../../src/metrics/history.ts";
import type { Overview } from "../../src/metrics/overview.ts";

/** Returns an overview with these facts. */
function overviewAt(nowMs: number, facts: Partial<Overview> = {}): Overview {
  return {
    role: "server",
    version: "0.1.0",
    runId: "run",
    address: "127.0.0.1:9443",
    nowMs,
    uptimeMs: nowMs,
    clients: 1,
    maxClients: 100,
    opsPerSecond: 0,
    inputBytes: 0,
    outputBytes: 0,
    slotsUnderWay: 0,
    servers: [],
    problems: [],
    ...facts,
  };
}

Deno.test("History turns counters into rates, and finds none in the first step", () => {
  const history = new History();
  assertEquals(history.newest, undefined);
  const counters = { evictedKeys: 10, expiredKeys: 20, inputBytes: 100, outputBytes: 1000, hits: 5, misses: 5 };
  history.add(overviewAt(1000, { ...counters, opsPerSecond: 7, p50Ms: 0.1234567, usedBytes: 123_456_789 }));
  const unknown = { evictedPerSecond: null, expiredPerSecond: null, hitRatio: null };
  assertEquals(history.newest, {
    timeMs: 1000,
    values: {
      ...unknown,
      inputBytesPerSecond: null,
      outputBytesPerSecond: null,
      opsPerSecond: 7,
      p50Ms: 0.12346,
      p99Ms: null,
      usedBytes: 123_456_789,
      keys: null,
      clients: 1,
    },
  });
  history.add(
    overviewAt(6000, { evictedKeys: 20, expiredKeys: 20, inputBytes: 200, outputBytes: 1005, hits: 8, misses: 6 }),
  );
  const { values } = history.newest!;
  assertEquals([values.evictedPerSecond, values.expiredPerSecond], [2, 0]);
  assertEquals([values.inputBytesPerSecond, values.outputBytesPerSecond], [20, 1]);
  assertEquals(values.hitRatio, 0.75);
});

Deno.test("History has no rate where a counter was reset, is missing, or where nothing was read", () => {
  const history = new History();
  history.add(overviewAt(0, { hits: 100, misses: 1, evictedKeys: 50, inputBytes: 5 }));
  history.add(overviewAt(5000, { hits: 100, misses: 1, evictedKeys: 3 }));
  const { hitRatio, evictedPerSecond, inputBytesPerSecond } = history.newest!.values;
  assertEquals([hitRatio, evictedPerSecond, inputBytesPerSecond], [null, null, null]);
  // A clock that has not moved gives no rate either.
  history.add(overviewAt(5000, { evictedKeys: 4 }));
  assertEquals(history.newest!.values.evictedPerSecond, null);
});

Deno.test("History keeps the newest steps, the oldest of them first", () => {
  const history = new History(3);
  for (let i = 1; i <= 5; i++) history.add(overviewAt(i * 5000, { clients: i }));
  const { times, series } = history.data();
  assertEquals(times, [15_000, 20_000, 25_000]);
  assertEquals(series.clients, [3, 4, 5]);
  for (const name of HISTORY_SERIES) assertEquals(series[name].length, 3, name);
  assertEquals(history.newest!.timeMs, 25_000);
});
