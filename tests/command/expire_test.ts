import { assert, assertEquals } from "@std/assert";
import { DEADLINE_MAX_MS } from "../../src/limits.ts";
import type { MemoryClient } from "../support/memory_client.ts";
import { START_MS } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const NOT_INTEGER = "ERR value is not an integer or out of range";
const SETTERS = ["expire", "pexpire", "expireat", "pexpireat"];

/** Sets one key of each type. */
function fill(client: MemoryClient): void {
  client.call("set", "string", "value");
  client.call("rpush", "list", "a", "b");
  client.call("hset", "hash", "f", "v");
}

testCommands("ttl and pttl distinguish absent keys from keys without a TTL", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "1");
  assertEquals(client.text("ttl", "x"), -1);
  assertEquals(client.text("pttl", "x"), -1);
  assertEquals(client.text("ttl", "absent"), -2);
  assertEquals(client.text("pttl", "absent"), -2);
  assertEquals(client.refusal("ttl", "x", "1", "1"), "ERR wrong number of arguments for 'ttl' command");
});

testCommands("ttl rounds to the nearest second", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "1", "PX", "2500");
  assertEquals(client.text("ttl", "x"), 3);
  client.nowMs += 1;
  assertEquals(client.text("ttl", "x"), 2);
  assertEquals(client.text("pttl", "x"), 2499);
  client.nowMs += 2000;
  assertEquals(client.text("ttl", "x"), 0);
  assertEquals(client.text("pttl", "x"), 499);
});

testCommands("expire, pexpire and ttl with seconds set a TTL for any type", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("expire", "string", "10"), 1);
  assertEquals(client.text("pexpire", "list", "10"), 1);
  assertEquals(client.text("ttl", "hash", "20"), 1);
  assertEquals(["string", "list", "hash"].map((key) => client.call("pttl", key)), [10_000, 10, 20_000]);
  assertEquals(client.text("expire", "string", "5"), 1);
  assertEquals(client.text("pttl", "string"), 5000);
  assertEquals(client.text("lrange", "list", "0", "-1"), ["a", "b"]);
  assertEquals(client.text("hget", "hash", "f"), "v");
  for (const name of ["expire", "pexpire", "ttl"]) assertEquals(client.text(name, "absent", "10"), 0);
  client.nowMs += 10;
  assertEquals(client.text("exists", "string", "list", "hash"), 2);
});

testCommands("expire and its variants remove a key whose deadline has passed", (makeClient) => {
  const client = makeClient();
  const past: [string, string][] = [
    ["expire", "0"],
    ["expire", "-1"],
    ["expire", "-9223372036854775"],
    ["pexpire", "0"],
    ["pexpire", "-9223372036854775808"],
    ["expireat", "0"],
    ["expireat", "-1"],
    ["expireat", String(START_MS / 1000)],
    ["pexpireat", String(START_MS)],
    ["pexpireat", "1"],
  ];
  for (const [name, amount] of past) {
    fill(client);
    for (const key of ["string", "list", "hash"]) {
      assertEquals(client.text(name, key, amount), 1, `${name} ${amount}`);
      assertEquals(client.text("exists", key), 0);
    }
    assertEquals(client.text(name, "absent", amount), 0);
  }
});

testCommands("ttl with seconds refuses a time that is not in the future, and keeps the key", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "1", "PX", "77");
  for (const amount of ["0", "-1", "-9223372036854775808", "9223372036854775807"]) {
    for (const key of ["x", "absent"]) {
      assertEquals(client.refusal("ttl", key, amount), "ERR invalid expire time in 'ttl' command", amount);
    }
  }
  assertEquals(client.text("pttl", "x"), 77);
});

testCommands("expire and its variants refuse a wrong time, and keep the key", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "1", "PX", "77");
  for (const name of SETTERS) {
    const amounts = name === "pexpireat" ? [] : ["9223372036854775807"];
    if (!name.startsWith("p")) amounts.push("-9223372036854775808", "9223372036854776", "-9223372036854776");
    for (const amount of amounts) {
      assertEquals(client.refusal(name, "x", amount), `ERR invalid expire time in '${name}' command`, amount);
      assertEquals(client.refusal(name, "absent", amount), `ERR invalid expire time in '${name}' command`, amount);
    }
    for (const amount of ["", "x", "1.5", "9223372036854775808"]) {
      assertEquals(client.refusal(name, "x", amount), NOT_INTEGER, amount);
    }
  }
  assertEquals(client.text("pttl", "x"), 77);
});

/** Returns the reply for a deadline of more than 53 bits. */
const rounded = (ms: bigint) => BigInt(Math.min(Number(ms), DEADLINE_MAX_MS));

