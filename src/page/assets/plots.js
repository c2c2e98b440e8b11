/**
 * Plots of the last hour, drawn by uPlot. The cursors of all plots move together, by the pointer or by the arrow keys,
 * and the values at the cursor are text above each plot. A screen reader gets the extremes in place of the picture.
 */

import { ask } from "./api.js";
import { byId, make, setText } from "./dom.js";
import * as format from "./format.js";

/** The constructor of uPlot, which a script before this one has defined. */
const UPlot = /** @type {any} */ (globalThis).uPlot;

/**
 * The history as `/api/history` has it: a time in ms for each step, and for each series a value or `null`.
 *
 * @typedef {object} History
 * @property {number} stepMs
 * @property {number[]} times
 * @property {Record<string, (number | null)[]>} series
 */

/**
 * @typedef {object} Plot
 * @property {string} title
 * @property {readonly (readonly [series: string, label: string])[]} series
 * @property {(value: number | null | undefined) => string} write
 * @property {readonly number[]} [steps] the steps of the scale, unless uPlot chooses them
 * @property {number} [top] the end of the scale, unless it follows the values
 */

/** The steps of sizes, and those of whole numbers: 1, 2, 5, 10, 20 and so on. */
const POWERS_OF_TWO = Array.from({ length: 50 }, (_, i) => 2 ** i);
const WHOLE_STEPS = Array.from({ length: 15 }, (_, i) => [1, 2, 5].map((step) => step * 10 ** i)).flat();

/** The steps of times, in s. */
const TIME_STEPS_S = [60, 120, 300, 600, 900, 1800, 3600];

/** @type {readonly Plot[]} */
const PLOTS = [
  { title: "Requests a second", series: [["opsPerSecond", "requests"]], write: format.rate },
  { title: "Latency", series: [["p50Ms", "p50"], ["p99Ms", "p99"]], write: format.latency },
  { title: "Hit ratio", series: [["hitRatio", "hits"]], write: format.percent, top: 1 },
  { title: "Memory for data", series: [["usedBytes", "used"]], write: format.bytes, steps: POWERS_OF_TWO },
  {
    title: "Network/s",
    series: [["inputBytesPerSecond", "in"], ["outputBytesPerSecond", "out"]],
    write: format.bytes,
    steps: POWERS_OF_TWO,
  },
  { title: "Clients", series: [["clients", "clients"]], write: format.count, steps: WHOLE_STEPS },
  { title: "Keys", series: [["keys", "keys"]], write: format.count, steps: WHOLE_STEPS },
  {
    title: "Removed/s",
    series: [["evictedPerSecond", "evicted"], ["expiredPerSecond", "expired"]],
    write: format.rate,
  },
];

/** Steps of history that are missing in a row for longer than this many steps are a gap in the lines. */
const GAP_STEPS_COUNT = 3;
/** The least time that is shown, in s, so that the first minute after a start is not spread over the whole width. */
const SHOWN_LEAST_S = 120;

/** One plot on the screen. */
class PlotView {
  /** @param {Plot} plot */
  constructor(plot) {
    this.plot = plot;
    this.values = plot.series.map(() => make("b"));
    const labels = plot.series.map(([, label], i) => make("li", {}, `${label} `, this.values[i] ?? ""));
    this.canvas = make("div", { class: "canvas", role: "img", tabindex: "0" });
    const caption = make("figcaption", {}, make("h3", {}, plot.title), make("ul", { class: "values" }, ...labels));
    this.element = make("figure", { class: "plot" }, caption, this.canvas);
    /** @type {any} */
    this.picture = undefined;
    /** @type {(number | null)[][]} */
    this.data = [];
    this.canvas.addEventListener("keydown", (event) => this.move(event));
    this.canvas.addEventListener("blur", () => this.picture?.setCursor({ left: -10, top: -10 }));
  }

