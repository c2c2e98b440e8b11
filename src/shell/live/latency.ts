/**
 * `--latency`: how long the replies to one command take, measured in the client.
 *
 * ```text
 * ping  127.0.0.1:9443  1234 replies  Ctrl-C ends
 *
 *   min   p50   p90   p99  p99.9   max
 *  0.05  0.09  0.12  0.31   1.20  4.02  ms
 *
 *  0.06 - 0.13 ms  1100  89.1 %  ##########################
 *  0.13 - 0.26 ms   120   9.7 %  ###
 * ```
 *
 * Each request is sent after the reply to the one before and a pause. On a terminal the figures are redrawn, and remain
 * when the tool ends. Elsewhere, and with `--latency-history`, there is a line for each interval, which forgets the
 * intervals before.
 *
 * @module
 */

import type { Client } from "../../client/client.ts";
import { LATENCY_PAUSE_MS } from "../../limits.ts";
import { Histogram } from "../../metrics/histogram.ts";
import { printableLine } from "../../terminal/printable_text.ts";
import { toJson } from "../format.ts";
import { cutEnd } from "./columns.ts";
import { type Column, fittedTable } from "./fitted_table.ts";
import type { LiveView, Pace } from "./live_view.ts";

/** How often the figures are redrawn, in ms. */
const REDRAW_INTERVAL_MS = 250;
const BAR_MAX_COLUMNS = 40;

/** How to measure. */
export interface LatencyOptions extends Pace {
  /** The command; `ping` if there are no words. */
  readonly words: readonly string[];
  /** Whether each interval has a line, also on a terminal. */
  readonly isHistory: boolean;
}

/** The durations of some replies, in ms. */
export class Latencies {
  readonly #histogram = new Histogram();
  #leastMs = Infinity;
  #mostMs = 0;

  /** Counts a duration. */
  add(durationMs: number): void {
    this.#histogram.add(durationMs);
    this.#leastMs = Math.min(this.#leastMs, durationMs);
    this.#mostMs = Math.max(this.#mostMs, durationMs);
  }

  /** The number of durations. */
  get total(): number {
    return this.#histogram.total;
  }

