import { assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { MemoryClient } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const NOT_LFU = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when " +
  "switching between policies at runtime LRU and LFU data will take some time to adjust.";

Deno.test("object encoding replies with Redis's name for the encoding of a value", () => {
  const client = new MemoryClient();
  const cases: [string, string][] = [
    ["123", "int"],
    ["-9223372036854775808", "int"],
    ["9223372036854775808", "embstr"],
    ["0123", "embstr"],
    ["", "embstr"],
    ["x".repeat(44), "embstr"],
    ["x".repeat(45), "raw"],
    ["x".repeat(100_000), "raw"],
  ];
  for (const [value, encoding] of cases) {
    client.call("set", "x", value);
    assertEquals(client.text("object", "encoding", "x"), encoding, value.slice(0, 50));
  }
  client.call("rpush", "list", "a");
  client.call("hset", "hash", "f", "v");
  assertEquals(client.text("object", "encoding", "list"), "quicklist");
  assertEquals(client.text("OBJECT", "Encoding", "hash"), "listpack");
  for (let i = 0; i < 1_000; i++) client.call("hset", "hash", `f${i}`, "v");
  assertEquals(client.text("object", "encoding", "hash"), "hashtable");
  assertEquals(client.text("object", "encoding", "absent"), null);
});

testCommands("object refcount, idletime and freq", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "1");
  assertEquals(client.text("object", "refcount", "x"), 1);
  assertMatch(client.refusal("object", "idletime", "x"), /^ERR idle times are not kept/);
  assertEquals(client.refusal("object", "freq", "x"), NOT_LFU);
  for (const name of ["refcount", "idletime", "freq"]) assertEquals(client.text("object", name, "absent"), null);
});

testCommands("object refcount replies for small integers as Redis does without eviction", (makeClient) => {
  const client = makeClient();
  client.store.room.evicts = false;
  const shared = 2 ** 31 - 1;
  const values: [value: string, count: number][] = [
    ["0", shared],
    ["9999", shared],
    ["10000", 1],
    ["-1", 1],
    ["", 1],
    ["01", 1],
    ["+1", 1],
    ["1.0", 1],
    ["9223372036854775807", 1],
    ["x".repeat(1000), 1],
  ];
  for (const [value, count] of values) {
    client.call("set", "x", value);
    assertEquals(client.text("object", "refcount", "x"), count, value);
    client.call("expire", "x", "100");
    assertEquals(client.text("object", "refcount", "x"), count, value);
  }
  client.call("rpush", "l", "1");
  client.call("hset", "h", "1", "1");
  assertEquals([client.text("object", "refcount", "l"), client.text("object", "refcount", "h")], [1, 1]);
});

testCommands("object and memory list their subcommands, and refuse others", (makeClient) => {
  const client = makeClient();
  assertEquals((client.text("object", "help") as string[]).length, 15);
  assertEquals((client.text("MEMORY", "HELP") as string[]).length, 14);
  assertEquals(client.refusal("object", "nope", "x"), "ERR unknown subcommand 'nope'. Try OBJECT HELP.");
  assertEquals(client.refusal("memory", "Nope"), "ERR unknown subcommand 'Nope'. Try MEMORY HELP.");
  const wrong = [["object", "encoding"], ["object", "encoding", "x", "x"], ["object", "help", "x"], [
    "memory",
    "usage",
  ], ["memory", "doctor", "x"]];
  for (const [name, subcommand, ...others] of wrong) {
    const refusal = `ERR wrong number of arguments for '${name}|${subcommand}' command`;
    assertEquals(client.refusal(name!, subcommand!, ...others), refusal);
  }
  assertEquals(client.refusal("object"), "ERR wrong number of arguments for 'object' command");
});

Deno.test("memory usage replies with the memory of a key, estimated by samples if it is large", () => {
  const client = new MemoryClient();
  client.call("set", "small", "1");
  client.call("set", "large", "x".repeat(100_000));
  for (let i = 0; i < 2_000; i++) client.call("rpush", "list", `element ${i}`);
  for (let i = 0; i < 2_000; i++) client.call("hset", "hash", `field ${i}`, "value");
  const usage = (key: string, ...options: string[]) => client.text("memory", "usage", key, ...options) as number;
  assertLess(usage("small"), 100);
  assertGreater(usage("large"), 100_000);
  for (const key of ["list", "hash"]) {
    const all = usage(key, "SAMPLES", "0");
    assertGreater(all, 2_000 * 10);
    assertLess(Math.abs(usage(key) - all), all / 4);
    assertLess(Math.abs(usage(key, "samples", "100") - all), all / 4);
  }
  assertEquals(client.text("memory", "usage", "absent"), null);
  assertEquals(client.refusal("memory", "usage", "small", "SAMPLES", "-1"), "ERR syntax error");
  assertEquals(client.refusal("memory", "usage", "small", "SAMPLES"), "ERR syntax error");
  assertEquals(client.refusal("memory", "usage", "small", "NOPE", "1"), "ERR syntax error");
  assertEquals(
    client.refusal("memory", "usage", "small", "SAMPLES", "x"),
    "ERR value is not an integer or out of range",
  );
});
