/**
 * Tests clients that cheaply make a server hold much memory. The server's memory stays below the limits for data and
 * for clients plus 150 MB, a modest client is always served, and all memory is released after the clients have left.
 */

import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { amountOf } from "../support/amount.ts";
import type { Launcher, Role } from "../support/launcher.ts";
import { systemTest } from "../support/launcher.ts";
import { pause } from "../support/pause.ts";
import type { RawClient } from "../support/raw_client.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const DATA_LIMIT_MIB = 64;
const CLIENT_LIMIT_MIB = 32;
/** The memory of the runtime, and of data that is being copied. */
const RUNTIME_MIB = 150;
const LEFT_WITHIN_MS = 5_000;

/** Approximately how many times the memory of all clients is sent. */
const EXCESS = amountOf("EXCESS", 2, 8);

const encoder = new TextEncoder();

function request(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

/**
 * Sends what the server accepts. It need not accept everything of a client that it disconnects or that reads nothing.
 */
async function sendSome(client: RawClient, content: string, times: number): Promise<void> {
  const bytes = encoder.encode(content);
  try {
    for (let i = 0; i < times; i++) await client.send(bytes);
  } catch {
    // The server may have closed the connection.
  }
}

/** Reads and discards. */
async function drain({ socket }: RawClient): Promise<void> {
  const scratch = new Uint8Array(64 * 1024);
  try {
    while (await socket.read(scratch) !== null);
  } catch {
    // The server has closed the connection, or the test has ended.
  }
}

/** A modest client that is observed while others use much memory. */
class Witness {
  peakMib = 0;
  rounds = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(readonly client: RawClient) {
    // `end` reports a failure.
    this.#running = this.#run();
    this.#running.catch(() => {});
  }

  async #run(): Promise<void> {
    for (; !this.#isOver; this.rounds++) {
      const value = String(this.rounds);
      assertEquals(await this.client.call("set", "witness", value), "OK");
      assertEquals(await this.client.call("get", "witness"), value);
      this.peakMib = Math.max(this.peakMib, await this.info("used_memory_rss") / MIB);
      await pause(5);
    }
  }

  /**
   * Stops the client.
   *
   * @throws the first error of a reply
   */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async info(name: string): Promise<number> {
    const text = await this.client.call("info", "all") as string;
    const found = new RegExp(`^${name}:(.*)\r$`, "m").exec(text);
    assert(found !== null, name);
    return Number(found[1]);
  }
}

type Attack = (launcher: Launcher, server: Role) => Promise<RawClient[]>;

/** The attacks, and whether the server must disconnect or refuse a client because of each. */
const ATTACKS: Readonly<Record<string, { attack: Attack; isCut: boolean }>> = {
  "transactions of very many short requests": { attack: manyRequests, isCut: false },
  "transactions of long requests": { attack: longTransactions, isCut: true },
  "long replies that no client reads": { attack: unreadReplies, isCut: true },
  "half-sent requests": { attack: halfRequests, isCut: true },
  "subscribers that do not read": { attack: slowSubscribers, isCut: true },
  "very many watched keys": { attack: manyWatches, isCut: true },
  "very many channels": { attack: manyChannels, isCut: true },
  "requests of very many arguments": { attack: manyArguments, isCut: true },
};

function connectAll(launcher: Launcher, server: Role, count: number): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => launcher.raw(server)));
}

async function manyRequests(launcher: Launcher, server: Role): Promise<RawClient[]> {
  const clients = await connectAll(launcher, server, 2);
  clients.forEach(drain);
  const pings = request("ping").repeat(10_000);
  await Promise.all(clients.map(async (client) => {
    await sendSome(client, request("multi"), 1);
    await sendSome(client, pings, 12 * EXCESS);
  }));
  return clients;
}

async function longTransactions(launcher: Launcher, server: Role): Promise<RawClient[]> {
  const clients = await connectAll(launcher, server, 12);
  clients.forEach(drain);
  const sets = request("set", "k", "x".repeat(1000)).repeat(1000);
  await Promise.all(clients.map(async (client) => {
    await sendSome(client, request("multi"), 1);
    await sendSome(client, sets, 3 * EXCESS);
  }));
  return clients;
}

