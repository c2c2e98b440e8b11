/**
 * The program of load_generator.ts: it does what the lines of its input say.
 *
 * @module
 */

import { messageOf } from "../../src/errors.ts";
import { Latencies } from "../../src/route/latencies.ts";
import { LoadConnection } from "./load_connection.ts";
import type { LoadAnswer, LoadJob, LoadResult, LoadRun, LoadTarget } from "./load_generator.ts";
import { type LoadCommand, LoadRequests } from "./load_requests.ts";
import { readJsonLines } from "./peer.ts";

/** Requests that are sent at once when keys are set first. */
const FILL_COUNT = 50;
/** A run whose replies have not come so long after its end has failed. */
const PATIENCE_MS = 10_000;

/** The requests for one server, and the connections to it. */
interface Group {
  readonly requests: Readonly<Record<LoadCommand, LoadRequests>>;
  readonly connections: readonly LoadConnection[];
}

async function openGroups(targets: readonly LoadTarget[], connections: number): Promise<Group[]> {
  return await Promise.all(targets.map(async ({ endpoint, keys }, index) => {
    const count = Math.floor((connections + targets.length - 1 - index) / targets.length);
    return {
      requests: { GET: new LoadRequests("GET", keys), SET: new LoadRequests("SET", keys) },
      connections: await Promise.all(Array.from({ length: count }, () => LoadConnection.connect(endpoint))),
    };
  }));
}

async function fill(groups: readonly Group[]): Promise<void> {
  await Promise.all(groups.map(async ({ requests: { SET }, connections: [connection] }) => {
    for (let first = 0; first < SET.count; first += FILL_COUNT) {
      await connection!.exchange(SET, first, Math.min(FILL_COUNT, SET.count - first));
    }
  }));
}

async function run(groups: readonly Group[], { command, pipeline, durationMs }: LoadRun): Promise<LoadResult> {
  const begunMs = performance.now();
  const latencies = new Latencies(Infinity, begunMs);
  const all = groups.flatMap(({ requests, connections }) => {
    return connections.map((connection) => {
      const first = Math.floor(Math.random() * requests[command].count);
      return connection.run(requests[command], first, pipeline, begunMs + durationMs, latencies);
    });
  });
  const counts = await within(durationMs + PATIENCE_MS, Promise.all(all));
  const requests = counts.reduce((sum, count) => sum + count, 0);
  return {
    requests,
    requestsPerSecond: requests / (performance.now() - begunMs) * 1000,
    p50Ms: latencies.quantile(0.5)!,
    p99Ms: latencies.quantile(0.99)!,
    p999Ms: latencies.quantile(0.999)!,
  };
}

async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Cannot measure: replies have not come`)), timeoutMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function work(sides: Map<string, readonly Group[]>, job: LoadJob): Promise<LoadAnswer> {
  if (job.kind === "open") {
    sides.set(job.name, await openGroups(job.targets, job.connections));
    return {};
  }
  const groups = sides.get(job.name)!;
  if (job.kind === "run") return { result: await run(groups, job.run) };
  await fill(groups);
  return {};
}

async function main(): Promise<void> {
  const sides = new Map<string, readonly Group[]>();
  for await (const job of readJsonLines(Deno.stdin.readable)) {
    let answer: LoadAnswer;
    try {
      answer = await work(sides, job as LoadJob);
    } catch (error) {
      answer = { problem: messageOf(error) };
    }
    console.log(JSON.stringify(answer));
  }
  for (const { connections } of [...sides.values()].flat()) for (const connection of connections) connection.close();
}

if (import.meta.main) await main();
