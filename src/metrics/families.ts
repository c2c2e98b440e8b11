/**
 * The families of Prometheus: the rows of a table with the values that they have now.
 *
 * The text that Prometheus reads is written elsewhere. Nothing here knows its syntax.
 *
 * @module
 */

import type { Distribution, Metric, Sample } from "./metric.ts";
import { Values } from "./values.ts";

/** The prefix of all names. */
export const PREFIX = "inmem_";

/** A counter or a gauge with its present values. */
export interface SampledFamily {
  /** The full name, with the prefix. */
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: readonly Sample[];
}

/** A histogram with its present values. */
export interface HistogramFamily {
  /** The full name, with the prefix and without `_bucket`, `_sum` and `_count`. */
  readonly name: string;
  readonly type: "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** The upper bounds of the buckets, without infinity. */
  readonly bounds: readonly number[];
  readonly distributions: readonly Distribution[];
}

/** A metric with its present values, as Prometheus names it. */
export type Family = SampledFamily | HistogramFamily;

const NO_LABELS = {};

/** Returns the families of a table, in its order. A family without a value is left out. */
export function* families<Facts>(rows: readonly Metric<Facts>[], facts: Facts): Generator<Family> {
  const values = new Values(facts);
  for (const row of rows) {
    if (row.type === "lines") continue;
    if (row.type === "histogram") {
      const { type, help, labels, bounds } = row;
      const distributions = [...row.distributions(facts)];
      if (distributions.length > 0) yield { name: PREFIX + row.name, type, help, labels, bounds, distributions };
    } else if ("samples" in row) {
      const { type, help, labels } = row;
      const samples = [...row.samples(facts)];
      if (samples.length > 0) yield { name: PREFIX + row.name, type, help, labels, samples };
    } else {
      const value = values.read(row);
      if (row.name === undefined || row.type === "text" || value === undefined) continue;
      const samples = [{ labels: NO_LABELS, value: Number(value) * (row.scale ?? 1) }];
      yield { name: PREFIX + row.name, type: row.type, help: row.help, labels: [], samples };
    }
  }
}
