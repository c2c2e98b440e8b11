import { assert, assertEquals } from "@std/assert";
import { VALUE_SIZE_MAX_BYTES } from "../../src/limits.ts";
import type { MemoryClient } from "../support/memory_client.ts";
import { START_MS } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INTEGER = "ERR value is not an integer or out of range";
const OVERFLOW = "ERR increment or decrement would overflow";
const INVALID_TTL = "ERR invalid expire time in 'set' command";
const SYNTAX = "ERR syntax error";

/** Sets one key of each type. */
function fill(client: MemoryClient): void {
  client.call("set", "string", "value");
  client.call("rpush", "list", "a", "b");
  client.call("hset", "hash", "f", "v");
}

testCommands("set and get store any bytes under any key", (makeClient) => {
  const client = makeClient();
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const values = [new Uint8Array(0), all, new Uint8Array(1024 * 1024).fill(7), new TextEncoder().encode("naïve ☃ 🎈")];
  for (const key of ["plain", "", "with spaces", "ключ", all]) {
    for (const value of values) {
      assertEquals(client.call("set", key, value), "OK");
      assertEquals(client.call("get", key), value);
      assertEquals(client.call("strlen", key), value.length);
    }
  }
  assertEquals(client.text("size"), 5);
});

testCommands("get replies with nil for an absent key, and refuses other types", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.call("get", "absent"), null);
  assertEquals(client.refusal("get", "list"), WRONG_TYPE);
  assertEquals(client.refusal("get", "hash"), WRONG_TYPE);
});

testCommands("set replaces a value of any type, and its TTL", (makeClient) => {
  const client = makeClient();
  fill(client);
  for (const key of ["string", "list", "hash"]) {
    client.call("expire", key, "100");
    assertEquals(client.text("set", key, "new"), "OK");
    assertEquals(client.text("get", key), "new");
    assertEquals(client.text("type", key), "string");
    assertEquals(client.text("ttl", key), -1);
  }
  assertEquals(client.text("size"), 3);
});

testCommands("set EX, PX, EXAT and PXAT set a TTL", (makeClient) => {
  const client = makeClient();
  client.call("set", "ex", "v", "EX", "10");
  client.call("set", "px", "v", "px", "1500");
  client.call("set", "exat", "v", "exat", String(START_MS / 1000 + 7));
  client.call("set", "pxat", "v", "PXAT", String(START_MS + 42));
  assertEquals(["ex", "px", "exat", "pxat"].map((key) => client.call("pttl", key)), [10_000, 1500, 7000, 42]);
  client.nowMs += 41;
  assertEquals(client.text("get", "pxat"), "v");
  client.nowMs += 1;
  assertEquals(client.text("get", "pxat"), null);
  client.nowMs += 1458;
  assertEquals(client.text("mget", "ex", "px", "exat"), ["v", null, "v"]);
});

testCommands("set KEEPTTL keeps the TTL", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "1", "PX", "500");
  assertEquals(client.text("set", "x", "2", "KEEPTTL"), "OK");
  assertEquals(client.text("pttl", "x"), 500);
  assertEquals(client.text("set", "new", "1", "KEEPTTL"), "OK");
  assertEquals(client.text("ttl", "new"), -1);
  client.nowMs += 500;
  assertEquals(client.text("set", "x", "3", "KEEPTTL"), "OK");
  assertEquals(client.text("ttl", "x"), -1);
});

testCommands("set NX and XX", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("set", "x", "1", "XX"), null);
  assertEquals(client.text("exists", "x"), 0);
  assertEquals(client.text("set", "x", "1", "NX", "PX", "10"), "OK");
  assertEquals(client.text("set", "x", "2", "nx"), null);
  assertEquals(client.text("get", "x"), "1");
  assertEquals(client.text("pttl", "x"), 10);
  assertEquals(client.text("set", "x", "2", "xx"), "OK");
  assertEquals(client.text("get", "x"), "2");
  client.call("set", "gone", "1", "PX", "10");
  client.nowMs += 10;
  assertEquals(client.text("set", "gone", "2", "NX"), "OK");
});

