/**
 * Compares the hits and misses that commands count with those of redis-server: every command with keys, with all types
 * of value, and with options.
 */

import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/catalog/specification.ts";
import type { CommandSpecification } from "../../src/catalog/specification.ts";
import type { SyntaxArgument } from "../../src/catalog/command_syntax.ts";
import { LONG_ARGUMENTS_COUNT, LONG_BYTES } from "../../src/limits.ts";
import { RedisServer, redisVersion } from "../conformance/redis_server.ts";
import { MemoryClient } from "../support/memory_client.ts";
import { RespClient } from "../support/resp_client.ts";

/** The commands that make a value of `k1`, and of `k2`. */
const VALUES: readonly (readonly (readonly string[])[])[] = [
  [],
  [["set", "k1", "1"]],
  [["rpush", "k1", "1", "2"]],
  [["hset", "k1", "1", "1"]],
  [["sadd", "k1", "1", "2"]],
  [["sadd", "k2", "1"]],
  [["sadd", "k1", "1", "2"], ["sadd", "k2", "1"]],
  [["rpush", "k1", "1"], ["rpush", "k2", "1"]],
  [["set", "k1", "1"], ["set", "k2", "2"]],
  [["set", "k1", "gone", "px", "1"]],
  [["set", "k1", "1", "px", "100000"]],
];

/** Calls with options, besides the shortest call of each command. */
const CALLS: readonly string[][] = [
  "set k1 v get",
  "set k1 v get nx",
  "set k1 v nx",
  "set k1 v xx",
  "getex k1 persist",
  "getex k1 ex 100",
  "getex k1 ex wrong",
  "mget k1 k2 k3 k1",
  "exists k1 k1 k2",
  "touch k1 k2",
  "copy k1 k2 replace",
  "copy k1 k1",
  "lpos k1 1 count 0",
  "lpos k1 1 rank 0",
  "lrange k1 wrong 1",
  "lindex k1 wrong",
  "getrange k1 wrong 1",
  "hrandfield k1 2 withvalues",
  "srandmember k1 -3",
  "spop k1 2",
  "sscan k1 0 count 5",
  "sscan k1 wrong",
  "sinter k1 k2 k3",
  "sunion k2 k1",
  "sdiff k1 k2",
  "sintercard 2 k1 k2 limit 1",
  "sinterstore k3 k1 k2",
  "sunionstore k1 k1 k2",
  "sdiffstore k2 k2 k1",
  "object encoding k1",
  "object refcount k1",
  "memory usage k1",
  "expire k1 100 nx",
  // With TYPE, Redis counts a hit for each key that it looks at, which says nothing about the use of keys.
  "scan 0",
  "randomkey",
  "dbsize",
  "keys *",
  "get",
  "get k1 k2",
].map((call) => call.split(" "));

/** Returns the shortest call of a command, with the keys `k1`, `k2` and so on. */
function shortCall({ name, aliases, arguments: parts }: CommandSpecification): string[] {
  // Redis knows some commands only by another name.
  const words = [aliases.length > 0 ? aliases[0]! : name];
  let keys = 0;
  const add = ({ type, token, parts, isOptional }: SyntaxArgument): void => {
    if (isOptional) return;
    if (token !== undefined) words.push(token);
    if (type === "key") words.push(`k${++keys}`);
    else if (type === "oneof") add(parts![0]!);
    else if (type === "block") parts!.forEach(add);
    else if (type !== "pure-token") words.push("1");
  };
  parts.forEach(add);
  return words;
}

/** A call, and what it counted. */
type Counts = readonly [hits: number, misses: number];

/** Returns the hits and misses of redis-server for each call, each after a flush and the commands before it. */
async function redisCounts(port: number, trials: readonly (readonly string[][])[]): Promise<Counts[]> {
  using client = await RespClient.connect(port);
  const counts: Counts[] = [];
  for (const trial of trials) {
    await client.call("flushall");
    for (const words of trial.slice(0, -1)) await client.call(...words);
    // A deadline of a millisecond has passed, and nothing but a command removes its key.
    if (trial[0]!.includes("gone")) await waitUntilGone(client);
    await client.call("config", "resetstat");
    await client.call(...trial.at(-1)!);
    const text = JSON.stringify(await client.call("info", "stats"));
    counts.push([field(text, "keyspace_hits"), field(text, "keyspace_misses")]);
  }
  return counts;
}

