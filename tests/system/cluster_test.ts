/** Tests three servers behind a proxy: the distribution of keys, and a change of `servers.json` while clients work. */

import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import type { Client } from "../../src/client/client.ts";
import { amountOf } from "../support/amount.ts";
import { Launcher, serversJson, systemTest } from "../support/launcher.ts";
import type { Role } from "../support/launcher.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

const KEYS_COUNT = amountOf("KEYS", 12_000, 100_000);
const BATCH_COUNT = 2_000;
const WORKERS_COUNT = 8;
/** The longest time until a removed server receives no requests, in ms. */
const REMOVAL_LIMIT_MS = 500;
/** How long the test observes that it receives none, in ms. */
const SILENCE_MS = 1_000;

function nameOf(index: number): string {
  return `key:${index}`;
}

/** Returns the number of requests that a server has received, including this one. */
async function requestsOf(server: Client): Promise<number> {
  const info = new TextDecoder().decode(await server.send(["info", "stats"]) as Uint8Array);
  const count = /^total_commands_processed:([0-9]+)/m.exec(info)?.[1];
  assert(count !== undefined, `Cannot find total_commands_processed in:\n${info}`);
  return Number(count);
}

/** Clients that continuously set and get their own keys until they are stopped. */
class Workers {
  readonly failures: string[] = [];
  rounds = 0;
  #running = true;
  readonly #done: Promise<unknown>;

  constructor(clients: readonly Client[], keys: readonly string[]) {
    const each = Math.floor(keys.length / clients.length);
    this.#done = Promise.all(
      clients.map((client, index) => this.#work(client, keys.slice(index * each, (index + 1) * each))),
    );
  }

  async #work(client: Client, keys: readonly string[]): Promise<void> {
    for (let round = 0; this.#running; round++) {
      const key = keys[round % keys.length]!;
      try {
        await client.set(key, String(round));
        const found = await client.getText(key);
        if (found !== String(round)) this.failures.push(`${key}: set ${round}, got ${found}`);
        this.rounds++;
      } catch (error) {
        this.failures.push(`${key}: ${error instanceof Error ? error.message : String(error)}`);
        await pause(10);
      }
    }
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }
}

systemTest(
  `${KEYS_COUNT} keys through the proxy are spread evenly over three servers, and a changed servers.json is followed`,
  async (launcher, test) => {
    const { servers, proxy, file } = await launcher.cluster();
    const client = await launcher.connect(proxy);
    const direct = await Promise.all(servers.map((server) => launcher.connect(server)));
    const addresses = servers.map(({ address }) => address);

    await test.step("all keys are set, counted and read back", async () => {
      for (let at = 0; at < KEYS_COUNT; at += BATCH_COUNT) {
        const batch = Array.from(
          { length: BATCH_COUNT },
          (_, index) => client.set(nameOf(at + index), `value ${at + index}`),
        );
        assert((await Promise.all(batch)).every(Boolean));
      }
      assertEquals(await client.size(), KEYS_COUNT);
      for (let at = 0; at < KEYS_COUNT; at += BATCH_COUNT) {
        const batch = Array.from({ length: BATCH_COUNT }, (_, index) => client.getText(nameOf(at + index)));
        assertEquals(await Promise.all(batch), batch.map((_, index) => `value ${at + index}`));
      }
      const { code, stdout } = await launcher.client(proxy, ["size"]);
      assertEquals([code, stdout.trim()], [0, String(KEYS_COUNT)]);
    });

    await test.step("each server holds 30 % to 37 % of them", async () => {
      const sizes = await Promise.all(direct.map((each) => each.size()));
      assertEquals(sizes.reduce((sum, size) => sum + size, 0), KEYS_COUNT);
      for (const size of sizes) {
        assertGreaterOrEqual(size / KEYS_COUNT, 0.30, sizes.join(" "));
        assertLessOrEqual(size / KEYS_COUNT, 0.37, sizes.join(" "));
      }
    });

    for (const [how, write] of Object.entries(WAYS)) {
      await test.step(`a server taken out of servers.json ${how} gets no more requests, and no client notices`, async () => {
        await takeOutAndPutBack(launcher, proxy, direct, addresses, (text) => write(file, text));
      });
    }

    await test.step("a bad servers.json changes nothing, and is reported in one line", async () => {
      const before = proxy.process.lines.length;
      for (const bad of ["", "[", "[]", `[{"addr": "${addresses[0]}"}, {"addr": "nonsense"}]`, '{"addr": 1}']) {
        await Deno.writeTextFile(file, bad);
        await pause(150);
        assertEquals(await client.getText(nameOf(8_001)), "value 8001", bad);
      }
      await until(() => proxy.process.lines.length > before, "the proxy logs that the file is bad");
      await Deno.remove(file);
      await pause(300);
      assertEquals(await client.getText(nameOf(8_002)), "value 8002");
      await Deno.writeTextFile(file, serversJson(addresses));
      await pause(300);
      assertEquals(await client.getText(nameOf(8_003)), "value 8003");
    });
  },
);

/** The ways in which an editor or a deployment writes a file. */
const WAYS: Record<string, (path: string, text: string) => Promise<void>> = {
  "in place": (path, text) => Deno.writeTextFile(path, text),
  "by rename": async (path, text) => {
    await Deno.writeTextFile(`${path}.edited`, text);
    await Deno.rename(`${path}.edited`, path);
  },
};

async function takeOutAndPutBack(
  launcher: Launcher,
  proxy: Role,
  direct: readonly Client[],
  addresses: readonly string[],
  write: (text: string) => Promise<void>,
): Promise<void> {
  const removed = direct[2]!;
  const owned = { removed: [] as string[], others: [] as string[] };
  const present = await Promise.all(Array.from({ length: 2_000 }, (_, index) => removed.exists(nameOf(index))));
  present.forEach((found, index) => (found ? owned.removed : owned.others).push(nameOf(index)));
  assertGreater(owned.removed.length, 400);

  const clients = await Promise.all(Array.from({ length: WORKERS_COUNT + 1 }, () => launcher.connect(proxy)));
  const others = new Workers(clients.slice(0, WORKERS_COUNT), owned.others);
  // One more client continuously requests the removed server's keys. Without it, silence would prove nothing.
  const affected = new Workers(clients.slice(WORKERS_COUNT), owned.removed);
  try {
    await until(() => others.rounds > 50 && affected.rounds > 5, "the clients work");
    await write(serversJson(addresses.slice(0, 2)));
    await pause(REMOVAL_LIMIT_MS);
    const before = await requestsOf(removed);
    const roundsBefore = affected.rounds;
    await pause(SILENCE_MS);
    const after = await requestsOf(removed);
    assertEquals(after - before, 1, "requests that reached the removed server, the second info among them");
    assertGreater(affected.rounds, roundsBefore, "others serve its keys meanwhile");

    await write(serversJson(addresses));
    await until(async () => await requestsOf(removed) > after + 100, "the server is used again once put back");
  } finally {
    await Promise.all([others.stop(), affected.stop()]);
  }
  assertEquals(others.failures, []);
  assertGreater(others.rounds, 100);
  // The key of this client changes its server twice. Between a set and its get it may be absent, but never an error.
  const errors = affected.failures.filter((failure) => !/: set [0-9]+, got /.test(failure));
  assertEquals(errors, []);
}
