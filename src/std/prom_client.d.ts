/** Types of the part of `prom-client` 15.1.3 that inmem uses: its registry, which writes the text of Prometheus. */

/** One value of a metric. */
export interface MetricValue {
  /** The name of the sample; that of the metric unless it is given. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A metric with its present values. */
export interface MetricObject {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly values: readonly MetricValue[];
}

/** A set of metrics. */
export default class Registry {
  /** The media type of the text. */
  static readonly PROMETHEUS_CONTENT_TYPE: string;
  /** Adds a metric; `get` returns its present values. */
  registerMetric(metric: { readonly name: string; get(): MetricObject | Promise<MetricObject> }): void;
  /** Returns the text of one metric, without a line break at its end. */
  getSingleMetricAsString(name: string): Promise<string>;
}
