/**
 * Tests replies over real sockets that arrive too late, in part, or in bursts after the deadline: none ever reaches
 * another request.
 *
 * Many streams, and clients that borrow connections, send tagged requests through pools whose servers misbehave from
 * time to time. Every request is settled exactly once. A reply belongs to the request's own tag. A write is never sent
 * twice, and not at all when its failure says so. A read is sent at most twice.
 *
 * `LATE_REPLIES` is the number of requests. More are sent until every kind of fault has occurred and enough requests
 * have replies. `SEED` repeats a run as far as the sockets allow.
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import type { ConnectionError } from "../../src/errors.ts";
import { BackendRequest, RequestStream } from "../../src/route/backend_request.ts";
import type { DedicatedStream } from "../../src/route/dedicated.ts";
import { FlushQueue } from "../../src/route/flush_queue.ts";
import { Pool } from "../../src/route/pool.ts";
import { amountOf } from "../support/amount.ts";
import { pause } from "../support/pause.ts";
import { isReplyTo, type Moods, TAGGED_FRAMING, TaggedBackend, taggedRequest } from "../support/tagged_backend.ts";

const REQUESTS_COUNT = amountOf("LATE_REPLIES", 10_000, 60_000);
/** The most requests on a busy machine, where late replies are nearly the only fault. */
const REQUESTS_MAX_COUNT = 10 * REQUESTS_COUNT;
const seed = Number(Deno.env.get("SEED") ?? 20261125);
const POOLS_COUNT = 24;
const STREAMS_COUNT = 8;
const BORROWERS_COUNT = 4;
const CONNECTIONS_MAX_COUNT = 3;
/**
 * The most requests of a burst. It is usually small, so that many faults occur, and sometimes large enough to open more
 * than one connection.
 */
const BURSTS_MAX_COUNTS: readonly number[] = [...new Array(29).fill(3), 400];
const BORROWED_BURSTS_MAX_COUNTS = [1, 4];
const TIMEOUT_MS = 20;
const SWEEP_MS = 4;
const MOODS: Moods = { lateChance: 0.01, lateMaxMs: 3 * TIMEOUT_MS, halfChance: 0.01, cutChance: 0.01 };
/** The longest wait, even on a busy machine. */
const STUCK_MS = 10_000;

/** The outcome of a request. */
type Outcome = "waits" | "answered" | "sent" | "unsent";

/** A request that checks its reply. */
class TaggedRequest extends BackendRequest {
  outcome: Outcome = "waits";
  readonly #course: Course;
  readonly #settled: () => void;

  constructor(course: Course, readonly tag: number, repeatable: boolean, settled: () => void) {
    super();
    this.#course = course;
    this.repeatable = repeatable;
    this.#settled = settled;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    if (!isReplyTo(this.tag, bytes, start, end)) this.#course.wrong.push(`${this.tag} got ${bytes.slice(start, end)}`);
    this.#settle("answered");
  }

  override fail(error: ConnectionError): void {
    this.#settle(error.sent ? "sent" : "unsent");
  }

  #settle(outcome: Exclude<Outcome, "waits">): void {
    if (this.outcome !== "waits") this.#course.wrong.push(`${this.tag} was ${this.outcome}, then ${outcome}`);
    this.outcome = outcome;
    this.#course.settled[outcome]++;
    this.#course.settledMs = performance.now();
    this.#settled();
  }
}

/** The requests of all clients. */
class Course {
  readonly random = new Random(seed);
  readonly seen = new Uint8Array(REQUESTS_MAX_COUNT);
  readonly requests: TaggedRequest[] = [];
  /** The errors that were found. */
  readonly wrong: string[] = [];
  /** When a request was last settled. */
  settledMs = performance.now();
  /** The number of requests with a reply, and of failed ones that may have reached a server. */
  readonly settled = { answered: 0, sent: 0, unsent: 0 };

  get isOver(): boolean {
    const { requests: { length: count }, settled: { answered, sent } } = this;
    if (count === REQUESTS_MAX_COUNT) return true;
    return count >= REQUESTS_COUNT && answered > REQUESTS_COUNT / 2 && sent > 0 && this.seen.includes(2);
  }

