/**
 * One line on a terminal that shows how far a long run is, such as an import.
 *
 * ```text
 * import  45 %  0:12 left  1,234,567 keys  310,412/s  3 refused       80 columns
 * 45 %  0:12 left                                                     20 columns
 * import  88 MB  12 MB/s                                              the total is not known
 * ```
 *
 * The line is redrawn by a timer, which asks for the numbers, so that the run itself spends nothing on it. Parts that
 * do not fit are left out, the least important first. The rate is that of the last seconds, and the time left follows
 * from it.
 *
 * | standard error is | shows |
 * |---|---|
 * | a terminal | the line, redrawn ten times a second |
 * | a terminal whose type is `dumb` | another line every ten seconds, since it cannot redraw |
 * | a file or a pipe | nothing; the caller writes its summary |
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { PROGRESS_APPEND_INTERVAL_MS, PROGRESS_RATE_WINDOW_MS, PROGRESS_REDRAW_INTERVAL_MS } from "../limits.ts";
import type { Sink } from "./output.ts";
import { isDumbTerminal, terminalSize } from "./terminal.ts";

/** How far a run is. */
export interface Progress {
  /** The items that are done, such as keys. */
  readonly done: number;
  /** How much of the input is used, in any unit, if its size is known. */
  readonly used?: number;
  /** The size of the input, in the unit of `used`. */
  readonly total?: number;
  /** A short remark, such as `3 refused`. */
  readonly remark?: string;
}

/** The content and the output of a progress line. */
export interface ProgressOptions {
  /** The name of the run, such as `import`. */
  readonly label: string;
  /** The name of several items, such as `keys`. With `bytes`, numbers are sizes. */
  readonly unit: string;
  /** Returns how far the run is. It is called with each redrawing. */
  readonly read: () => Progress;
  /** The output. By default it is standard error. */
  readonly sink?: Sink;
  /** Whether and how the output can be redrawn. By default it depends on the output. */
  readonly mode?: ProgressMode;
  /** Returns the width of the terminal. */
  readonly columns?: () => number;
  /** Returns the time. */
  readonly nowMs?: () => number;
}

/** How a progress line appears: redrawn, appended line by line, or not at all. */
export type ProgressMode = "redraw" | "append" | "off";

/** Returns how a progress line appears on standard error. */
export function progressMode(): ProgressMode {
  if (!Deno.stderr.isTerminal()) return "off";
  return isDumbTerminal() ? "append" : "redraw";
}

/** The state of a run at a moment. */
interface Sample {
  readonly atMs: number;
  readonly done: number;
  readonly used: number;
}

/** The control sequence that clears the line from the cursor on. */
const CLEAR_LINE = "\x1b[K";

/**
 * A progress line. It is shown from its creation until {@linkcode end}.
 *
 * A timer redraws it and keeps the process alive, so every run must end it.
 */
export class ProgressLine {
  readonly #options: ProgressOptions;
  readonly #sink: Sink;
  readonly #mode: ProgressMode;
  readonly #columns: () => number;
  readonly #nowMs: () => number;
  readonly #timer: number | undefined;
  readonly #samples: Sample[] = [];
  /** The write that is under way. A terminal that is stopped by Ctrl-S holds it up, and no other is begun. */
  #writing: Promise<void> | undefined;
  #isShown = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#sink = options.sink ?? Deno.stderr;
    this.#mode = options.mode ?? progressMode();
    this.#columns = options.columns ?? (() => terminalSize().columns);
    this.#nowMs = options.nowMs ?? (() => performance.now());
    if (this.#mode === "off") return;
    this.#sample();
    const intervalMs = this.#mode === "redraw" ? PROGRESS_REDRAW_INTERVAL_MS : PROGRESS_APPEND_INTERVAL_MS;
    this.#timer = setInterval(() => this.draw(), intervalMs);
  }

