/**
 * Tests that ioredis, versions 5 and 6, works with inmem as with Redis. Version 6 speaks RESP3, or RESP2 as an option.
 *
 * The packages of this folder are pinned in `tests/deno.lock`, since everything in `deno.lock` is part of the binary.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { Redis, type RedisOptions, ReplyError } from "npm:ioredis@5.9.3";
import { Redis as Redis6, ReplyError as ReplyError6 } from "npm:ioredis@6.0.0";
import { amountOf } from "../support/amount.ts";
import { type Check, clientTest, type Place, type Target } from "./target.ts";
import { until } from "../support/until.ts";

/** The number of keys in a scan, which is more than one page. */
const SCANNED_COUNT = 500;
const PIPELINED_COUNT = 10_000;
const MEGABYTE = 1024 * 1024;
const LARGE_MEGABYTES = amountOf("LARGE_MEGABYTES", 1, 20);

/** A version of ioredis in one of its protocols. */
interface Variant {
  readonly name: string;
  readonly Client: typeof Redis;
  readonly ReplyError: new (message: string) => Error;
  readonly options: RedisOptions & { readonly protocol?: 2 | 3 };
  readonly place: Place;
}

const VARIANTS: readonly Variant[] = [
  { name: "ioredis 5", Client: Redis, ReplyError, options: {}, place: "server" },
  // The types of the versions differ only in parts that these tests do not use.
  {
    name: "ioredis 6, RESP2",
    Client: Redis6 as never,
    ReplyError: ReplyError6,
    options: { protocol: 2 },
    place: "nowhere",
  },
  {
    name: "ioredis 6, RESP3",
    Client: Redis6 as never,
    ReplyError: ReplyError6,
    options: { protocol: 3 },
    place: "nowhere",
  },
];

for (const variant of VARIANTS) clientTest(variant.name, checksOf(variant), variant.place);

function checksOf(variant: Variant): readonly Check[] {
  /** Runs `body` with a client that is always closed afterwards. */
  const check = (name: string, body: (client: Redis, target: Target) => Promise<void>): Check => ({
    name,
    run: async (target) => {
      const client = open(variant, target);
      try {
        await client.flushall();
        await body(client, target);
      } finally {
        await close(client);
      }
    },
  });
  return [
    check("strings, numbers, hashes and lists", values),
    check("buffers hold any bytes", buffers),
    check(`values of 1 MB and ${LARGE_MEGABYTES} MB`, largeValues),
    check("pipelines, with errors at their places", (client) => pipelines(client, variant)),
    check("10,000 commands in one pipeline", largePipelines),
    check(
      "commands of one tick are pipelined by themselves",
      (client, target) => autoPipelines(client, target, variant),
    ),
    check("errors are typed, and the connection stays", (client) => errors(client, variant)),
    check(
      "another database is refused, and nothing is written",
      (client, target) => databases(client, target, variant),
    ),
    check("scan streams find every key and field once", scans),
    check("transactions", (client, target) => transactions(client, target, variant)),
    check("blocking pops", (client, target) => blockingPops(client, target, variant)),
    check("channels and patterns", (client, target) => channels(client, target, variant)),
    check("monitor, slow log and pauses", diagnosis),
    check("names, info and times", facts),
    check("reconnects and continues after a kill", reconnects),
    check(
      "a subscriber listens again after a kill",
      (client, target) => listensAgain(client, target, variant),
    ),
  ];
}

function open({ Client, options }: Variant, { hostname, port, authority }: Target, more: RedisOptions = {}): Redis {
  const client = new Client({
    host: hostname,
    port,
    tls: { ca: authority },
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
    ...options,
    ...more,
  });
  // Without a listener, a lost connection is printed on standard error. Tests lose connections deliberately.
  client.on("error", () => {});
  return client;
}

/** Resolves when a client has lost its connection. `once` would reject at the first error, which comes before. */
function whenClosed(client: Redis): Promise<void> {
  return new Promise((resolve) => client.once("close", () => resolve()));
}

async function close(client: Redis): Promise<void> {
  if (client.status === "end") return;
  const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
  client.disconnect();
  await ended;
}

/** Runs `body` with a second client. */
async function withOther(variant: Variant, target: Target, body: (other: Redis) => Promise<void>): Promise<void> {
  const other = open(variant, target);
  try {
    await body(other);
  } finally {
    await close(other);
  }
}

