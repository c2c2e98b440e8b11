/**
 * The rounds that compare paths with and without a proxy.
 *
 * @module
 */

import { formatTable } from "../../src/role/text_table.ts";
import { type Bound, formatCount, median } from "./bound_row.ts";
import { compare, type Ratio } from "./comparison_report.ts";
import type { Part } from "./cores.ts";
import { type LoadCommand, VALUE_BYTES } from "./load_requests.ts";
import type { LoadedSide, SideRun } from "./loaded_side.ts";

/** The duration of a run before the first counted one, as a share of a counted run. Code is compiled then. */
const WARM_UP_SHARE = 0.5;

/** The commands and pipelines to run, and the number of rounds. */
export interface ProxyPlan {
  readonly commands: readonly LoadCommand[];
  readonly pipelines: readonly number[];
  readonly rounds: number;
  readonly runMs: number;
  /** The required ratio for each pipeline. */
  readonly asked?: ReadonlyMap<number, Bound>;
}

/** The results of one side with one command at one pipeline: medians of the rounds. */
export interface ProxyRow {
  readonly command: LoadCommand;
  readonly pipeline: number;
  readonly side: string;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** The processor time of a request, in ns. */
  readonly ns: Readonly<Partial<Record<Part, number>>>;
  readonly rounds: readonly SideRun[];
  /** The requests per second of this side ÷ those of the first one; absent for the first side. */
  readonly ratio?: Ratio | undefined;
  /**
   * The requests that a core can handle in this side's proxy ÷ those in the first side's proxy, or in its servers if it
   * has none.
   */
  readonly coreRatio?: Ratio | undefined;
}

/** One command at one pipeline, in progress. */
interface Cell {
  readonly command: LoadCommand;
  readonly pipeline: number;
  readonly runs: ReadonlyMap<LoadedSide, SideRun[]>;
}

/** Runs everything against one side right after the other, in rounds that change the order of the sides. */
export async function compareSides(sides: readonly LoadedSide[], plan: ProxyPlan): Promise<ProxyRow[]> {
  const { commands, pipelines, rounds, runMs } = plan;
  const cells = commands.flatMap((command) =>
    pipelines.map((pipeline): Cell => ({ command, pipeline, runs: new Map(sides.map((side) => [side, []])) }))
  );
  for (const { command, pipeline } of cells) {
    for (const side of sides) await side.run({ command, pipeline, durationMs: runMs * WARM_UP_SHARE });
  }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? sides : sides.toReversed();
    for (const { command, pipeline, runs } of cells) {
      for (const side of order) runs.get(side)!.push(await side.run({ command, pipeline, durationMs: runMs }));
    }
  }
  return cells.flatMap((cell) => makeRows(cell, sides, plan.asked?.get(cell.pipeline)));
}

function makeRows({ command, pipeline, runs }: Cell, sides: readonly LoadedSide[], asked?: Bound): ProxyRow[] {
  const first = runs.get(sides[0]!)!;
  return sides.map((side, index) => {
    const rounds = runs.get(side)!;
    const middle = (of: (run: SideRun) => number) => median(rounds.map(of));
    const ns: Partial<Record<Part, number>> = {};
    for (const part of Object.keys(rounds[0]!.ns) as Part[]) ns[part] = middle((run) => run.ns[part]!);
    const rateOf = (run: SideRun) => run.requestsPerSecond;
    const row = {
      command,
      pipeline,
      side: side.name,
      requestsPerSecond: middle(rateOf),
      p50Ms: middle((run) => run.p50Ms),
      p99Ms: middle((run) => run.p99Ms),
      p999Ms: middle((run) => run.p999Ms),
      ns,
      rounds,
    };
    if (index === 0) return row;
    const ratio = compare(rounds.map(rateOf), first.map(rateOf), asked);
    return { ...row, ratio, coreRatio: compare(first.map(measuredNs), rounds.map(measuredNs)) };
  });
}

/** Returns the time of the measured part: the proxy, or the servers if there is none. */
function measuredNs({ ns }: SideRun): number {
  return ns.proxy ?? ns.servers!;
}

/** One comparison. */
export interface ProxySection {
  readonly title: string;
  readonly rows: readonly ProxyRow[];
}

/** The report, as `--json` prints it. */
export interface ProxyReport {
  readonly machine: string;
  /** The assignment of processes to cores. */
  readonly cores: string;
  /**
   * The number of processes that were ready to run, over the minute before the first round and the minute before the
   * end.
   */
  readonly loadAverages: readonly [before: number, after: number];
  readonly inmem: string;
  readonly connections: number;
  readonly keys: number;
  readonly rounds: number;
  readonly runMs: number;
  readonly sections: readonly ProxySection[];
}

const HEADINGS = [
  "",
  "requests per second",
  "ratio",
  "required",
  "met",
  "a core's ratio",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "proxy ns",
  "servers ns",
  "load ns",
];

/** Formats the report as text. */
export function formatProxyReport(report: ProxyReport): string {
  const { sections, connections, keys, rounds, runMs, inmem, cores, machine } = report;
  const tables = sections.map(({ title, rows }) => `${title}\n\n${formatTable([HEADINGS, ...rows.map(formatRow)])}`);
  const [before, after] = report.loadAverages.map((load) => load.toFixed(2));
  return `${tables.join("\n\n")}

medians of ${rounds} rounds of ${runMs} ms; ratios are to the first of each group, from the same round; ns are the processor
time of a request, % the share of a core; a core's ratio compares what a core can handle in the proxy and in the first
inmem ${inmem}, ${connections} connections, RESP, values of ${VALUE_BYTES} bytes, ${formatCount(keys)} keys at random
${cores}
${machine}; load average ${before} before, ${after} after`;
}

function formatRow(row: ProxyRow): string[] {
  const { command, pipeline, side, requestsPerSecond, p50Ms, p99Ms, p999Ms, ratio, coreRatio } = row;
  return [
    `${command}, pipeline ${pipeline}: ${side}`,
    formatCount(Math.round(requestsPerSecond)),
    ...formatRatio(ratio),
    coreRatio?.ratio.toFixed(2) ?? "",
    ...[p50Ms, p99Ms, p999Ms].map((ms) => ms.toFixed(2)),
    ...(["proxy", "servers", "load"] as const).map((part) => formatTime(row, part)),
  ];
}

function formatRatio(ratio: Ratio | undefined): string[] {
  const { asked, met } = ratio ?? {};
  return [
    ratio?.ratio.toFixed(2) ?? "",
    asked === undefined ? "" : `${asked.relation} ${asked.value}`,
    met === undefined ? "" : met ? "yes" : "NO",
  ];
}

function formatTime({ ns, requestsPerSecond }: ProxyRow, part: Part): string {
  const time = ns[part];
  if (time === undefined) return "";
  return `${formatCount(Math.round(time))} (${(time * requestsPerSecond / 1e7).toFixed(0).padStart(3)} %)`;
}
