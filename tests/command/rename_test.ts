import { assert, assertEquals } from "@std/assert";
import { StoreFullError } from "../../src/errors.ts";
import { makeStore, MemoryClient } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

/** Sets one key of each type, each with a TTL. */
function fill(client: MemoryClient): void {
  client.call("set", "string", "value");
  client.call("rpush", "list", "a", "b");
  client.call("hset", "hash", "f", "v");
  for (const key of ["string", "list", "hash"]) client.call("pexpire", key, "5000");
}

/** Returns the value of a key. */
function valueOf(client: MemoryClient, key: string): unknown {
  switch (client.text("type", key)) {
    case "list":
      return client.text("lrange", key, "0", "-1");
    case "hash":
      return client.text("hgetall", key);
    default:
      return client.text("get", key);
  }
}

testCommands("rename keeps value and TTL, and replaces a value of any type", (makeClient) => {
  const client = makeClient();
  const values = { string: "value", list: ["a", "b"], hash: [["f", "v"]] };
  for (const [key, value] of Object.entries(values)) {
    for (const other of ["new", "string", "list", "hash", "a key that is longer than any of the others".repeat(20)]) {
      if (other === key) continue;
      client.call("flush");
      fill(client);
      client.call("persist", other);
      assertEquals(client.text("rename", key, other), "OK");
      assertEquals(valueOf(client, other), value, `${key} ${other}`);
      assertEquals(client.text("pttl", other), 5000);
      assertEquals(client.text("exists", key), 0);
      assertEquals((client.text("keys", "*") as string[]).includes(other), true);
    }
  }
});

testCommands("rename moves large values", (makeClient) => {
  const client = makeClient();
  const elements = Array.from({ length: 3_000 }, (_, i) => `element ${i}`);
  client.call("rpush", "list", ...elements);
  client.call("hset", "hash", ...elements.flatMap((each) => [each, "v"]));
  client.call("set", "string", "x".repeat(300_000));
  for (const key of ["list", "hash", "string"]) assertEquals(client.text("rename", key, `new ${key}`), "OK");
  assertEquals(client.text("lrange", "new list", "0", "-1"), elements);
  assertEquals(client.text("hlen", "new hash"), 3_000);
  assertEquals(client.text("hget", "new hash", "element 2999"), "v");
  assertEquals(client.text("strlen", "new string"), 300_000);
  assertEquals(client.text("rpush", "new list", "more"), 3_001);
  assertEquals(client.text("size"), 3);
});

testCommands("rename to the same key changes nothing", (makeClient) => {
  const client = makeClient();
  fill(client);
  const { changes } = client.store;
  assertEquals(client.text("rename", "list", "list"), "OK");
  assertEquals(client.text("renamenx", "list", "list"), 0);
  assertEquals(client.store.changes, changes);
});

testCommands("rename refuses an absent key", (makeClient) => {
  const client = makeClient();
  fill(client);
  for (const name of ["rename", "renamenx"]) {
    assertEquals(client.refusal(name, "absent", "list"), "ERR no such key");
    assertEquals(client.refusal(name, "absent", "absent"), "ERR no such key");
  }
  client.nowMs += 5000;
  assertEquals(client.text("exists", "list"), 0);
  assertEquals(client.refusal("rename", "list", "string"), "ERR no such key");
});

testCommands("renamenx keeps the value of the other key, unless it has expired", (makeClient) => {
  const client = makeClient();
  fill(client);
  client.call("persist", "string");
  assertEquals(client.text("renamenx", "string", "list"), 0);
  assertEquals(client.text("get", "string"), "value");
  client.nowMs += 5000;
  assertEquals(client.text("renamenx", "string", "list"), 1);
  assertEquals(client.text("get", "list"), "value");
  assertEquals(client.text("renamenx", "list", "new"), 1);
});

