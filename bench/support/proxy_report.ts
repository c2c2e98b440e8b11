/**
 * What the measurement of the proxy has shown: for programs as JSON, for people as text.
 *
 * @module
 */

import { formatTable } from "../../src/role/text_table.ts";
import type { Part } from "./arrangements.ts";
import { formatCount } from "./bound_row.ts";
import type { Ratio } from "./comparison_report.ts";
import { VALUE_BYTES } from "./load_requests.ts";
import type { ProxyRow } from "./proxy_comparison.ts";

/** One comparison. */
export interface ProxySection {
  readonly title: string;
  readonly rows: readonly ProxyRow[];
}

/** What `--json` prints. */
export interface ProxyReport {
  readonly machine: string;
  /** Who runs on which core. */
  readonly cores: string;
  /** Processes that were ready to run, over the minute before the first round and the minute before the end. */
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
  "requests a second",
  "ratio",
  "asked",
  "met",
  "a core's ratio",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "proxy ns",
  "servers ns",
  "load ns",
];

/** The report as text. */
export function formatProxyReport(report: ProxyReport): string {
  const { sections, connections, keys, rounds, runMs, inmem, cores, machine } = report;
  const tables = sections.map(({ title, rows }) => `${title}\n\n${formatTable([HEADINGS, ...rows.map(formatRow)])}`);
  const [before, after] = report.loadAverages.map((load) => load.toFixed(2));
  return `${tables.join("\n\n")}

medians of ${rounds} rounds of ${runMs} ms, ratios to the first of each group, from the same round; ns are processor time of
a request, % the share of a core; a core's ratio is how much a core of the proxy can do next to a core of the first
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
