/**
 * One server as the proxy uses it: a few pipelined connections, opened on demand, and the handling of lost ones.
 *
 * ```text
 *            connected                     every connection lost, no new one
 *   up ◄──────────────────── down ◄──────────────────────────────────────── up
 *   │     (tried at growing intervals)        or a deadline missed
 *   │                           └──────── no reply to a probe ───────── suspect ◄── silent for a while ── up
 *   └── retire() ──► draining ── last reply ──► closed
 *                       └────── restore() ──────┴──► up
 * ```
 *
 * *Idle servers.* A server without requests is checked from time to time, on the connection that the next request would
 * use. A failure is thus known before a client needs the server, and firewalls do not forget the connection.
 *
 * *Silent servers.* While a server is down its requests fail immediately: they cost their clients an error and do not
 * affect others. A server that is silent while requests wait is suspect, and is probed on another connection
 * (probe.ts). If it replies, it only takes long. Otherwise it is down, and no client waits for the deadline of its
 * request. The silence counts from the last sign of life on any of its connections: bytes of a reply, or accepted bytes
 * of a long request.
 *
 * *Slow requests.* A request that takes long delays only the requests after it on its connection. While the connection
 * is silent, new requests use another one, if necessary that of the probe.
 *
 * *Down is not gone.* A server that is down because it was silent may be busy or stopped for a moment, and still has
 * its data. A server whose port is closed, or belongs to another program, is *gone*. Code that gives its slots to
 * others has to distinguish the two ({@linkcode Pool.isGone}).
 *
 * The requests of a lost connection are settled in order, so that a client's requests stay in order:
 *
 * | request | bytes were sent | then |
 * |---|---|---|
 * | may be repeated | yes or no | sent once more, on another connection; the second loss fails it |
 * | may not | no | sent once more |
 * | may not | yes | fails, its outcome unknown; so do the same client's requests before it |
 *
 * The last row keeps the order: a read that was sent before a write must not be executed after it.
 *
 * After a missed deadline no request is sent again: the server is suspect, and another wait would help no client.
 *
 * Idle connections are closed after a while, the last one of a framing later than the others. Servers close them too.
 * An idle connection that either side closes says nothing about the server; the next request opens another.
 *
 * @module
 */

import { assert, ConnectionError } from "../errors.ts";
import {
  BACKEND_IDLE_MS,
  BACKEND_LAST_IDLE_MS,
  BACKEND_RETRY_MAX_MS,
  BACKEND_RETRY_MIN_MS,
  LONG_FRAME_BYTES,
  PIPELINE_BUSY_LOAD,
} from "../limits.ts";
import { BackendRequest, type Carrier, RequestStream } from "./backend_request.ts";
import { Dedicated } from "./dedicated.ts";
import type { DedicatedStream } from "./dedicated.ts";
import type { Clock, FlushQueue } from "./flush_queue.ts";
import type { Framing, Transport } from "./framing.ts";
import { Pipeline } from "./pipeline.ts";
import type { PipelineEnd, PipelineHost } from "./pipeline.ts";
import { Probe } from "./probe.ts";
import type { ProbeResult, Verdict } from "./probe.ts";
import { Traffic } from "./traffic.ts";

/** The options that all pools of a role share. */
export interface PoolOptions {
  /** The most connections to one server. Each framing in use has at least one. */
  readonly connectionsMaxCount: number;
  /** How long a request may wait for its reply, in ms. */
  readonly timeoutMs: number;
  /**
   * How long a server may be silent while requests wait before it is suspect, in ms. Without it, a server is never
   * suspect.
   */
  readonly suspectAfterMs?: number;
  /** How long a suspect server may take to reply to a probe, in ms, from its last sign of life. */
  readonly probeTimeoutMs?: number;
  /** Returns the conclusion about a server from a failed connection. Without it, the server is gone. */
  readonly judge?: (error: unknown) => Verdict;
  /** How an idle server is checked. Without it, it is not. */
  readonly check?: Check;
  readonly flushQueue: FlushQueue;
  readonly clock: Clock;
  /** Returns whether one more connection may be lent to a single client, to any server. Without it, always. */
  readonly mayDedicate?: () => boolean;
  /** Returns the ms of a clock that can measure durations below a ms; the system's by default. */
  readonly preciseMs?: () => number;
  /** Reports that the server's state has changed, or that it stays down for another reason. */
  report(address: string, state: PoolState, reason: string): void;
}

