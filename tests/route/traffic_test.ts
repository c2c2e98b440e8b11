import { assertAlmostEquals, assertEquals } from "@std/assert";
import { Lane } from "../../src/route/exchange.ts";
import { Pool } from "../../src/route/pool.ts";
import { Traffic } from "../../src/route/traffic.ts";
import { Turn } from "../../src/route/turn.ts";
import { FakeExchange, FakeTransport, makeFraming, type Opening, settle } from "../support/fake_transport.ts";
import { encodeText } from "../../src/bytes.ts";

/** Sweeps every 100 ms with so many requests between two of them, and answers how many there were then. */
function sweep(traffic: Traffic, fromMs: number, untilMs: number, requests: number, each: number): number {
  for (let nowMs = fromMs + 100; nowMs <= untilMs; nowMs += 100) traffic.sweep(nowMs, requests += each);
  return requests;
}

/** How many of so many requests would be timed. */
function countTimed(traffic: Traffic, requests: number): number {
  let count = 0;
  for (let i = 0; i < requests; i++) {
    if (--traffic.untilTimed > 0) continue;
    traffic.begin(new FakeExchange("x", true, []));
    count++;
  }
  return count;
}

Deno.test("Traffic perSecond is over the last seconds", () => {
  const traffic = new Traffic(500, () => 0);
  assertEquals(traffic.perSecond, 0);
  traffic.sweep(600, 10);
  assertEquals(traffic.perSecond, 100);
  let requests = sweep(traffic, 600, 20_500, 10, 50);
  assertEquals(traffic.perSecond, 500);
  requests = sweep(traffic, 20_500, 25_500, requests, 200);
  assertEquals(traffic.perSecond, 2000);
  sweep(traffic, 25_500, 30_500, requests, 0);
  assertEquals(traffic.perSecond, 0);
});

Deno.test("Traffic times every request while there are few, and some of many", () => {
  const traffic = new Traffic(0, () => 0);
  assertEquals(countTimed(traffic, 20), 20);
  traffic.sweep(100, 20);
  assertEquals(countTimed(traffic, 20), 20);
  traffic.sweep(200, 16_020);
  // The one that was due is timed yet, then every 1001st.
  assertEquals(countTimed(traffic, 16_016), 16);
  traffic.sweep(300, 16_030);
  assertEquals(countTimed(traffic, 10), 10);
});

Deno.test("Traffic lets those that are timed stand for those that are not", () => {
  let preciseMs = 0;
  const traffic = new Traffic(0, () => preciseMs);
  function time(durationMs: number): void {
    const exchange = new FakeExchange("x", true, []);
    traffic.begin(exchange);
    preciseMs += durationMs;
    exchange.traffic!.finish(exchange);
    assertEquals(exchange.traffic, undefined);
  }
  for (let i = 0; i < 5; i++) time(100);
  traffic.sweep(100, 16_000);
  time(1);
  assertAlmostEquals(traffic.quantile(0.99)!, 1, 0.05);
  assertAlmostEquals(traffic.quantile(1)!, 100, 5);
});

Deno.test("a pool times its requests from sending to the reply, and none that fails", async () => {
  const opening: Opening[] = [];
  const turn = new Turn();
  const clock = { nowMs: 0 };
  let preciseMs = 0;
  const pool = new Pool("server:1", {
    connectionsMaxCount: 1,
    timeoutMs: 1000,
    turn,
    clock,
    preciseMs: () => preciseMs,
    report: () => {},
  });
  const lane = new Lane(makeFraming(opening));
  const log: string[] = [];
  const frame = encodeText("r.");
  const exchange = new FakeExchange("r", false, log);
  pool.send(lane, exchange, frame, 0, frame.length);
  const transport = new FakeTransport();
  opening.shift()!.resolve(transport);
  await settle();
  preciseMs = 7;
  transport.push("r.");
  await settle();
  assertEquals(log.length, 1);
  assertAlmostEquals(pool.traffic.quantile(0.5)!, 7, 0.35);

  pool.send(lane, exchange, frame, 0, frame.length);
  await settle();
  preciseMs = 1007;
  pool.close();
  await settle();
  assertEquals(log.length, 2);
  assertEquals(exchange.traffic, undefined);
  assertAlmostEquals(pool.traffic.quantile(1)!, 7, 0.35);
  clock.nowMs = 2000;
  pool.sweep();
  assertEquals(pool.traffic.perSecond, 0.5);
});
