/**
 * Sends the same requests to an inmem server and to a proxy before three of them, and compares the replies byte by
 * byte: a client sees the same as from one server.
 *
 * The requests are the corpus of `conformance_test.ts`, with all keys in one slot, since the proxy refuses commands
 * whose keys must share a slot and do not. `scan` is left out, since its cursors name servers.
 */

import { assert, fail } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { startProxy } from "../../src/proxy/main.ts";
import type { Logger } from "../../src/role/logger.ts";
import { startServer } from "../../src/server/main.ts";
import { GROUPS, GUARDED_GROUPS } from "../conformance/corpus/mod.ts";
import { Comparison, formatMismatch, type Mismatch, Player, type Version } from "../conformance/runner.ts";
import type { Group, Scenario, Step } from "../conformance/transcript.ts";
import { isLong } from "../support/amount.ts";
import { pause } from "../support/pause.ts";

const SERVERS_COUNT = 3;
const PASSWORD = "secret";
const TAG = "{one}";
/** The number of failures that are shown. After a first failure others often follow. */
const SHOWN_COUNT = 25;

/** The scenarios that are left out, with the reasons. */
const LEFT_OUT: ReadonlyMap<string, string> = new Map([
  ["a client that waits for several keys is served once", "raw bytes name keys of several slots"],
  ["slowlog", "the entries are those of the servers, whose clients are the proxy's connections"],
  ["latency", "the events and calls are those of the servers, and the proxy's own requests are among them"],
  ["a subscriber that publishes to itself, in RESP3", "messages and replies come from two connections to the server"],
]);

/** Steps whose replies differ, besides the refusal of what the proxy cannot do. */
const DIFFERENCES: readonly (readonly [scenario: string, step: string, reason: string])[] = [
  [
    "errors while queueing",
    "object foo k",
    "the server refuses it when it receives the transaction, which is then refused as well",
  ],
  [
    "commands about the connection in a transaction",
    "exec",
    "`dbsize` concerns all servers, so it aborts the transaction",
  ],
  ["what a subscriber may do", "publish c m => 1", "message and reply come from two connections to the server"],
  ["what a subscriber may do", "psubscribe p*", "message and reply come from two connections to the server"],
  ["config", "config get maxmemory-policy", "a proxy holds no data"],
];

const quiet: Logger = { info() {}, warn() {}, error: (message, fields) => console.error(message, fields) };

const commands = new Map(COMMANDS.flatMap((command) => {
  return [command.name, ...command.aliases].map((name) => [name, command] as const);
}));

/** Returns a command with its keys in one slot. */
function inOneSlot(words: readonly string[]): string[] {
  const command = commands.get(words[0]!.toLowerCase());
  if (command === undefined || command.firstKey === 0) return [...words];
  const { firstKey, lastKey, keyStep, keyCountAt } = command;
  const fixed = lastKey < 0 ? words.length + lastKey : lastKey;
  const last = keyCountAt > 0 ? firstKey + Number(words[keyCountAt]) - 1 : fixed;
  return words.map((word, i) => {
    const isKey = i >= firstKey && i <= last && (i - firstKey) % keyStep === 0;
    return isKey ? TAG + word : word;
  });
}

function prepare(scenario: Scenario): Scenario {
  const isScan = ({ commands }: Step) => commands.some(([name]) => name?.toLowerCase() === "scan");
  const steps = scenario.steps.filter((step) => !isScan(step) || step.expects !== 1);
  return { ...scenario, steps: steps.map((step) => ({ ...step, commands: step.commands.map(inOneSlot) })) };
}

function isMeant({ scenario, step, actual }: Mismatch): boolean {
  return actual.includes("cannot be used through the proxy: ") ||
    DIFFERENCES.some(([name, line]) => name === scenario && line === step.line);
}

/** Runs `body` with a server, and a proxy before others. */
async function withBoth(
  password: string | undefined,
  body: (expected: Player, actual: Player) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-conformance-" });
  const stops: (() => Promise<void>)[] = [];
  try {
    const ports: number[] = [];
    for (let i = 0; i <= SERVERS_COUNT; i++) {
      const server = await startServer({
        hostname: "127.0.0.1",
        port: 0,
        memoryLimitBytes: 256 * 1024 * 1024,
        evicts: true,
        defaultTtlMs: 0,
        maxClients: 100,
        enablesDebug: true,
        logger: quiet,
        password,
      });
      stops.unshift(() => server.stop());
      ports.push(server.address.port);
    }
    const [direct, ...behind] = ports;
    const serversPath = `${folder}/servers.json`;
    await Deno.writeTextFile(serversPath, JSON.stringify(behind.map((port) => ({ addr: `127.0.0.1:${port}` }))));
    const proxy = await startProxy({
      hostname: "127.0.0.1",
      port: 0,
      maxClients: 100,
      serversPath,
      connectionsMaxCount: 4,
      password,
      backend: { plaintext: true, password },
      logger: quiet,
    });
    stops.unshift(() => proxy.stop());
    using expected = await Player.open({ port: direct!, password });
    using actual = await Player.open({ port: proxy.address.port, password });
    await body(expected, actual);
  } finally {
    for (const stop of stops) await stop();
    // Reads in progress at the stop end by themselves.
    await pause(20);
    await Deno.remove(folder, { recursive: true });
  }
}

async function compare(
  test: Deno.TestContext,
  groups: readonly Group[],
  versions: readonly Version[],
  password: string | undefined,
): Promise<void> {
  await withBoth(password, async (expected, actual) => {
    const comparison = new Comparison(expected, actual);
    for (const group of groups) {
      for (const version of versions) {
        await test.step(`${group.name}, RESP${version}`, async () => {
          const known = comparison.mismatches.length;
          for (const scenario of group.scenarios) {
            if (!LEFT_OUT.has(scenario.name)) await comparison.play(prepare(scenario), version);
          }
          const found = comparison.mismatches.slice(known).filter((mismatch) => !isMeant(mismatch));
          const shown = found.slice(0, SHOWN_COUNT).map(formatMismatch).join("\n");
          if (found.length > 0) {
            fail(`${found.length} replies differ from those of a server ("redis" below):\n${shown}`);
          }
        });
      }
    }
    assert(comparison.commands > 50);
  });
}

Deno.test("the proxy replies byte by byte as one server does", async (test) => {
  // The server itself is compared with redis-server in both versions.
  await compare(test, GROUPS, isLong ? [2, 3] : [new Random(pickSeed()).pick([2, 3])], undefined);
});

Deno.test("the proxy replies before authentication byte by byte as one server does", async (test) => {
  await compare(test, GUARDED_GROUPS, [2], PASSWORD);
});