/** How a server is checked while it is idle, so that it is known to be down before a client needs it. */
export interface Check {
  /** The framing for a server that has had no request yet. */
  readonly framing: Framing;
  /** How long a server is idle until it is checked, in ms. */
  readonly intervalMs: number;
}

const REMOVED = "it was removed from the list of servers";
const IDLE = "the connection had nothing to do";

/** The state of a server: it works, is being probed, is down, or accepts no new requests. */
export type PoolState = "up" | "suspect" | "down" | "draining";

/** The connections to one server. */
export class Pool implements PipelineHost {
  /** `host:port` of the server. */
  readonly address: string;
  readonly flushQueue: FlushQueue;
  readonly clock: Clock;
  /** The number of requests that were sent since the start. */
  requests = 0;
  /** The number of requests that got no reply. */
  failures = 0;
  /** The number of connections that were lost after a missed deadline. */
  timeouts = 0;
  /** The rate of requests, and how long they take. */
  readonly traffic: Traffic;
  /** The connections that are lent to single clients. */
  readonly #dedicated: Dedicated;
  #options: PoolOptions;
  #pipelines: Pipeline[] = [];
  #state: Exclude<PoolState, "suspect"> = "up";
  readonly #probe: Probe;
  readonly #judge: (error: unknown) => Verdict;
  /** When the server was last probed. */
  #probedMs = -Infinity;
  /** When the server last replied to a probe. */
  #probeReplyMs = -Infinity;
  readonly #check = new CheckRequest();
  /** Whether all connections are being ended for one reason. */
  #isGivingUp = false;
  /** Whether the server was found to be gone since it is down. */
  #isGone = false;
  #reason = "";
  /** The reason for being down that was reported last. */
  #reported = "";
  /** The number of connections in a row that could not be made, or were lost before the first reply. */
  #misses = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #mayOpen = true;
  /** The connections that are being made, at most one per framing. */
  readonly #opening = new Set<Pipeline>();
  /** The framing of the last request, in which a server that is down is tried. */
  #requestedFraming: Framing | undefined;
  /** The framing of the last connection that was made. */
  #openedFraming: Framing | undefined;
  #abort = new AbortController();
  #error: ConnectionError | undefined;

  constructor(address: string, options: PoolOptions) {
    this.address = address;
    this.flushQueue = options.flushQueue;
    this.clock = options.clock;
    this.#options = options;
    this.traffic = new Traffic(options.clock.nowMs, options.preciseMs ?? (() => performance.now()));
    this.#dedicated = new Dedicated(address, options);
    const { clock, timeoutMs, probeTimeoutMs = timeoutMs } = options;
    this.#judge = options.judge ?? (() => "gone");
    this.#probe = new Probe(address, { timeoutMs: probeTimeoutMs, clock, judge: this.#judge });
  }

  /** The state of the server. */
  get state(): PoolState {
    return this.#state === "up" && this.#probe.isProbing ? "suspect" : this.#state;
  }

  /** The reason why the server is down, in one sentence; empty while it is not. */
  get problem(): string {
    return this.#state === "down" ? this.#reason : "";
  }

  /**
   * Whether the server is down and known to be gone. If it is down but not gone, it is silent or cannot be reached from
   * here.
   */
  get isGone(): boolean {
    return this.#state === "down" && this.#isGone;
  }

