/**
 * One run of one workload: how many requests are left, and what is measured.
 *
 * @module
 */

import { Histogram } from "../../metrics/histogram.ts";
import type { Workload } from "./workloads.ts";

/** How long a run is, and how it sends. */
export interface RunSettings {
  readonly workload: Workload;
  /** The number of requests in flight on each connection. */
  readonly pipeline: number;
  /** The number of all requests; `Infinity` when the time ends the run. */
  readonly requests: number;
  /** How long requests are sent, in ms; `Infinity` when their number ends the run. */
  readonly durationMs: number;
  /** Whether each key is used once, in order, instead of random ones. */
  readonly inOrder?: boolean;
  /** The number that a request adds to the count of its key. */
  readonly weight: number;
}

/** A run under way. */
export class Run {
  readonly workload: Workload;
  readonly pipeline: number;
  readonly inOrder: boolean;
  readonly weight: number;
  readonly latencies = new Histogram();
  /** The number of replies, each of which was checked. */
  repliedCount = 0;
  /** The longest latency, in ms. */
  maxMs = 0;
  readonly begunMs: number = performance.now();
  /** The time of the last reply. */
  endedMs = 0;
  #left: number;
  readonly #endsMs: number;

  constructor({ workload, pipeline, requests, durationMs, inOrder = false, weight }: RunSettings) {
    this.workload = workload;
    this.pipeline = pipeline;
    this.inOrder = inOrder;
    this.weight = weight;
    this.#left = requests;
    this.#endsMs = this.begunMs + durationMs;
  }

  /** Returns how many of `count` requests may be sent now. */
  take(count: number, nowMs: number): number {
    if (nowMs >= this.#endsMs) return 0;
    const taken = Math.min(count, this.#left);
    this.#left -= taken;
    return taken;
  }

  /** Counts replies that came together. */
  replied(count: number, latencyMs: number): void {
    this.repliedCount += count;
    this.latencies.add(latencyMs, count);
    if (latencyMs > this.maxMs) this.maxMs = latencyMs;
  }
}
