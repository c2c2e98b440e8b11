/**
 * Bounds that need a real server. It runs in this process, over TLS on loopback and without persistence, and its event
 * loop is watched. Its client runs in another process (peer.ts).
 *
 * Data is added by running commands on the server's store directly: adding it is not measured here, and should take
 * little time.
 *
 * @module
 */

import { formatAddress } from "../../src/address.ts";
import { SCAN_COUNT_MAX, VALUE_SIZE_MAX_BYTES } from "../../src/limits.ts";
import type { CertificatePaths } from "../../src/role/certs.ts";
import type { Logger } from "../../src/role/logger.ts";
import { type Server, startServer } from "../../src/server/server.ts";
import { atMost, formatCount, formatFigure, median, Rows } from "./bound_row.ts";
import { CommandRunner, makeHash, makeList } from "./command_runner.ts";
import { type Watched, watchUntil } from "./holds.ts";
import { Peer } from "./peer.ts";

const IDLE_MS = 2_000;
const DEADLINE_KEYS_COUNT = 1_000_000;
/** The time for adding each key of the deadlines, in ms. */
const DEADLINE_LEAD_MS_PER_KEY = 0.006;
const DEADLINE_LEAD_MS = 500;
const ELEMENTS_COUNT = 1_000_000;
const KEYS_COUNT = 5_000_000;
/** The memory limit, which leaves room to spare, in bytes. */
const LIMIT_BYTES = 2 * 1024 ** 3;
/** The time after which a case fails, in ms. */
const TIMEOUT_MS = 120_000;
/** The bound of a hold, in ms. */
const HOLD_MAX_MS = 5;

/** The settings of the cases. */
export interface ServedSettings {
  readonly certificates: CertificatePaths;
  /** A factor for the counts. */
  readonly scale: number;
  readonly rounds: number;
}

/** A server with its client. */
interface Stage {
  readonly server: Server;
  readonly runner: CommandRunner;
  readonly peer: Peer;
  readonly rounds: number;
  readonly scale: number;
}

/** The groups of rows that need a server. */
export const SERVED_CASES: Readonly<Record<string, (stage: Stage, rows: Rows) => Promise<void>>> = {
  idle: measureIdle,
  deadlines: measureDeadlines,
  removal: measureRemoval,
  sizes: measureSizes,
  keys: measureKeys,
};

/** Measures the cases of those names, one after another. */
export async function measureServed(names: readonly string[], settings: ServedSettings): Promise<Rows[]> {
  const { certificates, scale, rounds } = settings;
  const server = await start(certificates);
  try {
    await using peer = await Peer.start({ addr: formatAddress(server.address), caFile: certificates.authority });
    const stage = { server, runner: new CommandRunner(server.store), peer, rounds, scale };
    const measured: Rows[] = [];
    for (const name of names) {
      const rows = new Rows(name);
      await SERVED_CASES[name]!(stage, rows);
      server.store.clear();
      measured.push(rows);
    }
    return measured;
  } finally {
    await server.stop();
  }
}

async function start({ cert, key }: CertificatePaths): Promise<Server> {
  const nothing = () => {};
  // Warnings are about clients. A bug makes the script fail.
  const logger: Logger = {
    info: nothing,
    warn: nothing,
    error: (message, fields) => console.error(message, fields),
  };
  return await startServer({
    hostname: "127.0.0.1",
    port: 0,
    certificate: { cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) },
    memoryLimitBytes: LIMIT_BYTES,
    evicts: true,
    defaultTtlMs: 0,
    maxClients: 100,
    logger,
  });
}

/** The results of one round. */
interface Round extends Watched {
  /** The longest round trip of a ping meanwhile, in ms. */
  readonly pingMs: number;
}

/** Watches the server until `done`, while `work`, if any, is in progress. */
async function watch({ peer }: Stage, done: () => boolean, work?: () => Promise<unknown>): Promise<Round> {
  await peer.pings();
  let isRunning = work !== undefined;
  const running = work?.().finally(() => isRunning = false);
  const watched = await watchUntil(() => !isRunning && done(), TIMEOUT_MS);
  await running;
  const { longestMs } = await peer.pings();
  return { ...watched, pingMs: longestMs };
}

function addHolds(rows: Rows, what: string, rounds: readonly Round[], isPromised = true): void {
  const ping = formatFigure(median(rounds.map(({ pingMs }) => pingMs)), "ms");
  rows.addHold(what, rounds, isPromised ? atMost(HOLD_MAX_MS) : undefined, `longest ping ${ping}`);
}

/** Measures a server that only replies to pings. */
async function measureIdle(stage: Stage, rows: Rows): Promise<void> {
  const rounds: Round[] = [];
  for (let round = 0; round < stage.rounds; round++) {
    const endMs = performance.now() + IDLE_MS * Math.min(1, stage.scale);
    rounds.push(await watch(stage, () => performance.now() > endMs));
  }
  addHolds(rows, "longest hold of the event loop", rounds, false);
}

