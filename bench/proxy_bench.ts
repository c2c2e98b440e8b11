/**
 * `inmem proxy` before three servers: next to the same servers direct, and next to twemproxy.
 *
 * The load generator is our own (support/load_generator.ts), so that both comparisons have the same one: a process with 50
 * connections, each of which sends a pipeline of GET or SET, waits for all replies, and sends the next. Every reply's
 * beginning is looked at, and one value of each pipeline: a wrong one ends the measurement.
 *
 * **Direct** means what redis-benchmark calls a cluster: a third of the connections goes to each server, with keys that are
 * its own. So a server gets whole pipelines, as it would alone. A client that knows the servers, but has keys of all of them
 * in each pipeline, would cost itself and them more; so this is the hardest to come near for a proxy.
 *
 * **Cores.** A proxy is one more process, and "one core each side" needs a third core, which a machine may not have.
 * `--arrangement` (support/cores.ts) says who shares one then:
 *
 * - `apart`: load, servers and proxy have a core each. The default where there are three.
 * - `alone`: what is measured, which is the proxy, or else the servers, has a core to itself; all else has the other. The
 *   default where there are two, since a core's worth of proxy stands next to a core's worth of servers. But a proxy is
 *   measured too low as soon as load and servers together need more of their core than the proxy of its own.
 * - `servers`: proxy and servers share one core. Both sides have the same then, so that the ratio is what the detour costs
 *   when there is no more machine for it; it cannot come near 1.
 * - `load`: the proxy is where its clients are.
 *
 * What depends on it less is the processor time of a request in each of the processes, which is told beside. From it comes
 * *a core's ratio*: how many requests a core suffices for in the proxy, next to how many in the servers (or in twemproxy).
 * Where every part has the cores that it needs, that is what limits. It does depend: a process that waits for its core finds
 * more requests at once, and needs less for each. So it is highest where the proxy shares one.
 *
 * Latency is from the moment that a pipeline was sent until a reply to it was read. Three servers on one core take turns of
 * some milliseconds, which is what the p99 of the direct way shows.
 *
 * **twemproxy** speaks neither TLS nor RESP3 and has no answer to INFO or CONFIG. So it stands before three redis-servers in
 * plaintext, and `inmem proxy` in plaintext before the same three, and once more with TLS towards its clients.
 *
 * Each is measured right after the other, in rounds that change their order. The script measures and does not judge: it ends
 * with 0 though a ratio is missed.
 *
 * ```sh
 * deno run -A bench/proxy_bench.ts --only direct --arrangement servers
 * ```
 *
 * Linux only. `INMEM_BIN=FILE` measures that binary instead of the sources.
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
/** For trying the script out, and for its test. */
const QUICK = { rounds: 1, runMs: 50, retries: 0, keys: 2_000 };

const HELP = `Measures inmem proxy next to its servers direct, and next to twemproxy.

Usage: deno run -A bench/proxy_bench.ts [options]

  --only NAMES         of ${SECTIONS.join(", ")} (what the load generator can do by itself), separated by
                       commas; all of them unless given
  --pipelines NUMBERS  of ${PIPELINES.join(", ")}; all of them unless given
  --arrangement NAME   which processes share a core, one of ${ARRANGEMENTS.join(", ")}
                       (default: apart where there are three cores, else alone)
  --connections NUMBER that make the load (default: ${CONNECTIONS_DEFAULT})
  --keys NUMBER        that are read and written at random (default: ${FULL.keys})
  --rounds NUMBER      how often everything is measured; medians are told (default: ${FULL.rounds})
  --quick              short runs, one round, few keys: no figures to rely on
  --json               the result as JSON
  --help               this text
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

/** Measures in a temporary folder, which is gone afterwards as all processes are. */
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
