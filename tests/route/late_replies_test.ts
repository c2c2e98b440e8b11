/**
 * Replies that come too late, half, or in bursts behind the deadline, over real sockets: none ever reaches another request.
 *
 * Many lanes, and clients that borrow connections, send tagged requests through pools whose servers misbehave now and then.
 * Every request is settled exactly once; a reply is the one to its own tag; a write is never sent twice, and not at all when
 * its failure says so; a read is sent at most twice.
 *
 * `LATE_REPLIES` requests are sent, and more until everything that can go wrong has, and enough were answered; `SEED` repeats a run as far as the sockets allow.
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import type { ConnectionError } from "../../src/errors.ts";
import { BackendRequest, RequestStream } from "../../src/route/backend_request.ts";
import type { DedicatedStream } from "../../src/route/dedicated.ts";
import { FlushQueue } from "../../src/route/flush_queue.ts";
import { Pool } from "../../src/route/pool.ts";
import { amountOf } from "../support/amount.ts";
import { pause } from "../support/pause.ts";
import { Random } from "../support/random.ts";
import { answersTag, type Moods, TAGGED_FRAMING, TaggedBackend, taggedRequest } from "../support/tagged_backend.ts";

const REQUESTS_COUNT = amountOf("LATE_REPLIES", 10_000, 60_000);
/** On a busy machine hardly anything goes wrong but that replies are late: so many are sent then. */
const REQUESTS_MAX_COUNT = 10 * REQUESTS_COUNT;
const seed = Number(Deno.env.get("SEED") ?? 20261125);
const POOLS_COUNT = 24;
const LANES_COUNT = 8;
const BORROWERS_COUNT = 4;
const CONNECTIONS_MAX_COUNT = 3;
/** Most requests of a burst: few as a rule, so that much goes wrong; now and then enough to open more than one connection. */
const BURSTS_MAX_COUNTS: readonly number[] = [...new Array(29).fill(3), 400];
const BORROWED_BURSTS_MAX_COUNTS = [1, 4];
const TIMEOUT_MS = 20;
const SWEEP_MS = 4;
const MOODS: Moods = { lateChance: 0.01, lateMaxMs: 3 * TIMEOUT_MS, halfChance: 0.01, cutChance: 0.01 };
/** Nothing waits for longer, however busy the machine is. */
const STUCK_MS = 10_000;

/** How a request ended. */
type Outcome = "waits" | "answered" | "sent" | "unsent";

/** One request, which checks what it gets. */
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
    if (!answersTag(this.tag, bytes, start, end)) this.#course.wrong.push(`${this.tag} got ${bytes.slice(start, end)}`);
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
  /** What must not happen. */
  readonly wrong: string[] = [];
  /** When a request was settled last. */
  settledMs = performance.now();
  /** How many requests were answered, and how many have failed that may have reached a server. */
  readonly settled = { answered: 0, sent: 0, unsent: 0 };

  get isOver(): boolean {
    const { requests: { length: count }, settled: { answered, sent } } = this;
    if (count === REQUESTS_MAX_COUNT) return true;
    return count >= REQUESTS_COUNT && answered > REQUESTS_COUNT / 2 && sent > 0 && this.seen.includes(2);
  }

  /** Sends some requests at once, reads or both; resolves when all of them are settled and their server may be asked again. */
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
    const exchanges = Array.from({ length: count }, () => {
      const request = new TaggedRequest(this, this.requests.length, this.random.chance(readChance), settled);
      this.requests.push(request);
      return request;
    });
    for (const request of exchanges) send(request, taggedRequest(request.tag));
    await promise;
    while (pool.state === "down") await pause(SWEEP_MS);
  }

  /** A client on a lane of a pool. */
  async useLane(pool: Pool): Promise<void> {
    const stream = new RequestStream(TAGGED_FRAMING);
    while (!this.isOver) {
      await this.burst(
        pool,
        BURSTS_MAX_COUNTS,
        (request, bytes) => void pool.send(stream, request, bytes, 0, bytes.length),
        () => {},
      );
      if (stream.inFlight !== 0) this.wrong.push(`a lane has ${stream.inFlight} in flight when all is settled`);
    }
  }

  /** A client that borrows a connection for some requests, and now and then gives it up before all are answered. */
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
        // In the midst of the batch of replies that the last one came in.
        () => stream.giveBack(),
      );
    }
  }

  /** Checks how often each request has reached a server. To be called when nothing is under way. */
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

Deno.test(`Pool gives none of ${REQUESTS_COUNT} requests or more the late reply to another`, async () => {
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
    // While this process is held up, its servers are as well: what they could not answer is not late for that.
    clock.nowMs += Math.min(2 * SWEEP_MS, nowMs - sweptMs);
    sweptMs = nowMs;
    for (const pool of pools) pool.sweep();
    if (nowMs - course.settledMs > STUCK_MS) reject(new Error(`Nothing is settled any more; seed ${seed}`));
  }, SWEEP_MS);
  try {
    const clients = pools.flatMap((pool) => [
      ...Array.from({ length: LANES_COUNT }, () => course.useLane(pool)),
      ...Array.from({ length: BORROWERS_COUNT }, () => course.borrow(pool)),
    ]);
    await Promise.race([Promise.all(clients), stuck]);
  } finally {
    clearInterval(sweeper);
    for (const pool of pools) pool.close();
    for (const backend of backends) await backend[Symbol.asyncDispose]();
    // Until the last borrower that was to give up has done so.
    await pause(2 * SWEEP_MS);
  }
  const counts = course.count();
  assertEquals(course.wrong.slice(0, 10), [], `${course.wrong.length} are wrong; seed ${seed}`);
  assertEquals(counts.waits, 0);
  const timeouts = pools.reduce((sum, pool) => sum + pool.timeouts, 0);
  const twice = course.seen.filter((count) => count === 2).length;
  // Else nothing was tried.
  assert(timeouts > 0 && twice > 0 && counts.sent > 0, `${timeouts} timeouts, ${twice} sent twice; seed ${seed}`);
  assertGreater(counts.answered, REQUESTS_COUNT / 2);
});
