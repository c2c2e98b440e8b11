/**
 * `redis-benchmark`, the load generator that comes with redis-server, run against a server that speaks TLS; and the
 * tests that are compared, with the required ratio of inmem to redis-server in each.
 *
 * @module
 */

import { redisVersion } from "./redis_server.ts";

/** The settings of one run. */
export interface BenchmarkRun {
  /** The port on loopback. */
  readonly port: number;
  /** The file of the authority to trust. */
  readonly authority: string;
  readonly connections: number;
  /** Numbers in keys and fields are random below this. */
  readonly keys: number;
  readonly valueBytes: number;
  readonly requests: number;
  readonly pipeline: number;
  /** The tests, separated by commas; the last one is reported. */
  readonly tests: string;
}

/** Returns whether redis-benchmark is on PATH. */
export async function hasRedisBenchmark(): Promise<boolean> {
  try {
    await new Deno.Command("redis-benchmark", { args: ["--version"], stdout: "null", stderr: "null" }).output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Returns its command line. Missing settings are shown to people as names in capitals. */
export function benchmarkCommand(run: Partial<BenchmarkRun>): readonly string[] {
  const { port = "PORT", authority = "FILE", requests = "NUMBER", pipeline = "PIPELINE", tests = "TEST" } = run;
  const { connections = "NUMBER", keys = "NUMBER", valueBytes = "NUMBER" } = run;
  const security = ["--tls", "--cacert", authority];
  const load = ["-c", connections, "-r", keys, "-d", valueBytes, "-n", requests, "-P", pipeline, "-t", tests];
  return ["redis-benchmark", ...security, "-p", port, ...load, "--csv"].map(String);
}

/**
 * Runs redis-benchmark.
 *
 * @returns requests per second of the last test
 * @throws {Error} with its output, when it fails
 */
export async function runBenchmark(run: BenchmarkRun, signal: AbortSignal): Promise<number> {
  const [program, ...args] = benchmarkCommand(run);
  const { success, stdout, stderr } = await new Deno.Command(program!, { args, stdin: "null", signal }).output();
  signal.throwIfAborted();
  const [text, complaint] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
  const found = success ? lastRequestsPerSecond(text) : undefined;
  if (found === undefined) throw new Error(`Cannot run redis-benchmark -t ${run.tests}: ${complaint || text}`);
  return found;
}

/**
 * Parses the last line of its output: `"SET","87796.30","0.299",…`, below headings of the same form.
 *
 * @returns its second cell; `undefined` when that is not a positive number
 */
export function lastRequestsPerSecond(csv: string): number | undefined {
  const line = csv.trimEnd().split("\n").at(-1)!;
  const requestsPerSecond = Number(/^"[^"]*","([^"]*)"/.exec(line)?.[1]);
  return requestsPerSecond > 0 && Number.isFinite(requestsPerSecond) ? requestsPerSecond : undefined;
}

/**
 * Returns the version of the compared redis-server, by redis-benchmark.
 *
 * @throws {Error} when either is not on PATH
 */
export async function comparedRedis(): Promise<string> {
  const version = await redisVersion();
  if (version === undefined) throw new Error("Cannot compare: there is no redis-server on PATH");
  if (!await hasRedisBenchmark()) throw new Error("Cannot compare: there is no redis-benchmark on PATH");
  return version;
}

/** The numbers of commands that a client sends before it reads. */
export const PIPELINES = [1, 16, 64] as const;
/** The pipeline at which inmem is compared with the runtime's ceiling. */
export const CEILING_PIPELINE = 64;
/** The required share of the ceiling. */
export const CEILING_ASKED = 0.7;

/** Keys below this number are used at random, except in a trial run. */
export const KEYS_COUNT = 100_000;
export const VALUE_BYTES = 32;

/** The data of a server when a test begins. */
export type Dataset = "strings" | "counters" | "fields" | "nothing";

/** One compared test. */
export interface ComparedTest {
  /** The name for people. */
  readonly name: string;
  /** The tests that redis-benchmark runs for it, the test itself last: `LPOP` needs a list. */
  readonly tests: string;
  readonly dataset: Dataset;
  /** The required ratio of requests per second, inmem ÷ redis, at each pipeline. */
  readonly asked: ReadonlyMap<number, number>;
  /** Whether a reply is as short as the ceiling program's. */
  readonly hasCeiling: boolean;
}

/** The settings of commands on one value of 32 bytes. */
const SHORT = { asked: new Map([[1, 1.0], [16, 1.6], [64, 2.2]]), hasCeiling: true };
/** The settings of commands on many values. */
const LONG = { asked: new Map([[16, 1.3]]), hasCeiling: false };

/** All tests, in the order in which they are run and printed. */
export const COMPARED_TESTS: readonly ComparedTest[] = [
  { name: "SET", tests: "set", dataset: "strings", ...SHORT },
  { name: "GET", tests: "get", dataset: "strings", ...SHORT },
  { name: "INCR", tests: "incr", dataset: "counters", ...SHORT },
  { name: "LPUSH", tests: "lpush", dataset: "nothing", ...SHORT },
  { name: "RPUSH", tests: "rpush", dataset: "nothing", ...SHORT },
  { name: "LPOP", tests: "lpush,lpop", dataset: "nothing", ...SHORT },
  { name: "HSET", tests: "hset", dataset: "fields", ...SHORT },
  // redis-benchmark fills the list itself.
  { name: "LRANGE_100", tests: "lrange_100", dataset: "nothing", ...LONG },
  { name: "MSET of 10 keys", tests: "mset", dataset: "strings", ...LONG },
];

/**
 * Yields the commands that create a dataset of `keysCount` keys or fields, with the names that redis-benchmark uses.
 */
export function* commandsOf(dataset: Dataset, keysCount: number): Generator<readonly string[]> {
  if (dataset === "nothing") return;
  const value = "x".repeat(VALUE_BYTES);
  for (let key = 0; key < keysCount; key++) {
    const number = String(key).padStart(12, "0");
    if (dataset === "strings") yield ["SET", `key:${number}`, value];
    else if (dataset === "counters") yield ["SET", `counter:${number}`, "0"];
    else yield ["HSET", "myhash", `element:${number}`, value];
  }
}