  /** The figures by their names; `null` where nothing was measured. */
  get figures(): Record<"min" | "p50" | "p90" | "p99" | "p99.9" | "max", number | null> {
    const isEmpty = this.total === 0;
    // A quantile is the middle of a bucket, which may be outside of what was measured.
    const quantile = (fraction: number) => {
      const durationMs = this.#histogram.quantile(fraction);
      return durationMs === undefined ? null : Math.min(this.#mostMs, Math.max(this.#leastMs, durationMs));
    };
    return {
      min: isEmpty ? null : this.#leastMs,
      p50: quantile(0.5),
      p90: quantile(0.9),
      p99: quantile(0.99),
      "p99.9": quantile(0.999),
      max: isEmpty ? null : this.#mostMs,
    };
  }

  /** Returns the ranges that have durations, each twice as wide as the one before, from the least to the most. */
  ranges(): { fromMs: number; toMs: number; count: number }[] {
    const ranges: { fromMs: number; toMs: number; count: number }[] = [];
    if (this.total === 0) return ranges;
    // The bounds of the buckets are powers of two of a microsecond.
    let toMs = 2 ** Math.floor(Math.log2(this.#leastMs * 1000)) / 1000;
    for (let counted = this.#histogram.countUpTo(toMs); counted < this.total;) {
      const fromMs = toMs;
      toMs = fromMs > 1_000_000 ? Infinity : fromMs * 2;
      const upTo = this.#histogram.countUpTo(toMs);
      ranges.push({ fromMs, toMs, count: upTo - counted });
      counted = upTo;
    }
    return ranges;
  }
}

/**
 * Measures until the view's tool shall end or the duration is over.
 *
 * @throws {ReplyError} when the command is refused, since a refusal takes no time of the command's
 * @throws {ConnectionError} when the connection is lost; the figures until then remain
 */
export async function showLatency(client: Client, options: LatencyOptions, view: LiveView): Promise<void> {
  const words = options.words.length === 0 ? ["ping"] : options.words;
  const isDrawn = view.isRedrawn && view.format === "human" && !options.isHistory;
  const endMs = performance.now() + (options.durationMs ?? Infinity);
  const stepMs = isDrawn ? REDRAW_INTERVAL_MS : options.intervalMs;
  let latencies = new Latencies();
  let reportMs = performance.now() + stepMs;
  let linesCount = 0;
  const report = (isEnd: boolean) => {
    if (isDrawn) view.frames.show(frameOf(latencies, `${words.join(" ")}  ${client.address}`, view, isEnd));
    else if (latencies.total > 0) {
      view.print(...linesOf(latencies, view, linesCount++ === 0));
      latencies = new Latencies();
    }
  };
  try {
    while (!view.isOver && performance.now() < endMs) {
      const startMs = performance.now();
      if (await view.orStopped(client.send(words).then(() => true)) === undefined) break;
      latencies.add(performance.now() - startMs);
      if (performance.now() >= reportMs) {
        report(false);
        reportMs = Math.max(reportMs + stepMs, performance.now());
        await view.room();
      }
      await view.pause(Math.min(LATENCY_PAUSE_MS, endMs - performance.now()));
    }
  } finally {
    report(true);
  }
}

const NUMBER_COLUMNS = ["replies", "min", "p50", "p90", "p99", "p99.9", "max"];

/** The columns by importance: the quantiles that are left out first are the rarest. */
const LINE_COLUMNS: readonly Column[] = [
  { heading: "time", importance: 0, align: "right" },
  ...NUMBER_COLUMNS.map((heading): Column => ({
    heading: heading === "replies" ? heading : `${heading} ms`,
    importance: ["p90", "replies", "p99.9", "min", "max", "p50", "p99"].indexOf(heading) + 1,
    align: "right",
    least: 8,
  })),
];

function linesOf(latencies: Latencies, view: LiveView, withHeading: boolean): string[] {
  const time = new Date().toISOString();
  const { figures, total } = latencies;
  if (view.format === "json") {
    const [minMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs] = Object.values(figures).map((figure) => {
      return figure === null ? null : Math.round(figure * 1000) / 1000;
    });
    return [toJson({ time, replies: total, minMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs })];
  }
  const cells = [time.slice(11, 19), `${total}`, ...Object.values(figures).map(formatMs)];
  const row = cells.map((text) => ({ text }));
  return fittedTable(LINE_COLUMNS, [row], view.size.columns, view.colours).slice(withHeading ? 0 : 1);
}

function frameOf(latencies: Latencies, title: string, view: LiveView, isEnd: boolean): string[] {
  const { colours, size: { columns } } = view;
  const { figures, total } = latencies;
  const ending = isEnd ? "" : "  Ctrl-C ends";
  const heading = cutEnd(printableLine(`${title}  ${total} ${total === 1 ? "reply" : "replies"}${ending}`), columns);
  const table = fittedTable(
    LINE_COLUMNS.slice(2),
    [Object.values(figures).map((figure) => ({ text: formatMs(figure) }))],
    columns,
    colours,
  );
  const ranges = latencies.ranges();
  const most = Math.max(...ranges.map(({ count }) => count));
  const labels = ranges.map(({ fromMs, toMs }) => `${formatBound(fromMs)} - ${formatBound(toMs)} ms`);
  const labelWidth = Math.max(0, ...labels.map((label) => label.length));
  const bars = ranges.map(({ count }, index) => {
    const left = `${labels[index]!.padStart(labelWidth)}  ${(count * 100 / total).toFixed(1).padStart(5)} %  `;
    const room = Math.max(0, Math.min(BAR_MAX_COLUMNS, columns - left.length));
    return cutEnd(left.trimEnd(), columns) + (room === 0 ? "" : `  ${"#".repeat(Math.round(room * count / most))}`);
  });
  return [colours.paint("faint", heading), "", ...table, "", ...bars].map((line) => line.trimEnd());
}

function formatMs(durationMs: number | null): string {
  return durationMs === null ? "-" : durationMs.toFixed(3);
}

function formatBound(durationMs: number): string {
  return durationMs >= 10 ? durationMs.toFixed(0) : durationMs.toFixed(durationMs >= 1 ? 1 : 3);
}
