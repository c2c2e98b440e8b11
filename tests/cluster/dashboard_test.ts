/**
 * Compares the dashboard and the alerts with the tables of metrics and of problems: every name in an expression exists,
 * and every kind of problem has an alert.
 */

import { assert, assertEquals } from "@std/assert";
import { parse } from "@std/yaml";
import { expressionsOf, ROWS } from "../../cluster/dashboard.ts";
import { grafanaJson } from "../../cluster/grafana_json.ts";
import { PREFIX } from "../../src/metrics/families.ts";
import { PROBLEM_KINDS } from "../../src/metrics/problems.ts";
import { PROXY_METRICS } from "../../src/proxy/metrics.ts";
import { SERVER_METRICS } from "../../src/server/metrics.ts";
import { GENERATED_FILES, renderFile } from "../support/pages.ts";
import { readFile } from "../support/project.ts";
import { PROMTOOL, promtool } from "../support/prometheus.ts";
import { ROOT } from "../../cluster/role_process.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

const RULES = (parse(readFile("cluster/alerts.yml")) as { groups: { rules: Rule[] }[] }).groups[0]!.rules;

/** The names of the samples of both roles, and of what Prometheus itself adds. */
const NAMES: ReadonlySet<string> = new Set(
  [...SERVER_METRICS, ...PROXY_METRICS].flatMap((row) => {
    if (row.type === "lines" || row.name === undefined) return [];
    const name = PREFIX + row.name;
    return row.type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
  }),
);

/** Returns the names in an expression that neither role has. */
function unknownNames(expression: string): string[] {
  return (expression.match(/\binmem_\w+/g) ?? []).filter((name) => !NAMES.has(name));
}

Deno.test("the names in expressions of dashboard and alerts are those of metrics", () => {
  assertEquals(unknownNames("rate(inmem_nothing_total[1m]) / inmem_uptime_seconds"), ["inmem_nothing_total"]);
  const expressions = [...expressionsOf().map(({ expression }) => expression), ...RULES.map(({ expr }) => expr)];
  assert(expressions.length > 40, `expected many, found ${expressions.length}`);
  assertEquals(expressions.flatMap(unknownNames), []);
});

Deno.test("every kind of problem has an alert, and the other way round", () => {
  const alerted = RULES.flatMap(({ expr }) => [...expr.matchAll(/kind="(\w+)"/g)].map(([, kind]) => kind!));
  assertEquals(alerted.sort(), Object.keys(PROBLEM_KINDS).sort());
});

Deno.test("every alert says how serious it is, what is wrong, and what to do", () => {
  for (const { alert, labels, annotations: { summary, description } } of RULES) {
    assert(["critical", "warning"].includes(labels.severity), alert);
    assert(/\{\{ \$labels\.\w+ \}\}/.test(summary), `${alert}: the summary names no subject`);
    assert(description.split(". ").length > 1, `${alert}: ${description}`);
  }
  assertEquals(new Set(RULES.map(({ alert }) => alert)).size, RULES.length);
});

Deno.test("promtool accepts the alerts", { ignore: PROMTOOL === undefined }, async () => {
  assertEquals(await promtool(["check", "rules", `${ROOT}cluster/alerts.yml`]), "");
});

Deno.test("generated files are what deno task pages writes", async () => {
  for (const path of GENERATED_FILES) {
    assertEquals(readFile(path), await renderFile(path), `${path}: run "deno task pages"`);
  }
});

Deno.test("grafanaJson() gives each panel a separate id and place, and a help text", () => {
  interface Box {
    readonly id: number;
    readonly title: string;
    readonly type: string;
    readonly description?: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  }
  const { panels } = JSON.parse(grafanaJson(ROWS)) as { panels: Box[] };
  assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Map<string, string>();
  for (const { title, type, description, gridPos: { x, y, w, h } } of panels) {
    assert(x + w <= 24, `${title} is beside the screen`);
    if (type !== "row") assert(description!.endsWith("."), `${title}: ${description}`);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        const other = taken.get(`${column},${line}`);
        assert(other === undefined, `${title} covers ${other}`);
        taken.set(`${column},${line}`, title);
      }
    }
  }
});
