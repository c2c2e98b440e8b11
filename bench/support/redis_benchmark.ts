/**
 * `redis-benchmark`, the load generator that comes with redis-server, run against a server that speaks TLS.
 *
 * @module
 */

import { redisVersion } from "./redis_server.ts";

/** What is asked of it once. */
export interface BenchmarkRun {
  /** The port on loopback. */
  readonly port: number;
  /** The file of the authority to trust. */
  readonly authority: string;
  readonly connections: number;
  /** Numbers in keys and fields are chosen at random below this. */
  readonly keys: number;
  readonly valueBytes: number;
  readonly requests: number;
  readonly pipeline: number;
  /** Of its tests, separated by commas; the last one is told. */
  readonly tests: string;
}

/** Whether there is one on PATH. */
export async function hasRedisBenchmark(): Promise<boolean> {
  try {
    await new Deno.Command("redis-benchmark", { args: ["--version"], stdout: "null", stderr: "null" }).output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Its command line; what is not given stays a name in capitals, for people. */
export function benchmarkCommand(run: Partial<BenchmarkRun>): readonly string[] {
  const { port = "PORT", authority = "FILE", requests = "NUMBER", pipeline = "PIPELINE", tests = "TEST" } = run;
  const { connections = "NUMBER", keys = "NUMBER", valueBytes = "NUMBER" } = run;
  const security = ["--tls", "--cacert", authority];
  const load = ["-c", connections, "-r", keys, "-d", valueBytes, "-n", requests, "-P", pipeline, "-t", tests];
  return ["redis-benchmark", ...security, "-p", port, ...load, "--csv"].map(String);
}

/**
 * Runs it.
 *
 * @returns requests a second of the last test
 * @throws {Error} with what it says, when it fails
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
 * Reads the last line of what it prints: `"SET","87796.30","0.299",…`, below headings of the same form.
 *
 * @returns its second cell; `undefined` when that is no positive number
 */
export function lastRequestsPerSecond(csv: string): number | undefined {
  const line = csv.trimEnd().split("\n").at(-1)!;
  const requestsPerSecond = Number(/^"[^"]*","([^"]*)"/.exec(line)?.[1]);
  return requestsPerSecond > 0 && Number.isFinite(requestsPerSecond) ? requestsPerSecond : undefined;
}

/**
 * The version of the redis-server that is compared with, by redis-benchmark.
 *
 * @throws {Error} when either is not on PATH
 */
export async function comparedRedis(): Promise<string> {
  const version = await redisVersion();
  if (version === undefined) throw new Error("Cannot compare: there is no redis-server on PATH");
  if (!await hasRedisBenchmark()) throw new Error("Cannot compare: there is no redis-benchmark on PATH");
  return version;
}
