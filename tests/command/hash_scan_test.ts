import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { PATTERN_SIZE_MAX_BYTES, SCAN_COUNT_MAX, SCAN_REPLY_MAX_BYTES } from "../../src/limits.ts";
import { MemoryClient } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";

/** Sets a hash of fields `f0` … with values `v0` …. */
function fill(client: MemoryClient, count: number): Map<string, string> {
  const pairs = Array.from({ length: count }, (_, i) => [`f${i}`, `v${i}`] as const);
  for (let i = 0; i < count; i += 1_000) client.call("hset", "h", ...pairs.slice(i, i + 1_000).flat());
  return new Map(pairs);
}

/** Follows the cursor to its end and calls `between` after each step. Returns each field once. */
function scanAll(client: MemoryClient, options: readonly string[] = [], between = () => {}): Map<string, string> {
  const found = new Map<string, string>();
  let cursor = "0";
  for (let i = 0;; i++) {
    assert(i < 100_000, "the cursor does not end");
    const [next, flat] = client.text("hscan", "h", cursor, ...options) as [string, string[]];
    for (let at = 0; at < flat.length; at += 2) found.set(flat[at]!, flat[at + 1]!);
    if (next === "0") return found;
    cursor = next;
    between();
  }
}

testCommands("hscan visits every field with its value", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("hscan", "absent", "0"), ["0", []]);
  for (const count of [1, 5, 3_000]) {
    client.call("del", "h");
    const pairs = fill(client, count);
    for (const options of [[], ["COUNT", "1"], ["count", "100"], ["COUNT", "1000000"]]) {
      assertEquals([...scanAll(client, options)].sort(), [...pairs].sort(), `${count}, ${options}`);
    }
  }
});

testCommands("hscan filters by pattern", (makeClient) => {
  const client = makeClient();
  for (const count of [30, 3_000]) {
    client.call("del", "h");
    const pairs = fill(client, count);
    const expected = [...pairs].filter(([field]) => /^f1.$/.test(field)).sort();
    assertEquals([...scanAll(client, ["MATCH", "f1?"])].sort(), expected);
    assertEquals([...scanAll(client, ["MATCH", "none", "MATCH", "f1?", "COUNT", "7"])].sort(), expected);
    assertEquals(scanAll(client, ["MATCH", "none*"]).size, 0);
    assertEquals(scanAll(client, ["MATCH", "*"]).size, count);
  }
});

testCommands("hscan visits every lasting field while others are added and removed", (makeClient) => {
  const client = makeClient();
  const stable = fill(client, 500);
  let step = 0;
  const found = scanAll(client, ["COUNT", "5"], () => {
    if (step++ > 60) return;
    client.call("hset", "h", ...Array.from({ length: 200 }, (_, i) => [`new:${step}:${i}`, "x"]).flat());
    if (step % 2 === 0) client.call("hdel", "h", ...Array.from({ length: 200 }, (_, i) => `new:${step - 1}:${i}`));
  });
  for (const [field, value] of stable) assertEquals(found.get(field), value);
});

Deno.test("hscan replies with the whole of a small hash, and with COUNT fields of a large one", () => {
  const client = new MemoryClient();
  fill(client, 10);
  const [, whole] = client.text("hscan", "h", "0", "COUNT", "1") as [string, string[]];
  assertEquals(whole.length, 20);
  fill(client, SCAN_COUNT_MAX * 2);
  const [next, some] = client.text("hscan", "h", "0") as [string, string[]];
  assert(next !== "0");
  assertLessOrEqual(some.length, 100);
  const [, many] = client.text("hscan", "h", "0", "COUNT", "9223372036854775807") as [string, string[]];
  assertLessOrEqual(many.length, SCAN_COUNT_MAX * 2 + 2_000);
});

Deno.test("hscan ends early when values are long", () => {
  const client = new MemoryClient();
  for (let i = 0; i < 300; i++) client.call("hset", "h", `f${i}`, "x".repeat(50_000));
  const [next, some] = client.text("hscan", "h", "0", "COUNT", "1000") as [string, string[]];
  assert(next !== "0");
  assertLessOrEqual(some.length / 2 * 50_000, SCAN_REPLY_MAX_BYTES * 2);
  assertEquals(scanAll(client, ["COUNT", "1000"]).size, 300);
});

testCommands("hscan refuses wrong cursors, options and types", (makeClient) => {
  const client = makeClient();
  client.call("set", "string", "v");
  fill(client, 3);
  for (const cursor of ["x", "-", "1.5", "18446744073709551616", " 1"]) {
    for (const key of ["h", "absent", "string"]) {
      assertEquals(client.refusal("hscan", key, cursor), "ERR invalid cursor", cursor);
    }
  }
  assertEquals(client.refusal("hscan", "string", "0"), WRONG_TYPE);
  const wrong = [["MATCH"], ["NOPE", "1"], ["TYPE", "hash"], ["COUNT", "0"], ["COUNT", "-5"], ["NOVALUES"]];
  for (const options of wrong) {
    assertEquals(client.refusal("hscan", "h", "0", ...options), "ERR syntax error", options.join(" "));
    // As in Redis, options are not checked for an absent hash.
    assertEquals(client.text("hscan", "absent", "0", ...options), ["0", []]);
  }
  assertEquals(client.refusal("hscan", "h", "0", "COUNT", "x"), "ERR value is not an integer or out of range");
  assertEquals(
    client.refusal("hscan", "h", "0", "MATCH", "*".repeat(PATTERN_SIZE_MAX_BYTES + 1)),
    `ERR pattern exceeds ${PATTERN_SIZE_MAX_BYTES} bytes`,
  );
});
