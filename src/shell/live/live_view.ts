/**
 * The parts that the live tools of `inmem client` share: their output, and how they repeat and end.
 *
 * ```text
 * one command        signals ──► run_live.ts ──┐
 *                                              ├──► stop ──► the tool returns, and its last lines are written
 * the prompt         Ctrl-C ──► interactive ───┘
 * ```
 *
 * A tool never writes faster than its output takes the bytes: it waits for {@linkcode LiveView.room} before it asks for
 * more.
 *
 * @module
 */

import type { Colours } from "../../terminal/colours.ts";
import type { Output } from "../../terminal/output.ts";
import { isDumbTerminal, type ScreenSize, terminalSize } from "../../terminal/terminal.ts";
import type { Format } from "../format.ts";
import { Frames } from "./frames.ts";

/** The size of an output that is not a terminal: nothing has to fit. */
const UNLIMITED_SIZE: ScreenSize = { columns: Infinity, rows: Infinity };

/** The options of a view. */
export interface LiveViewOptions extends Pick<LiveView, "output" | "format" | "colours" | "isTerminal" | "stop"> {
  /** Returns the size of the terminal; by default that of standard output. */
  readonly size?: () => ScreenSize;
  /** Whether the terminal obeys control sequences; by default that depends on its type. */
  readonly isRedrawn?: boolean;
}

/** The output of a live tool. */
export class LiveView {
  readonly output: Output;
  readonly format: Format;
  readonly colours: Colours;
  readonly frames: Frames;
  /** Whether the output is a terminal, so that a person reads it. */
  readonly isTerminal: boolean;
  /** Whether the output is a terminal that can be redrawn. */
  readonly isRedrawn: boolean;
  /** The signal that is aborted when the tool shall end. */
  readonly stop: AbortSignal;
  /** The ends of the present waits. A race with a promise that lasts would hold on to every wait before. */
  readonly #waits = new Set<() => void>();
  readonly #size: () => ScreenSize;

  constructor({ output, format, colours, isTerminal, stop, ...terminal }: LiveViewOptions) {
    this.output = output;
    this.format = format;
    this.colours = colours;
    this.stop = stop;
    this.isTerminal = isTerminal;
    this.isRedrawn = terminal.isRedrawn ?? (isTerminal && !isDumbTerminal());
    this.#size = isTerminal ? terminal.size ?? terminalSize : () => UNLIMITED_SIZE;
    this.frames = new Frames(output, this.isRedrawn, () => this.size);
    const end = () => {
      for (const wait of this.#waits) wait();
    };
    stop.addEventListener("abort", end, { once: true });
    output.failing.then(end);
  }

  /** The size that lines have to fit. */
  get size(): ScreenSize {
    return this.#size();
  }

  /** Whether the tool shall end: it was stopped, or its output has no reader any more. */
  get isOver(): boolean {
    return this.stop.aborted || this.output.failed;
  }

  /** Writes lines. */
  print(...lines: readonly string[]): void {
    for (const line of lines) this.output.add(`${line}\n`);
  }

  /** Resolves when few enough bytes wait to be written, or the tool shall end. */
  async room(): Promise<void> {
    if (!this.output.hasRoom) await this.orStopped(this.output.room());
  }

  /** Waits for a result; returns `undefined` if the tool shall end before. */
  async orStopped<T>(result: Promise<T>): Promise<T | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    const end = () => resolve(undefined);
    if (this.isOver) end();
    this.#waits.add(end);
    result.then(resolve, reject);
    try {
      return await promise;
    } finally {
      this.#waits.delete(end);
    }
  }

  /** Waits for some time, or until the tool shall end. */
  async pause(durationMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.max(0, durationMs));
    await this.orStopped(promise);
    clearTimeout(timer);
  }
}

/** How often a tool reports, and for how long. */
export interface Pace {
  readonly intervalMs: number;
  /** How long the tool runs; `undefined` until it is stopped. */
  readonly durationMs?: number;
}

/**
 * Runs a step again and again, at the beginning of each interval, until the view's tool shall end or the duration is
 * over. A step that takes longer than an interval delays the next one.
 */
export async function repeat(view: LiveView, pace: Pace, step: () => Promise<void>): Promise<void> {
  const { intervalMs, durationMs = Infinity } = pace;
  const endMs = performance.now() + durationMs;
  for (let nextMs = performance.now();;) {
    await step();
    await view.room();
    nextMs = Math.max(nextMs + intervalMs, performance.now());
    if (view.isOver || nextMs > endMs) return;
    await view.pause(nextMs - performance.now());
    if (view.isOver) return;
  }
}