async function unreadReplies(launcher: Launcher, server: Role): Promise<RawClient[]> {
  const clients = await connectAll(launcher, server, 25);
  const [first] = clients;
  await first!.send(request("set", "large", "y".repeat(4_000_000)));
  await first!.expect("+OK\r\n");
  await Promise.all(clients.map((client) => client.send(request("mget", ...Array(25).fill("large")))));
  return clients;
}

async function halfRequests(launcher: Launcher, server: Role): Promise<RawClient[]> {
  const clients = await connectAll(launcher, server, 40);
  const part = "u".repeat(500_000);
  await Promise.all(clients.map(async (client) => {
    await sendSome(client, "*3\r\n$3\r\nset\r\n$1\r\nu\r\n$40000000\r\n", 1);
    await sendSome(client, part, 5 * EXCESS);
  }));
  return clients;
}

async function slowSubscribers(launcher: Launcher, server: Role): Promise<RawClient[]> {
  const clients = await connectAll(launcher, server, 40);
  for (const client of clients) {
    await client.send(request("subscribe", "c"));
    await client.expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
  }
  const publisher = await launcher.raw(server);
  drain(publisher);
  await sendSome(publisher, request("publish", "c", "m".repeat(200_000)), 200);
  return [...clients, publisher];
}

async function manyWatches(launcher: Launcher, server: Role): Promise<RawClient[]> {
  return await manyNames(launcher, server, "watch", 25, 4);
}

async function manyChannels(launcher: Launcher, server: Role): Promise<RawClient[]> {
  return await manyNames(launcher, server, "subscribe", 3, 30);
}

/** Sends names in requests of a thousand each: `parts` of them from each of `count` clients. */
async function manyNames(
  launcher: Launcher,
  server: Role,
  command: string,
  count: number,
  parts: number,
): Promise<RawClient[]> {
  const clients = await connectAll(launcher, server, count);
  clients.forEach(drain);
  await Promise.all(clients.map(async (client, index) => {
    for (let part = 0; part < parts; part++) {
      const names = Array.from({ length: 1000 }, (_, i) => `name:${index}:${part}:${i}`);
      await sendSome(client, request(command, ...names), 1);
    }
  }));
  return clients;
}

async function manyArguments(launcher: Launcher, server: Role): Promise<RawClient[]> {
  const clients = await connectAll(launcher, server, 12);
  const some = "$1\r\na\r\n".repeat(100_000);
  await Promise.all(clients.map(async (client) => {
    await sendSome(client, "*1000000\r\n$6\r\nexists\r\n", 1);
    await sendSome(client, some, 9);
  }));
  return clients;
}

for (const [name, { attack, isCut }] of Object.entries(ATTACKS)) {
  systemTest(`a server's memory is bounded under ${name}`, async (launcher) => {
    const server = await launcher.server([
      ...["--no-persist", "--max-memory", `${DATA_LIMIT_MIB}mb`, "--max-client-memory", `${CLIENT_LIMIT_MIB}mb`],
    ]);
    const witness = new Witness(await launcher.raw(server));
    const clients = await attack(launcher, server);
    if (isCut) {
      const isLogged = () => server.process.lines.some((line) => line.includes("clients hold too much memory"));
      await until(isLogged, "a client is disconnected or refused, and that is logged", 30_000);
    }
    await witness.end();
    assertGreater(witness.rounds, 0);
    const cuts = await witness.info("clients_closed_for_memory") + await witness.info("requests_refused_for_memory");
    assertEquals(cuts > 0, isCut, `${cuts} were disconnected or refused`);
    assertLess(await witness.info("mem_clients_peak"), (CLIENT_LIMIT_MIB + 1) * MIB);
    assertLess(witness.peakMib, DATA_LIMIT_MIB + CLIENT_LIMIT_MIB + RUNTIME_MIB);
    for (const client of clients) client.close();
    const leftMs = performance.now();
    await until(async () => await witness.info("mem_clients_normal") < MIB, "all is given back");
    assertLess(performance.now() - leftMs, LEFT_WITHIN_MS);
    assertLess(await witness.info("used_memory_rss"), (DATA_LIMIT_MIB + RUNTIME_MIB) * MIB);
    witness.client.close();
  });
}