  /** The number of established connections. */
  get connections(): number {
    let ready = 0;
    for (const pipeline of this.#pipelines) if (pipeline.ready) ready++;
    return ready;
  }

  /** The number of dedicated connections, lent or kept for the next client. */
  get dedicated(): number {
    return this.#dedicated.count;
  }

  /** Whether it was retired and its last connection is closed. */
  get closed(): boolean {
    return this.#state === "draining" && this.#pipelines.length === 0 && this.#dedicated.count === 0;
  }

  /** The number of requests without a reply. */
  get inFlight(): number {
    let sum = 0;
    for (const pipeline of this.#pipelines) sum += pipeline.inFlight;
    return sum;
  }

  /**
   * Sends a request whose frame is `bytes[start, start + size)`, borrowed until return.
   *
   * The request is settled once, possibly before this returns: when the server is down.
   *
   * @returns a pipeline to wait for before sending more, or `undefined` when more may be sent
   */
  send(
    stream: RequestStream,
    request: BackendRequest,
    bytes: Uint8Array,
    start: number,
    size: number,
  ): Carrier | undefined {
    this.requests++;
    if (--this.traffic.untilTimed <= 0) this.traffic.begin(request);
    return this.#dispatch(stream, request, bytes, start, size);
  }

  /** Sends a long request whose frame is `bytes[0, size)`. The pool owns the bytes from now on. */
  sendOwned(
    stream: RequestStream,
    request: BackendRequest,
    bytes: Uint8Array<ArrayBuffer>,
    size: number,
  ): Carrier | undefined {
    this.requests += 1 + request.unread;
    const pipeline = this.#begin(stream, request);
    if (pipeline === undefined) return undefined;
    pipeline.sendOwned(stream, request, bytes, size);
    return pipeline.congested ? pipeline : undefined;
  }

  /** Sends a request without counting it. */
  #dispatch(
    stream: RequestStream,
    request: BackendRequest,
    bytes: Uint8Array,
    start: number,
    size: number,
  ): Carrier | undefined {
    const pipeline = this.#begin(stream, request);
    if (pipeline === undefined) return undefined;
    pipeline.send(stream, request, bytes, start, size);
    return pipeline.congested ? pipeline : undefined;
  }

  /** Begins a request. Returns the pipeline that should send it, or `undefined` when it has failed. */
  #begin(stream: RequestStream, request: BackendRequest): Carrier | undefined {
    request.sinceMs = this.clock.nowMs;
    request.repeated = false;
    stream.inFlight++;
    const pipeline = this.#place(stream);
    if (pipeline === undefined) this.#fail(request, stream, this.#unavailable());
    return pipeline;
  }

  /**
   * Lends a connection that no other stream uses.
   *
   * @throws {ConnectionError} when the server is down, or too many are lent
   */
  dedicate(framing: Framing): DedicatedStream {
    if (this.#state !== "up") throw this.#unavailable();
    return this.#dedicated.lend(framing);
  }

  /** Returns the stream's connection while it has requests in flight, otherwise the least loaded one. */
  #place(stream: RequestStream): Carrier | undefined {
    const pinned = stream.pipeline;
    if (stream.inFlight > 1 && pinned !== undefined && !pinned.ended) return pinned;
    return stream.pipeline = this.#leastLoaded(stream.framing);
  }