  /** Draws the line now. */
  draw(): void {
    if (this.#mode === "off" || this.#writing !== undefined) return;
    const progress = this.#sample();
    const text = progressText(this.#options, progress, this.#rate(), this.#columns());
    this.#isShown = this.#mode === "redraw";
    this.#write(this.#isShown ? `\r${text}${CLEAR_LINE}` : `${text}\n`);
  }

  /** Removes the line, so that other output can be written to the terminal. The next redrawing shows it again. */
  async hide(): Promise<void> {
    await this.#writing;
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#write(`\r${CLEAR_LINE}`);
    await this.#writing;
  }

  /** Ends the redrawing and removes the line. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.hide();
  }

  #sample(): Progress {
    const progress = this.#options.read();
    const atMs = this.#nowMs();
    const samples = this.#samples;
    // The first sample is the last one that is older than the window.
    while (samples.length > 1 && samples[1]!.atMs <= atMs - PROGRESS_RATE_WINDOW_MS) samples.shift();
    samples.push({ atMs, done: progress.done, used: progress.used ?? 0 });
    return progress;
  }

  /** Returns how many items, and how much of the input, each second of the last ones took. */
  #rate(): Rate {
    const first = this.#samples[0]!;
    const last = this.#samples.at(-1)!;
    const seconds = (last.atMs - first.atMs) / 1000;
    if (seconds <= 0) return { done: 0, used: 0 };
    return { done: (last.done - first.done) / seconds, used: (last.used - first.used) / seconds };
  }

  #write(text: string): void {
    this.#writing = this.#writeAll(encodeText(text)).finally(() => this.#writing = undefined);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    try {
      for (let written = 0; written < bytes.length;) written += await this.#sink.write(bytes.subarray(written));
    } catch {
      // The terminal is gone, which does not concern the run.
    }
  }
}

/** The average of a second. */
interface Rate {
  readonly done: number;
  readonly used: number;
}

/** A part of the line, with its importance: that of the highest number is left out first. */
interface Part {
  readonly text: string;
  readonly rank: number;
}

/** Returns the line, without more characters than the columns, of which the last one stays free. */
function progressText({ label, unit }: ProgressOptions, progress: Progress, rate: Rate, columns: number): string {
  const { done, used = 0, total = 0, remark } = progress;
  const isBytes = unit === "bytes";
  const count = isBytes ? formatSize : formatCount;
  let parts: Part[] = [
    { text: label, rank: 5 },
    { text: isBytes ? count(done) : `${count(done)} ${unit}`, rank: total > 0 ? 2 : 0 },
    { text: `${count(rate.done)}/s`, rank: 3 },
  ];
  if (total > 0) {
    const percent = Math.max(0, Math.min(100, Math.floor(used / total * 100)));
    const left = rate.used > 0 ? [{ text: `${formatTime((total - used) / rate.used)} left`, rank: 1 }] : [];
    parts.splice(1, 0, { text: `${percent} %`, rank: 0 }, ...left);
  }
  if (remark !== undefined && remark !== "") parts.push({ text: remark, rank: 4 });
  // The cursor is after the last character, and in the last column some terminals would go to the next line.
  while (parts.length > 1 && lengthOf(parts) > columns - 1) {
    const least = Math.max(...parts.map(({ rank }) => rank));
    parts = parts.filter(({ rank }) => rank !== least);
  }
  return parts.map(({ text }) => text).join(SEPARATOR).slice(0, Math.max(0, columns - 1));
}

const SEPARATOR = "  ";

function lengthOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { text }) => sum + text.length + SEPARATOR.length, -SEPARATOR.length);
}

/** Returns a count with a comma after each three digits, such as `1,234,567`. */
export function formatCount(count: number): string {
  return String(Math.max(0, Math.round(count))).replace(/\B(?=(\d{3})+$)/g, ",");
}

const SIZE_UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Returns a size with a unit of 1000 bytes and its powers, such as `1.5 MB`. */
export function formatSize(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  // 999.5 would be written as 1000.
  while (value >= 999.5 && unit + 1 < SIZE_UNITS.length) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${SIZE_UNITS[unit]}`;
}

/** Returns a duration as minutes and seconds, such as `0:07` or `12:30`, and from one hour on as `1:02:03`. */
export function formatTime(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole >= 100 * 3600) return `${Math.floor(whole / 86_400)} days`;
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(rest).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** Returns how long something has taken: below 10 s with tenths, such as `0.1 s`, and above as `formatTime` does. */
export function formatDuration(seconds: number): string {
  // 9.95 would be written as 10.0.
  return seconds < 9.95 ? `${Math.max(0, seconds).toFixed(1)} s` : formatTime(seconds);
}
