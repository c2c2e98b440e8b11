import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { ReplyError } from "../../src/errors.ts";
import { PATTERN_SIZE_MAX_BYTES, SCAN_COUNT_MAX, SCAN_REPLY_MAX_BYTES } from "../../src/limits.ts";
import { NativeReply } from "../../src/wire/native/reply_writer.ts";
import { amountOf } from "../support/amount.ts";
import { makeStore, MemoryClient, readable } from "../support/memory_client.ts";
import { pause } from "../support/pause.ts";
import { testCommands } from "../support/test_commands.ts";
import type { MakeClient } from "../support/test_commands.ts";

/** The number of keys that are so long that a few of them are a step. */
const LONG_KEYS_COUNT = amountOf("LONG_KEYS", 1_000, 4_000);
const NOT_INTEGER = "ERR value is not an integer or out of range";

/** Sets one key of each type. */
function fill(client: MemoryClient): void {
  client.call("set", "string", "value");
  client.call("rpush", "list", "a", "b");
  client.call("hset", "hash", "f", "v");
}

/** Returns the keys in the order of their use, the least recently used first. */
function keysByUse({ store }: MemoryClient): string[] {
  const keys: string[] = [];
  for (let entry = store.oldest(); entry !== 0; entry = store.newer(entry)) {
    const key = new Uint8Array(store.keyLength(entry));
    store.copyKey(entry, key, 0);
    keys.push(new TextDecoder().decode(key));
  }
  return keys;
}

testCommands("remove counts the keys that existed", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("remove", "string", "absent", "list", "string"), 2);
  assertEquals(client.text("del", "hash"), 1);
  assertEquals(client.text("del", "hash"), 0);
  assertEquals(client.text("size"), 0);
});

testCommands("exists counts a key as often as it occurs", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("exists", "string", "absent", "list", "string"), 3);
  assertEquals(client.text("exists", "absent"), 0);
});

testCommands("touch counts like exists, and makes keys the most recently used", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("touch", "string", "absent", "list", "string"), 3);
  assertEquals(keysByUse(client), ["hash", "list", "string"]);
  assertEquals(client.text("touch", "absent"), 0);
});

testCommands("unlink is another name of remove", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("unlink", "string", "absent", "hash"), 2);
  assertEquals(client.text("keys", "*"), ["list"]);
  assertEquals(client.refusal("unlink"), "ERR wrong number of arguments for 'unlink' command");
});

testCommands("randomkey replies with one of the keys, and with each of them at times", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("randomkey"), null);
  client.call("set", "gone", "1", "PX", "10");
  client.nowMs += 10;
  assertEquals(client.text("randomkey"), null);
  fill(client);
  const found = new Set<unknown>();
  for (let i = 0; i < 1_000 && found.size < 3; i++) found.add(client.text("randomkey"));
  assertEquals(found, new Set<unknown>(["string", "list", "hash"]));
});

testCommands("type replies with the type of a value", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(["string", "list", "hash", "absent"].map((key) => client.call("type", key)), [
    "string",
    "list",
    "hash",
    "none",
  ]);
});

testCommands("an expired key is absent for every command", (makeClient) => {
  const client = makeClient();
  const requests: [string[], unknown][] = [
    [["get", "x"], null],
    [["exists", "x"], 0],
    [["type", "x"], "none"],
    [["ttl", "x"], -2],
    [["remove", "x"], 0],
    [["persist", "x"], 0],
    [["expire", "x", "10"], 0],
    [["keys", "*"], []],
    [["strlen", "x"], 0],
    [["incr", "x"], 1],
    [["rpush", "x", "a"], 1],
    [["hset", "x", "f", "v"], 1],
    [["set", "x", "v", "XX"], null],
    [["set", "x", "v", "GET"], null],
  ];
  for (const [request, expected] of requests) {
    client.call("flush");
    client.call("set", "x", "5", "PX", "10");
    client.nowMs += 10;
    assertEquals(client.text(...request), expected, request.join(" "));
  }
});

