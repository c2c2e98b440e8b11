/**
 * The program of load_generator.ts, which executes the jobs in its input.
 *
 * @module
 */

import { messageOf } from "../../src/errors.ts";
import { connect } from "../../src/net/connector.ts";
import { type Socket, writeAll } from "../../src/net/socket.ts";
import { Latencies } from "../../src/metrics/latencies.ts";
import type { LoadJob, LoadReply, LoadResult, LoadRun, LoadTarget } from "./load_generator.ts";
import { CHECKED_BYTES, type LoadCommand, LoadRequests } from "./load_requests.ts";
import { readJsonLines } from "./peer.ts";
import type { Endpoint } from "./resp_connection.ts";

/** The number of requests that are sent at a time when keys are first set. */
const FILL_COUNT = 50;
/** The time after its end at which a run without all replies fails, in ms. */
const GRACE_MS = 10_000;

/** The requests for one server, and the connections to it. */
interface Group {
  readonly requests: Readonly<Record<LoadCommand, LoadRequests>>;
  readonly connections: readonly LoadConnection[];
}

async function openGroups(targets: readonly LoadTarget[], connections: number): Promise<Group[]> {
  return await Promise.all(targets.map(async ({ endpoint, keys }, index) => {
    const count = Math.floor((connections + targets.length - 1 - index) / targets.length);
    return {
      requests: { GET: new LoadRequests("GET", keys), SET: new LoadRequests("SET", keys) },
      connections: await Promise.all(Array.from({ length: count }, () => LoadConnection.connect(endpoint))),
    };
  }));
}

async function fill(groups: readonly Group[]): Promise<void> {
  await Promise.all(groups.map(async ({ requests: { SET }, connections: [connection] }) => {
    for (let first = 0; first < SET.count; first += FILL_COUNT) {
      await connection!.exchange(SET, first, Math.min(FILL_COUNT, SET.count - first));
    }
  }));
}

async function run(groups: readonly Group[], { command, pipeline, durationMs }: LoadRun): Promise<LoadResult> {
  const begunMs = performance.now();
  const latencies = new Latencies(Infinity, begunMs);
  const all = groups.flatMap(({ requests, connections }) => {
    return connections.map((connection) => {
      const first = Math.floor(Math.random() * requests[command].count);
      return connection.run(requests[command], first, pipeline, begunMs + durationMs, latencies);
    });
  });
  const counts = await within(durationMs + GRACE_MS, Promise.all(all));
  const requests = counts.reduce((sum, count) => sum + count, 0);
  return {
    requests,
    requestsPerSecond: requests / (performance.now() - begunMs) * 1000,
    p50Ms: latencies.quantile(0.5)!,
    p99Ms: latencies.quantile(0.99)!,
    p999Ms: latencies.quantile(0.999)!,
  };
}

async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Cannot measure: replies have not arrived`)), timeoutMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function work(sides: Map<string, readonly Group[]>, job: LoadJob): Promise<LoadReply> {
  if (job.kind === "open") {
    sides.set(job.name, await openGroups(job.targets, job.connections));
    return {};
  }
  const groups = sides.get(job.name)!;
  if (job.kind === "run") return { result: await run(groups, job.run) };
  await fill(groups);
  return {};
}

async function main(): Promise<void> {
  const sides = new Map<string, readonly Group[]>();
  for await (const job of readJsonLines(Deno.stdin.readable)) {
    let reply: LoadReply;
    try {
      reply = await work(sides, job as LoadJob);
    } catch (error) {
      reply = { problem: messageOf(error) };
    }
    console.log(JSON.stringify(reply));
  }
  for (const { connections } of [...sides.values()].flat()) for (const connection of connections) connection.close();
}

/** A connection for one caller at a time. */
class LoadConnection {
  readonly #socket: Socket;
  #replies = new Uint8Array(0);
  #sampled = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects to a server. */
  static async connect({ hostname, port, authority }: Endpoint): Promise<LoadConnection> {
    const security = authority === undefined ? { plaintext: true } : { caCerts: [authority] };
    return new LoadConnection(await connect({ hostname, port, ...security }));
  }

  /**
   * Sends requests until `endMs`, and repeats them when all were sent.
   *
   * @param first the request with which it begins
   * @param latencies receives the time from sending a pipeline until reading each of its replies
   * @returns the number of replies
   */
  async run(
    requests: LoadRequests,
    first: number,
    pipeline: number,
    endMs: number,
    latencies: Latencies,
  ): Promise<number> {
    let count = 0;
    for (let at = first; performance.now() < endMs; at += pipeline) {
      if (at + pipeline > requests.count) at = 0;
      await this.exchange(requests, at, pipeline, latencies);
      count += pipeline;
    }
    return count;
  }

  /** Sends one pipeline, of `count` requests from the one at `first` on, and waits for its replies. */
  async exchange(requests: LoadRequests, first: number, count: number, latencies?: Latencies): Promise<void> {
    const size = count * requests.replySize;
    if (this.#replies.length !== size) this.#replies = new Uint8Array(size);
    const replies = this.#replies;
    const begunMs = performance.now();
    // Replies show that it has arrived. Waiting for the write first would take one more task of the event loop.
    const writing = writeAll(this.#socket, requests.slice(first, count));
    // If it fails, reading fails as well, or waits in vain.
    writing.catch(() => this.close());
    let whole = 0;
    let checked = 0;
    for (let end = 0; end < size;) {
      const length = await this.#socket.read(end === 0 ? replies : replies.subarray(end));
      if (length === null) throw new Error("Cannot measure: the connection was closed");
      end += length;
      const begun = Math.floor((end - CHECKED_BYTES) / requests.replySize) + 1;
      requests.checkHeaders(replies, checked, begun, end);
      checked = Math.max(checked, begun);
      const before = whole;
      whole = Math.floor(end / requests.replySize);
      if (whole > before) latencies?.add(performance.now() - begunMs, whole - before);
    }
    await writing;
    this.#sampled = (this.#sampled + 1) % count;
    requests.checkValue(replies, this.#sampled, first);
  }

  /** Closes the connection. Idempotent. */
  close(): void {
    try {
      this.#socket.close();
    } catch {
      // The connection was already closed.
    }
  }
}

if (import.meta.main) await main();
