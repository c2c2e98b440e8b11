/**
 * The table of metrics for `cluster/METRICS.md`, made from the rows of both roles.
 *
 * @module
 */

import { PREFIX } from "../../src/metrics/families.ts";
import { type Metric, SECTIONS } from "../../src/metrics/metric.ts";
import { PROXY_METRICS } from "../../src/proxy/metrics.ts";
import { SERVER_METRICS } from "../../src/server/metrics.ts";

/** A metric as the page shows it: one row of the tables, and the roles that have it. */
interface Shown {
  readonly row: Metric<never>;
  /** What the proxy shows; empty when it does not have the metric. */
  readonly ofProxy: string;
  readonly isOfServer: boolean;
}

/** Returns the metrics by heading: first those of the sections of `info`, then those that have labels. */
export function metricsByHeading(): Map<string, string[][]> {
  const shown = allMetrics();
  const headings = new Map<string, string[][]>();
  for (const section of SECTIONS) {
    const rows = shown.filter(({ row }) => "section" in row && row.section === section);
    if (rows.length > 0) headings.set(`Section \`${section}\``, rows.map(cellsOf));
  }
  headings.set("Metrics with labels", shown.filter(({ row }) => "labels" in row).map(cellsOf));
  return headings;
}

/** Returns the metrics of both roles, each once. */
function allMetrics(): Shown[] {
  const ofProxy = new Map<string, Metric<never>>(PROXY_METRICS.map((row) => [keyOf(row), row]));
  const shown: Shown[] = SERVER_METRICS.map((row) => {
    const other = ofProxy.get(keyOf(row));
    ofProxy.delete(keyOf(row));
    return { row, ofProxy: other === undefined ? "" : treatmentOf(other), isOfServer: true };
  });
  for (const row of ofProxy.values()) shown.push({ row, ofProxy: treatmentOf(row), isOfServer: false });
  return shown;
}

function keyOf(row: Metric<never>): string {
  if (!("section" in row)) return row.name;
  return `${row.section} ${row.field ?? ("name" in row ? row.name : "")}`;
}

/** Returns what a proxy shows: its own value, or the values of its servers joined. */
function treatmentOf(row: Metric<never>): string {
  if ("derive" in row) return "of the joined values";
  if (!("read" in row) || row.total === undefined) return "its own";
  if (typeof row.total === "object") return `mean, by \`${row.total.meanBy}\``;
  return row.total === "same" ? "the common value" : row.total;
}

/** Returns the cells of a metric: name in `info`, name for Prometheus, type, what the proxy shows, meaning. */
function cellsOf({ row, ofProxy, isOfServer }: Shown): string[] {
  const field = "field" in row && row.field !== undefined ? `\`${row.field}\`` : "";
  const labels = "labels" in row ? `{${row.labels.join(", ")}}` : "";
  const name = "name" in row && row.name !== undefined ? `\`${PREFIX}${row.name}${labels}\`` : "";
  const type = row.type === "lines" ? "text" : row.type;
  const names = "labels" in row ? [name] : [field, name];
  return [...names, type, isOfServer ? ofProxy || "–" : "only the proxy", row.help];
}
