import { assertEquals } from "@std/assert";
import { FIELD_SIZE_MAX_BYTES } from "../../src/limits.ts";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";

testCommands("hset replies with the number of new fields", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("hset", "h", "a", "1", "b", "2"), 2);
  assertEquals(client.text("hset", "h", "b", "3", "c", "4", "c", "5"), 1);
  assertEquals(client.text("hmget", "h", "a", "b", "c"), ["1", "3", "5"]);
  assertEquals(client.text("hlen", "h"), 3);
  assertEquals(client.text("type", "h"), "hash");
  assertEquals(client.refusal("hset", "h", "a", "1", "b"), "ERR wrong number of arguments for 'hset' command");
  assertEquals(client.refusal("hset", "h", "a"), "ERR wrong number of arguments for 'hset' command");
});

testCommands("hashes store any bytes, also an empty field and value", (makeClient) => {
  const client = makeClient();
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const large = new Uint8Array(1024 * 1024).fill(3);
  client.call("hset", "h", "", "", all, all, "large", large);
  assertEquals(client.call("hmget", "h", "", all, "large"), [new Uint8Array(0), all, large]);
});

testCommands("hset and hincrby bound the size of fields", (makeClient) => {
  const client = makeClient();
  const longest = new Uint8Array(FIELD_SIZE_MAX_BYTES);
  const tooLong = new Uint8Array(FIELD_SIZE_MAX_BYTES + 1);
  assertEquals(client.text("hset", "h", longest, "v", "f", "v"), 2);
  assertEquals(client.text("hget", "h", longest), "v");
  const refusal = `ERR field exceeds ${FIELD_SIZE_MAX_BYTES} bytes`;
  assertEquals(client.refusal("hset", "h", "new", "v", tooLong, "v"), refusal);
  assertEquals(client.refusal("hset", "absent", tooLong, "v"), refusal);
  assertEquals(client.refusal("hincrby", "h", tooLong, "1"), refusal);
  // No client can have set this field.
  assertEquals(client.text("hget", "h", tooLong), null);
  assertEquals(client.text("hexists", "h", tooLong), 0);
  assertEquals(client.text("hdel", "h", tooLong), 0);
  assertEquals(client.text("hlen", "h"), 2);
});

testCommands("hget, hmget and hexists handle absent keys and fields", (makeClient) => {
  const client = makeClient();
  client.call("hset", "h", "f", "v");
  assertEquals(client.text("hget", "h", "f"), "v");
  assertEquals(client.text("hget", "h", "g"), null);
  assertEquals(client.text("hget", "absent", "f"), null);
  assertEquals(client.text("hmget", "h", "g", "f", "g"), [null, "v", null]);
  assertEquals(client.text("hmget", "absent", "f", "g"), [null, null]);
  assertEquals(client.text("hexists", "h", "f"), 1);
  assertEquals(client.text("hexists", "h", "g"), 0);
  assertEquals(client.text("hexists", "absent", "f"), 0);
  assertEquals(client.text("hlen", "absent"), 0);
});

testCommands("hdel replies with the number of removed fields, and the last one removes the key", (makeClient) => {
  const client = makeClient();
  client.call("hset", "h", "a", "1", "b", "2", "c", "3");
  assertEquals(client.text("hdel", "h", "a", "x", "a"), 1);
  assertEquals(client.text("hdel", "h", "b", "c", "d", "b"), 2);
  assertEquals(client.text("exists", "h"), 0);
  assertEquals(client.text("hdel", "h", "a"), 0);
});

