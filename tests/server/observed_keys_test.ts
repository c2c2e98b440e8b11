/** Tests that a server knows its hot and its big keys: while it is busy, and after a restart. */

import { assert, assertEquals } from "@std/assert";
import { Client } from "../../src/client/client.ts";
import { BIG_KEY_PROBLEM_BYTES } from "../../src/limits.ts";
import type { Logger } from "../../src/role/logger.ts";
import { type Server, type ServerSettings, startServer } from "../../src/server/main.ts";
import { framesOf, RawClient } from "../support/raw_client.ts";

const quiet: Logger = { info() {}, warn() {}, error() {} };
const ELEMENTS_COUNT = 2000;
/** More keys than the table of big keys holds. */
const SMALL_KEYS_COUNT = 1500;
const BATCH_COUNT = 1000;

async function withServer(
  settings: Partial<ServerSettings>,
  run: (client: RawClient, server: Server) => Promise<void>,
) {
  const server = await startServer({
    hostname: "127.0.0.1",
    port: 0,
    memoryLimitBytes: 64 * 1024 * 1024,
    evicts: true,
    defaultTtlMs: 0,
    maxClients: 100,
    logger: quiet,
    ...settings,
  });
  try {
    using client = await RawClient.connect(server.address);
    await run(client, server);
  } finally {
    await server.stop();
  }
}

/** Sends requests in batches, and reads their replies. */
async function send(client: RawClient, requests: readonly string[][]): Promise<void> {
  for (let at = 0; at < requests.length; at += BATCH_COUNT) {
    const batch = requests.slice(at, at + BATCH_COUNT);
    const sending = client.send(framesOf(...batch));
    for (const reply of await client.replies(batch.length)) assert(!/^[A-Z]+ /.test(String(reply)), String(reply));
    await sending;
  }
}

/** Requests that let a value of each type grow little by little, among many small keys. */
function growing(): string[][] {
  const requests = Array.from({ length: SMALL_KEYS_COUNT }, (_, i) => ["set", `small${i}`, "v".repeat(i % 100)]);
  for (let i = 0; i < ELEMENTS_COUNT; i++) {
    requests.push(["rpush", "list", `element${i}`], ["hset", "hash", `field${i}`, "v"], ["sadd", "set", `member${i}`]);
    requests.push(["append", "string", "twenty bytes at once"], ["rpush", "old", `e${i}`]);
  }
  return [...requests, ["rename", "old", "renamed"]];
}

const BIG = ["hash", "list", "renamed", "set", "string"];

async function biggest(client: RawClient): Promise<string[]> {
  const rows = await client.call("bigkeys", 5) as [string, number, number, string][];
  return rows.map(([key]) => key).sort();
}

Deno.test("a server knows the keys that became large little by little, also after restarts", async () => {
  const dataPath = await Deno.makeTempDir({ prefix: "inmem-keys-" });
  try {
    await withServer({ dataPath }, async (client) => {
      await send(client, growing());
      assertEquals(await biggest(client), BIG);
    });
    // From the log, then from a snapshot.
    await withServer({ dataPath }, async (client) => {
      assertEquals(await biggest(client), BIG);
      assertEquals(await client.call("save"), "OK");
      await client.call("set", "last", "v");
    });
    await withServer({ dataPath }, async (client) => {
      assertEquals(await biggest(client), BIG);
      const rows = await client.call("bigkeys", 5, "elements") as [string, number, number, string][];
      assertEquals(rows.filter(([, , elements]) => elements === ELEMENTS_COUNT).length, 4);
    });
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
});

Deno.test("a server finds a key with a twentieth of its requests, by any command", () =>
  withServer({}, async (client) => {
    const reads = ["get", "exists", "ttl"];
    const requests: string[][] = [];
    for (let i = 0; i < 60_000; i++) {
      const key = i % 20 === 7 ? "hot" : `key${i * 7919 % 10_007}`;
      requests.push(i % 3 === 0 ? ["set", key, "v"] : [reads[i % reads.length]!, key]);
    }
    await send(client, requests);
    const rows = await client.call("hotkeys", 1) as [string, number][];
    assertEquals(rows[0]?.[0], "hot");
    // They came within a second or a few, so this is far above the rate of any other key.
    assert(rows[0]![1] > 50, String(rows));
  }));

Deno.test("requests of the server's own page make no key hot", () =>
  withServer({}, async (client, server) => {
    await using internal = new Client({
      address: "this process",
      open: () => Promise.resolve(server.openInternal()),
      passwords: [],
      timeoutMs: 10_000,
      signal: undefined,
    });
    for (let i = 0; i < 100; i++) await internal.get("shown");
    await internal.set("written", "v");
    for (let i = 0; i < 9; i++) await client.call("strlen", "used");
    assertEquals((await internal.text.hotkeys()).map(({ key }) => key), ["used"]);
    // What it writes may become large all the same.
    assertEquals((await internal.text.bigkeys()).map(({ key }) => key), ["written"]);
  }));

Deno.test("a server shows the keys that stand out in info, in its overview and as problems", () =>
  withServer({ memoryLimitBytes: 256 * 1024 * 1024 }, async (client, server) => {
    assertEquals(server.info(["stats"]).match(/^(hot|big)_key.*$/gm), null);
    assertEquals(server.overview().problems, []);
    await client.call("set", "a\r\nkey", "v");
    for (let i = 0; i < 9; i++) await client.call("get", "hot\x1bkey");
    const lines = server.info(["stats"]).match(/^(hot|big)_key.*(?=\r$)/gm)!;
    assertEquals(lines.filter((line) => /_key:|_type:/.test(line)), [
      "hot_key:hot\\x1bkey",
      "big_key:a\\x0d\\x0akey",
      "big_key_type:string",
    ]);
    assertEquals(server.overview().servers[0]!.bigKey!.elements, 1);
    await client.call("setrange", "huge", BIG_KEY_PROBLEM_BYTES, "x");
    const { problems } = server.overview();
    assertEquals(problems.filter(({ kind }) => kind === "big_key").map(({ subject }) => subject), ["huge"]);
    const family = [...server.families()].find(({ name }) => name === "inmem_problem");
    assert(family?.type === "gauge");
    const sample = family.samples.find(({ labels }) => labels["kind"] === "big_key");
    assertEquals(sample, { labels: { kind: "big_key", severity: "warning", subject: "huge" }, value: 1 });
  }));
