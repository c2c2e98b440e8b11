/**
 * Runs the live tools for the main module, which imports this one only when a tool is asked for.
 *
 * @module
 */

import type { Client } from "../../client/client.ts";
import type { Target } from "../../target/connect.ts";
import type { Colours } from "../../terminal/colours.ts";
import { ProgressLine } from "../../terminal/progress.ts";
import { watchCluster } from "../cluster.ts";
import type { Format } from "../format.ts";
import { showHotKeys } from "./hot_keys.ts";
import { KeySurvey, type Measure, surveyKeys } from "./key_survey.ts";
import { showLatency } from "./latency.ts";
import { listen } from "./listen.ts";
import type { LiveView, Pace } from "./live_view.ts";
import type { Words } from "./live_words.ts";
import { sourceOf } from "./message_source.ts";
import type { LiveMode, LiveValues } from "./mode.ts";
import { type LiveTool, runLive } from "./run_live.ts";
import { showKeys } from "./scan.ts";
import { showStat } from "./stat.ts";
import { reportSurvey } from "./survey_report.ts";

const INTERVAL_MS = 1_000;
const HISTORY_INTERVAL_MS = 15_000;
const PAGE_COUNT = 1_000;
const TOP_COUNT = 10;

/** How a tool writes. */
export interface LiveStyle {
  readonly format: Format;
  readonly colours: Colours;
}

/** Runs `subscribe`, `psubscribe` or `monitor`. Returns the exit status. */
export async function runListening(target: Target, words: Words, style: LiveStyle): Promise<number> {
  const source = await sourceOf(target);
  return await runLive({ isEndless: true, run: (view) => listen(source, words, view) }, style);
}

/** Runs `cluster --watch`. Returns the exit status. */
export async function runWatching(client: Client, words: Words, style: LiveStyle): Promise<number> {
  return await runLive({ isEndless: true, run: (view) => watchCluster(client, words, view) }, style);
}

/** Runs the tool that an option such as `--stat` chooses. Returns the exit status. */
export async function runMode(
  mode: LiveMode,
  client: Client,
  values: LiveValues,
  words: readonly string[],
  style: LiveStyle,
): Promise<number> {
  return await runLive(toolOf(mode, client, values, words), style);
}

function toolOf(mode: LiveMode, client: Client, values: LiveValues, words: readonly string[]): LiveTool {
  const pace = (intervalMs: number): Pace => {
    return { intervalMs: values.interval ?? intervalMs, durationMs: values.duration };
  };
  const { pattern, type, count = PAGE_COUNT, interval: pauseMs = 0, top = TOP_COUNT } = values;
  const selection = { pattern, type, count, pauseMs };
  switch (mode) {
    case "stat":
      return { isEndless: true, run: (view) => showStat(client, pace(INTERVAL_MS), view) };
    case "latency":
      return {
        isEndless: true,
        run: (view) => showLatency(client, { ...pace(INTERVAL_MS), words, isHistory: false }, view),
      };
    case "latency-history":
      return {
        isEndless: true,
        run: (view) => showLatency(client, { ...pace(HISTORY_INTERVAL_MS), words, isHistory: true }, view),
      };
    case "scan":
      return { isEndless: false, run: (view) => showKeys(client, selection, view) };
    case "big-keys":
      return { isEndless: false, run: (view) => survey(client, "elements", view) };
    case "mem-keys":
      return { isEndless: false, run: (view) => survey(client, "memory", view) };
    case "hot-keys": {
      const hotPace = values.interval === undefined && values.duration === undefined ? undefined : pace(INTERVAL_MS);
      return { isEndless: hotPace !== undefined, run: (view) => showHotKeys(client, top, hotPace, view) };
    }
  }

  async function survey(client: Client, measure: Measure, view: LiveView): Promise<void> {
    const keys = new KeySurvey(measure, top);
    const startMs = performance.now();
    // With a pattern or a type, how many keys there will be is not known.
    const size = pattern === undefined && type === undefined ? await view.orStopped(client.send(["size"])) : undefined;
    const total = size === undefined ? undefined : Number(size);
    const progress = new ProgressLine({
      label: mode,
      unit: "keys",
      read: () => ({ done: keys.count, ...total !== undefined && { used: Math.min(keys.count, total), total } }),
    });
    try {
      await surveyKeys(client, keys, measure, selection, view);
    } finally {
      await progress.end();
    }
    reportSurvey(keys, measure, performance.now() - startMs, view);
  }
}