  /**
   * Sends a burst of requests, either reads or a mixture. Resolves when all of them are settled and their server may be
   * asked again.
   */
  async burst(
    pool: Pool,
    maxCounts: readonly number[],
    send: (request: TaggedRequest, bytes: Uint8Array) => void,
    lastSettled: () => void,
  ): Promise<void> {
    const count = Math.min(
      1 + this.random.below(this.random.pick(maxCounts)),
      REQUESTS_MAX_COUNT - this.requests.length,
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    let waiting = count;
    const readChance = this.random.pick([0.5, 1]);
    const settled = () => {
      if (--waiting > 0) return;
      lastSettled();
      resolve();
    };
    const requests = Array.from({ length: count }, () => {
      const request = new TaggedRequest(this, this.requests.length, this.random.chance(readChance), settled);
      this.requests.push(request);
      return request;
    });
    for (const request of requests) send(request, taggedRequest(request.tag));
    await promise;
    while (pool.state === "down") await pause(SWEEP_MS);
  }

  /** A client on a stream of a pool. */
  async useStream(pool: Pool): Promise<void> {
    const stream = new RequestStream(TAGGED_FRAMING);
    while (!this.isOver) {
      await this.burst(
        pool,
        BURSTS_MAX_COUNTS,
        (request, bytes) => void pool.send(stream, request, bytes, 0, bytes.length),
        () => {},
      );
      if (stream.inFlight !== 0) this.wrong.push(`a stream has ${stream.inFlight} in flight when all is settled`);
    }
  }

  /** A client that borrows a connection for some requests, and sometimes drops it before all have replies. */
  async borrow(pool: Pool): Promise<void> {
    while (!this.isOver) {
      let stream: DedicatedStream;
      try {
        stream = pool.dedicate(TAGGED_FRAMING);
      } catch {
        await pause(SWEEP_MS);
        continue;
      }
      if (this.random.chance(0.05)) {
        setTimeout(() => this.random.chance(0.5) ? stream.drop() : stream.giveBack(), SWEEP_MS);
      }
      await this.burst(
        pool,
        BORROWED_BURSTS_MAX_COUNTS,
        (request, bytes) => stream.send(request, bytes, 0, bytes.length),
        // This happens within the batch of replies that contains the last one.
        () => stream.giveBack(),
      );
    }
  }

  /** Checks how often each request has reached a server. No request may be in flight. */
  count(): Record<Outcome, number> {
    const counts = { waits: 0, answered: 0, sent: 0, unsent: 0 };
    for (const { tag, outcome, repeatable } of this.requests) {
      counts[outcome]++;
      const seen = this.seen[tag]!;
      const most = repeatable ? 2 : outcome === "unsent" ? 0 : 1;
      const least = outcome === "answered" ? 1 : 0;
      if (seen < least || seen > most) {
        this.wrong.push(`${tag}, a ${repeatable ? "read" : "write"}, was ${outcome}, and came ${seen} times`);
      }
    }
    return counts;
  }
}

Deno.test(`Pool delivers none of ${REQUESTS_COUNT} requests or more the late reply to another`, async () => {
  const course = new Course();
  let sweptMs = performance.now();
  const clock = { nowMs: sweptMs };
  const flushQueue = new FlushQueue();
  const backends: TaggedBackend[] = [];
  const pools: Pool[] = [];
  for (let i = 0; i < POOLS_COUNT; i++) {
    const backend = new TaggedBackend(course.seen, MOODS, course.random);
    backends.push(backend);
    const options = { connectionsMaxCount: CONNECTIONS_MAX_COUNT, timeoutMs: TIMEOUT_MS, flushQueue, clock };
    pools.push(new Pool(backend.address, { ...options, report: () => {} }));
  }
  const { promise: stuck, reject } = Promise.withResolvers<never>();
  const sweeper = setInterval(() => {
    const nowMs = performance.now();
    // While this process is delayed, its servers are as well, so replies that they could not send are not late.
    clock.nowMs += Math.min(2 * SWEEP_MS, nowMs - sweptMs);
    sweptMs = nowMs;
    for (const pool of pools) pool.sweep();
    if (nowMs - course.settledMs > STUCK_MS) reject(new Error(`Nothing is settled any more; seed ${seed}`));
  }, SWEEP_MS);
  try {
    const clients = pools.flatMap((pool) => [
      ...Array.from({ length: STREAMS_COUNT }, () => course.useStream(pool)),
      ...Array.from({ length: BORROWERS_COUNT }, () => course.borrow(pool)),
    ]);
    await Promise.race([Promise.all(clients), stuck]);
  } finally {
    clearInterval(sweeper);
    for (const pool of pools) pool.close();
    for (const backend of backends) await backend[Symbol.asyncDispose]();
    // This lasts until the last borrower has dropped its connection.
    await pause(2 * SWEEP_MS);
  }
  const counts = course.count();
  assertEquals(course.wrong.slice(0, 10), [], `${course.wrong.length} are wrong; seed ${seed}`);
  assertEquals(counts.waits, 0);
  const timeouts = pools.reduce((sum, pool) => sum + pool.timeouts, 0);
  const twice = course.seen.filter((count) => count === 2).length;
  // Otherwise the test would have tested nothing.
  assert(timeouts > 0 && twice > 0 && counts.sent > 0, `${timeouts} timeouts, ${twice} sent twice; seed ${seed}`);
  assertGreater(counts.answered, REQUESTS_COUNT / 2);
});