testCommands("only reads and writes of values count as use", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(keysByUse(client), ["string", "list", "hash"]);
  for (const request of [["exists", "string"], ["type", "string"], ["ttl", "string"], ["pttl", "string"]]) {
    client.call(...request);
    assertEquals(keysByUse(client), ["string", "list", "hash"], request.join(" "));
  }
  client.call("keys", "*");
  client.call("scan", "0");
  assertEquals(keysByUse(client), ["string", "list", "hash"]);
  client.call("get", "string");
  assertEquals(keysByUse(client), ["list", "hash", "string"]);
  client.call("llen", "list");
  client.call("hset", "hash", "f", "w");
  assertEquals(keysByUse(client), ["string", "list", "hash"]);
  client.call("mget", "list", "string", "hash", "absent");
  assertEquals(keysByUse(client), ["list", "string", "hash"]);
  client.call("set", "new", "1");
  client.call("set", "list", "1");
  assertEquals(keysByUse(client), ["string", "hash", "new", "list"]);
});

testCommands("keys replies with the keys that match, of any bytes", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("keys", "*"), []);
  client.call("mset", "user:1", "", "user:22", "", "", "", "with space", "", "ключ", "");
  const sorted = (pattern: string) => (client.text("keys", pattern) as string[]).sort();
  assertEquals(sorted("*"), ["", "user:1", "user:22", "with space", "ключ"]);
  assertEquals(sorted("user:*"), ["user:1", "user:22"]);
  assertEquals(sorted("user:?"), ["user:1"]);
  assertEquals(sorted("*[0-9][0-9]"), ["user:22"]);
  assertEquals(sorted("with space"), ["with space"]);
  assertEquals(sorted("кл*"), ["ключ"]);
  assertEquals(sorted(""), [""]);
  assertEquals(sorted("none*"), []);
  const long = "*".repeat(PATTERN_SIZE_MAX_BYTES);
  assertEquals(sorted(long).length, 5);
  assertEquals(client.refusal("keys", long + "*"), `ERR pattern exceeds ${PATTERN_SIZE_MAX_BYTES} bytes`);
  assertEquals(client.refusal("scan", "0", "match", long + "*"), `ERR pattern exceeds ${PATTERN_SIZE_MAX_BYTES} bytes`);
});

// These tests run `keys` in slices of one step, which looks at about a thousand keys.

const MANY = Array.from({ length: 6_000 }, (_, i) => `stable:${i}`);

/** Makes two clients of one store with many keys. The first client pauses as often as possible. */
function makePair(makeClient: MakeClient, reply?: NativeReply): { walker: MemoryClient; other: MemoryClient } {
  const walker = makeClient(reply === undefined ? {} : { reply });
  const other = makeClient({ store: walker.store });
  other.call("mset", ...MANY.flatMap((key) => [key, ""]));
  walker.stepsASlice = 1;
  return { walker, other };
}

/** Returns the reply of `keys`, and checks that each key occurs once. */
async function keysOf(client: MemoryClient, pattern: string): Promise<string[]> {
  const answer = await client.wait("keys", pattern);
  if (answer instanceof ReplyError) throw answer;
  const found = readable(answer) as string[];
  assertEquals(new Set(found).size, found.length, "a key occurs twice");
  return found;
}