  #leastLoaded(framing: Framing): Pipeline | undefined {
    let best: Pipeline | undefined;
    let load = Infinity;
    for (const pipeline of this.#pipelines) {
      if (pipeline.framing !== framing) continue;
      // A connection that is still being opened is used only if no other could serve.
      const each = pipeline.ready ? pipeline.load : Number.MAX_SAFE_INTEGER;
      if (each < load) {
        best = pipeline;
        load = each;
      }
    }
    if (best === undefined) {
      // A client that waits on a lent connection has to be unblocked over another one.
      const isInUse = this.#state === "up" || this.#state === "draining" && this.#dedicated.count > 0;
      if (isInUse) return this.#mayBegin() ? this.#open(framing) : undefined;
      // The server may refuse the framing in which it was tried.
      this.#requestedFraming = framing;
      return undefined;
    }
    // A connection that is opened while the server is down is a trial, for which no request waits.
    if (!best.ready && this.#state !== "up") return undefined;
    const isLong = best.ready && best.queuedBytes >= LONG_FRAME_BYTES;
    const isBusy = isLong || load - best.handicap >= PIPELINE_BUSY_LOAD;
    if (isBusy && this.#mayOpen && this.#opening.size === 0 && this.#state === "up") {
      if (this.#pipelines.length < this.#options.connectionsMaxCount) this.#open(framing);
    }
    // After a long frame a request would wait for longer than it takes to open a connection.
    return (isLong ? this.#openingOf(framing) : undefined) ?? best;
  }

  #openingOf(framing: Framing): Pipeline | undefined {
    for (const each of this.#opening) if (each.framing === framing) return each;
    return undefined;
  }

  /**
   * Returns whether a first connection of a framing may be made: not while the server refuses it but accepts another
   * framing.
   */
  #mayBegin(): boolean {
    return this.#mayOpen || !this.#pipelines.some((pipeline) => pipeline.ready);
  }

  /** Adds a connection. It collects requests while it is being opened. */
  #open(framing: Framing, requested = framing): Pipeline {
    for (const each of this.#opening) assert(each.framing !== framing, "connections are opened one after another");
    const pipeline = new Pipeline(this, framing);
    this.#pipelines.push(pipeline);
    this.#opening.add(pipeline);
    this.#requestedFraming = requested;
    this.#connect(pipeline);
    return pipeline;
  }

  async #connect(pipeline: Pipeline): Promise<void> {
    let transport: Transport;
    try {
      transport = await pipeline.framing.open(this.address, this.#abort.signal);
    } catch (error) {
      return pipeline.end(false, (error as Error).message, this.#judge(error) === "gone");
    }
    if (pipeline.ended) return transport.close();
    this.#opening.delete(pipeline);
    this.#openedFraming = pipeline.framing;
    if (this.#state === "down") this.#change("up", "");
    pipeline.begin(transport);
    this.idle(pipeline);
  }

  /** Closes a connection without requests in flight if the pool is draining. */
  idle(pipeline: Pipeline): void {
    if (pipeline.hasReplied) this.#misses = 0;
    if (this.#state === "draining" && pipeline.ready && pipeline.inFlight === 0) pipeline.end(false, REMOVED);
  }

  /** Repeats or fails the requests of a connection that has ended. */
  ended(pipeline: Pipeline, { late, gone, reason, sent, unsent }: PipelineEnd): void {
    this.#pipelines.splice(this.#pipelines.indexOf(pipeline), 1);
    this.#opening.delete(pipeline);
    if (late) this.timeouts++;
    const wasIdle = pipeline.begun && sent.length === 0;
    if (pipeline.hasReplied && !late) this.#misses = 0;
    else if (!wasIdle && this.#state !== "draining" && !this.#isGivingUp && !(late && this.#repliesToProbes)) {
      this.#miss(reason, gone);
    }
    const error = new ConnectionError(this.address, `server "${this.address}": ${reason}`, true);
    const unsentError = new ConnectionError(this.address, error.message, false);
    const final = unrepeatable(sent);
    for (const request of sent) this.#settle(request, error, late || final.has(request));
    for (const request of unsent) this.#settle(request, unsentError, late);
  }

  /** Sends a request once more, on the stream's next connection, or fails it if it may not be repeated. */
  #settle(request: BackendRequest, error: ConnectionError, final: boolean): void {
    const { batch, start, size } = request;
    const stream = request.stream!;
    request.batch = undefined;
    if (final || request.repeated || batch === undefined) return this.#fail(request, stream, error);
    const pipeline = this.#place(stream);
    if (pipeline === undefined) return this.#fail(request, stream, error);
    request.repeated = true;
    if (size < LONG_FRAME_BYTES) pipeline.send(stream, request, batch.bytes, start, size);
    else pipeline.sendOwned(stream, request, batch.bytes, size);
  }

  #fail(request: BackendRequest, stream: RequestStream, error: ConnectionError): void {
    stream.inFlight--;
    if (request !== this.#check) this.failures++;
    request.traffic = undefined;
    request.fail(error);
  }

  /**
   * Records that a connection was not made or was useless. The next one is tried later, after a delay that doubles each
   * time.
   */
  #miss(reason: string, gone: boolean): void {
    const delayMs = Math.min(BACKEND_RETRY_MIN_MS * 2 ** Math.min(this.#misses++, 20), BACKEND_RETRY_MAX_MS);
    const wasSame = reason === this.#reason;
    this.#mayOpen = false;
    this.#reason = reason;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#retry(), delayMs);
    if (this.#pipelines.some((pipeline) => pipeline.ready)) return;
    this.#isGone ||= gone;
    this.#change("down", reason);
    // It may be back and refuse connections. If it has done so twice, that is the reason to report.
    if (this.#state === "down" && wasSame && reason !== this.#reported) this.#reportDown(reason);
  }

  #reportDown(reason: string): void {
    this.#reported = reason;
    this.#options.report(this.address, "down", reason);
  }

  #retry(): void {
    this.#mayOpen = true;
    // The requested framing may be the one that the server refuses, so the previous one is tried alternately.
    const spoken = this.#openedFraming ?? this.#options.check?.framing;
    const framing = this.#misses % 2 === 0 ? spoken ?? this.#requestedFraming : this.#requestedFraming ?? spoken;
    if (this.#state === "down" && this.#opening.size === 0 && framing !== undefined) {
      this.#open(framing, this.#requestedFraming);
    }
  }

  #change(state: "up" | "down", reason: string): void {
    this.#reason = reason;
    if (state === "up") this.#isGone = false;
    if (this.#state === state || this.#state === "draining") return;
    this.#state = state;
    // Clients that wait there for an event would wait forever.
    if (state === "down") {
      this.#dedicated.endAll(reason);
      this.#reportDown(reason);
    } else {
      this.#options.report(this.address, state, reason);
    }
  }

  /** Creates the error once per cause rather than per request: a stack trace costs more than the rest of a request. */
  #unavailable(): ConnectionError {
    const reason = this.#state === "draining" ? REMOVED : this.#reason;
    const message = `server "${this.address}": ${reason}`;
    if (this.#error?.message !== message) this.#error = new ConnectionError(this.address, message, false);
    return this.#error;
  }

  /** Ends connections whose oldest request has waited too long, and idle ones. It is called several times a second. */
  sweep(): void {
    const { timeoutMs, suspectAfterMs = Infinity } = this.#options;
    for (const pipeline of [...this.#pipelines]) {
      pipeline.sweep(timeoutMs);
      pipeline.handicap = pipeline.silentMs > suspectAfterMs ? PIPELINE_BUSY_LOAD : 0;
    }
    this.#closeIdle();
    this.#dedicated.sweep();
    this.traffic.sweep(this.clock.nowMs, this.requests - this.failures);
    this.#checkIdle();
    this.#probeIfSilent();
  }

  /** Checks a server that has been idle for long, so that the next client need not find out. */
  #checkIdle(): void {
    const { check } = this.#options;
    if (check === undefined || this.#state !== "up" || this.#opening.size > 0) return;
    const isHeard = (pipeline: Pipeline) => pipeline.inFlight > 0 || pipeline.idleMs < check.intervalMs;
    if (this.#pipelines.some(isHeard)) return;
    const framing = this.#pipelines.find((pipeline) => pipeline.ready)?.framing ?? this.#requestedFraming ??
      check.framing;
    this.#dispatch(new RequestStream(framing), this.#check, framing.ping, 0, framing.ping.length);
  }

  /** Closes connections that have been idle for long. Those opened first stay, since they also get requests first. */
  #closeIdle(): void {
    for (const pipeline of this.#pipelines.toReversed()) {
      const { framing, idleMs } = pipeline;
      if (idleMs <= BACKEND_IDLE_MS) continue;
      const isLast = !this.#pipelines.some((each) => each !== pipeline && each.ready && each.framing === framing);
      if (!isLast || idleMs > BACKEND_LAST_IDLE_MS) pipeline.end(false, IDLE);
    }
  }

  /** Probes a server that has been silent for long while a request waits. */
  #probeIfSilent(): void {
    if (this.#probe.isProbing) return this.#probe.sweep(this.#aliveMs);
    const { suspectAfterMs = Infinity } = this.#options;
    const { nowMs } = this.clock;
    if (this.#state !== "up" || nowMs - this.#probedMs < suspectAfterMs) return;
    const silent = this.#pipelines.find((pipeline) => pipeline.silentMs > suspectAfterMs);
    if (silent === undefined || nowMs - this.#aliveMs < suspectAfterMs) return;
    this.#probedMs = nowMs;
    this.#probe.start(silent.framing, (result) => this.#onProbeResult(silent.framing, result));
  }

  #onProbeResult(framing: Framing, { finding, problem, transport }: ProbeResult): void {
    const { nowMs } = this.clock;
    this.#probedMs = nowMs;
    if (transport !== undefined) this.#adopt(framing, transport);
    if (finding === "alive") this.#probeReplyMs = nowMs;
    else if (finding !== "unknown" && this.#state === "up") {
      this.#giveUp(`it is silent: ${problem}`, finding === "gone");
    }
  }

  /** Uses the connection of a probe for requests, unless there is another that does not delay them. */
  #adopt(framing: Framing, transport: Transport): void {
    const isFree = (pipeline: Pipeline) => pipeline.framing === framing && pipeline.ready && pipeline.handicap === 0;
    const isFull = this.#pipelines.length >= this.#options.connectionsMaxCount;
    if (this.#state !== "up" || isFull || this.#pipelines.some(isFree)) return transport.close();
    const pipeline = new Pipeline(this, framing);
    this.#pipelines.push(pipeline);
    pipeline.begin(transport);
  }

  /** When the server last showed on any connection that it works. */
  get #aliveMs(): number {
    let aliveMs = this.#dedicated.aliveMs;
    for (const pipeline of this.#pipelines) aliveMs = Math.max(aliveMs, pipeline.aliveMs);
    return aliveMs;
  }

  /** Whether it has replied to a probe recently, so that one request which takes too long is not the server's fault. */
  get #repliesToProbes(): boolean {
    const { suspectAfterMs = 0, probeTimeoutMs = 0 } = this.#options;
    return this.clock.nowMs - this.#probeReplyMs <= suspectAfterMs + probeTimeoutMs;
  }

  /** Ends all connections, whose requests fail, and marks the server as down. */
  #giveUp(reason: string, gone: boolean): void {
    this.#isGivingUp = true;
    for (const pipeline of [...this.#pipelines]) pipeline.end(true, reason);
    this.#isGivingUp = false;
    this.#miss(reason, gone);
  }

  /** Ends all connections, whose requests fail, because another server is at this address. */
  expel(reason: string): void {
    if (this.#state === "up") this.#giveUp(reason, true);
  }

  /** Ends the established connections. Requests that may be repeated are sent once more, on the next connection. */
  reconnect(reason: string): void {
    for (const pipeline of [...this.#pipelines]) if (pipeline.ready) pipeline.end(false, reason);
    this.#dedicated.endMade(reason);
  }

  /** Accepts no new requests. Connections are closed when their requests in flight have replies. Idempotent. */
  retire(): void {
    if (this.#state === "draining") return;
    this.#state = "draining";
    clearTimeout(this.#retryTimer);
    this.#probe.close();
    this.#options.report(this.address, "draining", "");
    for (const pipeline of [...this.#pipelines]) {
      if (pipeline.inFlight === 0) pipeline.end(false, REMOVED);
    }
    this.#dedicated.retire(REMOVED);
  }

  /** Accepts requests again, after those still in flight: the server is back on the list. Idempotent. */
  restore(): void {
    if (this.#state !== "draining") return;
    this.#state = "up";
    this.#isGone = false;
    this.#misses = 0;
    this.#mayOpen = true;
    this.#dedicated.restore();
  }

  /** Closes everything. Requests in flight fail. */
  close(): void {
    this.retire();
    this.#abort.abort();
    for (const pipeline of [...this.#pipelines]) pipeline.end(true, "the proxy is stopping");
    this.#dedicated.close("the proxy is stopping");
  }
}

/** The request of a {@linkcode Check}. Its result shows in the state of the connection. */
class CheckRequest extends BackendRequest {
  override repeatable = true;

  override succeed(): void {}
  override fail(): void {}
}

/**
 * Returns the requests of a lost connection that must not be executed again: writes, and their clients' requests before
 * them.
 */
function unrepeatable(sent: readonly BackendRequest[]): Set<BackendRequest> {
  const found = new Set<BackendRequest>();
  const written = new Set<RequestStream>();
  for (let i = sent.length - 1; i >= 0; i--) {
    const request = sent[i]!;
    const stream = request.stream!;
    if (!request.repeatable) written.add(stream);
    if (written.has(stream)) found.add(request);
  }
  return found;
}
