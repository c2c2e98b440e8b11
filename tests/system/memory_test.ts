/** Tests the memory limit under hundreds of thousands of sets. */

import { assert, assertEquals, assertGreater, assertLessOrEqual, assertRejects } from "@std/assert";
import type { Client } from "../../src/client/client.ts";
import { ReplyError } from "../../src/errors.ts";
import { amountOf, longOnly } from "../support/amount.ts";
import { systemTest } from "../support/launcher.ts";

const LIMIT_BYTES = 16 * 1024 * 1024;
const SETS_COUNT = amountOf("SETS", 120_000, 1_000_000);
const BATCH_COUNT = 10_000;
const WARM_COUNT = 100;

async function memoryOf(client: Client): Promise<Map<string, string>> {
  const text = new TextDecoder().decode(await client.send(["info"]) as Uint8Array);
  return new Map(text.split("\r\n").map((line) => line.split(":") as [string, string]));
}

systemTest(
  `${SETS_COUNT} sets with --max-memory 16mb stay within it, and keep the newest and the recently used keys`,
  async (launcher) => {
    const server = await launcher.server(["--max-memory", "16mb"]);
    const client = await launcher.connect(server);
    const warm = Array.from({ length: WARM_COUNT }, (_, index) => `warm:${index}`);
    await Promise.all(warm.map((name) => client.set(name, `kept ${name}`)));
    const rssBefore = Number((await memoryOf(client)).get("used_memory_rss"));
    const value = new Uint8Array(32).fill(0x76);
    let peakBytes = 0;
    for (let at = 0; at < SETS_COUNT; at += BATCH_COUNT) {
      const pending: Promise<unknown>[] = [];
      for (let index = at; index < at + BATCH_COUNT; index++) pending.push(client.send(["set", `key:${index}`, value]));
      for (const name of warm) pending.push(client.send(["get", name]));
      await Promise.all(pending);
      peakBytes = Math.max(peakBytes, Number((await memoryOf(client)).get("used_memory")));
    }
    const info = await memoryOf(client);
    assertEquals(Number(info.get("maxmemory")), LIMIT_BYTES);
    assertLessOrEqual(peakBytes, LIMIT_BYTES);
    const grownBytes = Number(info.get("used_memory_rss")) - rssBefore;
    assertLessOrEqual(grownBytes, LIMIT_BYTES * 6, "what the process holds beside the store stays in proportion");
    const size = await client.size();
    assertGreater(size, 50_000, "16 MB is used, not wasted");
    assertEquals(Number(info.get("evicted_keys")), SETS_COUNT + WARM_COUNT - size);
    // Exact LRU: the remaining keys are the newest, without a gap.
    const newest = await Promise.all(Array.from({ length: size - WARM_COUNT }, (_, index) => {
      return client.exists(`key:${SETS_COUNT - 1 - index}`);
    }));
    assert(newest.every((found) => Number(found) === 1), `of the newest ${newest.length} keys some are missing`);
    const kept = await Promise.all(warm.map((name) => client.getText(name)));
    kept.forEach((text, index) => assertEquals(text, `kept warm:${index}`));
  },
);

systemTest("clients that sent much and are idle now use little memory", longOnly, async (launcher) => {
  const server = await launcher.server(["--max-memory", "64mb"]);
  const witness = await launcher.connect(server);
  const [clients, size] = [amountOf("SENDERS", 12, 20), 30_000_000];
  const rssBefore = Number((await memoryOf(witness)).get("used_memory_rss"));
  // The clients stay connected. The request of each one passed through a separate buffer.
  for (let i = 0; i < clients; i++) await (await launcher.connect(server)).set("key", new Uint8Array(size));
  const grownBytes = Number((await memoryOf(witness)).get("used_memory_rss")) - rssBefore;
  assertLessOrEqual(grownBytes, clients * size / 2, "their buffers are given back");
});

systemTest("--eviction none refuses what does not fit with OOM, and keeps the existing keys", async (launcher) => {
  const server = await launcher.server(["--max-memory", "4mb", "--eviction", "none"]);
  const client = await launcher.connect(server);
  const value = new Uint8Array(10_000).fill(1);
  let stored = 0;
  const error = await assertRejects(async () => {
    for (; stored < 1_000; stored++) await client.set(`key:${stored}`, value);
  }, ReplyError);
  assertEquals(error.code, "OOM");
  assertEquals(await client.size(), stored);
  assertGreater(stored, 50);
  assertEquals((await client.get("key:0"))?.length, value.length);
  assertEquals(await client.remove("key:0", "key:1"), 2);
  await client.set("again", "fits");
});

systemTest("--default-ttl expires keys without a TTL", async (launcher) => {
  const server = await launcher.server(["--default-ttl", "1h"]);
  const client = await launcher.connect(server);
  await client.set("plain", "x");
  await client.set("own", "x", { ttlMs: 5_000 });
  await client.rpush("list", "x");
  for (const [name, most] of [["plain", 3_600_000], ["list", 3_600_000], ["own", 5_000]] as const) {
    const left = await client.pttl(name);
    assert(left > most - 5_000 && left <= most, `${name}: ${left}`);
  }
});