testCommands(
  "keys finds every key that exists throughout, regardless of other clients' commands",
  async (makeClient) => {
    const { walker, other } = makePair(makeClient);
    const newKeys = (round: number) => Array.from({ length: 2_000 }, (_, i) => `new:${round}:${i}`);
    let pauses = 0;
    walker.pausing = async () => {
      pauses++;
      // The table grows and shrinks, and keys that were found move or are removed.
      other.call("mset", ...newKeys(pauses).flatMap((key) => [key, ""]));
      if (pauses % 2 === 0) other.call("remove", ...newKeys(pauses - 1));
      other.call("mset", ...MANY.slice(0, 500).flatMap((key) => [key, "longer ".repeat(pauses)]));
      other.call("remove", ...MANY.slice(5_000));
      await pause(0);
    };
    const found = new Set(await keysOf(walker, "*"));
    assert(pauses > 3, `${pauses} pauses`);
    for (const key of MANY.slice(0, 5_000)) assert(found.has(key), key);
    // The reply and the walk keep nothing.
    walker.stepsASlice = Infinity;
    assertEquals((walker.text("keys", "stable:*") as string[]).sort(), MANY.slice(0, 5_000).toSorted());
  },
);

testCommands("keys with a pattern also pauses when it finds nothing", async (makeClient) => {
  const { walker, other } = makePair(makeClient);
  let pauses = 0;
  walker.pausing = () => {
    pauses++;
    assertEquals(other.text("ping"), "PONG");
  };
  assertEquals(await keysOf(walker, "none*"), []);
  assert(pauses > 3, `${pauses} pauses`);
  const expected = Array.from({ length: 10 }, (_, i) => `stable:12${i}4`);
  assertEquals((await keysOf(walker, "stable:12?4")).sort(), expected);
});

testCommands("keys continues after a flush between its slices, with the keys that exist then", async (makeClient) => {
  const { walker, other } = makePair(makeClient);
  let pauses = 0;
  walker.pausing = () => {
    if (++pauses !== 2) return;
    other.call("flush");
    other.call("set", "late", "");
  };
  const found = await keysOf(walker, "*");
  assertEquals(pauses, 2, "there is nothing left to walk over");
  assert(found.length > 1_000 && found.length < 5_000, `${found.length} keys`);
  for (const key of found) assert(MANY.includes(key) || key === "late", key);
});

testCommands("keys leaves out a key that has expired when the walk reaches it", async (makeClient) => {
  const { walker, other } = makePair(makeClient);
  for (const key of MANY) other.call("pexpire", key, "10");
  let pauses = 0;
  walker.pausing = () => {
    if (++pauses === 2) walker.nowMs += 10;
  };
  const found = await keysOf(walker, "*");
  assert(found.length > 1_000 && found.length < 3_500, `${found.length} keys`);
  assert(pauses > 3, "it goes on to the end");
});

testCommands("keys refuses a reply beyond the bound, in the first slice and in later ones", async (makeClient) => {
  for (const bound of [10_000, 50_000]) {
    const { walker } = makePair(makeClient, new NativeReply(1024, bound));
    let pauses = 0;
    walker.pausing = () => void pauses++;
    const answer = await walker.wait("keys", "*");
    assert(answer instanceof ReplyError);
    assertEquals(answer.message, `reply exceeds ${bound} bytes; ask for less at a time`);
    assertEquals(pauses > 0, bound > 10_000);
    assertEquals(walker.text("exists", MANY[0]!), 1);
    assertEquals((await keysOf(walker, "stable:11*")).length, 111);
  }
});

testCommands("keys ends when a pause rejects", async (makeClient) => {
  const { walker } = makePair(makeClient);
  let pauses = 0;
  walker.pausing = () => {
    if (++pauses === 2) throw new ReplyError("ERR", "enough");
  };
  const answer = await walker.wait("keys", "*");
  assert(answer instanceof ReplyError);
  assertEquals([answer.message, pauses], ["enough", 2]);
});

Deno.test("keys finds every key that exists throughout while others are evicted", async () => {
  const store = makeStore(8 * 1024 * 1024);
  const { walker, other } = makePair((options) => new MemoryClient({ store, ...options }));
  let made = 0;
  walker.pausing = () => {
    const evicted = store.statistics.evictedKeys;
    while (store.statistics.evictedKeys < evicted + 500) other.call("set", `new:${made++}`, new Uint8Array(1_000));
    // These keys are used repeatedly, so they stay.
    other.call("mget", ...MANY.slice(0, 2_000));
  };
  other.call("mget", ...MANY.slice(0, 2_000));
  const found = new Set(await keysOf(walker, "*"));
  for (const key of MANY.slice(0, 2_000)) assert(found.has(key), key);
  assert(store.statistics.evictedKeys > 1_000);
});

