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

import { CENSUS_FRESH_MS } from "../limits.ts";
import { Exchange, Lane } from "../route/exchange.ts";
import type { Pool } from "../route/pool.ts";
import type { Clock } from "../route/turn.ts";
import { type Dialect, readText } from "./dialect.ts";

/** What is known of one server, as `info` tells it; all is `undefined` as long as it has not answered. */
export interface CensusFacts {
  readonly keys: number | undefined;
  readonly used_memory: number | undefined;
  readonly census_age_ms: number | undefined;
}

/** The answers of all servers. */
export class Census {
  readonly #dialect: Dialect;
  readonly #clock: Clock;
  readonly #request: Uint8Array;
  readonly #questions = new WeakMap<Pool, Question>();

  constructor(dialect: Dialect, clock: Clock) {
    this.#dialect = dialect;
    this.#clock = clock;
    this.#request = dialect.request(["info", "memory", "keyspace"]);
  }

  /** Asks the servers that are up and whose answers are not fresh. */
  refresh(pools: readonly Pool[]): void {
    for (const pool of pools) {
      if (pool.state !== "up") continue;
      let question = this.#questions.get(pool);
      if (question === undefined) this.#questions.set(pool, question = new Question(this.#dialect, this.#clock));
      if (question.isOpen || this.#clock.nowMs - question.answeredMs < CENSUS_FRESH_MS) continue;
      question.isOpen = true;
      pool.send(question.ownLane, question, this.#request, 0, this.#request.length);
    }
  }

  /** What a server has answered last. */
  of(pool: Pool): CensusFacts {
    const question = this.#questions.get(pool);
    return {
      keys: question?.keys,
      used_memory: question?.usedMemory,
      census_age_ms: question?.keys === undefined ? undefined : Math.round(this.#clock.nowMs - question.answeredMs),
    };
  }
}

/** The question to one server, asked time and again. */
class Question extends Exchange {
  readonly ownLane: Lane;
  /** Whether its answer is waited for. */
  isOpen = false;
  answeredMs = -Infinity;
  keys: number | undefined;
  usedMemory: number | undefined;
  readonly #dialect: Dialect;
  readonly #clock: Clock;

  constructor(dialect: Dialect, clock: Clock) {
    super();
    this.ownLane = new Lane(dialect);
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
