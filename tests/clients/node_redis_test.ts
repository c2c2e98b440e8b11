/** Tests that node-redis works with inmem as with Redis, in RESP2 and in RESP3. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { createClient, createClientPool, ErrorReply, RESP_TYPES, WatchError } from "npm:redis@6.3.1";
import { amountOf } from "../support/amount.ts";
import { type Check, clientTest, type Target } from "./target.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

/** The number of keys in a scan, which is more than one page. */
const SCANNED_COUNT = 500;
const PIPELINED_COUNT = amountOf("PIPELINED", 2_000, 10_000);
const MEGABYTE = 1024 * 1024;
const LARGE_MEGABYTES = amountOf("LARGE_MEGABYTES", 1, 20);

type Version = 2 | 3;
type Client = ReturnType<typeof open>;

for (const [version, place] of [[2, "nowhere"], [3, "proxy"]] as const) {
  clientTest(`node-redis, RESP${version}`, checksOf(version), place);
}

function checksOf(version: Version): readonly Check[] {
  /** Runs `body` with a client that is always closed afterwards. */
  const check = (
    name: string,
    body: (client: Client, target: Target) => Promise<void>,
  ): Check => ({
    name,
    run: (target) =>
      withClient(version, target, async (client) => {
        await client.flushAll();
        await body(client, target);
      }),
  });
  return [
    check("strings, numbers, hashes and lists", values),
    check("buffers hold any bytes", buffers),
    check("maps and doubles have the client's types", (client) => types(client, version)),
    check(`values of 1 MB and ${LARGE_MEGABYTES} MB`, largeValues),
    check("10,000 commands in one pipeline", largePipelines),
    check("errors are typed, and the connection stays", errors),
    check(
      "another database is refused, and nothing is written",
      (client, target) => databases(client, target, version),
    ),
    check("scan iterators find every key and field once", scans),
    check("transactions", (client, target) => transactions(client, target, version)),
    check("blocking pops", (client, target) => blockingPops(client, target, version)),
    check("channels and patterns", (client, target) => channels(client, target, version)),
    check("names, info and times", facts),
    check("a pool of clients", (_, target) => pools(target, version)),
    check("reconnects and continues after a kill", reconnects),
    check(
      "a subscriber listens again after a kill",
      (client, target) => listensAgain(client, target, version),
    ),
  ];
}

function optionsFor(version: Version, { hostname, port, authority }: Target) {
  return {
    RESP: version,
    // By default, commands that wait for a connection, and connecting itself, fail after 5 s. On a busy machine a
    // server takes longer to start.
    commandOptions: { timeout: 20_000 },
    socket: { host: hostname, port, tls: true, ca: authority, reconnectStrategy: () => 50, connectTimeout: 2_000 },
  } as const;
}

function open(version: Version, target: Target) {
  const client = createClient(optionsFor(version, target));
  // A client without a listener throws when it loses a connection. Tests lose connections deliberately.
  client.on("error", () => {});
  return client;
}

/** Runs `body` with a client that is connected, and always closed afterwards. */
async function withClient(version: Version, target: Target, body: (client: Client) => Promise<void>): Promise<void> {
  const client = open(version, target);
  await client.connect();
  try {
    await body(client);
  } finally {
    client.destroy();
  }
}

