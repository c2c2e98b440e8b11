import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { slotOf } from "../../src/key_slot.ts";
import { FLUSH_SLOTS_VISITS_MAX_COUNT, SLOTS_COUNT } from "../../src/limits.ts";
import type { MemoryClient } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const KEYS_COUNT = 20_000;

function slot(key: string): number {
  const bytes = encodeText(key);
  return slotOf(bytes, 0, bytes.length);
}

/** Returns the bitmap of the slots from `first` to `last`. */
function range(first: number, last: number): Uint8Array {
  const bitmap = new Uint8Array(SLOTS_COUNT / 8);
  for (let i = first; i <= last; i++) bitmap[i >> 3]! |= 1 << (i & 7);
  return bitmap;
}

/** Calls the command until the cursor is 0 again. Returns the number of keys that each call removed. */
function flushAll(client: MemoryClient, slots: Uint8Array): number[] {
  const removed: number[] = [];
  let cursor = "0";
  do {
    const [next, count] = client.text("flushslots", cursor, slots) as [string, number];
    removed.push(count);
    cursor = next;
  } while (cursor !== "0");
  return removed;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

testCommands("flushslots removes only the keys of the given slots, of any type", (makeClient) => {
  const client = makeClient();
  client.call("set", "foo", "v");
  client.call("rpush", "{foo}list", "a");
  client.call("hset", "bar", "f", "v");
  client.call("set", "", "v");
  assertEquals([slot("foo"), slot("bar"), slot("")], [12182, 5061, 0]);
  assertEquals(client.text("flushslots", "0", range(12182, 12182)), ["0", 2]);
  assertEquals((client.text("keys", "*") as string[]).sort(), ["", "bar"]);
  assertEquals(client.text("flushslots", "0", range(1, 5060)), ["0", 0]);
  assertEquals(client.text("flushslots", "0", range(5062, 16_383)), ["0", 0]);
  assertEquals(client.text("flushslots", "0", range(0, 5061)), ["0", 2]);
  assertEquals(client.text("size"), 0);
  assertEquals(client.text("flushslots", "0", range(0, 16_383)), ["0", 0]);
});

testCommands("flushslots handles a part of many keys with each call", (makeClient) => {
  const client = makeClient();
  for (let i = 0; i < KEYS_COUNT; i++) client.call("set", `key:${i}`, "v");
  const isLow = (_: unknown, i: number) => slot(`key:${i}`) < SLOTS_COUNT / 2;
  const low = Array.from({ length: KEYS_COUNT }).filter(isLow).length;
  const removed = flushAll(client, range(0, SLOTS_COUNT / 2 - 1));
  assertEquals(sum(removed), low);
  assertEquals(client.text("size"), KEYS_COUNT - low);
  assertGreater(removed.length, KEYS_COUNT / FLUSH_SLOTS_VISITS_MAX_COUNT / 2);
  for (const count of removed) assertLess(count, FLUSH_SLOTS_VISITS_MAX_COUNT * 1.1);
  for (const key of client.text("keys", "*") as string[]) assert(slot(key) >= SLOTS_COUNT / 2, key);
  assertEquals(sum(flushAll(client, range(0, SLOTS_COUNT - 1))), KEYS_COUNT - low);
  assertEquals(client.text("size"), 0);
});

testCommands("flushslots ends a call sooner when keys are long", (makeClient) => {
  const client = makeClient();
  const stem = "k".repeat(30_000);
  for (let i = 0; i < 100; i++) client.call("set", stem + i, "v");
  assertGreater(flushAll(client, range(0, SLOTS_COUNT - 1)).length, 3);
  assertEquals(client.text("size"), 0);
});

testCommands("flushslots refuses arguments that are not slots, and removes nothing then", (makeClient) => {
  const client = makeClient();
  client.call("set", "foo", "v");
  const all = range(0, SLOTS_COUNT - 1);
  const refusals: readonly (readonly [args: readonly (string | Uint8Array)[], message: string])[] = [
    [["0"], "ERR wrong number of arguments for 'flushslots' command"],
    [["0", all, all], "ERR wrong number of arguments for 'flushslots' command"],
    [["x", all], "ERR invalid cursor"],
    [["-", all], "ERR invalid cursor"],
    [["0", all.subarray(1)], "ERR slots must be a bitmap of 2048 bytes"],
    [["0", "5"], "ERR slots must be a bitmap of 2048 bytes"],
  ];
  for (const [args, message] of refusals) assertEquals(client.refusal("flushslots", ...args), message);
  assertEquals(client.text("size"), 1);
});