testCommands("set GET replies with the old value, even if the new one is not set", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("set", "x", "1", "GET"), null);
  assertEquals(client.text("set", "x", "2", "GET"), "1");
  assertEquals(client.text("set", "x", "3", "NX", "GET"), "2");
  assertEquals(client.text("get", "x"), "2");
  assertEquals(client.text("set", "y", "1", "NX", "GET"), null);
  assertEquals(client.text("get", "y"), "1");
  assertEquals(client.text("set", "z", "1", "XX", "GET"), null);
  assertEquals(client.text("exists", "z"), 0);
  assertEquals(client.refusal("set", "list", "1", "GET"), WRONG_TYPE);
  assertEquals(client.text("llen", "list"), 2);
});

testCommands("set refuses options that are unknown or contradict each other", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "old");
  const wrong = [
    ["NX", "XX"],
    ["XX", "NX"],
    ["EX"],
    ["PX"],
    ["EX", "10", "PX", "10"],
    ["EX", "10", "EX"],
    ["EX", "0", "NOPE"],
    ["EX", "ten", "NX", "XX"],
    ["PX", "10", "EXAT", "10"],
    ["EX", "10", "KEEPTTL"],
    ["KEEPTTL", "EX", "10"],
    ["NOPE"],
    ["NOPE", "1"],
    [""],
    ["GET", "10"],
  ];
  for (const options of wrong) assertEquals(client.refusal("set", "x", "new", ...options), SYNTAX, options.join(" "));
  assertEquals(client.text("get", "x"), "old");
  assertEquals(client.text("set", "x", "new", "NX", "NX", "GET", "GET"), "old");
  assertEquals(client.text("set", "x", "new", "EX", "ten", "EX", "10"), "OK");
  assertEquals(client.text("ttl", "x"), 10);
  assertEquals(client.text("set", "x", "new", "KEEPTTL", "KEEPTTL"), "OK");
  assertEquals(client.text("ttl", "x"), 10);
});

testCommands("set refuses a wrong TTL", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "old");
  const cases: [string, string, string][] = [
    ["EX", "0", INVALID_TTL],
    ["EX", "-1", INVALID_TTL],
    ["PX", "0", INVALID_TTL],
    ["PX", "-9223372036854775808", INVALID_TTL],
    ["EX", "9223372036854775807", INVALID_TTL],
    ["EX", "9223372036854775", INVALID_TTL],
    ["PX", String(2n ** 63n - BigInt(START_MS)), INVALID_TTL],
    ["EXAT", "9223372036854776", INVALID_TTL],
    ["PXAT", "9223372036854775808", NOT_INTEGER],
    ["PXAT", "0", INVALID_TTL],
    ["EXAT", "-1", INVALID_TTL],
    ["EX", "9223372036854775808", NOT_INTEGER],
    ["EX", "ten", NOT_INTEGER],
    ["EX", "1.5", NOT_INTEGER],
    ["EX", "", NOT_INTEGER],
    ["EX", " 1", NOT_INTEGER],
    ["EX", "01", NOT_INTEGER],
  ];
  for (const [option, amount, refusal] of cases) {
    assertEquals(client.refusal("set", "x", "new", option, amount), refusal, `${option} ${amount}`);
  }
  assertEquals(client.text("get", "x"), "old");
  assertEquals(client.text("set", "x", "new", "PXAT", "4102444800000"), "OK");
  assertEquals(client.text("pttl", "x"), 4102444800000 - START_MS);
});

testCommands("mget replies with nil for an absent key, and for other types", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("mget", "string", "list", "absent", "hash", "string"), ["value", null, null, null, "value"]);
});

