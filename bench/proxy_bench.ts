/**
 * Measures `inmem proxy` before three servers: next to the same servers direct, and next to twemproxy.
 *
 * The load generator is our own (support/load_generator.ts), so that both comparisons use the same one: a process with
 * 50 connections, each of which sends a pipeline of GET or SET, waits for all replies, and sends the next. It verifies
 * the beginning of every reply, and one value of each pipeline. A wrong one ends the measurement.
 *
 * **Direct** is what redis-benchmark calls a cluster: a third of the connections goes to each server, with keys that it
 * owns. So a server gets whole pipelines, as it would alone. A client that knows the servers, but has keys of all of
 * them in each pipeline, would cost itself and the servers more. So this is the strictest comparison for a proxy.
 *
 * **Cores.** A proxy is one more process, and one core for each side requires a third core, which a machine may lack.
 * `--arrangement` (support/cores.ts) determines which processes then share one:
 *
 * - `apart`: load, servers and proxy have a core each. This is the default with three cores.
 * - `alone`: the measured part, which is the proxy or else the servers, has a core, and everything else shares the
 *   other. This is the default with two cores, since it compares a core of proxy with a core of servers. But the
 *   proxy's result is too low as soon as load and servers together need more of their core than the proxy of its core.
 * - `servers`: proxy and servers share one core. Both sides have the same resources, so the ratio is the cost of the
 *   detour without additional cores; it cannot come near 1.
 * - `load`: the proxy shares a core with its clients.
 *
 * The processor time of a request in each process depends less on this, and is printed too. From it comes *a core's
 * ratio*: the number of requests that a core can handle in the proxy, relative to the servers (or to twemproxy). It is
 * the limit if every part has sufficient cores. It still depends on the arrangement: a process that waits for its core
 * finds more requests at a time, and needs less time for each. So it is highest where the proxy shares a core.
 *
 * Latency is measured from sending a pipeline until reading a reply to it. Three servers on one core alternate every
 * few milliseconds, which the p99 of the direct way shows.
 *
 * **twemproxy** supports neither TLS nor RESP3, INFO or CONFIG. So it is before three redis-servers in plaintext, and
 * `inmem proxy` is before the same three in plaintext, and once more with TLS for its clients.
 *
 * The sides are measured one right after the other, in rounds that change their order. The script measures and does not
 * judge: its exit status is 0 even if a ratio is missed.
 *
 * ```sh
 * deno run -A bench/proxy_bench.ts --only direct --arrangement servers
 * ```
 *
 * This runs on Linux only. `INMEM_BIN=FILE` measures that binary instead of the sources.
 *
 * @module
 */

import { join } from "@std/path";
import { type CertificatePaths, makeCertificates } from "../src/role/certs.ts";
import { type Arrangement, ARRANGEMENTS, CorePlan } from "./support/cores.ts";
import { PIPELINES } from "./support/redis_benchmark.ts";
import { describeMachine, inmemVersion } from "./support/machine.ts";
import { LoadGenerator } from "./support/load_generator.ts";
import { formatProxyReport, type ProxyReport, type ProxySection } from "./support/proxy_comparison.ts";
import { compareToDirect, compareToTwemproxy, findComparators, measureLoad } from "./support/proxy_sections.ts";
import { runScript, type Script, type ScriptWords } from "./support/script.ts";

const SECTIONS = ["direct", "twemproxy", "load"] as const;
const CONNECTIONS_DEFAULT = 50;
const FULL = { rounds: 5, runMs: 1_200, retries: 2, keys: 100_000 };
/** The settings for trying the script out, and for its test. */
const QUICK = { rounds: 1, runMs: 50, retries: 0, keys: 2_000 };

const HELP = `Measures inmem proxy next to its servers direct, and next to twemproxy.

Usage: deno run -A bench/proxy_bench.ts [options]

  --only NAMES         the sections, of ${SECTIONS.join(", ")} (the load generator alone), separated by
                       commas (default: all)
  --pipelines NUMBERS  the pipelines, of ${PIPELINES.join(", ")} (default: all)
  --arrangement NAME   which processes share a core, one of ${ARRANGEMENTS.join(", ")}
                       (default: apart with three cores, else alone)
  --connections NUMBER the number of connections of the load (default: ${CONNECTIONS_DEFAULT})
  --keys NUMBER        the number of keys, which are used at random (default: ${FULL.keys})
  --rounds NUMBER      the number of rounds; medians are printed (default: ${FULL.rounds})
  --quick              short runs, one round, few keys: the figures are not reliable
  --json               print the result as JSON
  --help               print this text
`;

interface Options {
  readonly only: readonly (typeof SECTIONS[number])[];
  readonly pipelines: readonly number[];
  readonly arrangement: Arrangement | undefined;
  readonly connections: number;
  readonly keys: number;
  readonly rounds: number;
  readonly runMs: number;
  readonly retries: number;
}

function readOptions(words: ScriptWords): Options {
  const size = words.has("quick") ? QUICK : FULL;
  return {
    ...size,
    only: words.some("only", SECTIONS),
    pipelines: words.some("pipelines", PIPELINES.map(String)).map(Number),
    arrangement: words.one("arrangement", ARRANGEMENTS),
    connections: words.number("connections", CONNECTIONS_DEFAULT, { min: 3, max: 1_000, integer: true }),
    keys: words.number("keys", size.keys, { min: 1_000, max: 10_000_000, integer: true }),
    rounds: words.number("rounds", size.rounds, { min: 1, max: 100, integer: true }),
  };
}

/** Measures in a temporary folder. The folder and all processes are removed afterwards. */
async function measure(options: Options, signal: AbortSignal): Promise<ProxyReport> {
  const comparators = options.only.includes("twemproxy") ? await findComparators() : undefined;
  const { only, keys, connections, rounds, runMs, retries, pipelines } = options;
  const before = Deno.loadavg()[0]!;
  const plan = await CorePlan.make(options.arrangement);
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "inmem-proxy-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const certificates: CertificatePaths = (await makeCertificates(join(folder, "certs"), [])).paths;
  const load = stack.use(new LoadGenerator(signal));
  const site = { folder, certificates, keys, pipelines, rounds, runMs };
  const settings = { load, plan, connections, retries, signal };
  const sections: ProxySection[] = [];
  if (only.includes("direct")) sections.push(await compareToDirect(site, settings));
  if (comparators !== undefined) sections.push(await compareToTwemproxy(site, settings, comparators));
  if (only.includes("load")) sections.push(await measureLoad(site, settings));
  return {
    machine: describeMachine(),
    cores: plan.description,
    loadAverages: [before, Deno.loadavg()[0]!],
    inmem: await inmemVersion(),
    connections,
    keys,
    rounds,
    runMs,
    sections,
  };
}

const SCRIPT: Script<Options, ProxyReport> = {
  help: HELP,
  values: ["only", "pipelines", "arrangement", "connections", "keys", "rounds"],
  flags: ["quick"],
  read: readOptions,
  measure,
  format: formatProxyReport,
};

if (import.meta.main) Deno.exitCode = await runScript(SCRIPT, Deno.args);
