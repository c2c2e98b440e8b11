/**
 * The results of the comparison with redis-server: as JSON for programs, as text for people.
 *
 * @module
 */

import { formatTable } from "../../src/role/text_table.ts";
import { type Bound, formatCount, median } from "./bound_row.ts";
import { benchmarkCommand, VALUE_BYTES } from "./redis_benchmark.ts";

export const CONNECTIONS_COUNT = 50;

/** The name of a measured server. The ceiling only counts commands. */
export type SideName = "inmem" | "redis" | "ceiling";

/** One run of redis-benchmark. */
export interface Run {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /**
   * The server's processor time ÷ the duration of the run, including start and end of redis-benchmark: 1 is a whole
   * core.
   */
  readonly serverBusy: number;
  /**
   * The server's processor time per request, in ns, including the commands that fill a list before. Other processes
   * affect it less.
   */
  readonly serverNs: number;
  /**
   * The processor time of redis-benchmark ÷ the duration of the run. Near 1, redis-benchmark limits the rate of any
   * server.
   */
  readonly loadBusy: number;
  /** The processor time of unrelated processes ÷ the duration of the run. They disturb the run. */
  readonly othersBusy: number;
}

/** The results of one server in a row. */
export interface Side {
  /** The medians of the rounds. */
  readonly requestsPerSecond: number;
  readonly serverBusy: number;
  readonly serverNs: number;
  readonly loadBusy: number;
  readonly rounds: readonly Run[];
}

/**
 * The ratio of two figures. Both come from the same round, one right after the other, so that other work on the machine
 * cancels out. It is the median over the rounds, not the ratio of the medians.
 */
export interface Ratio {
  readonly ratio: number;
  readonly rounds: readonly number[];
  /** The required ratio, such as `≥ 1.6`; absent if the ratio is for information. */
  readonly asked?: Bound | undefined;
  readonly met?: boolean | undefined;
}

/** One test at one pipeline. */
export interface ComparisonRow {
  readonly test: string;
  readonly pipeline: number;
  readonly inmem: Side;
  readonly redis: Side;
  readonly ceiling?: Side | undefined;
  /** The ratio inmem ÷ redis. */
  readonly toRedis: Ratio;
  /** The ratio inmem ÷ ceiling. */
  readonly toCeiling?: Ratio | undefined;
}

/** The latency of reading one large value after another on one connection. */
export interface ValueLatency {
  readonly valueBytes: number;
  /** The number of requests to each server, in each round. */
  readonly requests: number;
  /** The p50 of a round trip: the median of the rounds, in ms. */
  readonly inmemMs: number;
  readonly redisMs: number;
  readonly toRedis: Ratio;
}

/** The number of correct replies to commands that were sent in one write. */
export interface OneWrite {
  readonly commands: number;
  readonly inmemAnswered: number;
  readonly redisAnswered: number;
}

/** The report, as `--json` prints it. */
export interface RedisComparison {
  readonly machine: string;
  readonly cores: string;
  /**
   * The number of processes that were ready to run, over the minute before the first round and the minute before the
   * end.
   */
  readonly loadAverages: readonly [before: number, after: number];
  readonly inmem: string;
  readonly redis: string;
  readonly connections: number;
  readonly valueBytes: number;
  readonly keys: number;
  readonly rounds: number;
  readonly command: string;
  readonly rows: readonly ComparisonRow[];
  readonly latency: ValueLatency;
  readonly oneWrite: OneWrite;
}

/** Returns the command line of every run with that number of keys, with names for the parts that differ. */
export function commandOf(keys: number): string {
  return benchmarkCommand({ connections: CONNECTIONS_COUNT, keys, valueBytes: VALUE_BYTES }).join(" ");
}

/** Compares the figures of two servers, round by round. */
export function compare(numerators: readonly number[], denominators: readonly number[], asked?: Bound): Ratio {
  const rounds = numerators.map((numerator, round) => numerator / denominators[round]!);
  const ratio = median(rounds);
  if (asked === undefined) return { ratio, rounds };
  return { ratio, rounds, asked, met: asked.relation === "≥" ? ratio >= asked.value : ratio <= asked.value };
}

/** Formats the report as text. */
export function formatComparison(report: RedisComparison): string {
  const { rows, latency, oneWrite } = report;
  const ratios = [...rows.flatMap(({ toRedis, toCeiling }) => [toRedis, toCeiling]), latency.toRedis];
  const judged = ratios.filter((ratio) => ratio?.met !== undefined);
  const met = judged.filter((ratio) => ratio?.met).length;
  const requests = rows.flatMap(({ inmem, redis }) => [inmem, redis]).flatMap(({ rounds }) =>
    rounds.map((run) => run.requests)
  );
  const { inmemMs, redisMs, toRedis } = latency;
  const inMs = (ms: number) => `${ms.toFixed(3)} ms`;
  const [before, after] = report.loadAverages.map((load) => load.toFixed(2));
  return `${formatRows(rows)}

GET of ${formatCount(latency.valueBytes)} bytes, one at a time, ${formatCount(latency.requests)} times, p50: inmem ${
    inMs(inmemMs)
  }, redis ${inMs(redisMs)}, inmem ÷ redis ${toRedis.ratio.toFixed(2)} (required ${formatBound(toRedis)}: ${
    formatMet(toRedis)
  })
${formatCount(oneWrite.commands)} commands in one write: inmem has replied to ${
    formatCount(oneWrite.inmemAnswered)
  }, redis ${formatCount(oneWrite.redisAnswered)}

${met} of ${judged.length} ratios met; requests per second and ratios are medians of ${report.rounds} rounds; % is the server's share of a core
inmem ${report.inmem}, redis-server ${report.redis}, TLS 1.3, ${report.connections} connections, values of ${report.valueBytes} bytes, ${
    formatCount(report.keys)
  } keys,
${formatCount(Math.min(...requests))} to ${formatCount(Math.max(...requests))} requests a run
${report.command}
${report.machine}; ${report.cores}; load average ${before} before, ${after} after`;
}

function formatRows(rows: readonly ComparisonRow[]): string {
  const headings = [
    "inmem",
    "",
    "redis",
    "",
    "inmem ÷ redis",
    "required",
    "met",
    "ceiling",
    "",
    "inmem ÷ ceiling",
    "required",
  ];
  return formatTable([
    ["requests per second", "pipeline", ...headings, "met"],
    ...rows.map(({ test, pipeline, inmem, redis, ceiling, toRedis, toCeiling }) => [
      test,
      String(pipeline),
      ...formatSide(inmem),
      ...formatSide(redis),
      ...formatRatio(toRedis),
      ...formatSide(ceiling),
      ...formatRatio(toCeiling),
    ]),
  ]);
}

function formatSide(side: Side | undefined): string[] {
  if (side === undefined) return ["", ""];
  return [formatCount(Math.round(side.requestsPerSecond)), `${(side.serverBusy * 100).toFixed(0)} %`];
}

function formatRatio(ratio: Ratio | undefined): string[] {
  if (ratio === undefined) return ["", "", ""];
  return [ratio.ratio.toFixed(2), formatBound(ratio), formatMet(ratio)];
}

function formatBound({ asked }: Ratio): string {
  return asked === undefined ? "" : `${asked.relation} ${asked.value.toFixed(1)}`;
}

function formatMet({ met }: Ratio): string {
  return met === undefined ? "" : met ? "yes" : "NO";
}