testCommands("mset sets all keys, and the last value of a repeated key", (makeClient) => {
  const client = makeClient();
  fill(client);
  client.call("expire", "string", "10");
  assertEquals(client.text("mset", "a", "1", "list", "2", "a", "3", "string", ""), "OK");
  assertEquals(client.text("mget", "a", "list", "string"), ["3", "2", ""]);
  assertEquals(client.text("ttl", "string"), -1);
  assertEquals(client.refusal("mset", "a", "1", "b"), "ERR wrong number of arguments for 'mset' command");
  assertEquals(client.refusal("mset", "a"), "ERR wrong number of arguments for 'mset' command");
});

testCommands("mset and mget accept thousands of keys", (makeClient) => {
  const client = makeClient();
  const keys = Array.from({ length: 5000 }, (_, i) => `key ${i}`);
  assertEquals(client.text("mset", ...keys.flatMap((key, i) => [key, i])), "OK");
  assertEquals(client.text("mget", ...keys), keys.map((_, i) => String(i)));
  assertEquals(client.text("size"), 5000);
});

testCommands("getdel replies and removes", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("getdel", "string"), "value");
  assertEquals(client.text("getdel", "string"), null);
  assertEquals(client.text("exists", "string"), 0);
  assertEquals(client.refusal("getdel", "hash"), WRONG_TYPE);
  assertEquals(client.text("exists", "hash"), 1);
});

testCommands("strlen replies with the length in bytes", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("strlen", "string"), 5);
  assertEquals(client.text("strlen", "absent"), 0);
  assertEquals(client.refusal("strlen", "list"), WRONG_TYPE);
});

testCommands("append joins, and keeps the TTL", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("append", "new", "abc"), 3);
  assertEquals(client.text("append", "new", ""), 3);
  assertEquals(client.text("append", "empty", ""), 0);
  assertEquals(client.text("exists", "empty"), 1);
  client.call("expire", "string", "10");
  assertEquals(client.text("append", "string", " more"), 10);
  assertEquals(client.text("get", "string"), "value more");
  assertEquals(client.text("ttl", "string"), 10);
  assertEquals(client.refusal("append", "list", "x"), WRONG_TYPE);
  let expected = "value more";
  for (let i = 0; i < 300; i++) {
    const part = String.fromCharCode(97 + i % 26).repeat(i);
    expected += part;
    assertEquals(client.text("append", "string", part), expected.length);
  }
  assertEquals(client.text("get", "string"), expected);
});

testCommands("append refuses to make a string too long", (makeClient) => {
  const client = makeClient({ memoryLimitBytes: 4 * VALUE_SIZE_MAX_BYTES });
  const most = 8 * 1024 * 1024;
  client.call("set", "x", new Uint8Array(most));
  const rest = VALUE_SIZE_MAX_BYTES - most;
  assertEquals(
    client.refusal("append", "x", new Uint8Array(rest + 1)),
    `ERR string exceeds maximum allowed size (${VALUE_SIZE_MAX_BYTES} bytes)`,
  );
  assertEquals(client.text("strlen", "x"), most);
});

testCommands("incr, decr and incrby count, and keep the TTL", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("incr", "x"), 1);
  assertEquals(client.text("incr", "x"), 2);
  assertEquals(client.text("decr", "x"), 1);
  assertEquals(client.text("decr", "y"), -1);
  assertEquals(client.text("incrby", "z", "-42"), -42);
  assertEquals(client.text("incrby", "z", "42"), 0);
  assertEquals(client.text("get", "z"), "0");
  assertEquals(client.text("incrby", "w", "0"), 0);
  client.call("set", "t", "99", "EX", "10");
  assertEquals(client.text("incr", "t"), 100);
  assertEquals(client.text("ttl", "t"), 10);
  assertEquals(client.text("get", "t"), "100");
});

