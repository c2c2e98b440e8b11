/**
 * Events that took longer than a threshold, for `latency`: one history a kind of event.
 *
 * ```text
 * command        ms   │ 12 │ 31 │  9 │ …        at most 160 seconds, as in Redis; the longest event of each second
 *                 s   │ 01 │ 07 │ 08 │ …
 * expire-cycle   ms   │  4 │ …
 * ```
 *
 * Nothing is recorded while the threshold is 0. The kinds of events are few, and their names are given by the owner.
 *
 * @module
 */

import { LATENCY_EVENTS_MAX_COUNT, LATENCY_SAMPLES_MAX_COUNT } from "../limits.ts";

/** The longest event of one second. */
export interface LatencySample {
  /** The second, in s since 1970. */
  readonly second: number;
  /** The duration in ms. */
  durationMs: number;
}

/** The history of one kind of event. */
export interface LatencyHistory {
  readonly name: string;
  /** The samples, the oldest first. There is at least one. */
  readonly samples: readonly LatencySample[];
  /** The longest event since the last reset, in ms. */
  readonly maxMs: number;
}

/** The events of one role. */
export class LatencyEvents {
  /** The duration from which an event is recorded, in ms. 0: none is. */
  thresholdMs = 0;
  readonly #histories = new Map<string, { name: string; samples: LatencySample[]; maxMs: number }>();

  /**
   * Records an event, if it was long.
   *
   * @param nowMs the present in ms since 1970
   */
  note(name: string, durationMs: number, nowMs: number): void {
    if (this.thresholdMs === 0 || durationMs < this.thresholdMs) return;
    this.record(name, Math.round(durationMs), Math.floor(nowMs / 1000));
  }

  /** Records an event of any duration. */
  record(name: string, durationMs: number, second: number): void {
    let history = this.#histories.get(name);
    if (history === undefined) {
      if (this.#histories.size >= LATENCY_EVENTS_MAX_COUNT) return;
      this.#histories.set(name, history = { name, samples: [], maxMs: 0 });
    }
    history.maxMs = Math.max(history.maxMs, durationMs);
    const last = history.samples.at(-1);
    if (last?.second === second) {
      last.durationMs = Math.max(last.durationMs, durationMs);
      return;
    }
    history.samples.push({ second, durationMs });
    if (history.samples.length > LATENCY_SAMPLES_MAX_COUNT) history.samples.shift();
  }

  /** The histories of all kinds of events that have occurred. */
  get all(): readonly LatencyHistory[] {
    return [...this.#histories.values()];
  }

  /** Returns the history of a kind of event. */
  find(name: string): LatencyHistory | undefined {
    return this.#histories.get(name);
  }

  /** Forgets one kind of event, or all. Returns how many kinds there were. */
  reset(name?: string): number {
    if (name !== undefined) return this.#histories.delete(name) ? 1 : 0;
    const { size } = this.#histories;
    this.#histories.clear();
    return size;
  }
}
