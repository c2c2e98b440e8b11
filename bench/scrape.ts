/**
 * Measures a scrape of Prometheus through a proxy with many servers: a request for `/metrics`, until its last byte.
 *
 * ```text
 * this process     client ──HTTP──► proxy ──info──► servers      one other process
 *                         ◄─text───       ◄─report─
 * ```
 *
 * The servers are stand-ins that repeat the replies of a real one (support/many_servers.ts). Each scrape comes after
 * the last reports are too old, so that the proxy asks all servers again. All programs share the cores of the machine.
 * The time in which this process was ready to run, but others ran, is reported too.
 *
 * @module
 */

import { SERVER_STATS_FRESH_MS } from "../src/limits.ts";
import { MetricsPort } from "../src/page/metrics_port.ts";
import { startProxy } from "../src/proxy/proxy.ts";
import { ROOT } from "../cluster/role_process.ts";
import { describeMachine } from "./support/machine.ts";
import { readJsonLines } from "./support/peer.ts";
import { threadDelayMs, threadTimeMs } from "./support/processor_time.ts";
import { endProcess } from "./support/program.ts";
import { delay, runScript, type Script, type ScriptWords } from "./support/script.ts";

const QUIET = { info() {}, warn() {}, error() {} };

const HELP = `Measures a scrape of Prometheus through a proxy with many servers.

Usage: deno run -A bench/scrape.ts [options]

  --servers NUMBER  the number of servers (default: 100)
  --rounds NUMBER   the number of scrapes (default: 20)
  --json            print the result as JSON
  --help            print this text
`;

interface Options {
  readonly servers: number;
  readonly rounds: number;
}

/** The report, as `--json` prints it. Times are in ms. */
export interface ScrapeReport {
  readonly machine: string;
  readonly servers: number;
  readonly samples: number;
  readonly bytes: number;
  readonly leastMs: number;
  readonly medianMs: number;
  /** The median of the times without those in which this process was ready to run, but others ran. */
  readonly undisturbedMs: number;
  /** The median of the times in which this process ran. */
  readonly runningMs: number;
}

interface Round {
  readonly elapsedMs: number;
  readonly delayedMs: number;
  readonly runningMs: number;
  readonly text: string;
}

async function measure({ servers, rounds }: Options, signal: AbortSignal): Promise<ScrapeReport> {
  const process = startServers(servers);
  const folder = await Deno.makeTempDir({ prefix: "inmem-scrape-" });
  try {
    const path = `${folder}/servers.json`;
    await Deno.writeTextFile(path, JSON.stringify((await addressesOf(process)).map((addr) => ({ addr }))));
    const proxy = await startProxy({
      hostname: "127.0.0.1",
      port: 0,
      maxClients: 10,
      serversPath: path,
      connectionsMaxCount: 1,
      backend: { plaintext: true },
      logger: QUIET,
    });
    const address = { hostname: "127.0.0.1", port: 0 };
    const port = new MetricsPort({ address, listening: { certificate: undefined, password: [] }, logger: QUIET });
    const role = port.observe(proxy);
    try {
      return reportOf(servers, await scrapeRepeatedly(port.address.port, rounds, signal));
    } finally {
      await role.stop();
    }
  } finally {
    await endProcess(process);
    await Deno.remove(folder, { recursive: true });
  }
}

function startServers(count: number): Deno.ChildProcess {
  const options = ["run", "--quiet", "--no-prompt", "--lock=deno.lock", "--frozen", "-A"];
  return new Deno.Command(Deno.execPath(), {
    args: [...options, "bench/support/many_servers.ts", String(count)],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
}

async function addressesOf(process: Deno.ChildProcess): Promise<string[]> {
  for await (const addresses of readJsonLines(process.stdout)) return addresses as string[];
  throw new Error("Cannot start the servers: the process has ended");
}

async function scrapeRepeatedly(port: number, rounds: number, signal: AbortSignal): Promise<Round[]> {
  const found: Round[] = [];
  // The first scrapes connect to the servers, and are not counted.
  for (let i = -2; i < rounds; i++) {
    const round = await scrapeOnce(port, signal);
    if (i >= 0) found.push(round);
    await delay(SERVER_STATS_FRESH_MS * 1.2, signal);
  }
  return found;
}

async function scrapeOnce(port: number, signal: AbortSignal): Promise<Round> {
  const [startMs, delayMs, runMs] = [performance.now(), threadDelayMs(), threadTimeMs()];
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal });
  const text = await response.text();
  return {
    elapsedMs: performance.now() - startMs,
    delayedMs: threadDelayMs() - delayMs,
    runningMs: threadTimeMs() - runMs,
    text,
  };
}

function reportOf(servers: number, rounds: readonly Round[]): ScrapeReport {
  const { text } = rounds.at(-1)!;
  const up = text.match(/^inmem_server_keys\{/gm)?.length ?? 0;
  if (up !== servers) throw new Error(`Expected the reports of ${servers} servers, found ${up}`);
  return {
    machine: describeMachine(),
    servers,
    samples: text.match(/^[a-z]/gm)!.length,
    bytes: text.length,
    leastMs: Math.min(...rounds.map(({ elapsedMs }) => elapsedMs)),
    medianMs: median(rounds.map(({ elapsedMs }) => elapsedMs)),
    undisturbedMs: median(rounds.map(({ elapsedMs, delayedMs }) => elapsedMs - delayedMs)),
    runningMs: median(rounds.map(({ runningMs }) => runningMs)),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function format(report: ScrapeReport): string {
  const { machine, servers, samples, bytes } = report;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  return [
    `${machine}: ${servers} servers, ${samples} samples, ${bytes} bytes`,
    `a scrape takes ${ms(report.medianMs)} (least ${ms(report.leastMs)})`,
    `without the delays by other processes ${ms(report.undisturbedMs)}; its process runs for ${ms(report.runningMs)}`,
  ].join("\n");
}

const SCRIPT: Script<Options, ScrapeReport> = {
  help: HELP,
  values: ["servers", "rounds"],
  read: (words: ScriptWords) => ({
    servers: words.number("servers", 100, { min: 1, max: 1000, integer: true }),
    rounds: words.number("rounds", 20, { min: 1, max: 1000, integer: true }),
  }),
  measure,
  format,
};

if (import.meta.main) Deno.exitCode = await runScript(SCRIPT, Deno.args);
