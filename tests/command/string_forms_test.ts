import { assertEquals } from "@std/assert";
import { MemoryClient, START_MS } from "../support/memory_client.ts";
import { ModelStore } from "../support/model_store.ts";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INTEGER = "ERR value is not an integer or out of range";
const SYNTAX = "ERR syntax error";

/** Sets one key of each type. */
function fill(client: MemoryClient): void {
  client.call("set", "string", "value");
  client.call("rpush", "list", "a", "b");
  client.call("hset", "hash", "f", "v");
}

testCommands("getset sets a string, replies with the old one, and removes the TTL", (makeClient) => {
  const client = makeClient();
  fill(client);
  client.call("expire", "string", "10");
  assertEquals(client.text("getset", "string", "new"), "value");
  assertEquals(client.text("getset", "absent", "1"), null);
  assertEquals(client.text("mget", "string", "absent"), ["new", "1"]);
  assertEquals(client.text("ttl", "string"), -1);
  assertEquals(client.refusal("getset", "list", "x"), WRONG_TYPE);
});

testCommands("getex replies with the value and keeps its TTL, unless an option changes that", (makeClient) => {
  const client = makeClient();
  fill(client);
  client.call("pexpire", "string", "7000");
  assertEquals(client.text("getex", "string"), "value");
  assertEquals(client.text("pttl", "string"), 7000);
  const cases: [string[], number][] = [
    [["EX", "10"], 10_000],
    [["px", "1500"], 1500],
    [["exat", String(START_MS / 1000 + 7)], 7000],
    [["PXAT", String(START_MS + 42)], 42],
    [["EX", "ten", "EX", "20"], 20_000],
    [["PERSIST"], -1],
    [["persist", "PERSIST"], -1],
  ];
  for (const [options, leftMs] of cases) {
    assertEquals(client.text("getex", "string", ...options), "value");
    assertEquals(client.text("pttl", "string"), leftMs, options.join(" "));
  }
  assertEquals(client.text("getex", "absent", "EX", "10"), null);
  assertEquals(client.refusal("getex", "list"), WRONG_TYPE);
});

testCommands("getex removes a value whose deadline has passed, after replying with it", (makeClient) => {
  const client = makeClient();
  for (const options of [["EXAT", "1"], ["PXAT", String(START_MS)]]) {
    fill(client);
    assertEquals(client.text("getex", "string", ...options), "value");
    assertEquals(client.text("exists", "string"), 0);
  }
});

testCommands("getex refuses options that are unknown or contradict each other", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "v", "PX", "77");
  const wrong = [
    ["PERSIST", "EX", "10"],
    ["EX", "10", "PERSIST"],
    ["EX", "10", "PX", "10"],
    ["EX"],
    ["KEEPTTL"],
    ["NX"],
    ["XX"],
    ["GET"],
    ["NOPE"],
    [""],
  ];
  for (const options of wrong) assertEquals(client.refusal("getex", "x", ...options), SYNTAX, options.join(" "));
  const invalid = "ERR invalid expire time in 'getex' command";
  for (const option of ["EX", "PX", "EXAT", "PXAT"]) {
    assertEquals(client.refusal("getex", "x", option, "0"), invalid);
    assertEquals(client.refusal("getex", "x", option, "-1"), invalid);
    if (option !== "PXAT") assertEquals(client.refusal("getex", "x", option, "9223372036854775807"), invalid);
    assertEquals(client.refusal("getex", "x", option, "x"), NOT_INTEGER);
  }
  // The number is parsed only if the key exists.
  assertEquals(client.text("getex", "absent", "EX", "x"), null);
  assertEquals(client.text("pttl", "x"), 77);
});

testCommands("setnx sets only an absent key", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("setnx", "new", "1"), 1);
  assertEquals(client.text("setnx", "new", "2"), 0);
  assertEquals(client.text("setnx", "list", "2"), 0);
  assertEquals(client.text("get", "new"), "1");
  assertEquals(client.text("type", "list"), "list");
});

testCommands("setex and psetex set a string with a TTL, over a value of any type", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("setex", "list", "10", "v"), "OK");
  assertEquals(client.text("psetex", "new", "1500", "w"), "OK");
  assertEquals(client.text("mget", "list", "new"), ["v", "w"]);
  assertEquals([client.text("pttl", "list"), client.text("pttl", "new")], [10_000, 1500]);
  for (const name of ["setex", "psetex"]) {
    for (const amount of ["0", "-1", "-9223372036854775808", "9223372036854775807"]) {
      assertEquals(client.refusal(name, "string", amount, "x"), `ERR invalid expire time in '${name}' command`);
    }
    assertEquals(client.refusal(name, "string", "1.5", "x"), NOT_INTEGER);
  }
  assertEquals(client.text("get", "string"), "value");
});

