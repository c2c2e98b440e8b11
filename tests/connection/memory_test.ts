import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Problem } from "../../src/metrics/overview.ts";
import { MemoryClient } from "../support/memory_client.ts";
import { clustered, withServers } from "../support/proxy_rig.ts";
import { RawClient } from "../support/raw_client.ts";

/** A client of a role with this `info` and these problems. */
class PlayedClient extends MemoryClient {
  constructor(readonly fields: Readonly<Record<string, string | number>>, readonly found: readonly Problem[] = []) {
    super();
  }

  override info(): string {
    return Object.entries(this.fields).map(([name, value]) => `${name}:${value}\r\n`).join("");
  }

  override problems(): readonly Problem[] {
    return this.found;
  }
}

Deno.test("memory stats has the figures of info under Redis's names", () => {
  const client = new PlayedClient({
    used_memory: 3000,
    used_memory_peak: 4000,
    used_memory_startup: 1000,
    used_memory_overhead: 1500,
    used_memory_dataset: 1500,
    committed_memory: 4500,
    mem_clients_normal: 7,
    db0: "keys=10,expires=1,avg_ttl=0",
  });
  assertEquals(client.text("memory", "stats"), [
    ["peak.allocated", 4000],
    ["total.allocated", 3000],
    ["startup.allocated", 1000],
    ["clients.normal", 7],
    ["overhead.total", 1500],
    ["keys.count", 10],
    ["keys.bytes-per-key", 200],
    ["dataset.bytes", 1500],
    ["dataset.percentage", "75"],
    ["peak.percentage", "75"],
    ["allocator.allocated", 3000],
    ["allocator.active", 4500],
    ["allocator-fragmentation.ratio", "1.5"],
    ["allocator-fragmentation.bytes", 1500],
  ]);
});

Deno.test("memory stats of an empty server, and of a proxy whose servers have not reported, divides by nothing", () => {
  const empty = new PlayedClient({ used_memory: 0, used_memory_peak: 0, used_memory_dataset: 0, committed_memory: 0 });
  for (const [name, value] of empty.text("memory", "stats") as [string, number | string][]) {
    assert(Number.isFinite(Number(value)), `${name} is ${value}`);
  }
  assertEquals(new PlayedClient({}).text("memory", "stats"), []);
});

Deno.test("memory doctor reports problems of memory, and no others", () => {
  const slow: Problem = { kind: "slow_commands", severity: "warning", subject: "a:1", text: "Commands are slow" };
  const full: Problem = { kind: "memory_full", severity: "critical", subject: "a:1", text: "The memory is full" };
  const big: Problem = { kind: "big_key", severity: "warning", subject: "queue", text: "The list is long" };
  assertMatch(String(new PlayedClient({}).text("memory", "doctor")), /^Hi Sam, I can't find any memory issue/);
  assertMatch(String(new PlayedClient({}, [slow]).text("memory", "doctor")), /^Hi Sam, I can't find/);
  assertEquals(
    new PlayedClient({}, [slow, full]).text("memory", "doctor"),
    "Sam, I have found a problem:\n\n * memory_full (a:1): The memory is full.\n",
  );
  assertEquals(
    new PlayedClient({}, [full, slow, big]).text("memory", "doctor"),
    "Sam, I have found 2 problems:\n\n * memory_full (a:1): The memory is full.\n * big_key (queue): The list is long.\n",
  );
});

Deno.test("memory malloc-stats and purge reply as Redis does without its allocator", () => {
  const client = new MemoryClient();
  assertEquals(client.text("memory", "malloc-stats"), "Stats not supported for the current allocator");
  assertEquals(client.text("memory", "purge"), "OK");
});

/** Returns the figures of `memory stats`. */
async function figuresOf(client: RawClient): Promise<ReadonlyMap<string, number>> {
  const reply = await client.call("memory", "stats");
  return reply instanceof Map ? reply : new Map(reply as [string, number][]);
}

Deno.test("memory of a server reports on it alone, and that of a proxy on all its servers", async () => {
  await withServers(1, async ([server]) => {
    using client = await RawClient.connect(server!.address);
    await client.call("mset", "a", "1", "b", "2");
    const figures = await figuresOf(client);
    assertEquals(figures.get("keys.count"), 2);
    assertEquals(figures.get("total.allocated"), server!.store.statistics.usedBytes);
  });
  await clustered(2, async ({ connect, key }) => {
    using client = await connect();
    for (let i = 0; i < 3; i++) await client.call("set", key(0, i), "v");
    await client.call("set", key(1), "v");
    assertEquals((await figuresOf(client)).get("keys.count"), 4);
    assertMatch(String(await client.call("memory", "doctor")), /^Hi Sam/);
    assertEquals(await client.call("memory", "purge"), "OK");
    assert(Number(await client.call("memory", "usage", key(0))) > 10);
    assertMatch(
      String(await client.call("memory", "stats", "x")),
      /^ERR wrong number of arguments for 'memory\|stats'/,
    );
    assertMatch(String(await client.call("memory", "usage")), /^ERR wrong number of arguments/);
    assertMatch(String(await client.call("memory", "nope")), /^ERR unknown subcommand 'nope'/);
    assertEquals((await client.call("memory", "help") as string[]).length, 14);
  })();
});

Deno.test("memory doctor of a proxy names the key that is too large", async () => {
  await withServers(1, async ([server]) => {
    using client = await RawClient.connect(server!.address);
    await client.call("setrange", "huge", 33 * 2 ** 20, "x");
    const report = String(await client.call("memory", "doctor"));
    assertMatch(report, /^Sam, I have found a problem:\n\n \* big_key \(huge\): The string has 33 MiB on .*\.\n$/);
  });
});