/** Measures many keys that expire at the same moment. */
async function measureDeadlines(stage: Stage, rows: Rows): Promise<void> {
  const { runner, server } = stage;
  const store = server.store;
  const count = Math.ceil(DEADLINE_KEYS_COUNT * stage.scale);
  const rounds: Round[] = [];
  const lateMs: number[] = [];
  for (let round = 0; round < stage.rounds; round++) {
    store.clear();
    const before = dataBytes(stage);
    const deadlineMs = Math.ceil(Date.now() + DEADLINE_LEAD_MS + count * DEADLINE_LEAD_MS_PER_KEY);
    runner.runAll(count, (index) => ["set", `key:${index}`, "x".repeat(32), "PXAT", deadlineMs]);
    if (Date.now() >= deadlineMs) throw new Error("Cannot measure deadlines: adding the keys took too long");
    await watchUntil(() => Date.now() >= deadlineMs, TIMEOUT_MS);
    rounds.push(await watch(stage, () => store.statistics.keys === 0 && dataBytes(stage) <= before));
    lateMs.push(Date.now() - deadlineMs);
  }
  const note = `${formatFigure(store.statistics.tableBytes / 1e6, "MB")} of tables left`;
  rows.add(`until ${formatCount(count)} keys and their memory are gone`, lateMs, "ms", atMost(1000), note);
  addHolds(rows, "longest hold of the event loop", rounds);
}

/** Returns the bytes of the data without tables, which shrink to the size of their content. */
function dataBytes({ server }: Pick<Stage, "server">): number {
  const { usedBytes, tableBytes } = server.store.statistics;
  return usedBytes - tableBytes;
}

/** Measures the removal of a large value by a client. */
async function measureRemoval(stage: Stage, rows: Rows): Promise<void> {
  const { runner, server, peer } = stage;
  const count = Math.ceil(ELEMENTS_COUNT * stage.scale);
  const makers = {
    list: () => makeList(runner, "large", count),
    hash: () => makeHash(runner, "large", count),
  };
  for (const [type, make] of Object.entries(makers)) {
    const rounds: Round[] = [];
    for (let round = 0; round < stage.rounds; round++) {
      server.store.clear();
      const before = dataBytes(stage);
      make();
      rounds.push(await watch(stage, () => dataBytes(stage) <= before, () => peer.send(["remove", "large"])));
    }
    const what = `${type} of ${formatCount(count)}`;
    rows.add(`${what}: until the memory is back`, rounds.map(({ elapsedMs }) => elapsedMs), "ms");
    addHolds(rows, `${what}: longest hold of the event loop`, rounds);
  }
}

/** Measures the smallest and the largest value. */
async function measureSizes(stage: Stage, rows: Rows): Promise<void> {
  for (const size of [0, Math.ceil(VALUE_SIZE_MAX_BYTES * Math.min(1, stage.scale))]) {
    const rounds: Round[] = [];
    for (let round = 0; round < stage.rounds; round++) {
      let isSame = false;
      rounds.push(await watch(stage, () => true, async () => isSame = await stage.peer.echo(size)));
      if (!isSame) throw new Error(`Cannot get a value of ${size} bytes back: a different one arrived`);
    }
    const what = `a value of ${formatCount(size)} bytes`;
    rows.add(`${what}, set and got back`, rounds.map(({ elapsedMs }) => elapsedMs), "ms");
    addHolds(rows, `${what}: longest hold of the event loop`, rounds, false);
  }
}

/** Measures commands that look at all keys. */
async function measureKeys(stage: Stage, rows: Rows): Promise<void> {
  const { runner, peer } = stage;
  const count = Math.ceil(KEYS_COUNT * stage.scale);
  runner.runAll(count, (index) => ["set", `key:${String(index).padStart(12, "0")}`, "x".repeat(8)]);
  const commands: readonly [what: string, run: () => Promise<unknown>][] = [
    ["keys *", () => peer.discard(["keys", "*"])],
    ["keys *77777 (few match)", () => peer.discard(["keys", "*77777"])],
    [`scan of COUNT ${SCAN_COUNT_MAX}, all of them`, () => peer.scan(SCAN_COUNT_MAX)],
  ];
  for (const [what, run] of commands) {
    const rounds: Round[] = [];
    for (let round = 0; round < stage.rounds; round++) rounds.push(await watch(stage, () => true, run));
    const took = formatFigure(median(rounds.map(({ elapsedMs }) => elapsedMs)), "ms");
    addHolds(rows, `${what} of ${formatCount(count)}, in ${took}: longest hold of the event loop`, rounds);
  }
}