testCommands("msetnx sets all or nothing", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("msetnx", "a", "1", "list", "2"), 0);
  assertEquals(client.text("exists", "a"), 0);
  assertEquals(client.text("msetnx", "a", "1", "b", "2", "a", "3"), 1);
  assertEquals(client.text("mget", "a", "b"), ["3", "2"]);
  assertEquals(client.text("msetnx", "b", "5"), 0);
  assertEquals(client.refusal("msetnx", "a", "1", "b"), "ERR wrong number of arguments for 'msetnx' command");
  assertEquals(client.refusal("msetnx", "a"), "ERR wrong number of arguments for 'msetnx' command");
});

testCommands("set with a deadline that has passed removes the key, and replies as if it had set it", (makeClient) => {
  const client = makeClient();
  for (const options of [["EXAT", "1"], ["PXAT", String(START_MS)], ["PXAT", "1", "GET"]]) {
    fill(client);
    assertEquals(client.text("set", "string", "new", ...options), options.includes("GET") ? "value" : "OK");
    assertEquals(client.text("set", "absent", "new", ...options), options.includes("GET") ? null : "OK");
    assertEquals(client.text("exists", "string", "absent"), 0);
  }
  assertEquals(client.text("size"), 2);
});

testCommands("decrby subtracts with 64 bits", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("decrby", "x", "5"), -5);
  assertEquals(client.text("decrby", "x", "-7"), 2);
  assertEquals(client.text("decrby", "x", "0"), 2);
  assertEquals(client.text("decrby", "zero", "0"), 0);
  assertEquals(client.text("get", "zero"), "0");
  assertEquals(client.call("decrby", "y", "9223372036854775807"), -9223372036854775807n);
  assertEquals(client.refusal("decrby", "y", "2"), "ERR increment or decrement would overflow");
  assertEquals(client.refusal("decrby", "x", "-9223372036854775808"), "ERR decrement would overflow");
  assertEquals(client.refusal("decrby", "x", "1.5"), NOT_INTEGER);
  assertEquals(client.text("get", "x"), "2");
});

testCommands("strings that other forms create get the default TTL", (makeClient) => {
  const client = makeClient({ defaultTtlMs: 5000 });
  client.call("getset", "getset", "1");
  client.call("setnx", "setnx", "1");
  client.call("msetnx", "msetnx", "1");
  client.call("setrange", "setrange", "3", "x");
  client.call("incrbyfloat", "incrbyfloat", "1.5");
  client.call("decrby", "decrby", "1");
  client.call("hincrbyfloat", "hincrbyfloat", "f", "1.5");
  client.call("hsetnx", "hsetnx", "f", "v");
  client.call("hmset", "hmset", "f", "v");
  for (const key of ["getset", "setnx", "msetnx", "setrange", "incrbyfloat", "decrby"]) {
    assertEquals(client.text("pttl", key), 5000, key);
  }
  for (const key of ["hincrbyfloat", "hsetnx", "hmset"]) assertEquals(client.text("pttl", key), 5000, key);
  client.nowMs += 1000;
  client.call("setrange", "setrange", "3", "y");
  client.call("incrbyfloat", "incrbyfloat", "1.5");
  client.call("hsetnx", "hsetnx", "g", "v");
  client.call("getset", "getset", "2");
  for (const key of ["setrange", "incrbyfloat", "hsetnx"]) assertEquals(client.text("pttl", key), 4000, key);
  assertEquals(client.text("pttl", "getset"), 5000);
});

Deno.test("getex without a TTL, and expire with a deadline that has passed, need no room", () => {
  const store = new ModelStore();
  const client = new MemoryClient({ store: store.asStore() });
  client.call("mset", "a", "1", "b", "2");
  store.full = true;
  const refusal = "OOM command not allowed when used memory > 'maxmemory'.";
  assertEquals(client.text("getex", "a"), "1");
  assertEquals(client.text("getex", "a", "PERSIST"), "1");
  assertEquals(client.text("ttl", "a"), -1);
  assertEquals(client.refusal("getex", "a", "EX", "10"), refusal);
  assertEquals(client.refusal("expire", "a", "10"), refusal);
  assertEquals(client.text("expire", "b", "-1"), 1);
  assertEquals(client.text("exists", "a", "b"), 1);
});
