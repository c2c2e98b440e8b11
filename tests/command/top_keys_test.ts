import { assert, assertEquals, assertLess } from "@std/assert";
import { decodeText } from "../../src/bytes.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { BIG_KEYS_COUNT, BIG_KEYS_REFRESH_INTERVAL_MS } from "../../src/limits.ts";
import { MemoryClient, type Readable } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

type Row = readonly [key: string, bytes: number, elements: number, type: string];

const ELEMENTS_COUNT = 3000;
const LONG = "x".repeat(300_000);

function bigkeys(client: MemoryClient, ...words: (string | number)[]): Row[] {
  return client.text("bigkeys", ...words) as unknown as Row[];
}

function hotkeys(client: MemoryClient, ...words: (string | number)[]): [string, number][] {
  return client.text("hotkeys", ...words) as unknown as [string, number][];
}

/** Calls a command many times, with a number in place of `#`. Between the calls time passes, as in a server. */
function repeat(client: MemoryClient, count: number, ...words: readonly string[]): void {
  for (let i = 0; i < count; i++) {
    client.call(...words.map((word) => word.replace("#", String(i))));
    if (i % 500 === 0) pass(client, 100);
  }
}

function pass(client: MemoryClient, ms: number): void {
  client.nowMs += ms;
  client.shared.instruments.sweep(client.nowMs, 0);
  client.shared.keys.sweep(client.nowMs);
}

/** Makes so many small keys that the table of big keys is full. */
function fill(client: MemoryClient): void {
  for (let i = 0; i < BIG_KEYS_COUNT * 2; i++) client.call("set", `small${i}`, "v".repeat(i));
}

/** The ways in which the value of `big` becomes large, with its type. */
const GROWTHS: readonly (readonly [string, string, (client: MemoryClient) => unknown])[] = [
  ["set", "string", (client) => client.call("set", "big", LONG)],
  ["mset", "string", (client) => client.call("mset", "a", "1", "big", LONG, "b", "2")],
  ["getset", "string", (client) => client.call("getset", "big", LONG)],
  ["append", "string", (client) => repeat(client, ELEMENTS_COUNT, "append", "big", "x".repeat(100))],
  ["setrange", "string", (client) => client.call("setrange", "big", "1000000", "x")],
  ["rpush", "list", (client) => repeat(client, ELEMENTS_COUNT, "rpush", "big", "element#")],
  ["lpush of many", "list", (client) => client.call("lpush", "big", ...Array(ELEMENTS_COUNT).fill("element"))],
  ["linsert", "list", (client) => {
    client.call("rpush", "big", "pivot");
    repeat(client, ELEMENTS_COUNT, "linsert", "big", "before", "pivot", "element#");
  }],
  ["lmove", "list", (client) => {
    client.call("rpush", "source", ...Array(ELEMENTS_COUNT).fill("element"));
    repeat(client, ELEMENTS_COUNT, "lmove", "source", "big", "left", "right");
  }],
  ["hset", "hash", (client) => repeat(client, ELEMENTS_COUNT, "hset", "big", "field#", "value")],
  ["hincrby", "hash", (client) => repeat(client, ELEMENTS_COUNT, "hincrby", "big", "field#", "1")],
  ["sadd", "set", (client) => repeat(client, ELEMENTS_COUNT, "sadd", "big", "member#")],
  ["sunionstore", "set", (client) => {
    repeat(client, ELEMENTS_COUNT, "sadd", "source", "member#");
    client.call("sunionstore", "big", "source", "absent");
    client.call("del", "source");
  }],
  ["rename", "list", (client) => {
    repeat(client, ELEMENTS_COUNT, "rpush", "old", "element#");
    client.call("rename", "old", "big");
  }],
  ["rename among many", "list", (client) => {
    repeat(client, ELEMENTS_COUNT, "rpush", "old", "element#");
    client.call("set", "small", "v");
    for (let i = 0; i < 500; i++) {
      client.call("rename", i % 2 === 0 ? "small" : "other", i % 2 === 0 ? "other" : "small");
    }
    client.call("rename", "old", "big");
  }],
  ["renamenx", "hash", (client) => {
    repeat(client, ELEMENTS_COUNT, "hset", "old", "field#", "value");
    client.call("renamenx", "old", "big");
  }],
  ["copy", "set", (client) => {
    repeat(client, ELEMENTS_COUNT, "sadd", "old", "member#");
    client.call("copy", "old", "big");
    client.call("del", "old");
  }],
  ["exec", "list", (client) => {
    client.call("multi");
    for (let i = 0; i < ELEMENTS_COUNT; i++) client.call("rpush", "big", "element");
    return client.wait("exec");
  }],
  ["a large request in exec", "string", (client) => {
    repeat(client, 20_000, "set", "small", "v");
    client.call("multi");
    client.call("set", "big", LONG);
    return client.wait("exec");
  }],
];

