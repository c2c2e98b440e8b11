/**
 * Reports the progress of a long load: as a bar on a terminal, otherwise as a line of the log from time to time.
 *
 * Loads of less than a second report nothing. Loading blocks the process, so writing is synchronous as well.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { LOAD_PROGRESS_INTERVAL_MS } from "../limits.ts";
import type { Logger } from "./logger.ts";
import { formatSize } from "./quantities.ts";

/** The widest bar, in columns. */
const BAR_COLUMNS = 40;
/** How often the bar is updated. */
const BAR_INTERVAL_MS = 100;

/** The output of progress, which may be a terminal. */
export interface ProgressOutput {
  readonly isTerminal: boolean;
  readonly write: (text: string) => void;
  readonly now: () => number;
}

const standardError: ProgressOutput = {
  get isTerminal() {
    return Deno.stderr.isTerminal();
  },
  write: (text) => void Deno.stderr.writeSync(encodeText(text)),
  now: () => performance.now(),
};

/** Returns a function that reports how many of the total bytes are loaded. */
export function loadProgress(
  logger: Logger,
  output: ProgressOutput = standardError,
): (done: number, total: number) => void {
  const startMs = output.now();
  const intervalMs = output.isTerminal ? BAR_INTERVAL_MS : LOAD_PROGRESS_INTERVAL_MS;
  let reportedMs = startMs + LOAD_PROGRESS_INTERVAL_MS - intervalMs;
  let hasBar = false;
  return (done, total) => {
    const nowMs = output.now();
    const isEnd = done >= total;
    if (nowMs - reportedMs < intervalMs && !(isEnd && hasBar)) return;
    reportedMs = nowMs;
    const share = Math.min(1, done / Math.max(1, total));
    const percent = `${Math.floor(share * 100)}%`;
    const sizes = `${formatSize(done)} of ${formatSize(total)}`;
    if (!output.isTerminal) return logger.info(`Loading: ${percent}, ${sizes}`);
    hasBar = true;
    const filled = Math.round(share * BAR_COLUMNS);
    const bar = "#".repeat(filled).padEnd(BAR_COLUMNS, "-");
    output.write(isEnd ? "\r\x1b[K" : `\r\x1b[KLoading [${bar}] ${percent.padStart(4)}  ${sizes}`);
  };
}
