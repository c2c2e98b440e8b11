import { assertEquals } from "@std/assert";
import { NativeReply } from "../../src/wire/native/reply_writer.ts";
import { makeStore, MemoryClient } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";

testCommands("lmove takes an element from one end and adds it at one end", (makeClient) => {
  const client = makeClient();
  const cases: [string, string, string, string[], string[]][] = [
    ["LEFT", "LEFT", "a", ["b", "c"], ["a", "x", "y"]],
    ["left", "RIGHT", "a", ["b", "c"], ["x", "y", "a"]],
    ["RIGHT", "left", "c", ["a", "b"], ["c", "x", "y"]],
    ["RIGHT", "RIGHT", "c", ["a", "b"], ["x", "y", "c"]],
  ];
  for (const [from, to, moved, source, destination] of cases) {
    client.call("del", "s", "d");
    client.call("rpush", "s", "a", "b", "c");
    client.call("rpush", "d", "x", "y");
    assertEquals(client.text("lmove", "s", "d", from, to), moved);
    assertEquals(client.text("lrange", "s", "0", "-1"), source);
    assertEquals(client.text("lrange", "d", "0", "-1"), destination);
  }
});

testCommands("lmove within one list rotates it", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "l", "a", "b", "c");
  assertEquals(client.text("lmove", "l", "l", "LEFT", "RIGHT"), "a");
  assertEquals(client.text("lrange", "l", "0", "-1"), ["b", "c", "a"]);
  assertEquals(client.text("lmove", "l", "l", "RIGHT", "LEFT"), "a");
  assertEquals(client.text("lmove", "l", "l", "LEFT", "LEFT"), "a");
  assertEquals(client.text("rpoplpush", "l", "l"), "c");
  assertEquals(client.text("lrange", "l", "0", "-1"), ["c", "a", "b"]);
});

testCommands("lmove of the only element removes the source, unless it is the destination", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "s", "a");
  client.call("expire", "s", "10");
  for (const [from, to] of [["LEFT", "RIGHT"], ["LEFT", "LEFT"], ["RIGHT", "LEFT"]]) {
    assertEquals(client.text("lmove", "s", "s", from!, to!), "a");
    assertEquals(client.text("ttl", "s"), 10);
  }
  assertEquals(client.text("lmove", "s", "d", "LEFT", "LEFT"), "a");
  assertEquals(client.text("exists", "s"), 0);
  assertEquals(client.text("lrange", "d", "0", "-1"), ["a"]);
  assertEquals(client.text("ttl", "d"), -1);
});

testCommands("rpoplpush takes from the tail and adds at the head", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "s", "a", "b");
  assertEquals(client.text("rpoplpush", "s", "d"), "b");
  assertEquals(client.text("rpoplpush", "s", "d"), "a");
  assertEquals(client.text("rpoplpush", "s", "d"), null);
  assertEquals(client.text("lrange", "d", "0", "-1"), ["a", "b"]);
});

testCommands("lmove replies with nil without a source, and refuses other types", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "list", "a");
  client.call("set", "string", "v");
  assertEquals(client.text("lmove", "absent", "list", "LEFT", "LEFT"), null);
  // As in Redis, types are not checked when no element is moved.
  assertEquals(client.text("lmove", "absent", "string", "LEFT", "LEFT"), null);
  assertEquals(client.refusal("lmove", "string", "list", "LEFT", "LEFT"), WRONG_TYPE);
  assertEquals(client.refusal("lmove", "list", "string", "LEFT", "LEFT"), WRONG_TYPE);
  assertEquals(client.refusal("rpoplpush", "list", "string"), WRONG_TYPE);
  assertEquals(client.refusal("lmove", "list", "list", "LEFT", "UP"), "ERR syntax error");
  assertEquals(client.refusal("lmove", "list", "list", "HEAD", "LEFT"), "ERR syntax error");
});

testCommands("lmove moves long elements, and gives a new list the default TTL", (makeClient) => {
  const client = makeClient({ defaultTtlMs: 5000 });
  const long = new Uint8Array(300_000).fill(7);
  client.call("rpush", "s", "a", long);
  client.nowMs += 1000;
  assertEquals(client.call("lmove", "s", "d", "RIGHT", "LEFT"), long);
  assertEquals(client.call("lget", "d", "0"), long);
  assertEquals([client.text("pttl", "s"), client.text("pttl", "d")], [4000, 5000]);
});

testCommands("lmove changes neither list when the reply is too long", (makeClient) => {
  const client = makeClient({ reply: new NativeReply(1024, 10_000) });
  client.call("rpush", "s", new Uint8Array(20_000));
  const answer = client.refusal("lmove", "s", "d", "LEFT", "LEFT");
  assertEquals(answer, "ERR reply exceeds 10000 bytes; ask for less at a time");
  assertEquals(client.text("llen", "s"), 1);
});

Deno.test("lmove of a long element needs no additional room", () => {
  const client = new MemoryClient({ store: makeStore(8 * 1024 * 1024) });
  const long = new Uint8Array(5_000_000).fill(1);
  client.call("rpush", "s", "a", long);
  client.call("mset", "x", "1", "y", "2");
  assertEquals(client.call("lmove", "s", "d", "RIGHT", "LEFT"), long);
  assertEquals(client.call("lmove", "d", "s", "RIGHT", "RIGHT"), long);
  assertEquals(client.call("rpoplpush", "s", "s"), long);
  assertEquals(client.text("lget", "s", "1"), "a");
  assertEquals(client.text("mget", "x", "y"), ["1", "2"]);
  assertEquals(client.store.statistics.evictedKeys, 0);
  assertEquals(client.store.audit(), 0);
});

testCommands("lpushx and rpushx push only to a list that exists", (makeClient) => {
  const client = makeClient();
  client.call("set", "string", "v");
  assertEquals(client.text("lpushx", "l", "a"), 0);
  assertEquals(client.text("rpushx", "l", "a"), 0);
  assertEquals(client.text("exists", "l"), 0);
  client.call("rpush", "l", "m");
  assertEquals(client.text("lpushx", "l", "a", "b"), 3);
  assertEquals(client.text("rpushx", "l", "y", "z"), 5);
  assertEquals(client.text("lrange", "l", "0", "-1"), ["b", "a", "m", "y", "z"]);
  assertEquals(client.refusal("lpushx", "string", "a"), WRONG_TYPE);
  assertEquals(client.refusal("rpushx", "string", "a"), WRONG_TYPE);
});
