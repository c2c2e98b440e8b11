/**
 * The rounds of the comparison with redis-server.
 *
 * @module
 */

import { atLeast, atMost, median } from "./bound_row.ts";
import type { ComparedServer } from "./compared_server.ts";
import { CEILING_ASKED, CEILING_PIPELINE, type ComparedTest } from "./redis_benchmark.ts";
import {
  compare,
  type ComparisonRow,
  type OneWrite,
  type Run,
  type Side,
  type ValueLatency,
} from "./comparison_report.ts";
import { encodeCommands } from "./resp_connection.ts";

const LARGE_VALUE_BYTES = 100_000;
const LARGE_VALUE_ASKED = 1.5;
/** The number of round trips before the timed ones. */
const UNTIMED_COUNT = 100;
const ONE_WRITE_COUNT = 10_000;

/** The servers, all of which run all the time. One works and the others wait. */
export interface ComparedServers {
  readonly inmem: ComparedServer;
  readonly redis: ComparedServer;
  readonly ceiling: ComparedServer;
}

/** The tests of `COMPARED_TESTS` that are run, and the number of rounds. */
export interface ComparisonPlan {
  readonly tests: readonly ComparedTest[];
  readonly pipelines: readonly number[];
  readonly rounds: number;
}

/** A row in progress. */
interface Case {
  readonly test: ComparedTest;
  readonly pipeline: number;
  readonly runs: ReadonlyMap<ComparedServer, Run[]>;
}

/**
 * Runs all tests in rounds, each against one server right after the other, in an order that changes with each round.
 */
export async function compareThroughput(
  servers: ComparedServers,
  { tests, pipelines, rounds }: ComparisonPlan,
): Promise<ComparisonRow[]> {
  const { inmem, redis, ceiling } = servers;
  const cases = tests.flatMap((test) =>
    pipelines.filter((pipeline) => test.asked.has(pipeline)).map((pipeline): Case => {
      const sides = test.hasCeiling ? [inmem, redis, ceiling] : [inmem, redis];
      return { test, pipeline, runs: new Map(sides.map((side) => [side, []])) };
    })
  );
  for (const { test, pipeline, runs } of cases) {
    for (const server of runs.keys()) await server.warmUp(test, pipeline);
  }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [inmem, redis, ceiling] : [redis, inmem, ceiling];
    for (const { test, pipeline, runs } of cases) {
      for (const server of order) runs.get(server)?.push(await server.run(test, pipeline));
    }
  }
  return cases.map((one) => makeRow(one, servers));
}

function makeRow({ test, pipeline, runs }: Case, servers: ComparedServers): ComparisonRow {
  const [inmem, redis, ceiling] = [servers.inmem, servers.redis, servers.ceiling].map((server) => runs.get(server));
  const asked = atLeast(test.asked.get(pipeline)!);
  const row = { test: test.name, pipeline, inmem: makeSide(inmem!), redis: makeSide(redis!) };
  const toRedis = compare(inmem!.map(rateOf), redis!.map(rateOf), asked);
  if (ceiling === undefined) return { ...row, toRedis };
  const ceilingAsked = pipeline === CEILING_PIPELINE ? atLeast(CEILING_ASKED) : undefined;
  const toCeiling = compare(inmem!.map(rateOf), ceiling.map(rateOf), ceilingAsked);
  return { ...row, ceiling: makeSide(ceiling), toRedis, toCeiling };
}

function makeSide(rounds: readonly Run[]): Side {
  return {
    requestsPerSecond: median(rounds.map(rateOf)),
    serverBusy: median(rounds.map((run) => run.serverBusy)),
    serverNs: median(rounds.map((run) => run.serverNs)),
    loadBusy: median(rounds.map((run) => run.loadBusy)),
    rounds,
  };
}

function rateOf({ requestsPerSecond }: Run): number {
  return requestsPerSecond;
}

/**
 * Reads a value of 100 kB from both servers alternately, and returns the p50 of a round trip on one connection.
 *
 * @param requests the number of requests to each server, in each round
 */
export async function compareLatency(
  { inmem, redis }: ComparedServers,
  rounds: number,
  requests: number,
): Promise<ValueLatency> {
  for (const { connection } of [inmem, redis]) {
    await connection.run([["SET", "large", "x".repeat(LARGE_VALUE_BYTES)]]);
  }
  const get = encodeCommands([["GET", "large"]]);
  const medians = { inmem: [] as number[], redis: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const timesMs = { inmem: [] as number[], redis: [] as number[] };
    for (let turn = -UNTIMED_COUNT; turn < requests; turn++) {
      for (const name of ["inmem", "redis"] as const) {
        const { connection } = { inmem, redis }[name];
        const begunMs = performance.now();
        const length = await connection.skipValue(get);
        if (turn >= 0) timesMs[name].push(performance.now() - begunMs);
        if (length !== LARGE_VALUE_BYTES) throw new Error(`Cannot read a value: ${name} says it has ${length} bytes`);
      }
    }
    medians.inmem.push(median(timesMs.inmem));
    medians.redis.push(median(timesMs.redis));
  }
  for (const { connection } of [inmem, redis]) await connection.run([["DEL", "large"]]);
  return {
    valueBytes: LARGE_VALUE_BYTES,
    requests,
    inmemMs: median(medians.inmem),
    redisMs: median(medians.redis),
    toRedis: compare(medians.inmem, medians.redis, atMost(LARGE_VALUE_ASKED)),
  };
}

/** Sends 10,000 commands in one write to both servers. */
export async function compareOneWrite({ inmem, redis }: ComparedServers): Promise<OneWrite> {
  return {
    commands: ONE_WRITE_COUNT,
    inmemAnswered: await countReplies(inmem),
    redisAnswered: await countReplies(redis),
  };
}

/** Counts correct replies: a counter shows whether each command was executed once, and in order. */
async function countReplies({ connection }: ComparedServer): Promise<number> {
  await connection.run([["DEL", "count"]]);
  const replies = await connection.run(Array.from({ length: ONE_WRITE_COUNT }, () => ["INCR", "count"]));
  await connection.run([["DEL", "count"]]);
  return replies.filter((reply, index) => reply === `:${index + 1}`).length;
}
