/**
 * What the servers say of themselves: keys and memory.
 *
 * `info` is answered at once, so it tells what is known, and the servers are asked behind it. They are asked over the
 * connections that clients' requests take, and only while somebody looks: a proxy that nobody watches asks nothing.
 *
 * ```text
 * info cluster  ──► what was answered last, with its age
 *               └─► each server that is up: info memory keyspace      unless it was asked a second ago or less
 * ```
 *
 * @module
 */

import { SERVER_STATS_FRESH_MS } from "../../limits.ts";
import { BackendRequest, RequestStream } from "../../route/backend_request.ts";
import type { Clock } from "../../route/flush_queue.ts";
import type { Pool } from "../../route/pool.ts";
import { type Dialect, readText } from "./dialect.ts";

/** What is known of one server, as `info` tells it; all is `undefined` as long as it has not answered. */
export interface ServerStatsFacts {
  readonly keys: number | undefined;
  readonly used_memory: number | undefined;
  readonly census_age_ms: number | undefined;
}

/** The answers of all servers. */
export class ServerStats {
  readonly #dialect: Dialect;
  readonly #clock: Clock;
  readonly #request: Uint8Array;
  readonly #questions = new WeakMap<Pool, StatsRequest>();

  constructor(dialect: Dialect, clock: Clock) {
    this.#dialect = dialect;
    this.#clock = clock;
    this.#request = dialect.request(["info", "memory", "keyspace"]);
  }

  /** Asks the servers that are up and whose answers are not fresh. */
  refresh(pools: readonly Pool[]): void {
    for (const pool of pools) {
      if (pool.state !== "up") continue;
      let request = this.#questions.get(pool);
      if (request === undefined) this.#questions.set(pool, request = new StatsRequest(this.#dialect, this.#clock));
      if (request.isOpen || this.#clock.nowMs - request.answeredMs < SERVER_STATS_FRESH_MS) continue;
      request.isOpen = true;
      pool.send(request.ownLane, request, this.#request, 0, this.#request.length);
    }
  }

  /** What a server has answered last. */
  of(pool: Pool): ServerStatsFacts {
    const request = this.#questions.get(pool);
    return {
      keys: request?.keys,
      used_memory: request?.usedMemory,
      census_age_ms: request?.keys === undefined ? undefined : Math.round(this.#clock.nowMs - request.answeredMs),
    };
  }
}

/** The question to one server, asked time and again. */
class StatsRequest extends BackendRequest {
  readonly ownLane: RequestStream;
  /** Whether its answer is waited for. */
  isOpen = false;
  answeredMs = -Infinity;
  keys: number | undefined;
  usedMemory: number | undefined;
  readonly #dialect: Dialect;
  readonly #clock: Clock;

  constructor(dialect: Dialect, clock: Clock) {
    super();
    this.ownLane = new RequestStream(dialect);
    this.repeatable = true;
    this.#dialect = dialect;
    this.#clock = clock;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.isOpen = false;
    const text = readText(this.#dialect, bytes, start, end);
    const usedMemory = /^used_memory:([0-9]+)/m.exec(text)?.[1];
    if (usedMemory === undefined) return;
    this.answeredMs = this.#clock.nowMs;
    this.usedMemory = Number(usedMemory);
    // A server without keys has no line of them.
    this.keys = Number(/^db0:keys=([0-9]+)/m.exec(text)?.[1] ?? 0);
  }

  override fail(): void {
    this.isOpen = false;
  }
}
