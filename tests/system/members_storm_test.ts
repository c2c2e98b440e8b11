/**
 * Tests a proxy whose `servers.json` is replaced a hundred times a second, in all ways, while clients write and read
 * through it. The proxy continues, refuses nothing, and no value is ever wrong.
 *
 * The lists alternate: with the last of three servers, without it, and truncated. The keys of the other two servers
 * stay where they are, so a read returns the last write. The keys of the last server move, and may be absent.
 *
 * `STORM_MS` is the duration of all storms together, in ms.
 */

import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import type { Client } from "../../src/client/client.ts";
import { slotOf } from "../../src/key_slot.ts";
import { FOLLOWER_REPORT_INTERVAL_MS, FOLLOWER_REPORTS_MAX_COUNT } from "../../src/limits.ts";
import { ownersOf } from "../../src/route/slots.ts";
import { amountOf } from "../support/amount.ts";
import { serversJson, systemTest } from "../support/launcher.ts";
import { type RewritingName, REWRITINGS } from "../support/members_rewriting.ts";
import { APPLIED_MS } from "../support/members_watching.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

const STORM_MS = amountOf("STORM_MS", 400, 1_000);
/** The ways of replacing the list. The links come first, since the next way replaces the first link. */
const WAYS: readonly RewritingName[] = ["by links", "by rename", "in place", "deleted and written again"];
const INTERVAL_MS = 10;
const CLIENTS_COUNT = amountOf("STORM_CLIENTS", 12, 32);
const KEYS_EACH = 10;
/** One of this many contents is truncated. */
const CUT_EVERY = 5;

/** One client that alternately writes and reads its own keys. */
class Worker {
  readonly wrong: string[] = [];
  rounds = 0;
  isStopped = false;

  /**
   * Creates a worker.
   *
   * @param moves whether a key sometimes has another owner
   */
  constructor(readonly client: Client, readonly name: string, readonly moves: (key: string) => boolean) {}

  async run(): Promise<void> {
    for (; !this.isStopped; this.rounds++) {
      const key = `${this.name}:${this.rounds % KEYS_EACH}`;
      const value = `${key}:${this.rounds}`;
      try {
        await this.client.set(key, value);
        const found = await this.client.getText(key);
        // A key that returns to a server has the value that was written there, however old.
        const isRight = found === value || (this.moves(key) && (found === null || found.startsWith(`${key}:`)));
        if (!isRight) this.wrong.push(`${key}: wrote ${value}, read ${found}`);
      } catch (error) {
        this.wrong.push(`${key}: ${(error as Error).message}`);
      }
      // The pause lets all workers run on one core.
      await pause(2);
    }
  }
}

/** Returns the current number of servers of a proxy. */
async function countServers(client: Client): Promise<number> {
  const info = new TextDecoder().decode(await client.send(["info", "cluster"]) as Uint8Array);
  return Number(/^cluster_servers:([0-9]+)/m.exec(info)?.[1]);
}

systemTest("a storm of changes of servers.json stops no proxy, and no value is wrong", async (launcher) => {
  const servers = await Promise.all([0, 1, 2].map(() => launcher.server()));
  const addresses = servers.map(({ address }) => address);
  const lists = [addresses, addresses.slice(0, 2)].map(serversJson);
  const folder = launcher.newFolder();
  await Deno.mkdir(folder);
  const rewriters = WAYS.map((way) => REWRITINGS[way](folder));
  await rewriters[0]!.write(lists[0]!);
  const proxy = await launcher.proxy(rewriters[0]!.path);

  const owners = ownersOf(addresses.map((address) => ({ address, weight: 1 })));
  const moves = (key: string) => owners[slotOf(encodeText(key), 0, key.length)] === 2;
  const clients = await Promise.all(Array.from({ length: CLIENTS_COUNT }, () => launcher.connect(proxy)));
  const workers = clients.map((client, i) => new Worker(client, `client ${i}`, moves));
  const asking = await launcher.connect(proxy);
  const done = Promise.all(workers.map((worker) => worker.run()));
  try {
    for (const { write } of rewriters) {
      const begunMs = performance.now();
      for (let n = 0; performance.now() < begunMs + STORM_MS / WAYS.length; n++) {
        await pause(begunMs + n * INTERVAL_MS - performance.now());
        // Runs of different lengths, so that the changes do not keep in step with the reader.
        const text = lists[Math.floor(n / 7) % 2]!;
        await write(n % CUT_EVERY === 0 ? text.slice(0, n % text.length) : text);
      }
      for (const [i, list] of lists.entries()) {
        await write(list);
        await until(async () => await countServers(asking) === addresses.length - i, `list ${i} rules`, APPLIED_MS);
      }
      assertEquals(workers.flatMap(({ wrong }) => wrong).slice(0, 5), []);
    }
  } finally {
    for (const worker of workers) worker.isStopped = true;
    await done;
  }
  assertEquals(workers.flatMap(({ wrong }) => wrong), []);
  const rounds = workers.map((worker) => worker.rounds);
  assertGreater(Math.min(...rounds), 10);
  const { lines } = proxy.process;
  assert(lines.some((line) => line.includes("The list of servers has changed")));
  const reports = lines.filter((line) => line.includes("stays in use"));
  const most = FOLLOWER_REPORTS_MAX_COUNT + Math.ceil(STORM_MS / FOLLOWER_REPORT_INTERVAL_MS) + 1;
  assertLessOrEqual(reports.length, most, reports.join("\n"));
});

systemTest(
  "named pipes beside servers.json, and in its place, do not keep a proxy from following the list",
  async (launcher) => {
    const servers = await Promise.all([0, 1].map(() => launcher.server()));
    const lists = [servers, servers.slice(0, 1)].map((some) => serversJson(some.map(({ address }) => address)));
    const folder = launcher.newFolder();
    const path = `${folder}/servers.json`;
    await Deno.mkdir(folder);
    await Deno.writeTextFile(path, lists[0]!);
    const proxy = await launcher.proxy(path);
    const asking = await launcher.connect(proxy);
    for (let round = 1; round < 4; round++) {
      await Deno.remove(path);
      for (const pipe of [`${folder}/pipe${round}`, path]) {
        assertEquals((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success, true);
      }
      await pause(300);
      await Deno.remove(path);
      if (round === 2) {
        await Deno.rename(folder, `${folder}.before`);
        await Deno.mkdir(folder);
      }
      await Deno.writeTextFile(path, lists[round % 2]!);
      await until(
        async () => await countServers(asking) === servers.length - round % 2,
        `list of round ${round} rules`,
      );
    }
    await asking.close();
    assertEquals((await launcher.stop(proxy)).code, 0);
  },
);