async function values(client: Redis): Promise<void> {
  assertEquals(await client.set("k", "väl↑"), "OK");
  assertEquals(await client.get("k"), "väl↑");
  assertEquals(await client.get("absent"), null);
  assertEquals(await client.set("k", "other", "EX", 100, "NX"), null);
  assertEquals(await client.setex("t", 100, "v"), "OK");
  assertEquals(await client.ttl("t"), 100);
  assertEquals(await client.incrby("n", 41), 41);
  assertEquals(await client.incrbyfloat("n", 0.5), "41.5");
  assertEquals(await client.mset({ a: "1", b: "2" }), "OK");
  assertEquals(await client.mget("a", "absent", "b"), ["1", null, "2"]);
  assertEquals(await client.hset("h", { f: "1", g: "" }), 2);
  assertEquals(await client.hgetall("h"), { f: "1", g: "" });
  assertEquals(await client.hgetall("absent"), {});
  assertEquals(await client.hmget("h", "f", "absent"), ["1", null]);
  assertEquals(await client.rpush("l", "a", "b", "c"), 3);
  assertEquals(await client.lrange("l", 0, -1), ["a", "b", "c"]);
  assertEquals(await client.lpop("l", 2), ["a", "b"]);
  assertEquals(await client.lpop("absent", 2), null);
  assertEquals(await client.del("k", "a", "b", "absent"), 3);
  assertEquals(await client.exists("k", "n", "n"), 2);
  assertEquals(await client.type("h"), "hash");
  assertEquals(await client.call("LPUSH", "l", "x"), 2);
}

async function buffers(client: Redis): Promise<void> {
  const bytes = Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256));
  await client.set(bytes, bytes);
  assertEquals(await client.getBuffer(bytes), bytes);
  await client.hset("h", bytes, bytes);
  assertEquals(await client.hgetBuffer("h", bytes), bytes);
  await client.rpush("l", bytes, Buffer.alloc(0));
  assertEquals(await client.lrangeBuffer("l", 0, -1), [bytes, Buffer.alloc(0)]);
  assertEquals(await client.append("text", Buffer.from("\r\n$-1\r\n")), 7);
  assertEquals(await client.get("text"), "\r\n$-1\r\n");
}

async function largeValues(client: Redis): Promise<void> {
  for (const size of [MEGABYTE, LARGE_MEGABYTES * MEGABYTE]) {
    const bytes = Buffer.alloc(size, "0123456789abcdef\r\n");
    assertEquals(await client.set("k", bytes), "OK");
    assertEquals(await client.strlen("k"), size);
    const found = await client.getBuffer("k");
    assert(found !== null && found.equals(bytes), `a value of ${size} bytes came back changed`);
    assertEquals(await client.getrange("k", size - 30, -1), bytes.subarray(-30).toString());
  }
}