/** Follows the cursor to its end. Returns all keys in the order in which they came. */
function scanAll(client: MemoryClient, ...options: string[]): string[] {
  const found: string[] = [];
  let cursor = "0";
  for (let i = 0;; i++) {
    assert(i < 100_000, "the cursor does not end");
    const [next, keys] = client.text("scan", cursor, ...options) as [string, string[]];
    found.push(...keys);
    if (next === "0") return found;
    cursor = next;
  }
}

testCommands("scan visits every key once", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("scan", "0"), ["0", []]);
  const keys = Array.from({ length: 3000 }, (_, i) => `key:${i}`);
  client.call("mset", ...keys.flatMap((key) => [key, "v"]));
  assertEquals(scanAll(client).sort(), keys.toSorted());
  assertEquals(scanAll(client, "COUNT", "1").sort(), keys.toSorted());
  assertEquals(scanAll(client, "count", "1000000").sort(), keys.toSorted());
});

testCommands("scan filters by pattern and type", (makeClient) => {
  const client = makeClient();
  fill(client);
  client.call("mset", "a1", "", "a2", "", "b1", "");
  assertEquals(scanAll(client, "MATCH", "a*").sort(), ["a1", "a2"]);
  assertEquals(scanAll(client, "TYPE", "list"), ["list"]);
  assertEquals(scanAll(client, "type", "HASH", "match", "h*", "count", "3"), ["hash"]);
  assertEquals(scanAll(client, "TYPE", "string", "MATCH", "?1").sort(), ["a1", "b1"]);
  assertEquals(scanAll(client, "TYPE", "stream"), []);
  assertEquals(scanAll(client, "MATCH", "a*", "MATCH", "*").length, 6);
});

testCommands("scan leaves out expired keys", (makeClient) => {
  const client = makeClient();
  fill(client);
  client.call("pexpire", "list", "10");
  client.nowMs += 10;
  assertEquals(scanAll(client).sort(), ["hash", "string"]);
  assertEquals((client.text("keys", "*") as string[]).sort(), ["hash", "string"]);
});

testCommands("scan visits every lasting key while others are added and removed", (makeClient) => {
  const client = makeClient();
  const stable = Array.from({ length: 500 }, (_, i) => `stable:${i}`);
  client.call("mset", ...stable.flatMap((key) => [key, "v"]));
  const found = new Set<string>();
  let cursor = "0";
  let step = 0;
  do {
    const [next, keys] = client.text("scan", cursor, "COUNT", "5") as [string, string[]];
    for (const key of keys) found.add(key);
    cursor = next;
    // Meanwhile the table grows to a hundred times its size.
    if (step < 60) client.call("mset", ...Array.from({ length: 2000 }, (_, i) => `new:${step % 30}:${i % 1000}`));
    step++;
  } while (cursor !== "0");
  for (const key of stable) assert(found.has(key), key);
});

testCommands("scan does a bounded amount of work in each call, with any COUNT", (makeClient) => {
  const client = makeClient();
  const keys = Array.from({ length: SCAN_COUNT_MAX * 2 }, (_, i) => `k${i}`);
  client.call("mset", ...keys.flatMap((key) => [key, ""]));
  const [next, some] = client.text("scan", "0", "COUNT", "9223372036854775807") as [string, string[]];
  assert(next !== "0");
  assertLessOrEqual(some.length, SCAN_COUNT_MAX + 1000);
  client.call("flush");
  for (let i = 0; i < 200; i++) client.call("set", String(i).padEnd(30_000, "x"), "");
  const [, long] = client.text("scan", "0", "COUNT", "1000") as [string, string[]];
  assertLessOrEqual(long.reduce((sum, key) => sum + key.length, 0), SCAN_REPLY_MAX_BYTES + 1_000_000);
  assertEquals(scanAll(client, "COUNT", "1000").length, 200);
});