for (const [name, type, grow] of GROWTHS) {
  Deno.test(`bigkeys shows a value that became large by ${name}`, async () => {
    const client = new MemoryClient();
    fill(client);
    await grow(client);
    const [[key, bytes, elements, shownType] = []] = bigkeys(client, 1);
    assertEquals([key, shownType], ["big", type]);
    assertEquals(bytes, client.store.estimateBytes(client.store.peek(new TextEncoder().encode("big"), 0, 3)));
    if (type === "string") return assertEquals(elements, 1);
    const [[longest] = []] = bigkeys(client, 1, "elements");
    assertEquals(longest, "big");
    assert(elements! >= ELEMENTS_COUNT);
  });
}

/** The ways in which `big` ceases to exist, or to be large. */
const ENDS: readonly (readonly [string, (client: MemoryClient) => unknown])[] = [
  ["del", (client) => client.call("del", "big")],
  ["unlink", (client) => client.call("unlink", "big")],
  ["getdel", (client) => client.call("getdel", "big")],
  ["set", (client) => client.call("set", "big", "1")],
  ["rename", (client) => client.call("rename", "small1", "big")],
  ["expire", (client) => {
    client.call("pexpire", "big", "50");
    client.nowMs += 60;
  }],
  ["flush", (client) => client.call("flush")],
  ["eviction", (client) => {
    for (let i = 0; client.store.statistics.evictedKeys < 500; i++) client.call("set", `newer${i}`, "x".repeat(1000));
  }],
];

for (const [name, end] of ENDS) {
  Deno.test(`bigkeys does not show what is gone after ${name}, and has its place for others`, () => {
    const client = new MemoryClient({ memoryLimitBytes: 2 ** 22 });
    fill(client);
    client.call("set", "big", LONG);
    assertEquals(bigkeys(client, 1)[0]?.[0], "big");
    end(client);
    assert(bigkeys(client, 1000).every(([key, bytes]) => key !== "big" || bytes < 1000));
    pass(client, BIG_KEYS_REFRESH_INTERVAL_MS);
    client.call("set", "next", "x".repeat(40_000));
    assertEquals(bigkeys(client, 1)[0]?.[0], "next");
  });
}

Deno.test("bigkeys follows a key that shrinks and is renamed", () => {
  const client = new MemoryClient();
  client.call("rpush", "list", ...Array(ELEMENTS_COUNT).fill("element"));
  client.call("rpush", "other", ...Array(100).fill("element"));
  assertEquals(bigkeys(client).map(([key, , elements]) => [key, elements]), [["list", ELEMENTS_COUNT], ["other", 100]]);
  client.call("ltrim", "list", "0", "9");
  assertEquals(bigkeys(client, 9, "elements").map(([key, , elements]) => [key, elements]), [["other", 100], [
    "list",
    10,
  ]]);
  client.call("rename", "other", "renamed");
  assertEquals(bigkeys(client, 9, "elements").map(([key]) => key), ["renamed", "list"]);
});

Deno.test("bigkeys shows names and values of any bytes", () => {
  const client = new MemoryClient();
  for (const name of ["", "<script>", "\0\r\n", "x".repeat(32 * 1024)]) client.call("set", name, "v");
  client.call("set", Uint8Array.of(0xff, 0xfe), "v");
  const names = (client.call("bigkeys", 100) as Uint8Array[][]).map(([name]) => name!);
  assertEquals(names.length, 5);
  assert(names.some((name) => name.length === 2 && name[0] === 0xff));
  assert(names.some((name) => decodeText(name) === "<script>"));
});

Deno.test("bigkeys does not touch keys, and does not keep them from expiring", () => {
  const client = new MemoryClient();
  client.call("set", "old", LONG);
  client.call("set", "new", "v");
  bigkeys(client);
  pass(client, BIG_KEYS_REFRESH_INTERVAL_MS);
  const oldest = client.store.oldest();
  assertEquals(client.store.keyLength(oldest), 3);
  assertEquals(oldest, client.store.peek(new TextEncoder().encode("old"), 0, 3));
});

