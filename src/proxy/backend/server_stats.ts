/**
 * Statistics of the servers: keys and memory.
 *
 * `info` replies immediately with the last known values, and then requests new ones. The requests use the same
 * connections as clients' requests, and are sent only after `info`: a proxy without such a client requests nothing.
 *
 * ```text
 * info cluster  ──► the last reply of each server, with its age
 *               └─► each server that is up: info memory keyspace      unless requested less than a second ago
 * ```
 *
 * @module
 */

import { SERVER_STATS_FRESH_MS } from "../../limits.ts";
import { BackendRequest, RequestStream } from "../../route/backend_request.ts";
import type { Clock } from "../../route/flush_queue.ts";
import type { Pool } from "../../route/pool.ts";
import { type Dialect, readText } from "./dialect.ts";

/** The statistics of one server, as `info` shows them; `undefined` until its first reply. */
export interface ServerStatsFacts {
  readonly keys: number | undefined;
  readonly used_memory: number | undefined;
  readonly census_age_ms: number | undefined;
}

/** The statistics of all servers. */
export class ServerStats {
  readonly #dialect: Dialect;
  readonly #clock: Clock;
  readonly #request: Uint8Array;
  readonly #requests = new WeakMap<Pool, StatsRequest>();

  constructor(dialect: Dialect, clock: Clock) {
    this.#dialect = dialect;
    this.#clock = clock;
    this.#request = dialect.request(["info", "memory", "keyspace"]);
  }

  /** Requests the statistics of the servers that are up, unless the last reply is recent. */
  refresh(pools: readonly Pool[]): void {
    for (const pool of pools) {
      if (pool.state !== "up") continue;
      let request = this.#requests.get(pool);
      if (request === undefined) this.#requests.set(pool, request = new StatsRequest(this.#dialect, this.#clock));
      if (request.isOpen || this.#clock.nowMs - request.repliedMs < SERVER_STATS_FRESH_MS) continue;
      request.isOpen = true;
      pool.send(request.ownStream, request, this.#request, 0, this.#request.length);
    }
  }

  /** Returns the last statistics of a server. */
  of(pool: Pool): ServerStatsFacts {
    const request = this.#requests.get(pool);
    return {
      keys: request?.keys,
      used_memory: request?.usedMemory,
      census_age_ms: request?.keys === undefined ? undefined : Math.round(this.#clock.nowMs - request.repliedMs),
    };
  }
}

/** The request to one server, which is sent repeatedly. */
class StatsRequest extends BackendRequest {
  readonly ownStream: RequestStream;
  /** Whether it waits for a reply. */
  isOpen = false;
  repliedMs = -Infinity;
  keys: number | undefined;
  usedMemory: number | undefined;
  readonly #dialect: Dialect;
  readonly #clock: Clock;

  constructor(dialect: Dialect, clock: Clock) {
    super();
    this.ownStream = new RequestStream(dialect);
    this.repeatable = true;
    this.#dialect = dialect;
    this.#clock = clock;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.isOpen = false;
    const text = readText(this.#dialect, bytes, start, end);
    const usedMemory = /^used_memory:([0-9]+)/m.exec(text)?.[1];
    if (usedMemory === undefined) return;
    this.repliedMs = this.#clock.nowMs;
    this.usedMemory = Number(usedMemory);
    // A server without keys has no line for them.
    this.keys = Number(/^db0:keys=([0-9]+)/m.exec(text)?.[1] ?? 0);
  }

  override fail(): void {
    this.isOpen = false;
  }
}