testCommands("scan ends early when long keys make a pattern take long, and still finds every key", (makeClient) => {
  const client = makeClient();
  const long = Array.from({ length: 100 }, (_, i) => "a".repeat(30_000) + i);
  for (const key of long) client.call("set", key, "");
  const pattern = "*" + "a".repeat(PATTERN_SIZE_MAX_BYTES - 3) + "7?";
  const [next, some] = client.text("scan", "0", "MATCH", pattern, "COUNT", "10000") as [string, string[]];
  assert(next !== "0" && some.length < 5, `${some.length} keys at once`);
  const expected = long.filter((_, i) => i >= 70 && i < 80);
  assertEquals(scanAll(client, "MATCH", pattern, "COUNT", "10000").sort(), expected);
});

testCommands("scan and keys find every key once when a bucket is walked in parts", async (makeClient) => {
  const client = makeClient();
  const long = Array.from({ length: LONG_KEYS_COUNT }, (_, i) => "a".repeat(5_000) + i);
  for (const key of long) client.call("set", key, "");
  // The last characters decide, so that no match is found early.
  const pattern = "*" + "a".repeat(PATTERN_SIZE_MAX_BYTES - 6) + "[12]*";
  const expected = long.filter((key) => "12".includes(key[5_000]!)).sort();
  assertEquals(scanAll(client, "MATCH", pattern, "COUNT", "10000").sort(), expected);
  client.stepsASlice = 1;
  assertEquals((await keysOf(client, pattern)).sort(), expected);
});

testCommands("scan refuses wrong cursors and options", (makeClient) => {
  const client = makeClient();
  for (
    const cursor of ["x", "+", "-", "+-1", "1.5", "0x1", " 0", "0 ", "18446744073709551616", "-18446744073709551616"]
  ) {
    assertEquals(client.refusal("scan", cursor), "ERR invalid cursor", cursor);
  }
  assertEquals(client.refusal("scan", "0", "MATCH"), "ERR syntax error");
  assertEquals(client.refusal("scan", "0", "NOPE", "1"), "ERR syntax error");
  assertEquals(client.refusal("scan", "0", "COUNT", "0"), "ERR syntax error");
  assertEquals(client.refusal("scan", "0", "COUNT", "-5"), "ERR syntax error");
  assertEquals(client.refusal("scan", "0", "COUNT", "x"), NOT_INTEGER);
  // A cursor that was never returned is harmless, and so is one that Redis parses as a number of 64 bits.
  for (const cursor of ["4294967295", "4294967296", "-1", "+1", "", "00", "-0", "18446744073709551615", "0\0abc"]) {
    assertEquals(client.text("scan", cursor), ["0", []], cursor);
  }
  fill(client);
  for (const cursor of ["", "00", "-0", "+0", "0\0abc", "4294967296"]) {
    assertEquals((client.text("scan", cursor, "COUNT", "1000") as [string, string[]])[1].length, 3, cursor);
  }
});

testCommands("size counts all keys, and flush removes them", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("size"), 0);
  fill(client);
  assertEquals(client.text("size"), 3);
  assertEquals(client.text("flush"), "OK");
  assertEquals(client.text("size"), 0);
  assertEquals(client.text("keys", "*"), []);
  for (const name of ["flushall", "FLUSHDB", "flush"]) {
    for (const options of [[], ["ASYNC"], ["sync"]]) {
      fill(client);
      assertEquals(client.text(name, ...options), "OK");
      assertEquals(client.text("size"), 0);
    }
    assertEquals(client.refusal(name, "nope"), "ERR syntax error");
    assertEquals(client.refusal(name, "async", "sync"), "ERR syntax error");
  }
  fill(client);
  assertEquals(client.text("dbsize"), 3);
});
