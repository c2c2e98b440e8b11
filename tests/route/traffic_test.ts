import { assertAlmostEquals, assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { RequestStream } from "../../src/route/backend_request.ts";
import { FlushQueue } from "../../src/route/flush_queue.ts";
import { Pool } from "../../src/route/pool.ts";
import { Traffic } from "../../src/route/traffic.ts";
import { FakeRequest, FakeTransport, makeFraming, type Opening, settle } from "../support/fake_transport.ts";

/** Sweeps every 100 ms with this many requests between two sweeps, and returns their total. */
function sweep(traffic: Traffic, fromMs: number, untilMs: number, requests: number, each: number): number {
  for (let nowMs = fromMs + 100; nowMs <= untilMs; nowMs += 100) traffic.sweep(nowMs, requests += each);
  return requests;
}

/** Returns how many of this many requests would be timed. */
function countTimed(traffic: Traffic, requests: number): number {
  let count = 0;
  for (let i = 0; i < requests; i++) {
    if (--traffic.untilTimed > 0) continue;
    traffic.begin(new FakeRequest("x", true, []));
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
  // The one that was due is still timed, then every 1001st.
  assertEquals(countTimed(traffic, 16_016), 16);
  traffic.sweep(300, 16_030);
  assertEquals(countTimed(traffic, 10), 10);
});

Deno.test("Traffic counts timed requests for those that are not timed", () => {
  let preciseMs = 0;
  const traffic = new Traffic(0, () => preciseMs);
  function time(durationMs: number): void {
    const request = new FakeRequest("x", true, []);
    traffic.begin(request);
    preciseMs += durationMs;
    request.traffic!.finish(request);
    assertEquals(request.traffic, undefined);
  }
  for (let i = 0; i < 5; i++) time(100);
  traffic.sweep(100, 16_000);
  time(1);
  assertAlmostEquals(traffic.quantile(0.99)!, 1, 0.05);
  assertAlmostEquals(traffic.quantile(1)!, 100, 5);
});

Deno.test("a pool times its requests from sending to the reply, and no failed ones", async () => {
  const opening: Opening[] = [];
  const flushQueue = new FlushQueue();
  const clock = { nowMs: 0 };
  let preciseMs = 0;
  const pool = new Pool("server:1", {
    connectionsMaxCount: 1,
    timeoutMs: 1000,
    flushQueue,
    clock,
    preciseMs: () => preciseMs,
    report: () => {},
  });
  const stream = new RequestStream(makeFraming(opening));
  const log: string[] = [];
  const frame = encodeText("r.");
  const request = new FakeRequest("r", false, log);
  pool.send(stream, request, frame, 0, frame.length);
  const transport = new FakeTransport();
  opening.shift()!.resolve(transport);
  await settle();
  preciseMs = 7;
  transport.push("r.");
  await settle();
  assertEquals(log.length, 1);
  assertAlmostEquals(pool.traffic.quantile(0.5)!, 7, 0.35);

  pool.send(stream, request, frame, 0, frame.length);
  await settle();
  preciseMs = 1007;
  pool.close();
  await settle();
  assertEquals(log.length, 2);
  assertEquals(request.traffic, undefined);
  assertAlmostEquals(pool.traffic.quantile(1)!, 7, 0.35);
  clock.nowMs = 2000;
  pool.sweep();
  assertEquals(pool.traffic.perSecond, 0.5);
});