  /** Draws the plot again, because its colours or its width have changed. */
  draw() {
    this.picture?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--quiet"),
      grid: { stroke: colour("--plot-grid"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    };
    const { top, steps } = this.plot;
    this.picture = new UPlot(
      {
        padding: [8, 18, 0, 0],
        width: this.canvas.clientWidth,
        height: this.canvas.clientHeight,
        legend: { show: false },
        cursor: { sync: { key: "all" }, drag: { x: false, y: false }, points: { size: 6 } },
        scales: {
          x: { range: () => extent(this.data[0]) },
          y: {
            range: (
              /** @type {any} */ _u,
              /** @type {number} */ _least,
              /** @type {number} */ most,
            ) => [0, top ?? rounded(most)],
          },
        },
        axes: [
          {
            ...axis,
            space: 50,
            size: 24,
            incrs: TIME_STEPS_S,
            values: (/** @type {any} */ _u, /** @type {number[]} */ ticks) => ticks.map(hourAndMinute),
          },
          {
            ...axis,
            size: 58,
            space: 30,
            ...steps && { incrs: steps },
            values: (/** @type {any} */ _u, /** @type {number[]} */ ticks) =>
              ticks.map((tick) => this.plot.write(tick)),
          },
        ],
        series: [
          {},
          ...this.plot.series.map(([, label], i) => ({
            label,
            stroke: colour(`--plot-${i + 1}`),
            fill: this.plot.series.length === 1 ? `${colour("--plot-1")}22` : undefined,
            width: 1.5,
            points: { show: false },
            spanGaps: false,
          })),
        ],
        hooks: { setCursor: [() => this.tell()] },
      },
      this.data,
      this.canvas,
    );
  }

  /** @param {(number | null)[][]} data the times, and the values of each series */
  show(data) {
    this.data = data;
    if (this.picture === undefined) this.draw();
    else this.picture.setData(data);
    this.tell();
    this.canvas.setAttribute("aria-label", this.summary());
  }

  /** Shows the values at the cursor, or the last ones. */
  tell() {
    const at = this.picture?.cursor.idx ?? this.data[0].length - 1;
    this.values.forEach((value, i) => setText(value, this.plot.write(this.data[i + 1]?.[at])));
    if (this.plot === PLOTS[0]) {
      const time = (this.picture?.cursor.idx ?? -1) < 0 ? undefined : this.data[0][at];
      setText(byId("plots-time"), time ? `at ${format.clock(time * 1000)}` : "");
    }
  }

  summary() {
    const { title, series, write } = this.plot;
    const parts = series.map(([, label], i) => {
      const known = (this.data[i + 1] ?? []).filter((value) => value !== null);
      if (known.length === 0) return `${label} unknown`;
      const [least, most] = [Math.min(...known), Math.max(...known)];
      return `${label} now ${write(known.at(-1))}, least ${write(least)}, most ${write(most)}`;
    });
    return `${title}: ${parts.join("; ")}`;
  }

  /** @param {KeyboardEvent} event */
  move({ key }) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    const last = (this.data[0]?.length ?? 0) - 1;
    if (step === undefined || last < 0 || this.picture === undefined) return;
    const index = Math.max(0, Math.min(last, (this.picture.cursor.idx ?? last + 1) + step));
    this.picture.setCursor({ left: this.picture.valToPos(this.data[0][index], "x"), top: 10 });
  }
}

/**
 * Returns the times at both ends of a plot.
 *
 * @param {(number | null)[] | undefined} times
 */
function extent(times) {
  const most = times?.at(-1) ?? 0;
  return [Math.min(times?.[0] ?? 0, most - SHOWN_LEAST_S), most];
}

/**
 * Returns the end of a scale, a little above the highest value.
 *
 * @param {number} most
 */
function rounded(most) {
  return most > 0 ? most * 1.1 : 1;
}

const HOUR_AND_MINUTE = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** @param {number} seconds since 1970 */
function hourAndMinute(seconds) {
  return HOUR_AND_MINUTE.format(seconds * 1000);
}

/** All plots, with the history that they show. */
export class Plots {
  constructor() {
    this.views = PLOTS.map((plot) => new PlotView(plot));
    /** @type {History} */
    this.history = { stepMs: 5000, times: [], series: {} };
    this.rangeMs = 3_600_000;
    const list = byId("plot-list");
    list.append(...this.views.map((view) => view.element));
    new ResizeObserver(() => {
      for (const { picture, canvas } of this.views) {
        picture?.setSize({ width: canvas.clientWidth, height: canvas.clientHeight });
      }
    }).observe(list);
    addEventListener("themechange", () => {
      for (const view of this.views) if (view.picture !== undefined) view.draw();
    });
    byId("plots-range").addEventListener("change", (event) => {
      this.rangeMs = Number(/** @type {HTMLInputElement} */ (event.target).value) * 1000;
      this.show();
    });
  }

  /** Loads the whole history. */
  async load() {
    try {
      this.history = await ask("/api/history");
      this.show();
    } catch (error) {
      setText(byId("plots-time"), `The history cannot be loaded: ${/** @type {Error} */ (error).message}`);
    }
  }

  /**
   * Adds the newest step, unless it is there already.
   *
   * @param {{ timeMs: number, values: Record<string, number | null> }} sample
   */
  add({ timeMs, values }) {
    const { times, series, stepMs } = this.history;
    const last = times.at(-1);
    if (last !== undefined && timeMs <= last) return;
    // Steps are missing of the time in which the page was not visible.
    if (last !== undefined && timeMs - last > 1.5 * stepMs) return void this.load();
    times.push(timeMs);
    for (const [name, value] of Object.entries(values)) (series[name] ??= times.slice(1).map(() => null)).push(value);
    const extra = times.findIndex((time) => time > timeMs - 3_600_000 - stepMs);
    times.splice(0, extra);
    for (const column of Object.values(series)) column.splice(0, extra);
    this.show();
  }

  show() {
    const { times, series, stepMs } = this.history;
    if (times.length === 0) return;
    const from = times.findIndex((time) => time > (times.at(-1) ?? 0) - this.rangeMs);
    // A null between two steps that are far from each other ends the line.
    /** @type {(number | null)[]} */
    const shown = [];
    for (let i = from; i < times.length; i++) {
      const [time, last] = [times[i] ?? 0, times[i - 1] ?? Infinity];
      if (i > from && time - last > GAP_STEPS_COUNT * stepMs) shown.push(null);
      shown.push(i);
    }
    const xs = shown.map((i, place) =>
      (i === null ? (times[shown[place - 1] ?? 0] ?? 0) + stepMs : times[i] ?? 0) / 1000
    );
    for (const view of this.views) {
      const columns = view.plot.series.map(([name]) => shown.map((i) => i === null ? null : series[name]?.[i] ?? null));
      view.show([xs, ...columns]);
    }
  }
}
