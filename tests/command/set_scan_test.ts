import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { SCAN_COUNT_MAX } from "../../src/limits.ts";
import { MemoryClient } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

/** Makes a set of members `m0`, `m1` and so on. */
function fill(client: MemoryClient, count: number): string[] {
  const members = Array.from({ length: count }, (_, i) => `m${i}`);
  for (let i = 0; i < count; i += 500) client.call("sadd", "a", ...members.slice(i, i + 500));
  return members;
}

/** Follows the cursor to its end and calls `between` after each step. Returns all members found. */
function scanAll(client: MemoryClient, options: readonly string[] = [], between = () => {}): string[] {
  const found: string[] = [];
  let cursor = "0";
  for (let i = 0;; i++) {
    assert(i < 100_000, "the cursor does not end");
    const [next, members] = client.text("sscan", "a", cursor, ...options) as [string, string[]];
    found.push(...members);
    if (next === "0") return found;
    cursor = next;
    between();
  }
}

testCommands("sscan visits every member, and filters by pattern", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("sscan", "absent", "0"), ["0", []]);
  for (const count of [1, 5, 3_000]) {
    client.call("del", "a");
    const members = fill(client, count);
    for (const options of [[], ["COUNT", "1"], ["count", "100"], ["COUNT", "1000000"]]) {
      assertEquals(scanAll(client, options).sort(), members.toSorted(), `${count}, ${options}`);
    }
    const expected = members.filter((member) => /^m1.$/.test(member)).sort();
    assertEquals(scanAll(client, ["MATCH", "m1?", "COUNT", "7"]).sort(), expected);
  }
});

testCommands("sscan visits every lasting member while others are added and removed", (makeClient) => {
  const client = makeClient();
  const stable = fill(client, 500);
  let step = 0;
  const found = new Set(scanAll(client, ["COUNT", "5"], () => {
    if (step++ > 60) return;
    client.call("sadd", "a", ...Array.from({ length: 200 }, (_, i) => `new:${step}:${i}`));
    if (step % 2 === 0) client.call("srem", "a", ...Array.from({ length: 200 }, (_, i) => `new:${step - 1}:${i}`));
  }));
  for (const member of stable) assert(found.has(member), member);
});

Deno.test("sscan replies with the whole of a small set, and with COUNT members of a large one", () => {
  const client = new MemoryClient();
  fill(client, 10);
  const [, whole] = client.text("sscan", "a", "0", "COUNT", "1") as [string, string[]];
  assertEquals(whole.length, 10);
  fill(client, SCAN_COUNT_MAX * 2);
  const [next, some] = client.text("sscan", "a", "0") as [string, string[]];
  assert(next !== "0");
  assertLessOrEqual(some.length, 100);
  const [, most] = client.text("sscan", "a", "0", "COUNT", "9223372036854775807") as [string, string[]];
  assertLessOrEqual(most.length, SCAN_COUNT_MAX + 1_000);
});

testCommands("sscan refuses wrong cursors, options and types", (makeClient) => {
  const client = makeClient();
  client.call("set", "string", "v");
  fill(client, 3);
  for (const key of ["a", "absent", "string"]) assertEquals(client.refusal("sscan", key, "x"), "ERR invalid cursor");
  assertEquals(
    client.refusal("sscan", "string", "0"),
    "WRONGTYPE Operation against a key holding the wrong kind of value",
  );
  for (const options of [["MATCH"], ["NOPE", "1"], ["TYPE", "set"], ["COUNT", "0"]]) {
    assertEquals(client.refusal("sscan", "a", "0", ...options), "ERR syntax error", options.join(" "));
    // As in Redis, options are not checked for an absent set.
    assertEquals(client.text("sscan", "absent", "0", ...options), ["0", []]);
  }
});