Deno.test("hotkeys shows keys by their requests a second, regardless of the commands", () => {
  const client = new MemoryClient();
  const names = ["get", "ttl", "exists", "strlen", "type"];
  for (let second = 0; second < 20; second++) {
    for (let i = 0; i < 500; i++) {
      client.call(names[i % names.length]!, i % 2 === 0 ? "hot" : `cold${i}`);
      if (i % 10 === 0) client.call("incr", "warm");
    }
    for (let i = 0; i < 10; i++) pass(client, 100);
  }
  const [first, second, ...others] = hotkeys(client, 100);
  assertEquals([first![0], second![0]], ["hot", "warm"]);
  // A sample, so these are close to 250 and 50 a second.
  assert(first![1] > 180 && first![1] < 320, String(first));
  assert(second![1] > 30 && second![1] < 75, String(second));
  assert(others.every(([, perSecond]) => perSecond < 30), String(others));
});

Deno.test("hotkeys counts each key of a request, and does not take long for a request of very many", () => {
  const client = new MemoryClient();
  for (let i = 0; i < 50; i++) client.call("mget", "a", "b", "hot", "hot");
  pass(client, 1000);
  assertEquals(hotkeys(client).map(([key]) => key), ["hot", "a", "b"]);
  const many = Array.from({ length: 100_000 }, (_, i) => `many${i}`);
  const request = requestOf(many);
  const mget = COMMANDS.find(({ name }) => name === "mget")!;
  const startedMs = performance.now();
  for (let i = 0; i < 10; i++) client.shared.keys.note(mget, request, 1);
  assertLess(performance.now() - startedMs, 30);
  for (let i = 0; i < 9; i++) client.call("mget", ...many.fill("repeated"));
  assertEquals(hotkeys(client, 1)[0]![0], "repeated");
});

/** A request of `mget`, as far as its keys are needed. */
function requestOf(keys: readonly string[]) {
  const bytes = new TextEncoder().encode(keys.join(""));
  const lengths = Int32Array.from([4, ...keys.map((key) => key.length)]);
  const starts = new Int32Array(lengths.length);
  for (let i = 2; i < starts.length; i++) starts[i] = starts[i - 1]! + lengths[i - 1]!;
  // deno-lint-ignore no-explicit-any -- only these fields are read
  return { bytes, starts, lengths, count: starts.length } as any;
}

testCommands("hotkeys and bigkeys refuse wrong arguments, and are empty at first", (makeClient) => {
  const client = makeClient();
  for (const name of ["hotkeys", "bigkeys"]) {
    assertEquals(client.text(name), []);
    assertEquals(client.text(name, "0"), []);
    assertEquals(client.refusal(name, "-1"), "ERR value is out of range, must be positive");
    assertEquals(client.refusal(name, "x"), "ERR value is not an integer or out of range");
    assertEquals(client.refusal(name, "1", "names"), "ERR syntax error");
    assertEquals(client.refusal(name, "1", "bytes", "2"), "ERR syntax error");
  }
  assertEquals(client.refusal("hotkeys", "1", "bytes"), "ERR syntax error");
  assertEquals(client.text("bigkeys", "1", "Bytes"), []);
});

Deno.test("hotkeys does not count a client that touches nothing, nor one look at a key on a page", () => {
  const client = new MemoryClient();
  // As after `client no-touch on`.
  client.client.touchesNothing = true;
  for (let i = 0; i < 50; i++) client.call("get", "observed");
  client.client.touchesNothing = false;
  for (const name of ["type", "type", "strlen", "pttl", "get"]) client.call(name, "shown");
  client.call("memory", "usage", "shown");
  client.call("object", "encoding", "shown");
  assertEquals(hotkeys(client), []);
});

testCommands("hotkeys and bigkeys know keys of all commands, also of those that failed", (makeClient) => {
  const client = makeClient();
  client.call("set", "string", "v");
  for (let i = 0; i < 9; i++) client.refusal("rpush", "string", "v");
  pass(client, 100);
  for (const name of ["hotkeys", "bigkeys"]) {
    assertEquals((client.text(name) as Readable[][]).map((row) => row[0]!), ["string"], name);
  }
});

testCommands("hotkeys and bigkeys return as many rows as are asked for", (makeClient) => {
  const client = makeClient();
  for (let i = 0; i < 30; i++) repeat(client, 20, "append", `key${i}`, "v");
  for (const name of ["hotkeys", "bigkeys"]) {
    assertEquals((client.text(name) as unknown[]).length, 10);
    assertEquals((client.text(name, "25") as unknown[]).length, 25);
    assertEquals((client.text(name, "9223372036854775807") as unknown[]).length, 30);
  }
});
