/**
 * Prints what a benchmark has measured: a table, lines of JSON, or CSV.
 *
 * ```text
 *                                         latency in ms                        busy
 * test      requests/s     p50      p90      p99    p99.9      max     bench  server
 * set          812,345   0.081    0.110    0.190    0.413    1.532      98 %    99 %
 * ```
 *
 * With two servers each test has two rows, and a third one with the ratio of the first to the second.
 *
 * @module
 */

import { formatCount } from "../../terminal/progress.ts";
import type { Measurement } from "./side.ts";

/** How the figures are printed. */
export type ReportFormat = "table" | "json" | "csv";

/** The figures of one test on one server. */
export interface Figures extends Measurement {
  readonly test: string;
  readonly address: string;
}

const COLUMNS = ["requests/s", "p50", "p90", "p99", "p99.9", "max", "bench", "server"];
const WIDTHS = [12, 8, 8, 8, 8, 8, 8, 8];
const NAME_WIDTH = 12;

/** Returns the lines before the first test. `addresses` has one or two. */
export function headLines(format: ReportFormat, addresses: readonly string[], settings: string): string[] {
  if (format === "json") return [];
  if (format === "csv") return [CSV_NAMES.join(",")];
  const servers = addresses.length === 1 ? addresses[0]! : `1: ${addresses[0]}, 2: ${addresses[1]}`;
  return [servers, settings, "", aboveLine(), row("test", COLUMNS)];
}

/** Returns the lines of a test. `figures` are those of one or two servers. */
export function testLines(format: ReportFormat, figures: readonly Figures[]): string[] {
  const [first, second] = figures;
  if (format === "json") {
    const ratio = second === undefined ? undefined : first!.requestsPerSecond / second.requestsPerSecond;
    return figures.map((each, i) => JSON.stringify(i === 0 ? { ...jsonOf(each), ratio } : jsonOf(each)));
  }
  if (format === "csv") return figures.map((each) => CSV_NAMES.map((name) => csvOf(jsonOf(each)[name])).join(","));
  if (second === undefined) return [row(first!.test, cells(first!))];
  const ratios = [
    ratio(first!.requestsPerSecond, second.requestsPerSecond),
    ...LATENCIES.map((name) => ratio(first![name], second[name])),
  ];
  return [row(`${first!.test} 1`, cells(first!)), row(`${first!.test} 2`, cells(second)), row("  1 ÷ 2", ratios)];
}

/** Returns which side of a run is the bottleneck, as a sentence; empty when it is unknown. */
export function limitOf({ clientBusy, serverBusy }: Measurement): string {
  if (clientBusy >= BUSY_SHARE) {
    return serverBusy !== undefined && serverBusy >= BUSY_SHARE
      ? "Both the server and this program use a whole processor."
      : "This program uses a whole processor: the server could do more.";
  }
  if (serverBusy === undefined) return "";
  return serverBusy >= BUSY_SHARE
    ? "The server uses a whole processor: it is the limit."
    : "Neither side uses a whole processor: more --clients or a larger --pipeline would do more.";
}

/** The share of the time from which a side counts as busy. */
const BUSY_SHARE = 0.9;

const LATENCIES = ["p50Ms", "p90Ms", "p99Ms", "p999Ms", "maxMs"] as const;

const CSV_NAMES = [
  "test",
  "address",
  "requests",
  "seconds",
  "requestsPerSecond",
  "p50Ms",
  "p90Ms",
  "p99Ms",
  "p999Ms",
  "maxMs",
  "clientBusy",
  "serverBusy",
] as const;

function jsonOf(figures: Figures): Record<(typeof CSV_NAMES)[number], string | number | null> {
  const { test, address, requests } = figures;
  return {
    test,
    address,
    requests,
    seconds: rounded(figures.seconds),
    requestsPerSecond: Math.round(figures.requestsPerSecond),
    p50Ms: rounded(figures.p50Ms),
    p90Ms: rounded(figures.p90Ms),
    p99Ms: rounded(figures.p99Ms),
    p999Ms: rounded(figures.p999Ms),
    maxMs: rounded(figures.maxMs),
    clientBusy: rounded(figures.clientBusy),
    serverBusy: figures.serverBusy === undefined ? null : rounded(figures.serverBusy),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function csvOf(value: string | number | null): string {
  if (value === null) return "";
  const text = String(value);
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function cells(figures: Figures): string[] {
  return [
    formatCount(figures.requestsPerSecond),
    ...LATENCIES.map((name) => figures[name].toFixed(3)),
    percent(figures.clientBusy),
    figures.serverBusy === undefined ? "?" : percent(figures.serverBusy),
  ];
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function ratio(first: number, second: number): string {
  return second === 0 ? "?" : (first / second).toFixed(2);
}

function row(name: string, values: readonly string[]): string {
  return name.padEnd(NAME_WIDTH) + values.map((value, i) => value.padStart(WIDTHS[i]!)).join("");
}

/** Returns the line above the names of the columns. */
function aboveLine(): string {
  return row("", ["", "", "", "ms", "", "", "busy"]);
}
