/**
 * The present traffic with one server: requests a second, and how long some of them take.
 *
 * Reading a precise clock for each request would cost more than routing it, so only some are timed: each one while
 * there are few, and otherwise about {@linkcode TIMED_PER_SWEEP_COUNT} between two sweeps. At each sweep the number of
 * requests to skip is computed from the requests since the last one. It is odd, so that it does not keep in step with
 * clients that send batches. A timed request also counts for the skipped ones, since otherwise slow requests at a quiet
 * time would weigh more.
 *
 * @module
 */

import { TRAFFIC_MARK_INTERVAL_MS, TRAFFIC_MARKS_COUNT, TRAFFIC_WINDOW_MS } from "../limits.ts";
import { Latencies } from "../metrics/latencies.ts";
import { Rate } from "../metrics/rate.ts";

const TIMED_PER_SWEEP_COUNT = 16;

/** A request that may be timed. */
export interface TimedRequest {
  /** The object that times the request; `undefined` for most requests. */
  traffic: Traffic | undefined;
  /** When timing began, by the precise clock. */
  timedMs: number;
  /** The number of requests that the timed one represents, including itself. */
  timedCount: number;
}

/** The traffic with one server. */
export class Traffic {
  /** The number of requests until one is timed. The owner decrements it with each, and calls {@linkcode begin} at 0. */
  untilTimed = 1;
  readonly #latencies: Latencies;
  readonly #preciseMs: () => number;
  readonly #rate: Rate;
  #stride = 1;
  #lastCount = 0;

  /**
   * @param nowMs the present, by the clock of {@linkcode sweep}
   * @param preciseMs returns the ms of a clock that can measure durations below a ms
   */
  constructor(nowMs: number, preciseMs: () => number) {
    this.#latencies = new Latencies(TRAFFIC_WINDOW_MS, nowMs);
    this.#preciseMs = preciseMs;
    this.#rate = new Rate(nowMs, TRAFFIC_MARK_INTERVAL_MS, TRAFFIC_MARKS_COUNT);
  }

  /** Begins to time a request, until {@linkcode finish} or until its reply is not needed any more. */
  begin(request: TimedRequest): void {
    this.untilTimed = this.#stride;
    request.traffic = this;
    request.timedCount = this.#stride;
    request.timedMs = this.#preciseMs();
  }

  /** Counts the latency of a timed request whose reply has arrived. */
  finish(request: TimedRequest): void {
    request.traffic = undefined;
    this.#latencies.add(this.#preciseMs() - request.timedMs, request.timedCount);
  }

  /**
   * Updates the rate and the windows. It is called several times a second.
   *
   * @param requests the number of requests since the start, without failed ones
   */
  sweep(nowMs: number, requests: number): void {
    this.#latencies.rotate(nowMs);
    this.#stride = Math.floor((requests - this.#lastCount) / TIMED_PER_SWEEP_COUNT) | 1;
    this.untilTimed = Math.min(this.untilTimed, this.#stride);
    this.#lastCount = requests;
    this.#rate.update(nowMs, requests);
  }

  /** Requests a second, over the last seconds up to the last sweep. */
  get perSecond(): number {
    return this.#rate.perSecond;
  }

  /** Returns a {@linkcode Latencies.quantile} of the requests that were timed in the last 10 to 20 s. */
  quantile(fraction: number): number | undefined {
    return this.#latencies.quantile(fraction);
  }
}