async function pipelines(client: Redis, { ReplyError }: Variant): Promise<void> {
  const results = await client.pipeline().set("k", "v").get("k").lpush("k", "x").incr("n").get("absent").exec();
  assert(results !== null);
  assertEquals(results.map(([, value]) => value), ["OK", "v", undefined, 1, null]);
  assertEquals(results.map(([error]) => error instanceof ReplyError), [false, false, true, false, false]);
  assertEquals(results[2]![0]!.message, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

async function largePipelines(client: Redis): Promise<void> {
  const pipeline = client.pipeline();
  for (let i = 0; i < PIPELINED_COUNT / 2; i++) pipeline.set(`k${i}`, `v${i}`).get(`k${i}`);
  const results = await pipeline.exec();
  assertEquals(results?.length, PIPELINED_COUNT);
  const wrong = results!.findIndex(([error, value], i) => {
    return error !== null || value !== (i % 2 === 0 ? "OK" : `v${(i - 1) / 2}`);
  });
  assertEquals(wrong, -1, `${results![wrong]}`);
}

async function autoPipelines(_client: Redis, target: Target, variant: Variant): Promise<void> {
  const client = open(variant, target, { enableAutoPipelining: true });
  try {
    const sums = await Promise.all(Array.from({ length: 1_000 }, () => client.incr("auto")));
    assertEquals(sums, Array.from({ length: 1_000 }, (_, i) => i + 1));
  } finally {
    await close(client);
  }
}

async function errors(client: Redis, { ReplyError }: Variant): Promise<void> {
  await client.set("k", "v");
  const refused: [Promise<unknown>, string][] = [
    [client.lpush("k", "x"), "WRONGTYPE Operation against a key holding the wrong kind of value"],
    [client.incr("k"), "ERR value is not an integer or out of range"],
    [client.call("nosuch", "a"), "ERR unknown command 'nosuch', with args beginning with: 'a' "],
    [client.call("get"), "ERR wrong number of arguments for 'get' command"],
    [client.set("k", "v", "EX", 0), "ERR invalid expire time in 'set' command"],
  ];
  for (const [promise, message] of refused) {
    const error = await assertRejects(() => promise);
    assertInstanceOf(error, ReplyError);
    assertEquals(error.message, message);
  }
  assertEquals(await client.get("k"), "v");
}

/**
 * Requests another database. The client ignores the refusal, and would continue in database 0 if the connection stayed
 * open.
 */
async function databases(client: Redis, target: Target, variant: Variant): Promise<void> {
  const messages = new Set<string>();
  const other = open(variant, target, { db: 1, maxRetriesPerRequest: 2, lazyConnect: true });
  other.on("error", ({ message }: Error) => messages.add(message));
  try {
    await assertRejects(() => other.set("k", "v"), Error, "max retries per request");
  } finally {
    other.disconnect();
  }
  // In RESP3 the client may not see the reply before the end of the connection.
  if (variant.options.protocol !== 3) {
    assert([...messages].some((message) => message.includes("there is one database, 0")), [...messages].join());
  }
  assertEquals(await client.exists("k"), 0);
}

async function scans(client: Redis): Promise<void> {
  const names = Array.from({ length: SCANNED_COUNT }, (_, i) => `name:${i}`).sort();
  await client.mset(names.flatMap((name) => [name, "v"]));
  await client.set("other", "v");
  await client.hset("h", Object.fromEntries(names.map((name) => [name, `of ${name}`])));

  const keys: string[] = [];
  for await (const page of client.scanStream({ match: "name:*", count: 50 })) keys.push(...page as string[]);
  assertEquals(keys.sort(), names);
  const lists: string[] = [];
  for await (const page of client.scanStream({ type: "list" })) lists.push(...page as string[]);
  assertEquals(lists, []);
  const fields: string[] = [];
  for await (const page of client.hscanStream("h", { count: 50 })) fields.push(...page as string[]);
  assertEquals(fields.filter((_, i) => i % 2 === 0).sort(), names);
  assert(fields.every((each, i) => i % 2 === 0 || each === `of ${fields[i - 1]}`));
}

async function transactions(client: Redis, target: Target, variant: Variant): Promise<void> {
  const { ReplyError } = variant;
  assertEquals(await client.multi().set("{t}k", 1).incr("{t}k").hgetall("{t}absent").exec(), [
    [null, "OK"],
    [null, 2],
    [null, {}],
  ]);
  const mixed = await client.multi().set("{t}s", "v").lpush("{t}s", "x").get("{t}s").exec();
  assertEquals(mixed?.map(([error, value]) => error?.message.slice(0, 9) ?? value), ["OK", "WRONGTYPE", "v"]);

  // Without the pipeline, each command is a separate round trip.
  await client.multi({ pipeline: false });
  assertEquals(await client.set("{t}k", 10) as string, "QUEUED");
  assertEquals(await client.discard(), "OK");
  assertEquals(await client.get("{t}k"), "2");

  await withOther(variant, target, async (other) => {
    await client.watch("{t}k");
    await other.set("{t}k", "changed");
    assertEquals(await client.multi().set("{t}k", "mine").exec(), null);
    assertEquals(await client.get("{t}k"), "changed");
    await client.watch("{t}k");
    assertEquals(await client.multi().set("{t}k", "mine").exec(), [[null, "OK"]]);
  });
  const refused = await assertRejects(() => client.multi().set("{t}k", 1).call("nosuch").exec());
  assertInstanceOf(refused, ReplyError);
  assertEquals(refused.message, "EXECABORT Transaction discarded because of previous errors.");
  assertEquals(await client.get("{t}k"), "mine");
}

async function blockingPops(client: Redis, target: Target, variant: Variant): Promise<void> {
  await withOther(variant, target, async (other) => {
    const popped = client.blpop("{t}x", "{t}y", 0);
    await whenBlocked(other);
    assertEquals(await other.rpush("{t}y", "element"), 1);
    assertEquals(await popped, ["{t}y", "element"]);
    const moved = client.blmove("{t}src", "{t}dst", "RIGHT", "LEFT", 0);
    await whenBlocked(other);
    await other.rpush("{t}src", "traveller");
    assertEquals(await moved, "traveller");
    assertEquals(await other.lrange("{t}dst", 0, -1), ["traveller"]);
  });
  assertEquals(await client.brpop("{t}absent", 0.02), null);
  assertEquals(await client.ping(), "PONG");
}

async function diagnosis(client: Redis): Promise<void> {
  const monitor = await client.monitor();
  try {
    const seen: string[][] = [];
    monitor.on("monitor", (_time, args) => seen.push(args));
    await client.set("{t}watched", 'a "b"\n');
    await until(() => seen.some((args) => args[1] === "{t}watched"), "the request is seen");
    const args = seen.find((args) => args[1] === "{t}watched")!;
    assertEquals(args.slice(0, 2), ["set", "{t}watched"]);
  } finally {
    monitor.disconnect();
  }
  assertEquals(await client.call("config", "set", "slowlog-log-slower-than", "0"), "OK");
  await client.get("{t}watched");
  const entries = await client.slowlog("GET", 100) as [number, number, number, string[]][];
  assert(entries.some(([, , , words]) => words.join(" ") === "get {t}watched"));
  assertEquals(await client.slowlog("RESET"), "OK");
  assertEquals(await client.call("config", "set", "slowlog-log-slower-than", "10000"), "OK");
  assertEquals((await client.role() as unknown[])[0], "master");
  assertEquals(await client.latency("LATEST"), []);
  assertEquals(await client.client("PAUSE", 1, "WRITE"), "OK");
  assertEquals(await client.set("{t}paused", "v"), "OK");
  assertEquals(await client.client("UNPAUSE"), "OK");
}

/** Waits until the server reports a waiting client. */
async function whenBlocked(client: Redis): Promise<void> {
  await until(async () => /^blocked_clients:1\r$/m.test(await client.info("clients")), "the client waits");
}

async function channels(client: Redis, target: Target, variant: Variant): Promise<void> {
  const heard: unknown[] = [];
  const whenHeard = (count: number) => until(() => heard.length >= count, `${count} messages have arrived`);
  await withOther(variant, target, async (listener) => {
    listener.on("message", (channel, message) => heard.push([channel, message]));
    listener.on("pmessage", (pattern, channel, message) => heard.push([pattern, channel, message]));
    assertEquals(await listener.subscribe("news", "other"), 2);
    assertEquals(await listener.psubscribe("n*"), 3);
    assertEquals(await client.publish("news", "wörld"), 2);
    await whenHeard(2);
    assertEquals(heard.splice(0), [["news", "wörld"], ["n*", "news", "wörld"]]);
    assertEquals(await client.pubsub("NUMSUB", "news", "none"), ["news", 1, "none", 0]);
    assertEquals(await listener.unsubscribe("news", "other"), 1);
    const count = await client.publish("news", "again");
    // A proxy counts the receivers while it ends its own subscription at the server.
    if (target.isDirect) assertEquals(count, 1);
    await whenHeard(1);
    assertEquals(heard.splice(0), [["n*", "news", "again"]]);
    assertEquals(await listener.punsubscribe("n*"), 0);
    assertEquals(await client.publish("news", "nobody"), 0);
    assertEquals(await listener.get("k"), null);
  });
  await withOther(variant, target, async (listener) => {
    const bytes = Buffer.from([0, 255, 13, 10]);
    listener.on("messageBuffer", (channel, message) => heard.push([channel, message]));
    await listener.subscribe("bytes");
    await client.publish("bytes", bytes);
    await whenHeard(1);
    assertEquals(heard.splice(0), [[Buffer.from("bytes"), bytes]]);
  });
}

async function facts(client: Redis): Promise<void> {
  assertEquals(await client.ping(), "PONG");
  assertEquals(await client.echo("text"), "text");
  assert((await client.info()).includes("redis_version:"));
  await client.client("SETNAME", "somebody");
  assertEquals(await client.client("GETNAME"), "somebody");
  const [seconds] = await client.time();
  assert(Math.abs(Number(seconds) - Date.now() / 1000) < 60);
}

async function reconnects(client: Redis, target: Target): Promise<void> {
  await client.set("k", "before");
  const lost = whenClosed(client);
  const restart = await target.kill();
  await lost;
  // Commands meanwhile wait for the connection.
  const later = client.set("later", "v");
  await restart();
  assertEquals(await later, "OK");
  assertEquals(await client.get("later"), "v");
}

async function listensAgain(client: Redis, target: Target, variant: Variant): Promise<void> {
  await withOther(variant, target, async (listener) => {
    const message = new Promise((resolve) => listener.on("message", (...all) => resolve(all)));
    await listener.subscribe("news");
    const lost = Promise.all([listener, client].map(whenClosed));
    const restart = await target.kill();
    await lost;
    await restart();
    // The client subscribes automatically after it has reconnected.
    while (await client.publish("news", "again") === 0);
    assertEquals(await message, ["news", "again"]);
  });
}