testCommands("copy creates a separate value, with the TTL", (makeClient) => {
  const client = makeClient();
  fill(client);
  for (const key of ["string", "list", "hash"]) {
    assertEquals(client.text("copy", key, `${key} 2`), 1);
    assertEquals(valueOf(client, `${key} 2`), valueOf(client, key));
    assertEquals([client.text("pttl", key), client.text("pttl", `${key} 2`)], [5000, 5000]);
  }
  client.call("append", "string", "!");
  client.call("rpush", "list 2", "c");
  client.call("hdel", "hash", "f");
  assertEquals(valueOf(client, "string 2"), "value");
  assertEquals(valueOf(client, "list"), ["a", "b"]);
  assertEquals(valueOf(client, "hash 2"), [["f", "v"]]);
});

testCommands("copy copies large values", (makeClient) => {
  const client = makeClient();
  const elements = Array.from({ length: 5_000 }, (_, i) => i % 100 === 0 ? `${i}`.repeat(700) : `element ${i}`);
  client.call("rpush", "list", ...elements);
  client.call("hset", "hash", ...elements.flatMap((each) => [each.slice(0, 30), each]));
  client.call("set", "string", "x".repeat(300_000));
  for (const key of ["list", "hash", "string"]) assertEquals(client.text("copy", key, "copy", "REPLACE"), 1);
  assertEquals(client.text("get", "copy"), "x".repeat(300_000));
  assertEquals(client.text("copy", "list", "copy", "REPLACE"), 1);
  assertEquals(client.text("lrange", "copy", "0", "-1"), elements);
  assertEquals(client.text("copy", "hash", "copy", "REPLACE"), 1);
  assertEquals(client.text("hlen", "copy"), client.text("hlen", "hash"));
  for (const each of elements.slice(0, 300)) assertEquals(client.text("hget", "copy", each.slice(0, 30)), each);
});

testCommands("copy replaces a value only with REPLACE", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("copy", "string", "list"), 0);
  assertEquals(client.text("copy", "string", "list", "DB", "0"), 0);
  assertEquals(client.text("copy", "absent", "list", "REPLACE"), 0);
  assertEquals(client.text("type", "list"), "list");
  assertEquals(client.text("copy", "string", "list", "replace", "db", "0", "REPLACE"), 1);
  assertEquals(client.text("get", "list"), "value");
});

testCommands("copy refuses wrong options, and a key as its own copy", (makeClient) => {
  const client = makeClient();
  fill(client);
  for (const key of ["string", "absent"]) {
    assertEquals(client.refusal("copy", key, "new", "NOPE"), "ERR syntax error");
    assertEquals(client.refusal("copy", key, "new", "DB"), "ERR syntax error");
    assertEquals(client.refusal("copy", key, "new", "DB", "1"), "ERR DB index is out of range");
    assertEquals(client.refusal("copy", key, "new", "DB", "x"), "ERR value is not an integer or out of range");
    assertEquals(client.refusal("copy", key, key), "ERR source and destination objects are the same");
  }
});

Deno.test("copy makes room by evicting other keys, and is refused if that fails", () => {
  const client = new MemoryClient({ store: makeStore(16 * 1024 * 1024) });
  const elements = Array.from({ length: 300 }, (_, i) => `${i} `.repeat(3_000));
  for (const element of elements) client.call("rpush", "list", element);
  for (let i = 0; i < 100; i++) client.call("set", `k${i}`, new Uint8Array(100_000));
  client.call("llen", "list");
  assertEquals(client.text("copy", "list", "copy"), 1);
  assertEquals(client.text("lrange", "copy", "0", "-1"), elements);
  assertEquals(client.text("lrange", "list", "0", "-1"), elements);
  assert(client.store.statistics.evictedKeys > 0);
  assertEquals(client.store.audit(), 0);
  client.call("flush");
  for (let i = 0; i < 90; i++) client.call("rpush", "large", new Uint8Array(100_000));
  assertEquals(client.refusal("copy", "large", "copy"), `OOM ${new StoreFullError().message}`);
  assertEquals(client.text("llen", "large"), 90);
});
