import { assertEquals } from "@std/assert";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INTEGER = "ERR value is not an integer or out of range";
const NOT_COUNT = "ERR value is out of range, must be positive";

testCommands("lpush and rpush reply with the length, and add elements one by one at their end", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("lpush", "l", "b", "a"), 2);
  assertEquals(client.text("rpush", "l", "c", "d"), 4);
  assertEquals(client.text("lrange", "l", "0", "-1"), ["a", "b", "c", "d"]);
  assertEquals(client.text("llen", "l"), 4);
  assertEquals(client.text("type", "l"), "list");
});

testCommands("lists store any bytes", (makeClient) => {
  const client = makeClient();
  const elements = [
    new Uint8Array(0),
    Uint8Array.from({ length: 256 }, (_, i) => i),
    new Uint8Array(1024 * 1024).fill(1),
    new Uint8Array(0),
  ];
  client.call("rpush", "l", ...elements);
  assertEquals(client.call("lrange", "l", "0", "-1"), elements);
  assertEquals(elements.map((_, i) => client.call("lget", "l", i)), elements);
  assertEquals(elements.map(() => client.call("lpop", "l")), elements);
});

testCommands("lpop and rpop take from their end, and the last element removes the key", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "l", "a", "b", "c");
  assertEquals(client.text("lpop", "l"), "a");
  assertEquals(client.text("rpop", "l"), "c");
  assertEquals(client.text("rpop", "l"), "b");
  assertEquals(client.text("exists", "l"), 0);
  assertEquals(client.text("lpop", "l"), null);
  assertEquals(client.text("rpop", "l"), null);
});

testCommands("lpop and rpop take a count of elements", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "l", "a", "b", "c", "d", "e", "f");
  assertEquals(client.text("lpop", "l", "2"), ["a", "b"]);
  assertEquals(client.text("rpop", "l", "2"), ["f", "e"]);
  assertEquals(client.text("lpop", "l", "0"), []);
  assertEquals(client.text("llen", "l"), 2);
  assertEquals(client.text("rpop", "l", "9223372036854775807"), ["d", "c"]);
  assertEquals(client.text("exists", "l"), 0);
  assertEquals(client.text("lpop", "l", "2"), null);
  assertEquals(client.text("lpop", "l", "0"), null);
  client.call("rpush", "l", "a");
  for (const count of ["-1", "x", "", "1.5", "9223372036854775808", "-9223372036854775808"]) {
    assertEquals(client.refusal("lpop", "l", count), NOT_COUNT, count);
    assertEquals(client.refusal("rpop", "absent", count), NOT_COUNT, count);
  }
  assertEquals(client.refusal("lpop", "l", "1", "1"), "ERR wrong number of arguments for 'lpop' command");
  assertEquals(client.text("lpop", "l", "1"), ["a"]);
});

testCommands("pops of thousands of elements keep their order", (makeClient) => {
  const client = makeClient();
  const elements = Array.from({ length: 10_000 }, (_, i) => `element ${i} ${"x".repeat(i % 100)}`);
  assertEquals(client.text("rpush", "l", ...elements), 10_000);
  assertEquals(client.text("lpop", "l", "3000"), elements.slice(0, 3000));
  assertEquals(client.text("rpop", "l", "3000"), elements.slice(7000).reverse());
  assertEquals(client.text("lrange", "l", "0", "-1"), elements.slice(3000, 7000));
});

testCommands("lget counts from either end, and replies with nil outside", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "l", "a", "b", "c");
  assertEquals(["0", "2", "-1", "-3"].map((index) => client.text("lget", "l", index)), ["a", "c", "c", "a"]);
  for (const index of ["3", "-4", "9223372036854775807", "-9223372036854775808"]) {
    assertEquals(client.text("lindex", "l", index), null, index);
  }
  assertEquals(client.text("lget", "absent", "0"), null);
  assertEquals(client.refusal("lget", "l", "x"), NOT_INTEGER);
  assertEquals(client.text("lget", "absent", "1.5"), null);
});

testCommands("lset replaces one element", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "l", "a", "b", "c");
  assertEquals(client.text("lset", "l", "0", "first, and longer"), "OK");
  assertEquals(client.text("lset", "l", "-1", ""), "OK");
  assertEquals(client.text("lrange", "l", "0", "-1"), ["first, and longer", "b", ""]);
  assertEquals(client.refusal("lset", "l", "3", "x"), "ERR index out of range");
  assertEquals(client.refusal("lset", "l", "-4", "x"), "ERR index out of range");
  assertEquals(client.refusal("lset", "l", "x", "x"), NOT_INTEGER);
  assertEquals(client.refusal("lset", "absent", "0", "x"), "ERR no such key");
  assertEquals(client.text("exists", "absent"), 0);
});

testCommands("lrange clamps its bounds", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "l", "a", "b", "c", "d");
  const cases: [string, string, string][] = [
    ["0", "-1", "abcd"],
    ["0", "0", "a"],
    ["1", "2", "bc"],
    ["-2", "-1", "cd"],
    ["-100", "100", "abcd"],
    ["3", "1", ""],
    ["4", "10", ""],
    ["0", "-5", ""],
    ["-9223372036854775808", "9223372036854775807", "abcd"],
    ["9223372036854775807", "-9223372036854775808", ""],
  ];
  for (const [start, stop, expected] of cases) {
    assertEquals(client.text("lrange", "l", start, stop), [...expected], `${start} ${stop}`);
  }
  assertEquals(client.text("lrange", "absent", "0", "-1"), []);
  assertEquals(client.refusal("lrange", "l", "a", "1"), NOT_INTEGER);
  assertEquals(client.refusal("lrange", "absent", "0", "9223372036854775808"), NOT_INTEGER);
});

testCommands("llen is 0 for an absent key", (makeClient) => {
  assertEquals(makeClient().text("llen", "absent"), 0);
});

testCommands("commands on lists refuse other types and change nothing", (makeClient) => {
  const client = makeClient();
  client.call("set", "s", "value");
  client.call("hset", "h", "f", "v");
  for (const key of ["s", "h"]) {
    const requests = [
      ["lpush", key, "x"],
      ["rpush", key, "x"],
      ["lpop", key],
      ["rpop", key, "2"],
      ["lpop", key, "0"],
      ["lset", key, "0", "x"],
      ["lget", key, "0"],
      ["lrange", key, "0", "-1"],
      ["llen", key],
    ];
    for (const request of requests) assertEquals(client.refusal(...request), WRONG_TYPE, request.join(" "));
  }
  assertEquals(client.text("get", "s"), "value");
  assertEquals(client.text("hget", "h", "f"), "v");
});

testCommands("a list keeps its TTL while it changes, and expires with it", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "l", "a", "b");
  client.call("pexpire", "l", "100");
  client.call("rpush", "l", ..."cdefghijkl");
  client.call("lset", "l", "0", "x".repeat(1000));
  client.call("lpop", "l");
  assertEquals(client.text("pttl", "l"), 100);
  client.nowMs += 100;
  assertEquals(client.text("rpush", "l", "new"), 1);
  assertEquals(client.text("pttl", "l"), -1);
});
