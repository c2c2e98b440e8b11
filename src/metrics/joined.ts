/**
 * The metrics of several servers joined by a proxy: each server reports its `info`, and a row says how its values are
 * joined.
 *
 * ```text
 * server 1   # Stats\r\nevicted_keys:3 …  ─┐
 *                                          ├─► evicted_keys:7       since the row has the total `sum`
 * server 2   # Stats\r\nevicted_keys:4 …  ─┘
 * ```
 *
 * Joined metrics are only for `info`. Prometheus gets the metrics of each server, and can sum them itself.
 *
 * @module
 */

import type { Metric, Scalar, Total, Value } from "./metric.ts";

/** The fields of one server's `info`. The parts of a line such as `db0:keys=1` are fields such as `db0.keys`. */
export type Report = ReadonlyMap<string, string>;

/** The facts of joined rows. */
export interface JoinedFacts {
  /** The last reports of the servers that are not down. */
  readonly reports: readonly Report[];
  /** The last reports of all servers. Counters are joined from these, so that they do not decrease. */
  readonly lastReports: readonly Report[];
}

/** Returns the fields of the text of `info`. */
export function parseReport(text: string): Report {
  const report = new Map<string, string>();
  let end = 0;
  for (let start = 0; start < text.length; start = end + 2) {
    end = text.indexOf("\r\n", start);
    if (end < 0) end = text.length;
    const colon = text.indexOf(":", start);
    if (colon < 0 || colon >= end) continue;
    const name = text.slice(start, colon);
    const value = text.slice(colon + 1, end);
    report.set(name, value);
    if (!name.startsWith("db")) continue;
    for (const part of value.split(",")) {
      const equals = part.indexOf("=");
      if (equals > 0) report.set(`${name}.${part.slice(0, equals)}`, part.slice(equals + 1));
    }
  }
  return report;
}

/** Returns the rows of servers as a proxy has them. Those without a total are left out. */
export function joinedRows<Facts>(rows: readonly Metric<Facts>[]): Metric<JoinedFacts>[] {
  const joined: Metric<JoinedFacts>[] = [];
  for (const row of rows) {
    if ("derive" in row) joined.push(row);
    else if ("read" in row && row.total !== undefined) joined.push(joinedRow(row, row.total, row.field ?? ""));
  }
  return joined;
}

function joinedRow<Facts>(row: Scalar<Facts>, total: Total, field: string): Scalar<JoinedFacts> {
  const isCounter = row.type === "counter";
  const read = ({ reports, lastReports }: JoinedFacts) => {
    return joinField(isCounter ? lastReports : reports, field, total, row.type === "text");
  };
  const { name: _, ...others } = row;
  return { ...others, read };
}

/** Returns the joined value of a field; `undefined` when no server has it. */
function joinField(reports: readonly Report[], field: string, total: Total, isText: boolean): Value {
  const texts: string[] = [];
  for (const report of reports) {
    const text = report.get(field);
    if (text !== undefined) texts.push(text);
  }
  if (texts.length === 0) return field.startsWith("db0.") && reports.length > 0 ? 0 : undefined;
  if (total === "same") return texts.every((text) => text === texts[0]) ? texts[0] : "mixed";
  if (total === "worst") return texts.find((text) => text !== "ok" && text !== "") ?? texts[0];
  if (typeof total === "object") return meanOf(reports, field, total.meanBy);
  if (isText) return undefined;
  const numbers = texts.map(Number);
  if (total === "max") return Math.max(...numbers);
  if (total === "min") return Math.min(...numbers);
  return numbers.reduce((sum, number) => sum + number, 0);
}

function meanOf(reports: readonly Report[], field: string, weightField: string): number {
  let sum = 0;
  let weights = 0;
  for (const report of reports) {
    const weight = Number(report.get(weightField) ?? 0);
    sum += Number(report.get(field) ?? 0) * weight;
    weights += weight;
  }
  return weights === 0 ? 0 : Math.round(sum / weights);
}