testCommands("hgetall, hkeys and hvals reply with all fields at any size", (makeClient) => {
  const client = makeClient();
  for (const count of [1, 10, 100, 5000]) {
    const key = `h${count}`;
    const pairs = Array.from({ length: count }, (_, i) => [`field ${i}`, "v".repeat(i % 50) + i] as const);
    assertEquals(client.text("hset", key, ...pairs.flat()), count);
    const all = client.text("hgetall", key) as [string, string][];
    assertEquals(all.length, count);
    assertEquals(new Map(all), new Map(pairs));
    assertEquals((client.text("hkeys", key) as string[]).sort(), pairs.map(([field]) => field).sort());
    assertEquals((client.text("hvals", key) as string[]).sort(), pairs.map(([, value]) => value).sort());
    assertEquals(client.text("hlen", key), count);
  }
  assertEquals(client.call("hgetall", "absent"), new Map());
  assertEquals(client.text("hkeys", "absent"), []);
  assertEquals(client.text("hvals", "absent"), []);
});

testCommands("hkeys and hvals use the same order", (makeClient) => {
  const client = makeClient();
  client.call("hset", "h", "a", "1", "b", "2", "c", "3");
  const keys = client.text("hkeys", "h") as string[];
  const values = client.text("hvals", "h") as string[];
  assertEquals(client.text("hgetall", "h"), keys.map((key, i) => [key, values[i]!]));
});

testCommands("hincrby computes with 64 bits", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("hincrby", "h", "f", "5"), 5);
  assertEquals(client.text("hincrby", "h", "f", "-7"), -2);
  assertEquals(client.text("hincrby", "h", "g", "1"), 1);
  assertEquals(client.text("hget", "h", "f"), "-2");
  client.call("hset", "h", "f", String(2 ** 53 - 1));
  assertEquals(client.call("hincrby", "h", "f", "1"), 9007199254740992n);
  assertEquals(client.call("hincrby", "h", "f", "-1"), 2 ** 53 - 1);
  assertEquals(client.call("hincrby", "h", "big", "9223372036854775807"), 9223372036854775807n);
  assertEquals(client.refusal("hincrby", "h", "big", "1"), "ERR increment or decrement would overflow");
  assertEquals(client.text("hget", "h", "big"), "9223372036854775807");
});

testCommands("hincrby refuses a text that is not an integer", (makeClient) => {
  const client = makeClient();
  for (const value of ["", "x", "1.5", " 1", "9".repeat(30)]) {
    client.call("hset", "h", "f", value);
    assertEquals(client.refusal("hincrby", "h", "f", "1"), "ERR hash value is not an integer", value);
    assertEquals(client.refusal("hincrby", "new", "f", value), "ERR value is not an integer or out of range", value);
  }
  assertEquals(client.text("exists", "new"), 0);
});

testCommands("commands on hashes refuse other types and change nothing", (makeClient) => {
  const client = makeClient();
  client.call("set", "s", "5");
  client.call("rpush", "l", "a");
  for (const key of ["s", "l"]) {
    const requests = [
      ["hset", key, "f", "v"],
      ["hget", key, "f"],
      ["hmget", key, "f", "g"],
      ["hdel", key, "f"],
      ["hgetall", key],
      ["hlen", key],
      ["hexists", key, "f"],
      ["hkeys", key],
      ["hvals", key],
      ["hincrby", key, "f", "1"],
    ];
    for (const request of requests) assertEquals(client.refusal(...request), WRONG_TYPE, request.join(" "));
  }
  assertEquals(client.text("get", "s"), "5");
  assertEquals(client.text("llen", "l"), 1);
});

testCommands("a hash keeps its TTL while it changes, and expires with it", (makeClient) => {
  const client = makeClient();
  client.call("hset", "h", "f", "1");
  client.call("pexpire", "h", "100");
  for (let i = 0; i < 200; i++) client.call("hset", "h", `field ${i}`, "x".repeat(i));
  client.call("hincrby", "h", "f", "1");
  client.call("hdel", "h", "field 0");
  assertEquals(client.text("pttl", "h"), 100);
  client.nowMs += 100;
  assertEquals(client.text("hset", "h", "f", "1"), 1);
  assertEquals(client.text("pttl", "h"), -1);
});