async function values(client: Client): Promise<void> {
  assertEquals(await client.set("k", "väl↑"), "OK");
  assertEquals(await client.get("k"), "väl↑");
  assertEquals(await client.get("absent"), null);
  assertEquals(await client.set("k", "other", { expiration: { type: "EX", value: 100 }, condition: "NX" }), null);
  assertEquals(await client.set("k", "v", { GET: true }), "väl↑");
  assertEquals(await client.expire("k", 100), 1);
  assertEquals(await client.ttl("k"), 100);
  assertEquals(await client.getEx("k", { type: "PERSIST" }), "v");
  assertEquals(await client.ttl("k"), -1);
  assertEquals(await client.incrBy("n", 41), 41);
  assertEquals(await client.incrByFloat("n", 0.5), "41.5");
  assertEquals(await client.mSet({ a: "1", b: "2" }), "OK");
  assertEquals(await client.mGet(["a", "absent", "b"]), ["1", null, "2"]);
  assertEquals(await client.hSet("h", { f: "1", g: "" }), 2);
  assertEquals({ ...await client.hGetAll("h") }, { f: "1", g: "" });
  assertEquals({ ...await client.hGetAll("absent") }, {});
  assertEquals(await client.hmGet("h", ["f", "absent"]), ["1", null]);
  assertEquals(await client.hRandFieldCountWithValues("h", 1).then((found) => found?.length), 1);
  assertEquals(await client.rPush("l", ["a", "b", "c"]), 3);
  assertEquals(await client.lRange("l", 0, -1), ["a", "b", "c"]);
  assertEquals(await client.lPopCount("l", 2), ["a", "b"]);
  assertEquals(await client.lPopCount("absent", 2), null);
  assertEquals(await client.lPos("l", "c"), 0);
  assertEquals(await client.del(["k", "a", "b", "absent"]), 3);
  assertEquals(await client.exists(["k", "n", "n"]), 2);
  assertEquals(await client.type("h"), "hash");
  assertEquals(await client.sendCommand<number>(["LPUSH", "l", "x"]), 2);
}

async function buffers(client: Client): Promise<void> {
  const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const bytes = Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256));
  await binary.set(bytes, bytes);
  assertEquals(await binary.get(bytes), bytes);
  await binary.hSet("h", bytes, bytes);
  assertEquals(await binary.hGet("h", bytes), bytes);
  await binary.rPush("l", [bytes, Buffer.alloc(0)]);
  assertEquals(await binary.lRange("l", 0, -1), [bytes, Buffer.alloc(0)]);
  assertEquals(await client.append("text", "\r\n$-1\r\n"), 7);
  assertEquals(await client.get("text"), "\r\n$-1\r\n");
}

async function types(client: Client, version: Version): Promise<void> {
  await client.hSet("h", { f: "1", g: "2" });
  const mapped = await client.withTypeMapping({ [RESP_TYPES.MAP]: Map }).hGetAll("h");
  assertInstanceOf(mapped, Map);
  assertEquals([...mapped], [["f", "1"], ["g", "2"]]);
  const flat = await client.withTypeMapping({ [RESP_TYPES.MAP]: Array }).hGetAll("h");
  assertEquals(flat as unknown, ["f", "1", "g", "2"]);
  const greeting = await client.sendCommand<Record<string, unknown> | unknown[]>(["HELLO"]);
  if (version === 3) assertEquals((greeting as Record<string, unknown>).proto, 3);
  else assertEquals((greeting as unknown[]).slice(4, 6), ["proto", 2]);
  assertEquals({ ...await client.configGet("appendonly") }, { appendonly: "no" });
}

async function largeValues(client: Client): Promise<void> {
  const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  for (const size of [MEGABYTE, LARGE_MEGABYTES * MEGABYTE]) {
    const bytes = Buffer.alloc(size, "0123456789abcdef\r\n");
    assertEquals(String(await binary.set("k", bytes)), "OK");
    assertEquals(await client.strLen("k"), size);
    const found = await binary.get("k");
    assert(found !== null && bytes.equals(found as Buffer), `a value of ${size} bytes came back changed`);
    assertEquals(await client.getRange("k", size - 30, -1), bytes.subarray(-30).toString());
  }
}

async function largePipelines(client: Client): Promise<void> {
  const multi = client.multi();
  for (let i = 0; i < PIPELINED_COUNT / 2; i++) multi.set(`k${i}`, `v${i}`).get(`k${i}`);
  const results = await multi.execAsPipeline() as unknown as string[];
  assertEquals(results.length, PIPELINED_COUNT);
  const wrong = results.findIndex((value, i) => value !== (i % 2 === 0 ? "OK" : `v${(i - 1) / 2}`));
  assertEquals(wrong, -1, results[wrong]);
  // The client pipelines the commands of one tick automatically.
  const sums = await Promise.all(Array.from({ length: PIPELINED_COUNT }, () => client.incr("n")));
  assertEquals(sums, Array.from({ length: PIPELINED_COUNT }, (_, i) => i + 1));
}