testCommands("incr counts across all lengths of text", (makeClient) => {
  const client = makeClient();
  for (let power = 1; power < 2 ** 53; power *= 10) {
    client.call("set", "x", String(power - 1));
    assertEquals(client.text("incr", "x"), power);
    assertEquals(client.text("get", "x"), String(power));
    assertEquals(client.text("decr", "x"), power - 1);
    client.call("set", "x", String(1 - power));
    assertEquals(client.text("decr", "x"), -power);
    assertEquals(client.text("get", "x"), String(-power));
  }
});

testCommands("incrby counts in 64 bits", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", String(2 ** 53 - 1));
  assertEquals(client.call("incr", "x"), 9007199254740992n);
  assertEquals(client.text("get", "x"), "9007199254740992");
  assertEquals(client.call("decr", "x"), 2 ** 53 - 1);
  assertEquals(client.call("incrby", "x", "9214364837600034816"), 9223372036854775807n);
  assertEquals(client.refusal("incr", "x"), OVERFLOW);
  assertEquals(client.text("get", "x"), "9223372036854775807");
  assertEquals(client.call("incrby", "x", "-9223372036854775808"), -1);
  assertEquals(client.call("incrby", "x", "-9223372036854775807"), -9223372036854775808n);
  assertEquals(client.refusal("decr", "x"), OVERFLOW);
  assertEquals(client.call("incrby", "x", "9223372036854775807"), -1);
  assertEquals(client.text("get", "x"), "-1");
  assertEquals(client.refusal("incrby", "x", "-9223372036854775808"), OVERFLOW);
});

testCommands("incr refuses a text that is not an integer", (makeClient) => {
  const client = makeClient();
  fill(client);
  const wrong = [
    "",
    " 1",
    "1 ",
    "+1",
    "-0",
    "01",
    "1.5",
    "1e3",
    "0x10",
    "abc",
    "-",
    "9223372036854775808",
    "9".repeat(50),
  ];
  for (const value of wrong) {
    client.call("set", "x", value);
    assertEquals(client.refusal("incr", "x"), NOT_INTEGER, value);
    assertEquals(client.text("get", "x"), value);
    assertEquals(client.refusal("incrby", "y", value), NOT_INTEGER, value);
  }
  assertEquals(client.text("exists", "y"), 0);
  assertEquals(client.refusal("incr", "list"), WRONG_TYPE);
});

testCommands("new keys get the default TTL", (makeClient) => {
  const client = makeClient({ defaultTtlMs: 5000 });
  client.call("set", "set", "1");
  client.call("set", "keepttl", "1", "KEEPTTL");
  client.call("mset", "mset", "1");
  client.call("append", "append", "1");
  client.call("incr", "incr");
  client.call("rpush", "rpush", "a", "b");
  client.call("lpush", "lpush", "a");
  client.call("hset", "hset", "f", "v");
  client.call("hincrby", "hincrby", "f", "1");
  const keys = ["set", "keepttl", "mset", "append", "incr", "rpush", "lpush", "hset", "hincrby"];
  for (const key of keys) assertEquals(client.text("pttl", key), 5000, key);
  // A key that exists keeps its own TTL.
  client.nowMs += 1000;
  client.call("append", "append", "1");
  client.call("incr", "incr");
  client.call("rpush", "rpush", "c");
  client.call("hset", "hset", "g", "v");
  client.call("hincrby", "hincrby", "f", "1");
  client.call("set", "keepttl", "2", "KEEPTTL");
  for (const key of ["append", "incr", "rpush", "hset", "hincrby", "keepttl"]) {
    assertEquals(client.text("pttl", key), 4000, key);
  }
  client.call("set", "set", "2");
  assertEquals(client.text("pttl", "set"), 5000);
  client.call("set", "set", "2", "PX", "7");
  assertEquals(client.text("pttl", "set"), 7);
  assertEquals(client.text("persist", "set"), 1);
  client.call("incr", "set");
  assertEquals(client.text("pttl", "set"), -1);
  assert(client.text("size") === keys.length);
});
