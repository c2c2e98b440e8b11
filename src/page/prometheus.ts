/**
 * Writes metrics as the text that Prometheus scrapes (exposition format 0.0.4), with the registry of prom-client.
 *
 * @module
 */

import { type MetricValue, Registry } from "prom-client";
import type { Family, HistogramFamily } from "../metrics/families.ts";

/** The media type of the text. */
export const PROMETHEUS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * Returns the text of some metrics.
 *
 * @throws {Error} when two of them have one name
 */
export function prometheusText(families: Iterable<Family>): Promise<string> {
  const registry = new Registry();
  for (const family of families) {
    const { name, help, type } = family;
    const values = family.type === "histogram" ? [...histogramValues(family)] : family.samples;
    registry.registerMetric({ name, get: () => ({ name, help, type, values }) });
  }
  return registry.metrics();
}

/** Returns the samples of a histogram: `_bucket` for each bound and for infinity, `_sum` and `_count`. */
function* histogramValues({ name, bounds, distributions }: HistogramFamily): Generator<MetricValue> {
  for (const { labels, counts, count, sum } of distributions) {
    for (const [place, bound] of bounds.entries()) {
      yield { metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: counts[place] ?? 0 };
    }
    yield { metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: count };
    yield { metricName: `${name}_sum`, labels, value: sum };
    yield { metricName: `${name}_count`, labels, value: count };
  }
}
