/** Tests of which calls are counted, timed, failed and rejected. Where Redis counts the same, it is compared with. */

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { commandNamed } from "../../src/catalog/command_facts.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { SharedState } from "../../src/command/shared_state.ts";
import { LONG_ARGUMENTS_COUNT, LONG_BYTES, LONG_ITEMS_COUNT, SLICE_MS } from "../../src/limits.ts";
import { RedisServer, redisVersion } from "../conformance/redis_server.ts";
import { makeStore, MemoryClient } from "../support/memory_client.ts";
import { RespClient } from "../support/resp_client.ts";

/** Returns the position of a command in the catalog. */
function positionOf(name: string): number {
  const { specification } = commandNamed(name)!;
  return COMMANDS.indexOf(specification);
}

/** Returns the counts of a command. */
function countsOf({ shared: { instruments: { commands } } }: MemoryClient, name: string): number[] {
  const position = positionOf(name);
  const timed = commands.buckets(position).at(-1)!;
  return [commands.calls(position), timed, commands.failed[position]!, commands.rejected[position]!];
}

/** Calls that succeed, fail and are refused, in this order, on one connection. */
const CALLS = [
  "set k 1",
  "get k",
  "get none",
  "get",
  "get k k",
  "set k v ex",
  "set k v ex 0",
  "nosuchcommand",
  "rpush list a",
  "get list",
  "incr list",
  "incr k",
  "lpush k 1",
  "hget k f",
  "lset list 7 x",
  "rename none other",
  "exec",
  "multi",
  "set k 1",
  "incr list",
  "multi",
  "nosuchcommand",
  "exec",
  "multi",
  "get k",
  "incr list",
  "lpush k 1",
  "set k 2",
  "exec",
  "multi",
  "get",
  "discard",
  "discard",
  "watch k",
  "set k 3",
  "multi",
  "set k 4",
  "exec",
  "mget k list none",
  "mset k 1 other",
  "expire k notanumber",
  "del k list",
  "echo hello",
  "auth wrong",
  "subscribe",
].map((call) => call.split(" "));

Deno.test({
  name: "calls, failures, refusals and codes of errors are counted as in Redis",
  ignore: await redisVersion() === undefined,
  fn: async () => {
    await using redis = await RedisServer.start();
    using resp = await RespClient.connect(redis.port);
    const client = new MemoryClient();
    await resp.call("config", "resetstat");
    for (const call of CALLS) {
      await resp.call(...call);
      await client.wait(...call);
    }
    assertEquals(client.bugs, []);
    const text = JSON.stringify(await resp.call("info", "everything"));
    const { commands, errors } = client.shared.instruments;
    let compared = 0;
    for (const [, name, stats] of text.matchAll(/cmdstat_(\w+):(calls=[^\\]*)/g)) {
      const wanted = ["calls", "failed_calls", "rejected_calls"].map((key) => {
        return Number(new RegExp(`(?:^|,)${key}=(\\d+)`).exec(stats!)![1]);
      });
      const [calls, timed, failed, rejected] = countsOf(client, name!);
      assertEquals([calls, failed, rejected], wanted, name);
      assertEquals(timed, calls, name);
      compared++;
    }
    assert(compared > 15, `${compared} commands were compared`);
    for (let i = 0; i < commands.count; i++) {
      const { name, aliases } = COMMANDS[i]!;
      const isInRedis = [name, ...aliases].some((each) => text.includes(`cmdstat_${each}:`));
      assertEquals(commands.calls(i) > 0 || commands.rejected[i]! > 0, isInRedis, name);
    }
    const codes = [...text.matchAll(/errorstat_(\w+):count=(\d+)/g)].map(([, code, count]) => [code!, Number(count)]);
    assertEquals(Object.fromEntries(errors.byCode), Object.fromEntries(codes));
    assertEquals(errors.total, Number(/total_error_replies:(\d+)/.exec(text)![1]));
  },
});

Deno.test("a command that finds no room, or that must not write, is rejected and not called", async () => {
  const client = new MemoryClient();
  client.shared.refusal = "the disk is full";
  client.refusal("set", "k", "v");
  client.refusal("sinterstore", "k", "a", "b");
  client.call("get", "k");
  assertEquals(countsOf(client, "set"), [0, 0, 0, 1]);
  assertEquals(countsOf(client, "sinterstore"), [0, 0, 0, 1]);
  assertEquals(countsOf(client, "get"), [1, 1, 0, 0]);
  client.shared.refusal = undefined;
  client.call("set", "k", "v");
  assertEquals(countsOf(client, "set"), [1, 1, 0, 1]);
  client.store.room.make = () => {
    throw new Error("a bug");
  };
  await client.wait("set", "k", "v");
  assertEquals(countsOf(client, "set"), [2, 2, 1, 1]);
  assertEquals(client.bugs.length, 1);
});

/** Runs `begin`, and lets time pass at each pause. Returns the time until its end, in ms. */
async function withPauses(client: MemoryClient, eachMs: number, begin: () => Promise<unknown>): Promise<number> {
  client.stepsASlice = 1;
  client.pausing = () => new Promise((resolve) => setTimeout(resolve, eachMs));
  const startedMs = performance.now();
  await begin();
  client.stepsASlice = Infinity;
  return performance.now() - startedMs;
}

/** Makes many calls of a command between two sweeps, so that it is timed rarely. */
function makeFrequent(client: MemoryClient, ...call: string[]): void {
  const { commands } = client.shared.instruments;
  commands.sweep();
  for (let i = 0; i < 10_000; i++) client.call(...call);
  commands.sweep();
}

