/**
 * A metric as one row of a table. The row is the only place that defines the metric's name, type, unit and help text.
 *
 * The same rows make `info`, the families of Prometheus, and the generated page of metrics:
 *
 * ```text
 *                 ┌─ formatInfo()  ─► # Stats\r\nkeyspace_hits:7\r\n…           (info_text.ts)
 * rows ── facts ──┼─ families()    ─► inmem_keyspace_hits_total 7, …            (families.ts)
 *                 └─ tests/support/pages.ts ─► cluster/METRICS.md               (needs no facts)
 * ```
 *
 * A role has one table of rows, and one object of facts that all of them read. There are four kinds of rows:
 *
 * | kind | `info` | Prometheus |
 * |---|---|---|
 * | {@linkcode Scalar} | one line | one sample without labels |
 * | {@linkcode Lines} | any number of lines | nothing |
 * | {@linkcode Labelled} | nothing | any number of samples with labels |
 * | {@linkcode Histogram} | nothing | any number of histograms with labels |
 *
 * A fact that Redis has too is named as in Redis, since monitoring expects that. A name for Prometheus has base units
 * (seconds, bytes) and is written here without the prefix `inmem_`. A counter's name ends in `_total`.
 *
 * @module
 */

/** The sections of `info`, in the order in which Redis writes them. */
export const SECTIONS = [
  "server",
  "clients",
  "memory",
  "persistence",
  "stats",
  "replication",
  "cpu",
  "modules",
  "commandstats",
  "errorstats",
  "latencystats",
  "cluster",
  "keyspace",
] as const;

/** The name of a section of `info`. */
export type Section = typeof SECTIONS[number];

/** The value of a line of `info`; `undefined` leaves the line out. */
export type Value = number | string | undefined;

/**
 * How a proxy joins the values that its servers have in a field. `worst` is for words such as `ok`: the proxy shows the
 * first value that is not the usual one.
 */
export type Total = "sum" | "max" | "min" | "worst";

/** A metric that has one value. */
export interface Scalar<Facts> {
  readonly section: Section;
  /** The name in `info`. Without it, only Prometheus has the metric. */
  readonly field?: string;
  /** The name for Prometheus, without the prefix. Without it, only `info` has the metric. */
  readonly name?: string;
  readonly type: "counter" | "gauge" | "text";
  /** A sentence that says what the value is. */
  readonly help: string;
  /** Returns the value from the facts, or from the values of rows that are earlier in the table. */
  read(facts: Facts, earlier: (field: string) => Value): Value;
  /** The factor from the value in `info` to the value for Prometheus, such as 0.001 for ms; 1 by default. */
  readonly scale?: number;
  /** Whether `info` also has the value for people, such as `used_memory_human:1.50M`. */
  readonly human?: boolean;
  /** How a proxy joins the values of its servers. Without it, each role has only its own value. */
  readonly total?: Total;
}

/** Lines of `info` whose names depend on the facts. */
export interface Lines<Facts> {
  readonly section: Section;
  /** The form of the names, such as `cmdstat_COMMAND`. */
  readonly field: string;
  readonly type: "lines";
  readonly help: string;
  /** Returns the lines as names and values. */
  lines(facts: Facts): Iterable<readonly [name: string, value: string | number]>;
}

/** The labels of a sample, by name. */
export type Labels = Readonly<Record<string, string>>;

/** One value of a metric that has labels. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** A metric that has one value for each of several things, for Prometheus. */
export interface Labelled<Facts> {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** The names of the labels. The number of their values must be bounded. */
  readonly labels: readonly string[];
  samples(facts: Facts): Iterable<Sample>;
}

/** The distribution of a value. */
export interface Distribution {
  readonly labels: Labels;
  /** The number of values up to each bound of the metric, so that the counts never decrease. */
  readonly counts: ArrayLike<number>;
  /** The number of all values, including those above the last bound. */
  readonly count: number;
  /** The sum of all values. */
  readonly sum: number;
}

/** A distribution for each of several things, for Prometheus. */
export interface Histogram<Facts> {
  readonly name: string;
  readonly type: "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** The upper bounds of the buckets, in ascending order and in the unit of the name, without infinity. */
  readonly bounds: readonly number[];
  distributions(facts: Facts): Iterable<Distribution>;
}

/** A row of a table of metrics. */
export type Metric<Facts> = Scalar<Facts> | Lines<Facts> | Labelled<Facts> | Histogram<Facts>;
