/**
 * Writes metrics as the text that Prometheus scrapes (exposition format 0.0.4), with the registry of prom-client.
 *
 * @module
 */

import { type MetricValue, Registry } from "prom-client";
import { SLICE_MS } from "../limits.ts";
import type { Family, HistogramFamily } from "../metrics/families.ts";

/** The media type of the text. */
export const PROMETHEUS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * Returns the text of some metrics. A proxy of 100 servers has more than 5,000 lines, which take 10 ms, so other work
 * gets turns of the event loop in between.
 *
 * @throws {Error} when two of them have one name
 */
export async function prometheusText(families: Iterable<Family>): Promise<string> {
  const registry = new Registry();
  const texts: string[] = [];
  let startedMs = performance.now();
  for (const family of families) {
    const { name, help, type } = family;
    const values = family.type === "histogram" ? [...histogramValues(family)] : family.samples;
    registry.registerMetric({ name, get: () => ({ name, help, type, values }) });
    texts.push(`${await registry.getSingleMetricAsString(name)}\n`);
    if (performance.now() - startedMs < SLICE_MS) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    startedMs = performance.now();
  }
  return texts.join("\n");
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