testCommands("deadlines of up to 64 bits are accepted, and shown to the second", (makeClient) => {
  const client = makeClient();
  const last = 2n ** 63n - 1n;
  const start = BigInt(START_MS);
  const moments: [command: string[], ms: bigint][] = [
    [["expire", "x", "281474976710655"], start + 281474976710655000n],
    [["expire", "x", "9007199254740"], start + 9007199254740000n],
    [["expireat", "x", "9223372036854775"], 9223372036854775000n],
    [["pexpire", "x", "9007199254740991"], start + 9007199254740991n],
    [["pexpire", "x", String(last - start)], last],
    [["pexpireat", "x", "281474976710656"], 281474976710656n],
    [["pexpireat", "x", "9007199254740991"], 9007199254740991n],
    [["pexpireat", "x", String(last)], last],
    [["ttl", "x", "281474976710655"], start + 281474976710655000n],
    [["set", "x", "1", "px", "9007199254740991"], start + 9007199254740991n],
    [["set", "x", "1", "pxat", String(last)], last],
    [["set", "x", "1", "exat", "9223372036854775"], 9223372036854775000n],
    [["setex", "x", "281474976710655", "1"], start + 281474976710655000n],
    [["psetex", "x", "9007199254740991", "1"], start + 9007199254740991n],
    [["getex", "x", "ex", "281474976710655"], start + 281474976710655000n],
    [["getex", "x", "pxat", String(last)], last],
  ];
  for (const [command, ms] of moments) {
    const asked = command.join(" ");
    client.call("set", "x", "1");
    client.call(...command);
    assertEquals(BigInt(client.text("pexpiretime", "x") as number), rounded(ms), asked);
    const seconds = BigInt(client.text("expiretime", "x") as number);
    assert(seconds - ms / 1000n >= -1n && seconds - ms / 1000n <= 1n, asked);
    assertEquals(BigInt(client.text("pttl", "x") as number), BigInt(Number(rounded(ms)) - START_MS), asked);
    assertEquals(client.text("exists", "x"), 1, asked);
    // A deadline of 64 bits is later than any with fewer bits.
    assertEquals(client.text("pexpireat", "x", "4102444800000", "gt"), 0, asked);
    assertEquals(client.text("pexpireat", "x", "4102444800000", "lt"), 1, asked);
  }
  client.call("set", "x", "1");
  assertEquals(
    client.refusal("pexpire", "x", String(last - start + 1n)),
    "ERR invalid expire time in 'pexpire' command",
  );
  for (const ms of ["-9223372036854775808", "-9007199254740993"]) {
    client.call("set", "x", "1");
    assertEquals(client.text("pexpire", "x", ms), 1);
    assertEquals(client.text("exists", "x"), 0);
  }
});

testCommands("expireat and pexpireat set the deadline that expiretime and pexpiretime show", (makeClient) => {
  const client = makeClient();
  fill(client);
  assertEquals(client.text("expireat", "string", "4102444800"), 1);
  assertEquals(client.text("pexpireat", "list", "4102444800499"), 1);
  assertEquals(client.text("pexpireat", "hash", "4102444800500"), 1);
  const keys = ["string", "list", "hash"];
  assertEquals(keys.map((key) => client.text("pexpiretime", key)), [4102444800000, 4102444800499, 4102444800500]);
  assertEquals(keys.map((key) => client.text("expiretime", key)), [4102444800, 4102444800, 4102444801]);
  for (const name of ["expiretime", "pexpiretime"]) {
    assertEquals(client.text(name, "absent"), -2);
    client.call("persist", "list");
    assertEquals(client.text(name, "list"), -1);
  }
  client.nowMs = 4102444800000;
  assertEquals(client.text("exists", "string", "hash"), 1);
});

testCommands("expire NX, XX, GT and LT set a deadline under conditions", (makeClient) => {
  const client = makeClient();
  const cases: [before: number, options: string[], seconds: number, answer: number][] = [
    [0, ["NX"], 10, 1],
    [20, ["nx"], 10, 0],
    [0, ["XX"], 10, 0],
    [20, ["xx"], 10, 1],
    [0, ["GT"], 10, 0],
    [20, ["gt"], 30, 1],
    [20, ["GT"], 20, 0],
    [20, ["GT"], 10, 0],
    [0, ["LT"], 10, 1],
    [20, ["lt"], 10, 1],
    [20, ["LT"], 20, 0],
    [20, ["LT"], 30, 0],
    [0, ["XX", "LT"], 10, 0],
    [20, ["XX", "LT"], 10, 1],
    [20, ["GT", "XX", "XX"], 30, 1],
    [20, ["LT"], -5, 1],
    [20, ["GT"], -5, 0],
    [20, ["NX"], -5, 0],
  ];
  for (const name of SETTERS) {
    const unitMs = name.startsWith("p") ? 1 : 1000;
    for (const [before, options, seconds, answer] of cases) {
      client.call("set", "x", "1");
      if (before > 0) client.call("pexpire", "x", before * 1000);
      const amount = (seconds * 1000 + (name.endsWith("at") ? START_MS : 0)) / unitMs;
      const where = `${name} ${before} ${options} ${seconds}`;
      assertEquals(client.text(name, "x", amount, ...options), answer, where);
      const left = answer === 1 ? seconds : before;
      assertEquals(client.text("ttl", "x"), left === 0 ? -1 : Math.max(left, -2), where);
    }
    assertEquals(client.text(name, "absent", "10", "NX"), 0);
  }
});

testCommands("expire refuses options that are unknown or contradict each other", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "1");
  for (const name of SETTERS) {
    // The number is parsed last.
    assertEquals(client.refusal(name, "x", "ten", "nope"), "ERR Unsupported option nope");
    assertEquals(client.refusal(name, "x", "10", "20", "30"), "ERR Unsupported option 20");
    for (const other of ["XX", "GT", "LT"]) {
      assertEquals(
        client.refusal(name, "x", "10", other, "NX"),
        "ERR NX and XX, GT or LT options at the same time are not compatible",
      );
    }
    assertEquals(
      client.refusal(name, "x", "10", "GT", "LT"),
      "ERR GT and LT options at the same time are not compatible",
    );
  }
  assertEquals(client.text("ttl", "x"), -1);
});

testCommands("persist removes the TTL", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "1", "PX", "10");
  assertEquals(client.text("persist", "x"), 1);
  assertEquals(client.text("persist", "x"), 0);
  assertEquals(client.text("persist", "absent"), 0);
  client.nowMs += 10_000;
  assertEquals(client.text("get", "x"), "1");
});
