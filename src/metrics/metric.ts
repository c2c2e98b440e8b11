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
 * A role has one table of rows, and one object of facts that all of them read. The kinds of rows are:
 *
 * | kind | `info` | Prometheus |
 * |---|---|---|
 * | {@linkcode Scalar} | one line | one sample without labels |
 * | {@linkcode Derived} | one line, computed from others | one sample without labels |
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
 * The way in which a proxy joins the values of its servers.
 *
 * | total | the proxy shows |
 * |---|---|
 * | `sum`, `max`, `min` | that of the numbers |
 * | `same` | the value that all servers have, otherwise `mixed` |
 * | `worst` | the first value that is neither `ok` nor empty, if there is one |
 * | `meanBy` | the mean, in which each server counts as much as its value in another field |
 */
export type Total = "sum" | "max" | "min" | "same" | "worst" | { readonly meanBy: string };

/** The definition of a metric that has one value. */
interface Single {
  readonly section: Section;
  /**
   * The name in `info`. Without it, only Prometheus has the metric. Fields such as `db0.keys` and `db0.expires` are
   * parts of one line, `db0:keys=1,expires=0`.
   */
  readonly field?: string;
  /** The name for Prometheus, without the prefix. Without it, only `info` has the metric. */
  readonly name?: string;
  readonly type: "counter" | "gauge" | "text";
  /** A sentence that says what the value is. */
  readonly help: string;
  /** The factor from the value in `info` to the value for Prometheus, such as 0.001 for ms; 1 by default. */
  readonly scale?: number;
  /** Whether `info` also has the value for people, such as `used_memory_human:1.50M`. */
  readonly human?: boolean;
}

/** A metric that has one value. */
export interface Scalar<Facts> extends Single {
  /** Returns the value. */
  read(facts: Facts): Value;
  /** How a proxy joins the values of its servers. Without it, a proxy has no value of its servers. */
  readonly total?: Total;
}

/** A metric that is computed from others, also by a proxy from the joined ones. */
export interface Derived extends Single {
  /**
   * Returns the value.
   *
   * @param of returns the value of an earlier field of the same section; 0 when there is none
   */
  derive(of: (field: string) => number): Value;
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
export type Metric<Facts> = Scalar<Facts> | Derived | Lines<Facts> | Labelled<Facts> | Histogram<Facts>;
