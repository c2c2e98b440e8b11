/**
 * The form in which Grafana imports a dashboard, version 39 of its schema, which Grafana 10 and later read.
 *
 * A dashboard here is rows of panels from left to right. Their places, ids and looks follow from that.
 *
 * @module
 */

/** The units of Grafana that the panels use. */
export type Unit = "short" | "bytes" | "Bps" | "s" | "percentunit" | "reqps";

/** An expression, and the legend of its curves, in which `{{label}}` is the value of a label. */
export type Query = readonly [expression: string, legend?: string];

/** The values from which a figure is yellow and red. */
export type Levels = readonly [yellow: number, red: number];

/** What kinds of panels have in common. */
export interface PanelBase {
  readonly title: string;
  /** What the panel shows, and how to read it. */
  readonly help: string;
  /** The size in columns, of which a row has 24, and in lines. */
  readonly size: readonly [width: number, height: number];
  readonly unit: Unit;
  readonly queries: readonly Query[];
}

/** One large number. */
export interface Figure extends PanelBase {
  readonly type: "stat";
  readonly levels?: Levels;
}

/** Curves over time. */
export interface Curves extends PanelBase {
  readonly type: "timeseries";
  readonly stacked: boolean;
  readonly max?: number;
}

/** A table of samples, a timeline of states, or a map of a histogram over time. */
export interface OtherPanel extends PanelBase {
  readonly type: "table" | "state-timeline" | "heatmap";
}

export type Panel = Figure | Curves | OtherPanel;

/** Panels that answer one question, below its title. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Returns the JSON that Grafana imports. */
export function grafanaJson(rows: readonly Row[]): string {
  const panels: Json[] = [];
  let id = 0;
  let top = 0;
  for (const row of rows) {
    panels.push({
      id: ++id,
      type: "row",
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y: top, w: 24, h: 1 },
      panels: [],
    });
    top++;
    let left = 0;
    let height = 0;
    for (const panel of row.panels) {
      const [w, h] = panel.size;
      if (left + w > 24) {
        top += height;
        left = height = 0;
      }
      panels.push({ id: ++id, gridPos: { x: left, y: top, w, h }, ...panelJson(panel) });
      left += w;
      height = Math.max(height, h);
    }
    top += height;
  }
  return `${JSON.stringify({ ...FRAME, panels }, null, 2)}\n`;
}

type Json = Readonly<Record<string, unknown>>;

const SOURCE: Json = { type: "prometheus", uid: "${datasource}" };

/** Returns a variable that the reader chooses at the top, all of its values by default. */
function variable(name: string, query: string): Json {
  return {
    name,
    type: "query",
    datasource: SOURCE,
    query: { query, refId: name },
    definition: query,
    includeAll: true,
    multi: true,
    refresh: 2,
    sort: 1,
    current: { text: ["All"], value: ["$__all"] },
  };
}

/** The dashboard without its panels. */
const FRAME: Json = {
  uid: "inmem",
  title: "inmem",
  description: "Servers and proxies of inmem, from their option --metrics.",
  tags: ["inmem"],
  schemaVersion: 39,
  version: 1,
  editable: true,
  graphTooltip: 1,
  refresh: "10s",
  time: { from: "now-1h", to: "now" },
  timezone: "browser",
  templating: {
    list: [
      { name: "datasource", label: "Prometheus", type: "datasource", query: "prometheus" },
      variable("job", "label_values(inmem_info, job)"),
      variable("instance", 'label_values(inmem_info{job=~"$job"}, instance)'),
    ],
  },
  annotations: {
    list: [{
      name: "Starts",
      datasource: SOURCE,
      enable: true,
      iconColor: "orange",
      expr: 'inmem_uptime_seconds{job=~"$job",instance=~"$instance"} < 15',
      step: "15s",
      titleFormat: "{{instance}} was started",
    }],
  },
};

function panelJson(panel: Panel): Json {
  const { type, title, help, unit } = panel;
  const isInstant = type === "stat" || type === "table";
  const format = type === "table" || type === "heatmap" ? type : "time_series";
  const targets = panel.queries.map(([expr, legendFormat = ""], index) => {
    const refId = String.fromCharCode("A".charCodeAt(0) + index);
    return { refId, datasource: SOURCE, expr, legendFormat, format, instant: isInstant, range: !isInstant };
  });
  const { defaults, ...rest } = looks(panel);
  const fieldConfig = { defaults: { unit, ...defaults }, overrides: [] };
  return { type, title, description: help, datasource: SOURCE, targets, fieldConfig, ...rest };
}

/** Returns the options of a kind of panel, and the defaults of its fields. */
function looks(panel: Panel): { readonly defaults: Json; readonly options?: Json; readonly transformations?: Json[] } {
  switch (panel.type) {
    case "stat":
      return {
        defaults: { ...colors(panel.levels), noValue: "-" },
        options: { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "value", graphMode: "none" },
      };
    case "timeseries":
      return {
        defaults: {
          min: 0,
          ...panel.max === undefined ? {} : { max: panel.max },
          custom: {
            lineWidth: 1,
            fillOpacity: panel.stacked ? 40 : 8,
            showPoints: "never",
            stacking: { mode: panel.stacked ? "normal" : "none" },
          },
        },
        options: {
          legend: {
            displayMode: "table",
            placement: "bottom",
            calcs: ["lastNotNull", "max"],
            sortBy: "Max",
            sortDesc: true,
          },
          tooltip: { mode: "multi", sort: "desc" },
        },
      };
    case "state-timeline":
      return {
        defaults: {
          mappings: [{
            type: "value",
            options: { "0": { text: "down", color: "red" }, "1": { text: "up", color: "green" } },
          }],
          custom: { fillOpacity: 80, lineWidth: 0 },
        },
        options: { mergeValues: true, showValue: "never", rowHeight: 0.9, legend: { showLegend: false } },
      };
    case "table":
      return {
        defaults: {},
        options: { showHeader: true },
        transformations: [
          { id: "organize", options: { excludeByName: { Time: true, __name__: true, job: true } } },
        ],
      };
    case "heatmap":
      return {
        defaults: {},
        options: { calculate: false, yAxis: { unit: panel.unit }, color: { scheme: "Oranges", mode: "scheme" } },
      };
  }
}

function colors(levels: Levels | undefined): Json {
  if (levels === undefined) return { color: { mode: "fixed", fixedColor: "text" } };
  const [yellow, red] = levels;
  const steps = [{ color: "green", value: null }, { color: "yellow", value: yellow }, { color: "red", value: red }];
  return { color: { mode: "thresholds" }, thresholds: { mode: "absolute", steps } };
}