async function waitUntilGone(client: RespClient): Promise<void> {
  while (JSON.stringify(await client.call("pttl", "k1")).includes("-2") === false);
}

function field(text: string, name: string): number {
  const found = new RegExp(`${name}:(\\d+)`).exec(text);
  assert(found !== null, `no ${name} in ${text}`);
  return Number(found[1]);
}

/** Returns the hits and misses of this server, in the same way. */
function ownCounts(trials: readonly (readonly string[][])[]): Counts[] {
  const client = new MemoryClient();
  return trials.map((trial) => {
    client.call("flushall");
    for (const words of trial.slice(0, -1)) client.run(words);
    client.nowMs += trial[0]!.includes("gone") ? 10 : 0;
    client.store.hits = client.store.misses = 0;
    client.run(trial.at(-1)!);
    assertEquals(client.bugs, []);
    return [client.store.hits, client.store.misses];
  });
}

Deno.test({
  name: "every command counts the hits and misses that it counts in Redis",
  ignore: await redisVersion() === undefined,
  fn: async () => {
    await using redis = await RedisServer.start();
    const known = COMMANDS.filter(({ firstKey, since, routing }) => {
      return firstKey > 0 && since !== undefined && routing !== "wait";
    });
    assert(known.length > 70, `${known.length} commands have keys`);
    const calls = [...known.map(shortCall), ...CALLS];
    const trials = VALUES.flatMap((values) => calls.map((call) => [...values.map((words) => [...words]), call]));
    const wanted = await redisCounts(redis.port, trials);
    const found = ownCounts(trials);
    const different = trials.map((trial, i) => `${trial.join(" · ")}: ${found[i]}, in Redis ${wanted[i]}`)
      .filter((_, i) => String(found[i]) !== String(wanted[i]));
    assertEquals(different.slice(0, 30), []);
    assert(wanted.filter(([hits]) => hits > 0).length > 100);
    assert(wanted.filter(([, misses]) => misses > 0).length > 100);
  },
});

Deno.test("a command that runs in steps counts each key once", async () => {
  const client = new MemoryClient();
  const many = Array.from({ length: LONG_ARGUMENTS_COUNT * 3 }, (_, i) => String(i));
  client.call("set", "long", new Uint8Array(LONG_BYTES * 2));
  client.call("set", "0", "x");
  await client.wait("sadd", "set", ...many);
  await client.wait("hset", "hash", ...many);
  await client.wait("rpush", "list", ...many);
  const calls: readonly (readonly [hits: number, misses: number, ...call: string[]])[] = [
    [1, 0, "get", "long"],
    [1, 0, "getrange", "long", "0", "-1"],
    [2, 0, "mget", "long", "long"],
    [1, many.length - 1, "mget", ...many],
    [4, many.length - 1, "mget", "long", ...many, "list", "long"],
    [1, many.length - 1, "exists", ...many],
    [1, many.length - 1, "touch", ...many],
    [1, 0, "smembers", "set"],
    [1, 0, "smismember", "set", ...many],
    [1, 0, "srandmember", "set", "-1000"],
    [1, 0, "srandmember", "set", "1000"],
    [1, 0, "hgetall", "hash"],
    [1, 0, "hmget", "hash", ...many],
    [1, 0, "lrange", "list", "0", "-1"],
    [1, 0, "lpos", "list", "none", "COUNT", "0"],
    [1, 1, "sunion", "set", "none"],
    [1, many.length, "sdiff", "set", ...many.map((key) => `no${key}`)],
    [1, 0, "copy", "set", "copied"],
    [1, 0, "getdel", "long"],
  ];
  for (const stepsASlice of [Infinity, 1]) {
    client.stepsASlice = stepsASlice;
    if (stepsASlice === 1) await client.wait("set", "long", new Uint8Array(LONG_BYTES * 2));
    client.call("del", "copied");
    for (const [hits, misses, ...call] of calls) {
      client.store.hits = client.store.misses = 0;
      await client.wait(...call);
      assertEquals([client.store.hits, client.store.misses], [hits, misses], `${call.slice(0, 3)} ${stepsASlice}`);
    }
  }
});