async function errors(client: Client): Promise<void> {
  await client.set("k", "v");
  const refused: [Promise<unknown>, string][] = [
    [client.lPush("k", "x"), "WRONGTYPE Operation against a key holding the wrong kind of value"],
    [client.incr("k"), "ERR value is not an integer or out of range"],
    [client.sendCommand(["nosuch", "a"]), "ERR unknown command 'nosuch', with args beginning with: 'a' "],
    [client.sendCommand(["get"]), "ERR wrong number of arguments for 'get' command"],
    [client.setEx("k", 0, "v"), "ERR invalid expire time in 'setex' command"],
  ];
  for (const [promise, message] of refused) {
    const error = await assertRejects(() => promise);
    assertInstanceOf(error, ErrorReply);
    assertEquals(error.message, message);
  }
  assertEquals(await client.get("k"), "v");
}

async function databases(client: Client, target: Target, version: Version): Promise<void> {
  const options = optionsFor(version, target);
  const other = createClient({
    ...options,
    database: 1,
    socket: { ...options.socket, reconnectStrategy: (retries) => retries > 1 ? new Error("it gives up") : 20 },
  });
  const messages = new Set<string>();
  other.on("error", ({ message }: Error) => messages.add(message));
  await assertRejects(() => other.connect(), Error);
  assert([...messages].some((message) => message.includes("there is one database, 0")), [...messages].join());
  assertEquals(await client.exists("k"), 0);
}

async function scans(client: Client): Promise<void> {
  const names = Array.from({ length: SCANNED_COUNT }, (_, i) => `name:${i}`).sort();
  await client.mSet(names.map((name): [string, string] => [name, "v"]));
  await client.set("other", "v");
  await client.hSet("h", Object.fromEntries(names.map((name) => [name, `of ${name}`])));

  const keys: string[] = [];
  for await (const page of client.scanIterator({ MATCH: "name:*", COUNT: 50 })) keys.push(...page);
  assertEquals(keys.sort(), names);
  const lists: string[] = [];
  for await (const page of client.scanIterator({ TYPE: "list" })) lists.push(...page);
  assertEquals(lists, []);
  const fields: string[] = [];
  for await (const page of client.hScanIterator("h", { COUNT: 50 })) {
    for (const { field, value } of page) {
      fields.push(field);
      assertEquals(value, `of ${field}`);
    }
  }
  assertEquals(fields.sort(), names);
}

async function transactions(client: Client, target: Target, version: Version): Promise<void> {
  assertEquals(await client.multi().set("{t}k", 1).incr("{t}k").hLen("{t}absent").exec() as unknown, ["OK", 2, 0]);
  const mixed = await assertRejects(() => client.multi().set("{t}s", "v").lPush("{t}s", "x").get("{t}s").exec());
  const { replies, errorIndexes } = mixed as { replies: unknown[]; errorIndexes: number[] };
  assertEquals([replies[0], replies[2], errorIndexes], ["OK", "v", [1]]);

  await withClient(version, target, async (other) => {
    await client.watch("{t}k");
    await other.set("{t}k", "changed");
    await assertRejects(() => client.multi().set("{t}k", "mine").exec(), WatchError);
    assertEquals(await client.get("{t}k"), "changed");
    await client.watch("{t}k");
    assertEquals(await client.multi().set("{t}k", "mine").exec() as unknown, ["OK"]);
  });
  const refused = await assertRejects(() => client.multi().set("{t}k", 1).addCommand(["nosuch"]).exec());
  assertInstanceOf(refused, ErrorReply);
  assertEquals(await client.get("{t}k"), "mine");
}

async function blockingPops(client: Client, target: Target, version: Version): Promise<void> {
  await withClient(version, target, async (other) => {
    const popped = client.blPop(["{t}x", "{t}y"], 0);
    await whenBlocked(other);
    assertEquals(await other.rPush("{t}y", "element"), 1);
    assertEquals({ ...await popped }, { key: "{t}y", element: "element" });
    const moved = client.blMove("{t}src", "{t}dst", "RIGHT", "LEFT", 0);
    await whenBlocked(other);
    await other.rPush("{t}src", "traveller");
    assertEquals(await moved, "traveller");
    assertEquals(await other.lRange("{t}dst", 0, -1), ["traveller"]);
  });
  assertEquals(await client.brPop("{t}absent", 0.02), null);
  assertEquals(await client.ping(), "PONG");
}

