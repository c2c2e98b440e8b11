/**
 * `inmem server` next to `redis-server`, both over TLS and without persistence, under the load of `redis-benchmark`.
 *
 * A third server stands beside them, the ceiling (support/ceiling_program.ts), which only counts commands: what this
 * runtime's input and output allow. Each has a process on one core, and the load generator has the other. Every test runs
 * against one right after the other, for as long a time each, in rounds that change their order. What is told of a ratio is
 * the median over the rounds: other work on the machine strikes both sides of it, and a run during which there is much of
 * it is repeated.
 *
 * The script measures and does not judge: it ends with 0 though a ratio is missed.
 *
 * ```sh
 * deno run -A bench/redis_comparison.ts --quick --only set,get --pipelines 16,64
 * ```
 *
 * Linux only. `INMEM_BIN=FILE` measures that binary instead of the sources.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { join } from "@std/path";
import { UsageError } from "../src/errors.ts";
import { makeCertificates } from "../src/role/certs.ts";
import { CeilingServer } from "./support/ceiling_server.ts";
import { parseChoice } from "./support/choice_option.ts";
import { ComparedServer } from "./support/compared_server.ts";
import { COMPARED_TESTS, type ComparedTest, KEYS_COUNT, PIPELINES, VALUE_BYTES } from "./support/compared_tests.ts";
import { compareLatency, compareOneWrite, compareThroughput } from "./support/comparison.ts";
import { commandOf, CONNECTIONS_COUNT, formatComparison, type RedisComparison } from "./support/comparison_report.ts";
import { InmemServer } from "./support/inmem_server.ts";
import { inmemVersion } from "./support/inmem_version.ts";
import { runInterruptibly } from "./support/interruptible.ts";
import { describeMachine } from "./support/machine.ts";
import { parseNumber, refuseUnknown } from "./support/number_option.ts";
import { divideCores } from "./support/processor_cores.ts";
import { comparedRedis } from "./support/redis_benchmark.ts";
import { RedisServer } from "./support/redis_server.ts";

/** How large runs are, how often one is repeated that others disturb, and how many times the large value is read. */
const FULL = { rounds: 5, runMs: 1_200, retries: 2, keys: KEYS_COUNT, leastRequests: 500, gets: 2_000 };
/** For trying the script out, and for its test. */
const QUICK = { rounds: 1, runMs: 20, retries: 0, keys: 1_000, leastRequests: 20, gets: 20 };

/** The names that `--only` takes: those of redis-benchmark's own `-t`. */
const NAMES = COMPARED_TESTS.map(shortName);

const HELP = `Measures inmem server next to redis-server, over TLS, by redis-benchmark.

Usage: deno run -A bench/redis_comparison.ts [options]

  --only NAMES        of tests, separated by commas; all of them unless given:
                      ${NAMES.join(" ")}
  --pipelines NUMBERS of ${PIPELINES.join(", ")}; all of them unless given
  --rounds NUMBER     how often everything is measured; medians are told (default: ${FULL.rounds})
  --quick             short runs, one round, few keys: no figures to rely on
  --json              the result as JSON
  --help              this text
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
  readonly json: boolean;
}

/** Reads the command line; `undefined` when it asks for help. */
function parseOptions(words: readonly string[]): Options | undefined {
  const args = parseArgs(words, {
    string: ["only", "pipelines", "rounds"],
    boolean: ["quick", "json", "help"],
    default: { only: NAMES.join(","), pipelines: PIPELINES.join(",") },
    unknown: refuseUnknown,
  });
  if (args.help) return undefined;
  const names = parseChoice("--only", args.only, NAMES);
  const pipelines = parseChoice("--pipelines", args.pipelines, PIPELINES.map(String)).map(Number);
  const tests = COMPARED_TESTS.filter((test) => names.includes(shortName(test)));
  if (!tests.some(({ asked }) => pipelines.some((pipeline) => asked.has(pipeline)))) {
    throw new UsageError(`Cannot measure ${names.join(", ")}: expected another of --pipelines`);
  }
  const size = args.quick ? QUICK : FULL;
  return {
    ...size,
    tests,
    pipelines,
    rounds: parseNumber("--rounds", args.rounds ?? String(size.rounds), { min: 1, max: 100, integer: true }),
    json: args.json,
  };
}

function shortName({ tests }: ComparedTest): string {
  return tests.split(",").at(-1)!;
}

/** Starts the servers, with certificates in a temporary folder, and compares. All is gone afterwards. */
async function measure(options: Options, redis: string, signal: AbortSignal): Promise<RedisComparison> {
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

/** Runs the script; answers its exit status. */
function main(words: readonly string[]): Promise<number> {
  return runInterruptibly(async (signal) => {
    const options = parseOptions(words);
    if (options === undefined) return console.log(HELP);
    const report = await measure(options, await comparedRedis(), signal);
    console.log(options.json ? JSON.stringify(report, null, 2) : formatComparison(report));
  });
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
