/**
 * The report of `--big-keys` and `--mem-keys`.
 *
 * ```text
 * 1000005 keys in 3.2 s; their names take 10.5mb
 *
 * type      keys   share     total  average
 * string  900000  90.0 %  12000000     13.3  bytes
 *
 * largest string keys
 *   bytes  key
 * 1048576  "blob"
 * ```
 *
 * @module
 */

import { formatSize } from "../../role/quantities.ts";
import { quote } from "../../terminal/printable_text.ts";
import { formatReply, toJson } from "../format.ts";
import { cutEnd } from "./columns.ts";
import { type Column, fittedTable } from "./fitted_table.ts";
import type { KeySurvey, Measure, SizedKey, TypeSummary } from "./key_survey.ts";
import type { LiveView } from "./live_view.ts";

/** Writes the report of a survey. */
export function reportSurvey(survey: KeySurvey, measure: Measure, durationMs: number, view: LiveView): void {
  if (view.format === "json") return view.print(jsonOf(survey, measure, durationMs, view.stop.aborted));
  const { colours, size: { columns } } = view;
  const { count, namesBytes } = survey;
  const keys = `${count} ${count === 1 ? "key" : "keys"}`;
  const ending = view.stop.aborted ? "; stopped before the end" : "";
  view.print(
    cutEnd(`${keys} in ${(durationMs / 1000).toFixed(1)} s; names: ${formatSize(namesBytes)}${ending}`, columns),
  );
  const summaries = survey.summaries();
  if (summaries.length === 0) return;
  view.print("", ...summaryLines(summaries, count, view));
  if (measure === "memory") return printLargest("largest keys", "bytes", survey.largest(), true, view);
  for (const { type, unit, largest } of summaries) {
    printLargest(colours.paint("faint", `largest ${type} keys`), unit, largest, false, view);
  }
}

const SUMMARY_COLUMNS: readonly Column[] = [
  { heading: "type", importance: 6, align: "left" },
  { heading: "keys", importance: 5, align: "right" },
  { heading: "share", importance: 1, align: "right" },
  { heading: "total", importance: 4, align: "right" },
  { heading: "average", importance: 2, align: "right" },
  { heading: "unit", importance: 3, align: "left" },
];

function summaryLines(summaries: readonly TypeSummary[], all: number, view: LiveView): string[] {
  const rows = summaries.map(({ type, unit, count, total }) => [
    { text: type, style: "kind" as const },
    { text: `${count}` },
    { text: `${(count * 100 / all).toFixed(1)} %` },
    { text: `${total}` },
    { text: (total / count).toFixed(1) },
    { text: unit },
  ]);
  return fittedTable(SUMMARY_COLUMNS, rows, view.size.columns, view.colours);
}

function printLargest(
  title: string,
  unit: string,
  keys: readonly SizedKey[],
  withType: boolean,
  { size, colours, output }: LiveView,
): void {
  const columns: Column[] = [
    { heading: unit, importance: 1, align: "right" },
    ...withType ? [{ heading: "type", importance: 0, align: "left" } as const] : [],
    { heading: "key", importance: 2, align: "left", elastic: true },
  ];
  const rows = keys.map(({ name, type, size }) => [
    { text: `${size}` },
    ...withType ? [{ text: type, style: "kind" as const }] : [],
    { text: quote(name), style: "name" as const },
  ]);
  output.add(`\n${title}\n${fittedTable(columns, rows, size.columns, colours).join("\n")}\n`);
}

function jsonOf(survey: KeySurvey, measure: Measure, durationMs: number, isPartial: boolean): string {
  const jsonOfKey = ({ name, type, size }: SizedKey): string => {
    const key = new TextDecoder().decode(formatReply(name, "json")).trimEnd();
    return `{"key":${key},"type":${toJson(type)},"size":${size}}`;
  };
  const types = survey.summaries().map(({ type, unit, count, total, largest }) => {
    const facts = toJson({ type, unit, keys: count, total }).slice(0, -1);
    return `${facts},"largest":[${largest.map(jsonOfKey).join(",")}]}`;
  });
  const head = toJson({
    keys: survey.count,
    namesBytes: survey.namesBytes,
    durationMs: Math.round(durationMs),
    isPartial,
  });
  const largest = measure === "memory" ? `,"largest":[${survey.largest().map(jsonOfKey).join(",")}]` : "";
  return `${head.slice(0, -1)},"types":[${types.join(",")}]${largest}}`;
}
