/**
 * The statistics of the servers: what each reports in its `info`.
 *
 * They are requested only when they are to be shown. The requests use the same connections as clients' requests. A
 * caller that is going to show them waits until all servers have reported, for a bounded time:
 *
 * ```text
 * info, metrics, page  ──► reports younger than a second?  ── yes ──► the reports
 *                                  │ no                                  ▲
 *                                  └─► info … to each server that is up ─┘   all have replied, or it is late
 * ```
 *
 * A server that does not reply in that time is not waited for again until it has replied.
 *
 * @module
 */

import { SERVER_STATS_FRESH_MS, SERVER_STATS_REPLY_WAIT_MS } from "../../limits.ts";
import { parseReport, type Report } from "../../metrics/joined.ts";
import { BackendRequest, RequestStream } from "../../route/backend_request.ts";
import type { Clock } from "../../route/flush_queue.ts";
import type { Pool } from "../../route/pool.ts";
import { type Dialect, readText } from "./dialect.ts";

/** The sections of `info` that servers are asked for. */
const SECTIONS = ["server", "clients", "memory", "persistence", "stats", "keyspace"];

/** The last report of a server. */
export interface ServerReport {
  readonly report: Report;
  readonly ageMs: number;
}

/** The statistics of all servers. */
export class ServerStats {
  readonly #dialect: Dialect;
  readonly #clock: Clock;
  readonly #request: Uint8Array;
  readonly #requests = new WeakMap<Pool, StatsRequest>();
  /** Resolves when no request is waited for any more; `undefined` while none is. */
  #waiting: PromiseWithResolvers<void> | undefined;
  readonly #awaited = new Set<StatsRequest>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(dialect: Dialect, clock: Clock) {
    this.#dialect = dialect;
    this.#clock = clock;
    this.#request = dialect.request(["info", ...SECTIONS]);
  }

  /**
   * Requests the statistics of the servers that are up, unless their last reports are recent.
   *
   * @returns a promise that resolves when the reports have come, after a bounded time at the latest; `undefined` when
   *          there is nothing to wait for
   */
  refresh(pools: readonly Pool[]): Promise<void> | undefined {
    for (const pool of pools) {
      if (pool.state !== "up") continue;
      let request = this.#requests.get(pool);
      if (request === undefined) {
        request = new StatsRequest(this.#dialect, this.#clock, (ended) => this.#stopWaitingFor(ended));
        this.#requests.set(pool, request);
      }
      if (request.isOpen || this.#clock.nowMs - request.repliedMs < SERVER_STATS_FRESH_MS) continue;
      request.isOpen = true;
      this.#waitFor(request);
      // It says nothing about the latency of clients' requests, so it is not timed.
      pool.traffic.untilTimed++;
      pool.send(request.ownStream, request, this.#request, 0, this.#request.length);
    }
    return this.#waiting?.promise;
  }

  /** Returns the last report of a server; `undefined` until the first one. */
  of(pool: Pool): ServerReport | undefined {
    const request = this.#requests.get(pool);
    if (request?.report === undefined) return undefined;
    return { report: request.report, ageMs: Math.round(this.#clock.nowMs - request.repliedMs) };
  }

  /** Ends all waiting. */
  close(): void {
    clearTimeout(this.#timer);
    this.#waiting?.resolve();
    this.#waiting = undefined;
    this.#awaited.clear();
  }

  #waitFor(request: StatsRequest): void {
    this.#awaited.add(request);
    if (this.#waiting !== undefined) return;
    this.#waiting = Promise.withResolvers();
    this.#timer = setTimeout(() => this.close(), SERVER_STATS_REPLY_WAIT_MS);
  }

  #stopWaitingFor(request: StatsRequest): void {
    if (this.#awaited.delete(request) && this.#awaited.size === 0) this.close();
  }
}

/** The request to one server, which is sent repeatedly. */
class StatsRequest extends BackendRequest {
  readonly ownStream: RequestStream;
  /** Whether it has no reply yet. */
  isOpen = false;
  repliedMs = -Infinity;
  report: Report | undefined;
  readonly #dialect: Dialect;
  readonly #clock: Clock;
  readonly #ended: (request: StatsRequest) => void;

  /** @param ended is called when the request has succeeded or failed */
  constructor(dialect: Dialect, clock: Clock, ended: (request: StatsRequest) => void) {
    super();
    this.ownStream = new RequestStream(dialect);
    this.repeatable = true;
    this.#dialect = dialect;
    this.#clock = clock;
    this.#ended = ended;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.isOpen = false;
    const report = parseReport(readText(this.#dialect, bytes, start, end));
    if (report.has("used_memory")) {
      this.report = report;
      this.repliedMs = this.#clock.nowMs;
    }
    this.#ended(this);
  }

  override fail(): void {
    this.isOpen = false;
    this.#ended(this);
  }
}
