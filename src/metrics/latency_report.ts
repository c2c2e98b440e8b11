/**
 * Reports about events that took long, as text for people: a drawing of one history, and advice about all.
 *
 * ```text
 * command - high 31 ms, low 9 ms (all time high 31 ms)
 * --------------------------------------------------------------------------------
 *  #            each column is a sample, the newest last
 *  |
 * o|
 * ||_
 *
 * 521           how long ago it was: 5 minutes, 2 minutes, 1 second
 * mms
 * ```
 *
 * @module
 */

import type { LatencyHistory } from "./latency_events.ts";

const COLUMNS_COUNT = 80;
const ROWS_COUNT = 4;
/** The characters of the highest part of a column, from low to high. */
const TOPS = "_o#";

/** Draws a history. */
export function drawHistory({ name, samples, maxMs }: LatencyHistory, nowMs: number): string {
  const durations = samples.map(({ durationMs }) => durationMs);
  const [low, high] = [Math.min(...durations), Math.max(...durations)];
  const lines = [
    `${name} - high ${high} ms, low ${low} ms (all time high ${maxMs} ms)`,
    "-".repeat(COLUMNS_COUNT),
  ];
  const ages = samples.map(({ second }) => ageOf(nowMs / 1000 - second));
  for (let from = 0; from < samples.length; from += COLUMNS_COUNT) {
    const columns = durations.slice(from, from + COLUMNS_COUNT).map((ms) => columnOf(ms, low, high));
    for (let row = ROWS_COUNT - 1; row >= 0; row--) lines.push(columns.map((column) => column[row] ?? " ").join(""));
    lines.push("");
    const labels = ages.slice(from, from + COLUMNS_COUNT);
    const height = Math.max(...labels.map((label) => label.length));
    for (let row = 0; row < height; row++) lines.push(labels.map((label) => label[row] ?? " ").join(""));
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** Returns the characters of a column, from the bottom to the top. */
function columnOf(durationMs: number, low: number, high: number): string {
  const stepsCount = ROWS_COUNT * TOPS.length;
  const share = (durationMs - low) / Math.max(1, high - low);
  const step = Math.min(stepsCount - 1, Math.floor(share * stepsCount));
  return "|".repeat(Math.floor(step / TOPS.length)) + TOPS[step % TOPS.length];
}

function ageOf(seconds: number): string {
  const age = Math.max(0, Math.floor(seconds));
  if (age < 60) return `${age}s`;
  if (age < 3600) return `${Math.floor(age / 60)}m`;
  return age < 86_400 ? `${Math.floor(age / 3600)}h` : `${Math.floor(age / 86_400)}d`;
}

/** The advice about each kind of event. */
const ADVICE: Readonly<Record<string, string>> = {
  "command": "Look at `slowlog get` for the commands, and at `bigkeys` for large values. Prefer SCAN to KEYS.",
  "fast-command":
    "These commands take the same short time with any data, so something else held the process up: look at the load " +
    "of the machine and at swapping.",
  "aof-write": "The disk takes long to accept writes. Look at what else uses it.",
  "aof-fsync-always":
    "Each write waits for the disk. Choose --fsync everysec if losing a second of writes is acceptable.",
  "aof-fsync": "The disk takes long to sync. Look at what else uses it.",
  "expire-cycle": "Very many keys expire at the same time. Spread their deadlines.",
  "eviction-cycle": "Making room for new keys takes long. Raise --max-memory, or write smaller values.",
  "event-loop": "The process did not run for this time. Look at the load of the machine, and at its number of cores.",
};

/**
 * Returns advice about the events.
 *
 * @param thresholdMs the threshold from which events are recorded; 0: none is
 */
export function doctorReport(histories: readonly LatencyHistory[], thresholdMs: number, nowMs: number): string {
  if (histories.length === 0) {
    return thresholdMs === 0
      ? 'Latency monitoring is off. Turn it on with "CONFIG SET latency-monitor-threshold <milliseconds>".\n'
      : `No event has taken ${thresholdMs} ms or more.\n`;
  }
  const lines = histories.map((history, i) => `${i + 1}. ${describe(history, nowMs)}`);
  const advice = histories.flatMap(({ name }) => ADVICE[name] === undefined ? [] : [`- ${name}: ${ADVICE[name]}`]);
  return [`Events of ${thresholdMs} ms and more:`, "", ...lines, "", "Advice:", "", ...advice, ""].join("\n");
}

function describe({ name, samples, maxMs }: LatencyHistory, nowMs: number): string {
  const durations = samples.map(({ durationMs }) => durationMs);
  const mean = durations.reduce((sum, ms) => sum + ms, 0) / durations.length;
  const deviation = durations.reduce((sum, ms) => sum + Math.abs(ms - mean), 0) / durations.length;
  const ageS = Math.max(0, nowMs / 1000 - samples[0]!.second);
  const period = samples.length > 1 ? `, about every ${(ageS / samples.length).toFixed(1)} s` : "";
  return `${name}: ${samples.length} latency spikes (average ${mean.toFixed(0)} ms, mean deviation ` +
    `${deviation.toFixed(0)} ms${period}). Worst all time event ${maxMs} ms.`;
}
