/**
 * What goes on with one server now: requests a second, and how long some of them take.
 *
 * Reading a precise clock for each request would cost more than routing it, so only some are timed: every one while there
 * are few, and of many about {@linkcode TIMED_PER_SWEEP_COUNT} between two sweeps. How many are passed over is found at
 * each sweep from the requests since the last, and is odd, so as not to keep in step with clients that send batches. One
 * that is timed counts for those passed over as well: else what was slow while there was little to do would weigh more.
 *
 * @module
 */

import { TRAFFIC_MARK_INTERVAL_MS, TRAFFIC_MARKS_COUNT, TRAFFIC_WINDOW_MS } from "../limits.ts";
import { Latencies } from "./latencies.ts";

const TIMED_PER_SWEEP_COUNT = 16;

/** A request that may be timed. */
export interface TimedRequest {
  /** What times the request; nothing, for most requests. */
  traffic: Traffic | undefined;
  /** When timing began, by the precise clock. */
  timedMs: number;
  /** How many requests the timed one stands for, itself included. */
  timedCount: number;
}

/** The traffic with one server. */
export class Traffic {
  /** Requests until one is timed. Its owner counts down with each, and calls {@linkcode begin} at 0. */
  untilTimed = 1;
  readonly #latencies: Latencies;
  readonly #preciseMs: () => number;
  #stride = 1;
  /** The requests there had been at some moments of the last seconds: a ring. */
  readonly #markCounts = new Float64Array(TRAFFIC_MARKS_COUNT);
  readonly #markMs = new Float64Array(TRAFFIC_MARKS_COUNT);
  #marks = 1;
  #lastCount = 0;
  #lastMs: number;

  /**
   * @param nowMs the moment, by the clock of {@linkcode sweep}
   * @param preciseMs a clock that is good for durations below a ms
   */
  constructor(nowMs: number, preciseMs: () => number) {
    this.#latencies = new Latencies(TRAFFIC_WINDOW_MS, nowMs);
    this.#preciseMs = preciseMs;
    this.#markMs[0] = this.#lastMs = nowMs;
  }

  /** Begins to time a request, until {@linkcode finish} or until nobody waits for its reply any more. */
  begin(request: TimedRequest): void {
    this.untilTimed = this.#stride;
    request.traffic = this;
    request.timedCount = this.#stride;
    request.timedMs = this.#preciseMs();
  }

  /** The reply of a request that was timed is there. */
  finish(request: TimedRequest): void {
    request.traffic = undefined;
    this.#latencies.add(this.#preciseMs() - request.timedMs, request.timedCount);
  }

  /**
   * Takes note of the time. To be called several times a second.
   *
   * @param requests how many there were since the start; those that failed are none
   */
  sweep(nowMs: number, requests: number): void {
    this.#latencies.turn(nowMs);
    this.#stride = Math.floor((requests - this.#lastCount) / TIMED_PER_SWEEP_COUNT) | 1;
    this.untilTimed = Math.min(this.untilTimed, this.#stride);
    this.#lastCount = requests;
    this.#lastMs = nowMs;
    const newest = (this.#marks - 1) % TRAFFIC_MARKS_COUNT;
    if (nowMs - this.#markMs[newest]! < TRAFFIC_MARK_INTERVAL_MS) return;
    const place = this.#marks++ % TRAFFIC_MARKS_COUNT;
    this.#markMs[place] = nowMs;
    this.#markCounts[place] = requests;
  }

  /** Requests a second, over the last seconds up to the last sweep. */
  get perSecond(): number {
    const oldest = this.#marks < TRAFFIC_MARKS_COUNT ? 0 : this.#marks % TRAFFIC_MARKS_COUNT;
    const durationMs = this.#lastMs - this.#markMs[oldest]!;
    return durationMs > 0 ? (this.#lastCount - this.#markCounts[oldest]!) * 1000 / durationMs : 0;
  }

  /** As {@linkcode Latencies.quantile}, of the requests that were timed in the last 10 to 20 s. */
  quantile(fraction: number): number | undefined {
    return this.#latencies.quantile(fraction);
  }
}
