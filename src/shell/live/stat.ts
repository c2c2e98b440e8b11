/**
 * `--stat`: what a server, or all servers behind a proxy, do and hold, in one line for each interval.
 *
 * ```text
 *    time    keys   memory  clients  ops/s   hits  evicted/s  expired/s  in/s   out/s
 * 23:31:16  12345   12.5mb        3   1234   98 %          0          0  1.2mb  3.4mb
 * ```
 *
 * The rates are differences of the counters of `info`. A counter that became smaller, as after a restart, has begun
 * at 0. A lost connection is reported in the place of a line, and made again.
 *
 * @module
 */

import { decodeText } from "../../bytes.ts";
import type { Client } from "../../client/client.ts";
import { ConnectionError } from "../../errors.ts";
import { parseReport, type Report } from "../../metrics/joined.ts";
import { formatSize } from "../../role/quantities.ts";
import { printableLine } from "../../terminal/printable_text.ts";
import { toJson } from "../format.ts";
import { cutEnd } from "./columns.ts";
import { type Column, fittedTable } from "./fitted_table.ts";
import { type LiveView, type Pace, repeat } from "./live_view.ts";

/** The heading is repeated after this many lines on a terminal. */
const HEADING_LINES_COUNT = 20;

/** The sections of `info` that have the facts. */
const SECTIONS = ["clients", "memory", "stats", "keyspace"];

/** The state at a moment, and the rates since the one before; `null` means unknown. */
export interface Stat {
  readonly time: string;
  readonly keys: number;
  readonly usedMemory: number | null;
  readonly clients: number | null;
  readonly blockedClients: number | null;
  readonly opsPerSecond: number | null;
  /** The part of the keys looked for that were found, from 0 to 1. */
  readonly hitRatio: number | null;
  readonly evictedPerSecond: number | null;
  readonly expiredPerSecond: number | null;
  readonly inputBytesPerSecond: number | null;
  readonly outputBytesPerSecond: number | null;
}

/** A report, and when it came. */
interface Sample {
  readonly report: Report;
  readonly atMs: number;
}

/** Shows statistics until the view's tool shall end. Returns the number of lines. */
export async function showStat(client: Client, pace: Pace, view: LiveView): Promise<number> {
  let before: Sample | undefined;
  let shownCount = 0;
  await repeat(view, pace, async () => {
    let sample: Sample | undefined;
    try {
      const value = await view.orStopped(client.send(["info", ...SECTIONS]));
      if (value === undefined) return;
      const report = parseReport(value instanceof Uint8Array ? decodeText(value) : "");
      sample = { report, atMs: performance.now() };
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      showLoss(error, view);
      return;
    }
    const stat = statOf(sample, before);
    before = sample;
    if (view.format === "json") view.print(toJson(stat));
    else {view.print(
        ...linesOf(stat, view, shownCount % HEADING_LINES_COUNT === 0 && (view.isTerminal || shownCount === 0)),
      );}
    shownCount++;
  });
  return shownCount;
}

function showLoss({ message }: ConnectionError, view: LiveView): void {
  const time = new Date().toISOString();
  if (view.format === "json") return view.print(toJson({ time, error: message }));
  const line = cutEnd(`${time.slice(11, 19)}  ${printableLine(message)}`, view.size.columns);
  view.print(view.colours.paint("error", line));
}

/** Returns the state of a sample, with the rates since the one before. */
export function statOf({ report, atMs }: Sample, before: Sample | undefined): Stat {
  const number = (field: string) => numberOf(report, field);
  const difference = (field: string): number | null => {
    const now = number(field);
    const then = before === undefined ? null : numberOf(before.report, field);
    // A counter that is smaller than before belongs to another run of the server.
    return now === null || then === null ? null : now < then ? now : now - then;
  };
  const rate = (field: string): number | null => {
    const count = difference(field);
    return count === null || before === undefined
      ? null
      : Math.round(count * 10_000 / Math.max(1, atMs - before.atMs)) / 10;
  };
  const hits = difference("keyspace_hits");
  const misses = difference("keyspace_misses");
  return {
    time: new Date().toISOString(),
    keys: number("db0.keys") ?? 0,
    usedMemory: number("used_memory"),
    clients: number("connected_clients"),
    blockedClients: number("blocked_clients"),
    opsPerSecond: rate("total_commands_processed"),
    hitRatio: hits === null || misses === null || hits + misses === 0
      ? null
      : Math.round(hits * 10_000 / (hits + misses)) / 10_000,
    evictedPerSecond: rate("evicted_keys"),
    expiredPerSecond: rate("expired_keys"),
    inputBytesPerSecond: rate("total_net_input_bytes"),
    outputBytesPerSecond: rate("total_net_output_bytes"),
  };
}

function numberOf(report: Report, field: string): number | null {
  const text = report.get(field);
  return text === undefined || text === "" ? null : Number(text);
}

const count = (number: number) => `${Math.round(number)}`;
const size = (bytes: number) => bytes < 1024 ? `${Math.round(bytes)}b` : formatSize(bytes);

/** The columns, and how each shows a stat. */
const COLUMNS: readonly (Column & { readonly text: (stat: Stat) => string })[] = [
  { ...column("time", 8, 8), text: ({ time }) => time.slice(11, 19) },
  { ...column("keys", 9, 8), text: ({ keys }) => count(keys) },
  { ...column("memory", 7, 8), text: ({ usedMemory }) => show(usedMemory, size) },
  { ...column("clients", 5, 7), text: ({ clients }) => show(clients, count) },
  { ...column("blocked", 1, 7), text: ({ blockedClients }) => show(blockedClients, count) },
  { ...column("ops/s", 10, 7), text: ({ opsPerSecond }) => show(opsPerSecond, count) },
  { ...column("hits", 6, 6), text: ({ hitRatio }) => show(hitRatio, (ratio) => `${(ratio * 100).toFixed(0)} %`) },
  { ...column("evicted/s", 2, 9), text: ({ evictedPerSecond }) => show(evictedPerSecond, count) },
  { ...column("expired/s", 0, 9), text: ({ expiredPerSecond }) => show(expiredPerSecond, count) },
  { ...column("in/s", 3, 8), text: ({ inputBytesPerSecond }) => show(inputBytesPerSecond, size) },
  { ...column("out/s", 4, 8), text: ({ outputBytesPerSecond }) => show(outputBytesPerSecond, size) },
];

function column(heading: string, importance: number, least: number): Column {
  return { heading, importance, least, align: "right" };
}

function show(number: number | null, format: (number: number) => string): string {
  return number === null ? "-" : format(number);
}

/** Returns the line of a stat, after the heading if wanted. */
function linesOf(stat: Stat, { size: { columns }, colours }: LiveView, withHeading: boolean): string[] {
  const row = COLUMNS.map(({ text }) => ({ text: text(stat) }));
  return fittedTable(COLUMNS, [row], columns, colours).slice(withHeading ? 0 : 1);
}
