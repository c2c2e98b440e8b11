/**
 * The last hour of a role, for plots: a ring of steps, each with a few values.
 *
 * ```text
 * add(overview) every 5 s ──► [ step | step | … | step ]   720 steps; a new one replaces the oldest
 *                               counters → rates since the step before
 * ```
 *
 * A value that is not known is `NaN` here, and `null` in JSON.
 *
 * @module
 */

import { HISTORY_STEP_MS, HISTORY_STEPS_MAX_COUNT } from "../limits.ts";
import type { Overview } from "./overview.ts";

/** The names of the values of a step. */
export const HISTORY_SERIES = [
  "opsPerSecond",
  "p50Ms",
  "p99Ms",
  "hitRatio",
  "usedBytes",
  "keys",
  "clients",
  "inputBytesPerSecond",
  "outputBytesPerSecond",
  "evictedPerSecond",
  "expiredPerSecond",
] as const;

/** The name of a value. */
export type SeriesName = typeof HISTORY_SERIES[number];

/** The values of one step. */
export interface HistoryStep {
  /** When the values were taken, in ms since 1970. */
  readonly timeMs: number;
  readonly values: Readonly<Record<SeriesName, number | null>>;
}

/** The whole history, as the page gets it. All arrays have one length. */
export interface HistoryData {
  readonly stepMs: number;
  readonly times: readonly number[];
  readonly series: Readonly<Record<SeriesName, readonly (number | null)[]>>;
}

/** The counters of which steps have the rates. */
type Counter = "hits" | "misses" | "evictedKeys" | "expiredKeys" | "inputBytes" | "outputBytes";

/** A ring of steps. */
export class History {
  readonly #capacity: number;
  readonly #times: Float64Array;
  readonly #columns: Readonly<Record<SeriesName, Float64Array>>;
  /** The number of steps that were added. */
  #count = 0;
  #last: Overview | undefined;

  constructor(capacity = HISTORY_STEPS_MAX_COUNT) {
    this.#capacity = capacity;
    this.#times = new Float64Array(capacity);
    this.#columns = bySeries(() => new Float64Array(capacity));
  }

  /** Adds a step with the present values. */
  add(overview: Overview): void {
    const place = this.#count++ % this.#capacity;
    const values = valuesOf(overview, this.#last);
    this.#last = overview;
    this.#times[place] = overview.nowMs;
    for (const name of HISTORY_SERIES) this.#columns[name][place] = values[name];
  }

  /** The newest step; `undefined` before the first. */
  get newest(): HistoryStep | undefined {
    if (this.#count === 0) return undefined;
    const place = (this.#count - 1) % this.#capacity;
    return { timeMs: this.#times[place]!, values: bySeries((name) => rounded(this.#columns[name][place]!)) };
  }

  /** Returns all steps, the oldest first. */
  data(): HistoryData {
    const length = Math.min(this.#count, this.#capacity);
    const first = this.#count - length;
    const places = Array.from({ length }, (_, i) => (first + i) % this.#capacity);
    return {
      stepMs: HISTORY_STEP_MS,
      times: places.map((place) => this.#times[place]!),
      series: bySeries((name) => places.map((place) => rounded(this.#columns[name][place]!))),
    };
  }
}

function bySeries<T>(make: (name: SeriesName) => T): Record<SeriesName, T> {
  return Object.fromEntries(HISTORY_SERIES.map((name) => [name, make(name)])) as Record<SeriesName, T>;
}

function valuesOf(overview: Overview, last: Overview | undefined): Record<SeriesName, number> {
  const seconds = last === undefined ? NaN : (overview.nowMs - last.nowMs) / 1000;
  // A counter that is lower than before was reset, and its rate is not known.
  const growth = (name: Counter): number => {
    const grown = (overview[name] ?? NaN) - (last?.[name] ?? NaN);
    return grown >= 0 ? grown : NaN;
  };
  const rate = (name: Counter): number => seconds > 0 ? growth(name) / seconds : NaN;
  return {
    opsPerSecond: overview.opsPerSecond,
    p50Ms: overview.p50Ms ?? NaN,
    p99Ms: overview.p99Ms ?? NaN,
    // Without a reading command there is no ratio: 0 / 0 is NaN.
    hitRatio: growth("hits") / (growth("hits") + growth("misses")),
    usedBytes: overview.usedBytes ?? NaN,
    keys: overview.keys ?? NaN,
    clients: overview.clients,
    inputBytesPerSecond: rate("inputBytes"),
    outputBytesPerSecond: rate("outputBytes"),
    evictedPerSecond: rate("evictedKeys"),
    expiredPerSecond: rate("expiredKeys"),
  };
}

/** Returns a value with at most five digits that count, which a plot cannot show anyway; `null` for `NaN`. */
function rounded(value: number): number | null {
  if (!Number.isFinite(value)) return null;
  return Number.isInteger(value) ? value : Number(value.toPrecision(5));
}