Deno.test("a call that pauses is measured until its end, whether or not its turn to be timed has come", async () => {
  const many = Array.from({ length: LONG_ITEMS_COUNT * 3 }, (_, i) => String(i));
  for (const isFrequent of [false, true]) {
    for (const isQueued of [false, true]) {
      const client = new MemoryClient();
      await client.wait("rpush", "list", ...many);
      const position = positionOf("lrange");
      if (isFrequent) makeFrequent(client, "lrange", "list", "0", "0");
      const { commands } = client.shared.instruments;
      const [before, ...counts] = [commands.microseconds(position), ...countsOf(client, "lrange")];
      const tookMs = await withPauses(client, 20, async () => {
        if (isQueued) client.call("multi");
        if (isQueued) client.call("lrange", "list", "0", "-1");
        await client.wait(...isQueued ? ["exec"] : ["lrange", "list", "0", "-1"]);
      });
      const measuredMs = (commands.microseconds(position) - before) / 1000;
      const what = `${isFrequent ? "frequent" : "rare"}, ${isQueued ? "queued" : "alone"}`;
      assert(measuredMs >= 20 && measuredMs <= tookMs + SLICE_MS + 1, `${what}: ${measuredMs} of ${tookMs} ms`);
      const [calls, timed] = countsOf(client, "lrange");
      assertEquals([calls! - counts[0]!, timed! - counts[1]!], [1, 1], what);
    }
  }
});

Deno.test("a transaction that pauses is measured once, beside its commands", async () => {
  const client = new MemoryClient();
  const many = Array.from({ length: LONG_ARGUMENTS_COUNT * 2 }, (_, i) => String(i));
  await withPauses(client, 1, async () => {
    client.call("multi");
    client.call("rpush", "list", ...many);
    client.call("lrange", "list", "0", "-1");
    client.call("get", "list");
    await client.wait("exec");
  });
  for (const name of ["multi", "exec", "rpush", "lrange"]) assertEquals(countsOf(client, name), [1, 1, 0, 0], name);
  assertEquals(countsOf(client, "get"), [1, 1, 1, 0]);
});

Deno.test("the time for which a command waits for an element does not count", async () => {
  const store = makeStore();
  const shared = new SharedState(store);
  const [client, other] = [new MemoryClient({ store, shared }), new MemoryClient({ store, shared })];
  for (const isFrequent of [false, true]) {
    if (isFrequent) {
      client.call("rpush", "full", "x", "y");
      makeFrequent(client, "brpoplpush", "full", "full", "0");
    }
    const [before] = countsOf(client, "brpoplpush");
    const position = positionOf("brpoplpush");
    const beforeUs = shared.instruments.commands.microseconds(position);
    const waiting = client.wait("brpoplpush", "list", "target", "0");
    await new Promise((resolve) => setTimeout(resolve, 100));
    other.call("rpush", "list", "x");
    await waiting;
    assertEquals(countsOf(client, "brpoplpush")[0], before! + 1);
    assert(shared.instruments.commands.microseconds(position) - beforeUs < 90_000);
  }
});

Deno.test("a large request is timed for itself, however frequent its command is", async () => {
  const client = new MemoryClient();
  makeFrequent(client, "set", "k", "v");
  const { commands } = client.shared.instruments;
  const position = positionOf("set");
  const [calls, timed] = countsOf(client, "set");
  for (let i = 0; i < 5; i++) await client.wait("set", "large", new Uint8Array(LONG_BYTES / 2));
  assertEquals(countsOf(client, "set").slice(0, 2), [calls! + 5, timed! + 5]);
  assert(commands.untilTimed[position]! > 1);
});

Deno.test("timeAllFor() times every call as long as one observer needs it", () => {
  const client = new MemoryClient();
  const { instruments } = client.shared;
  makeFrequent(client, "get", "k");
  instruments.timeAllFor("monitor", true);
  instruments.timeAllFor("slow log", true);
  instruments.timeAllFor("monitor", false);
  client.call("get", "k");
  for (let i = 0; i < 1000; i++) {
    client.call("get", "k");
    const [calls, timed] = countsOf(client, "get");
    assertEquals(timed, calls);
  }
  instruments.timeAllFor("slow log", false);
  makeFrequent(client, "get", "k");
  client.call("get", "k");
  const [calls, timed] = countsOf(client, "get");
  assert(timed! < calls!, `${timed} of ${calls}`);
});

Deno.test("quantileMs() and the rates are of the last seconds, and reset() forgets them", () => {
  const client = new MemoryClient();
  const { instruments } = client.shared;
  const nowMs = performance.now();
  for (let i = 0; i < 100; i++) client.call("get", "k");
  instruments.sweep(nowMs + 1000, 100);
  assert(instruments.quantileMs(0.5)! > 0 && instruments.quantileMs(0.5)! < 50);
  assertAlmostEquals(instruments.commandsRate.perSecond, 100, 10);
  instruments.traffic.inputBytes += 5000;
  instruments.sweep(nowMs + 2000, 100);
  assertAlmostEquals(instruments.inputRate.perSecond, 2500, 250);
  instruments.reset();
  assertEquals(instruments.quantileMs(0.5), undefined);
  assertEquals([instruments.commandsRate, instruments.inputRate].map(({ perSecond }) => perSecond), [0, 0]);
  assertEquals(instruments.traffic.inputBytes, 0);
  assertEquals(countsOf(client, "get"), [0, 0, 0, 0]);
});
