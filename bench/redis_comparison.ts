/**
 * Measures `inmem server` next to `redis-server`, both over TLS and without persistence, under the load of
 * `redis-benchmark`.
 *
 * A third server is the ceiling (support/ceiling.ts), which only counts commands: it shows the limit of this runtime's
 * input and output. Each server has a process on one core, and the load generator has the other. Every test runs
 * against one server right after the other, for the same time each, in rounds that change their order. The printed
 * ratio is the median over the rounds: other work on the machine affects both sides of it. A run with much of such work
 * is repeated.
 *
 * The script measures and does not judge: its exit status is 0 even if a ratio is missed.
 *
 * ```sh
 * deno run -A bench/redis_comparison.ts --quick --only set,get --pipelines 16,64
 * ```
 *
 * This runs on Linux only. `INMEM_BIN=FILE` measures that binary instead of the sources.
 *
 * @module
 */

import { join } from "@std/path";
import { UsageError } from "../src/errors.ts";
import { makeCertificates } from "../src/role/certs.ts";
import { CeilingServer } from "./support/ceiling.ts";
import { ComparedServer } from "./support/compared_server.ts";
import {
  COMPARED_TESTS,
  comparedRedis,
  type ComparedTest,
  KEYS_COUNT,
  PIPELINES,
  VALUE_BYTES,
} from "./support/redis_benchmark.ts";
import { compareLatency, compareOneWrite, compareThroughput } from "./support/comparison.ts";
import { commandOf, CONNECTIONS_COUNT, formatComparison, type RedisComparison } from "./support/comparison_report.ts";
import { InmemServer } from "./support/inmem.ts";
import { describeMachine, inmemVersion } from "./support/machine.ts";
import { divideCores } from "./support/cores.ts";
import { RedisServer } from "./support/redis_server.ts";
import { runScript, type Script, type ScriptWords } from "./support/script.ts";

/** The size of runs, the number of repetitions of a disturbed run, and the number of reads of the large value. */
const FULL = { rounds: 5, runMs: 1_200, retries: 2, keys: KEYS_COUNT, leastRequests: 500, gets: 2_000 };
/** The settings for trying the script out, and for its test. */
const QUICK = { rounds: 1, runMs: 20, retries: 0, keys: 1_000, leastRequests: 20, gets: 20 };

/** The names that `--only` accepts: those of redis-benchmark's own `-t`. */
const NAMES = COMPARED_TESTS.map(shortName);

const HELP = `Measures inmem server next to redis-server, over TLS, with redis-benchmark.

Usage: deno run -A bench/redis_comparison.ts [options]

  --only NAMES        the tests, separated by commas (default: all):
                      ${NAMES.join(" ")}
  --pipelines NUMBERS the pipelines, of ${PIPELINES.join(", ")} (default: all)
  --rounds NUMBER     the number of rounds; medians are printed (default: ${FULL.rounds})
  --quick             short runs, one round, few keys: the figures are not reliable
  --json              print the result as JSON
  --help              print this text
`;

interface Options {
  readonly tests: readonly ComparedTest[];
  readonly pipelines: readonly number[];
  readonly rounds: number;
  readonly runMs: number;
  readonly retries: number;
  readonly keys: number;
  readonly leastRequests: number;
  readonly gets: number;
}

function readOptions(words: ScriptWords): Options {
  const names = words.some("only", NAMES);
  const pipelines = words.some("pipelines", PIPELINES.map(String)).map(Number);
  const tests = COMPARED_TESTS.filter((test) => names.includes(shortName(test)));
  if (!tests.some(({ asked }) => pipelines.some((pipeline) => asked.has(pipeline)))) {
    throw new UsageError(`Cannot measure ${names.join(", ")}: expected another of --pipelines`);
  }
  const size = words.has("quick") ? QUICK : FULL;
  const rounds = words.number("rounds", size.rounds, { min: 1, max: 100, integer: true });
  return { ...size, tests, pipelines, rounds };
}

function shortName({ tests }: ComparedTest): string {
  return tests.split(",").at(-1)!;
}

/** Starts the servers, with certificates in a temporary folder, and compares them. Everything is removed afterwards. */
async function measure(options: Options, signal: AbortSignal): Promise<RedisComparison> {
  const redis = await comparedRedis();
  const machine = describeMachine();
  const before = Deno.loadavg()[0]!;
  const { launcher, description: cores } = await divideCores();
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "inmem-comparison-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const { paths: certificates } = await makeCertificates(join(folder, "certs"), []);
  const started = {
    inmem: stack.use(await InmemServer.start(certificates, launcher)),
    redis: stack.use(await RedisServer.start(folder, signal, { certificates, launcher })),
    ceiling: stack.use(await CeilingServer.start(certificates, launcher)),
  };
  const { runMs, retries, keys, leastRequests, rounds, gets } = options;
  const settings = { authority: certificates.authority, runMs, retries, keys, leastRequests, signal };
  const servers = {
    inmem: stack.use(await ComparedServer.of("inmem", started.inmem, settings)),
    redis: stack.use(await ComparedServer.of("redis", started.redis, settings)),
    ceiling: stack.use(await ComparedServer.of("ceiling", started.ceiling, settings)),
  };
  const oneWrite = await compareOneWrite(servers);
  const rows = await compareThroughput(servers, options);
  const latency = await compareLatency(servers, rounds, gets);
  return {
    machine,
    cores,
    loadAverages: [before, Deno.loadavg()[0]!],
    inmem: await inmemVersion(),
    redis,
    connections: CONNECTIONS_COUNT,
    valueBytes: VALUE_BYTES,
    keys,
    rounds,
    command: commandOf(keys),
    rows,
    latency,
    oneWrite,
  };
}

const SCRIPT: Script<Options, RedisComparison> = {
  help: HELP,
  values: ["only", "pipelines", "rounds"],
  flags: ["quick"],
  read: readOptions,
  measure,
  format: formatComparison,
};

if (import.meta.main) Deno.exitCode = await runScript(SCRIPT, Deno.args);