/** Waits until the server reports a waiting client. */
async function whenBlocked(client: Client): Promise<void> {
  await until(async () => /^blocked_clients:1\r$/m.test(await client.info("clients")), "the client waits");
}

async function channels(client: Client, target: Target, version: Version): Promise<void> {
  const heard: unknown[] = [];
  const whenHeard = (count: number) => until(() => heard.length >= count, `${count} messages have arrived`);
  await withClient(version, target, async (listener) => {
    await listener.subscribe(["news", "other"], (message, channel) => heard.push([channel, message]));
    await listener.pSubscribe("n*", (message, channel) => heard.push(["n*", channel, message]));
    assertEquals(await client.publish("news", "wörld"), 2);
    await whenHeard(2);
    assertEquals(heard.splice(0), [["news", "wörld"], ["n*", "news", "wörld"]]);
    assertEquals({ ...await client.pubSubNumSub(["news", "none"]) }, { news: 1, none: 0 });
    // In RESP3 a subscriber may send any command.
    if (version === 3) assertEquals(await listener.set("k", "v"), "OK");
    assertEquals(await listener.ping(), version === 3 ? "PONG" : "pong");
    await listener.unsubscribe(["news", "other"]);
    const count = await client.publish("news", "again");
    // A proxy counts the receivers while it ends its own subscription at the server.
    if (target.isDirect) assertEquals(count, 1);
    await whenHeard(1);
    assertEquals(heard.splice(0), [["n*", "news", "again"]]);
    await listener.pUnsubscribe("n*");
    assertEquals(await client.publish("news", "nobody"), 0);
    assertEquals(await listener.get("absent"), null);

    const bytes = Buffer.from([0, 255, 13, 10]);
    await listener.subscribe("bytes", (message, channel) => heard.push([channel, message]), true);
    await client.publish("bytes", bytes);
    await whenHeard(1);
    assertEquals(heard.splice(0), [[Buffer.from("bytes"), bytes]]);
  });
}

async function facts(client: Client): Promise<void> {
  assertEquals(await client.ping(), "PONG");
  assertEquals(await client.echo("text"), "text");
  assert((await client.info()).includes("redis_version:"));
  await client.clientSetName("somebody");
  assertEquals(await client.clientGetName(), "somebody");
  const [seconds] = await client.time() as unknown as [string];
  assert(Math.abs(Number(seconds) - Date.now() / 1000) < 60);
  // The client sends its name and version with `client setinfo` when it connects.
  assertEquals((await client.clientInfo()).libName, "node-redis");
}

async function pools(target: Target, version: Version): Promise<void> {
  const pool = createClientPool(optionsFor(version, target), { minimum: 1, maximum: 4 });
  pool.on("error", () => {});
  await pool.connect();
  try {
    const sums = await Promise.all(Array.from({ length: 1_000 }, () => pool.incr("n")));
    assertEquals(sums.sort((left, right) => left - right), Array.from({ length: 1_000 }, (_, i) => i + 1));
  } finally {
    pool.destroy();
  }
}

/** Resolves when a client has lost its connection. */
function whenLost(client: Client): Promise<void> {
  return new Promise((resolve) => client.once("error", () => resolve()));
}

async function reconnects(client: Client, target: Target): Promise<void> {
  await client.set("k", "before");
  const lost = whenLost(client);
  const restart = await target.kill();
  await lost;
  // Commands meanwhile wait for the connection.
  const later = client.set("later", "v");
  await restart();
  assertEquals(await later, "OK");
  assertEquals(await client.get("later"), "v");
}

async function listensAgain(client: Client, target: Target, version: Version): Promise<void> {
  await withClient(version, target, async (listener) => {
    let heard = "";
    await listener.subscribe("news", (message) => heard = message);
    const lost = Promise.all([listener, client].map(whenLost));
    const restart = await target.kill();
    await lost;
    await restart();
    // The client subscribes automatically after it has reconnected.
    await until(async () => await client.publish("news", "again") > 0, "it has subscribed again");
    while (heard === "") await pause(2);
    assertEquals(heard, "again");
  });
}
