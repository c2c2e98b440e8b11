/**
 * One server as the proxy sees it: a few pipelined connections, opened on demand, and what to do when one is lost.
 *
 * ```text
 *            connected                     every connection lost, no new one
 *   up ◄──────────────────── down ◄──────────────────────────────────────── up
 *   │     (tried at growing intervals)        or a deadline missed
 *   │                           └──────── a probe not answered ───────── suspect ◄── silent for a while ── up
 *   └── retire() ──► draining ── last reply ──► closed
 *                       └────── restore() ──────┴──► up
 * ```
 *
 * A server that nobody asks for anything is asked now and then whether it is there, over the connection that clients'
 * requests take next; so it is known to be down before somebody needs it, and the connection is not forgotten on its way.
 *
 * While a server is down its requests fail at once: they cost their clients an error and nobody else anything. One that is
 * silent though requests wait is suspect: it is asked on another connection whether it is there (probe.ts). If it answers,
 * it merely takes long; else it is down, and nobody waits for it until the deadline of his request. Silence is counted from
 * the last sign of life on any of its connections, be it bytes of a reply or that it takes those of a long request.
 *
 * A request that takes long holds up what was sent behind it on its connection, and nobody else: what comes while the
 * connection is silent takes another one: that of the probe, if there is none.
 *
 * Down is not dead. One that is down because it was silent may be busy, or stopped for a moment, and has all that it had;
 * one whose port is closed, or somebody else's, is *gone*. Whoever gives its work to others has to tell them apart
 * ({@linkcode Pool.isGone}).
 *
 * What a lost connection leaves is settled in order, so that a client's requests stay in order:
 *
 * | request | bytes had left | then |
 * |---|---|---|
 * | may be repeated | yes or no | sent once more, on another connection; the second loss fails it |
 * | may not | no | sent once more |
 * | may not | yes | fails, its outcome unknown; so do the same client's requests before it |
 *
 * The last row is what keeps the order: a read that was sent before a write must not be run behind it.
 *
 * After a missed deadline nothing is sent again: the server is the one to suspect, and another wait would help nobody.
 *
 * Connections that have had nothing to do for long are closed: soon what is more than one of a framing, the last one late.
 * Servers do that too. Whoever closes an idle one, it says nothing against the server; the next request opens another.
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
import type { ProbeAnswer, Verdict } from "./probe.ts";
import { Traffic } from "./traffic.ts";

/** What all pools of a role share. */
export interface PoolOptions {
  /** Most connections to one server; each framing in use has one at least. */
  readonly connectionsMaxCount: number;
  /** How long a request may wait for its reply, in ms. */
  readonly timeoutMs: number;
  /** A server that was silent for so long while requests waited is suspect, in ms; never unless it is given. */
  readonly suspectAfterMs?: number;
  /** How long one that is suspect has to answer a probe, in ms, from its last sign of life on. */
  readonly probeTimeoutMs?: number;
  /** What it says of a server that a connection to it could not be made: that it is gone, unless this is given. */
  readonly judge?: (error: unknown) => Verdict;
  /** How a server is asked whether it is there while nobody else asks it for anything; it is not unless this is given. */
  readonly check?: Check;
  readonly flushQueue: FlushQueue;
  readonly clock: Clock;
  /** Whether one more connection may be lent to a client alone, of whatever server; always unless it is given. */
  readonly mayDedicate?: () => boolean;
  /** A clock for durations below a ms; the system's unless it is given. */
  readonly preciseMs?: () => number;
  /** Takes note that the server's state has changed, or that it stays down for another reason. */
  report(address: string, state: PoolState, reason: string): void;
}

/** See the module's comment. */
export interface Check {
  /** In what a server is asked that has never been asked for anything. */
  readonly framing: Framing;
  /** How long a server has nothing to answer until it is asked, in ms. */
  readonly intervalMs: number;
}

const REMOVED = "it was removed from the list of servers";
const IDLE = "the connection had nothing to do";

/** See the module's comment. */
export type PoolState = "up" | "suspect" | "down" | "draining";

/** The connections to one server. */
export class Pool implements PipelineHost {
  /** `host:port` of the server. */
  readonly address: string;
  readonly flushQueue: FlushQueue;
  readonly clock: Clock;
  /** Requests sent since the start. */
  requests = 0;
  /** Requests that got no reply. */
  failures = 0;
  /** Connections lost after a missed deadline. */
  timeouts = 0;
  /** How many requests there are now, and how long they take. */
  readonly traffic: Traffic;
  /** Connections that are lent to single clients. */
  readonly #dedicated: Dedicated;
  #options: PoolOptions;
  #pipelines: Pipeline[] = [];
  #state: Exclude<PoolState, "suspect"> = "up";
  readonly #probe: Probe;
  readonly #judge: (error: unknown) => Verdict;
  /** When it was probed last. */
  #probedMs = -Infinity;
  /** When it has answered a probe last. */
  #answeredMs = -Infinity;
  readonly #check = new CheckRequest();
  /** Whether all connections are being ended for one reason. */
  #isGivingUp = false;
  /** Whether it was seen to be gone since it is down. */
  #isGone = false;
  #reason = "";
  /** Why it is down, as reported last. */
  #reported = "";
  /** Connections in a row that could not be made, or were lost before the first reply. */
  #misses = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #mayOpen = true;
  /** Connections that are being made: one a framing at most. */
  readonly #opening = new Set<Pipeline>();
  /** What was asked for last: a server that is down is tried in it. */
  #framing: Framing | undefined;
  /** In what the last connection was made. */
  #spoken: Framing | undefined;
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

  /** Whether it works, is given up for the moment, or takes no new requests. */
  get state(): PoolState {
    return this.#state === "up" && this.#probe.isAsking ? "suspect" : this.#state;
  }

  /** Why it is down, in one sentence; empty while it is not. */
  get problem(): string {
    return this.#state === "down" ? this.#reason : "";
  }

  /** Whether it is down and known to be gone. If it is down and not gone, it is silent, or cannot be asked from here. */
  get isGone(): boolean {
    return this.#state === "down" && this.#isGone;
  }

  /** Connections made. */
  get connections(): number {
    let ready = 0;
    for (const pipeline of this.#pipelines) if (pipeline.ready) ready++;
    return ready;
  }

  /** Connections that single clients have for themselves, and those kept for the next. */
  get dedicated(): number {
    return this.#dedicated.count;
  }

  /** Whether it was retired and its last connection is closed. */
  get closed(): boolean {
    return this.#state === "draining" && this.#pipelines.length === 0 && this.#dedicated.count === 0;
  }

  /** Requests not answered yet. */
  get inFlight(): number {
    let sum = 0;
    for (const pipeline of this.#pipelines) sum += pipeline.inFlight;
    return sum;
  }

  /**
   * Sends a request whose frame is `bytes[start, start + size)`, borrowed until return.
   *
   * The exchange is settled once, and may be before this returns: when the server is down.
   *
   * @returns a pipeline to wait for before sending more, or `undefined` when more is welcome
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

  /** As {@linkcode send}, of a long request whose frame is `bytes[0, size)`. The bytes are the pool's from now on. */
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

  /** As {@linkcode send}, of a request that is not counted. */
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

  /** Begins an exchange. Returns the pipeline that is to send it, or `undefined` when it has failed. */
  #begin(stream: RequestStream, request: BackendRequest): Carrier | undefined {
    request.sinceMs = this.clock.nowMs;
    request.repeated = false;
    stream.inFlight++;
    const pipeline = this.#place(stream);
    if (pipeline === undefined) this.#fail(request, stream, this.#unavailable());
    return pipeline;
  }

  /**
   * Lends a connection that no other lane uses.
   *
   * @throws {ConnectionError} when the server is down, or too many are lent
   */
  dedicate(framing: Framing): DedicatedStream {
    if (this.#state !== "up") throw this.#unavailable();
    return this.#dedicated.lend(framing);
  }

  /** The lane's connection while it has requests in flight, else the least loaded one. */
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
      // One that is still being opened is no choice while another could answer.
      const each = pipeline.ready ? pipeline.load : Number.MAX_SAFE_INTEGER;
      if (each < load) {
        best = pipeline;
        load = each;
      }
    }
    if (best === undefined) {
      // Who waits on a lent connection has to be unblocked over another one.
      const isInUse = this.#state === "up" || this.#state === "draining" && this.#dedicated.count > 0;
      if (isInUse) return this.#mayBegin() ? this.#open(framing) : undefined;
      // The server may refuse the framing that it was tried in.
      this.#framing = framing;
      return undefined;
    }
    // What is being opened while the server is down is a trial, and nobody's request waits for it.
    if (!best.ready && this.#state !== "up") return undefined;
    const isLong = best.ready && best.queuedBytes >= LONG_FRAME_BYTES;
    const isBusy = isLong || load - best.handicap >= PIPELINE_BUSY_LOAD;
    if (isBusy && this.#mayOpen && this.#opening.size === 0 && this.#state === "up") {
      if (this.#pipelines.length < this.#options.connectionsMaxCount) this.#open(framing);
    }
    // Behind a long frame a request would wait for longer than a connection takes to be made.
    return (isLong ? this.#openingOf(framing) : undefined) ?? best;
  }

  #openingOf(framing: Framing): Pipeline | undefined {
    for (const each of this.#opening) if (each.framing === framing) return each;
    return undefined;
  }

  /** Whether a first connection of a framing may be made: not while the server refuses it, though it speaks another. */
  #mayBegin(): boolean {
    return this.#mayOpen || !this.#pipelines.some((pipeline) => pipeline.ready);
  }

  /** Adds a connection. It collects requests while it is being made. */
  #open(framing: Framing, asked = framing): Pipeline {
    for (const each of this.#opening) assert(each.framing !== framing, "connections are opened one after another");
    const pipeline = new Pipeline(this, framing);
    this.#pipelines.push(pipeline);
    this.#opening.add(pipeline);
    this.#framing = asked;
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
    this.#spoken = pipeline.framing;
    if (this.#state === "down") this.#change("up", "");
    pipeline.begin(transport);
    this.idle(pipeline);
  }

  /** Part of {@linkcode PipelineHost}. */
  idle(pipeline: Pipeline): void {
    if (pipeline.answered) this.#misses = 0;
    if (this.#state === "draining" && pipeline.ready && pipeline.inFlight === 0) pipeline.end(false, REMOVED);
  }

  /** Part of {@linkcode PipelineHost}. */
  ended(pipeline: Pipeline, { late, gone, reason, sent, unsent }: PipelineEnd): void {
    this.#pipelines.splice(this.#pipelines.indexOf(pipeline), 1);
    this.#opening.delete(pipeline);
    if (late) this.timeouts++;
    const wasIdle = pipeline.begun && sent.length === 0;
    if (pipeline.answered && !late) this.#misses = 0;
    else if (!wasIdle && this.#state !== "draining" && !this.#isGivingUp && !(late && this.#isAnswering)) {
      this.#miss(reason, gone);
    }
    const error = new ConnectionError(this.address, `server "${this.address}": ${reason}`, true);
    const unsentError = new ConnectionError(this.address, error.message, false);
    const final = unrepeatable(sent);
    for (const request of sent) this.#settle(request, error, late || final.has(request));
    for (const request of unsent) this.#settle(request, unsentError, late);
  }

  /** Sends once more what may be, on the lane's next connection; fails the rest. */
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

  /** A connection was not made, or was of no use: the next one is tried later, each time after twice as long. */
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
    // It may be back, and refuse us; once it has done so twice, that is what is to be done about.
    if (this.#state === "down" && wasSame && reason !== this.#reported) this.#reportDown(reason);
  }

  #reportDown(reason: string): void {
    this.#reported = reason;
    this.#options.report(this.address, "down", reason);
  }

  #retry(): void {
    this.#mayOpen = true;
    // What is asked for may be what the server refuses, so what it spoke before has its turn too.
    const spoken = this.#spoken ?? this.#options.check?.framing;
    const framing = this.#misses % 2 === 0 ? spoken ?? this.#framing : this.#framing ?? spoken;
    if (this.#state === "down" && this.#opening.size === 0 && framing !== undefined) this.#open(framing, this.#framing);
  }

  #change(state: "up" | "down", reason: string): void {
    this.#reason = reason;
    if (state === "up") this.#isGone = false;
    if (this.#state === state || this.#state === "draining") return;
    this.#state = state;
    // Those who wait there for something to happen would wait for ever.
    if (state === "down") {
      this.#dedicated.endAll(reason);
      this.#reportDown(reason);
    } else {
      this.#options.report(this.address, state, reason);
    }
  }

  /** Made once per cause, not per request: a stack costs more than all the rest of a request. */
  #unavailable(): ConnectionError {
    const reason = this.#state === "draining" ? REMOVED : this.#reason;
    const message = `server "${this.address}": ${reason}`;
    if (this.#error?.message !== message) this.#error = new ConnectionError(this.address, message, false);
    return this.#error;
  }

  /** Ends connections whose oldest request has waited too long, and idle ones. To be called several times a second. */
  sweep(): void {
    const { timeoutMs, suspectAfterMs = Infinity } = this.#options;
    for (const pipeline of [...this.#pipelines]) {
      pipeline.sweep(timeoutMs);
      pipeline.handicap = pipeline.silentMs > suspectAfterMs ? PIPELINE_BUSY_LOAD : 0;
    }
    this.#closeIdle();
    this.#dedicated.sweep();
    this.traffic.sweep(this.clock.nowMs, this.requests - this.failures);
    this.#askIdle();
    this.#suspect();
  }

  /** Asks a server that has had nothing to answer for long whether it is there, so that the next client need not find out. */
  #askIdle(): void {
    const { check } = this.#options;
    if (check === undefined || this.#state !== "up" || this.#opening.size > 0) return;
    const isHeard = (pipeline: Pipeline) => pipeline.inFlight > 0 || pipeline.idleMs < check.intervalMs;
    if (this.#pipelines.some(isHeard)) return;
    const framing = this.#pipelines.find((pipeline) => pipeline.ready)?.framing ?? this.#framing ?? check.framing;
    this.#dispatch(new RequestStream(framing), this.#check, framing.ping, 0, framing.ping.length);
  }

  /** Closes what has been idle for long. Those opened first stay, since they are also the first to get requests. */
  #closeIdle(): void {
    for (const pipeline of this.#pipelines.toReversed()) {
      const { framing, idleMs } = pipeline;
      if (idleMs <= BACKEND_IDLE_MS) continue;
      const isLast = !this.#pipelines.some((each) => each !== pipeline && each.ready && each.framing === framing);
      if (!isLast || idleMs > BACKEND_LAST_IDLE_MS) pipeline.end(false, IDLE);
    }
  }

  /** Asks whether the server is there, when it has been silent for long though a request waits. */
  #suspect(): void {
    if (this.#probe.isAsking) return this.#probe.sweep(this.#aliveMs);
    const { suspectAfterMs = Infinity } = this.#options;
    const { nowMs } = this.clock;
    if (this.#state !== "up" || nowMs - this.#probedMs < suspectAfterMs) return;
    const silent = this.#pipelines.find((pipeline) => pipeline.silentMs > suspectAfterMs);
    if (silent === undefined || nowMs - this.#aliveMs < suspectAfterMs) return;
    this.#probedMs = nowMs;
    this.#probe.ask(silent.framing, (answer) => this.#takeAnswer(silent.framing, answer));
  }

  #takeAnswer(framing: Framing, { finding, problem, transport }: ProbeAnswer): void {
    const { nowMs } = this.clock;
    this.#probedMs = nowMs;
    if (transport !== undefined) this.#adopt(framing, transport);
    if (finding === "alive") this.#answeredMs = nowMs;
    else if (finding !== "unknown" && this.#state === "up") {
      this.#giveUp(`it is silent: ${problem}`, finding === "gone");
    }
  }

  /** Uses the connection of a probe for others' requests, unless there is one already that they need not wait on. */
  #adopt(framing: Framing, transport: Transport): void {
    const isFree = (pipeline: Pipeline) => pipeline.framing === framing && pipeline.ready && pipeline.handicap === 0;
    const isFull = this.#pipelines.length >= this.#options.connectionsMaxCount;
    if (this.#state !== "up" || isFull || this.#pipelines.some(isFree)) return transport.close();
    const pipeline = new Pipeline(this, framing);
    this.#pipelines.push(pipeline);
    pipeline.begin(transport);
  }

  /** When the server has shown last, on any connection, that it works. */
  get #aliveMs(): number {
    let aliveMs = this.#dedicated.aliveMs;
    for (const pipeline of this.#pipelines) aliveMs = Math.max(aliveMs, pipeline.aliveMs);
    return aliveMs;
  }

  /** Whether it answers probes of late, so that one request which takes too long says nothing against it. */
  get #isAnswering(): boolean {
    const { suspectAfterMs = 0, probeTimeoutMs = 0 } = this.#options;
    return this.clock.nowMs - this.#answeredMs <= suspectAfterMs + probeTimeoutMs;
  }

  /** Ends all connections, whose requests fail, and takes the server for one that is down. */
  #giveUp(reason: string, gone: boolean): void {
    this.#isGivingUp = true;
    for (const pipeline of [...this.#pipelines]) pipeline.end(true, reason);
    this.#isGivingUp = false;
    this.#miss(reason, gone);
  }

  /** Ends all connections, whose requests fail: the server is not what its address is to stand for. */
  expel(reason: string): void {
    if (this.#state === "up") this.#giveUp(reason, true);
  }

  /** Ends the connections that were made. What may be repeated is sent once more, on the next. */
  reconnect(reason: string): void {
    for (const pipeline of [...this.#pipelines]) if (pipeline.ready) pipeline.end(false, reason);
    this.#dedicated.endMade(reason);
  }

  /** Takes no new requests; connections are closed when those in flight are answered. Idempotent. */
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

  /** Takes requests again, behind those still in flight: the server is back on the list. Idempotent. */
  restore(): void {
    if (this.#state !== "draining") return;
    this.#state = "up";
    this.#isGone = false;
    this.#misses = 0;
    this.#mayOpen = true;
    this.#dedicated.restore();
  }

  /** Closes everything; what is in flight fails. */
  close(): void {
    this.retire();
    this.#abort.abort();
    for (const pipeline of [...this.#pipelines]) pipeline.end(true, "the proxy is stopping");
    this.#dedicated.close("the proxy is stopping");
  }
}

/** The request of a {@linkcode Check}. What it finds shows in the connection. */
class CheckRequest extends BackendRequest {
  override repeatable = true;

  override succeed(): void {}
  override fail(): void {}
}

/** Those of a lost connection's requests that must not be run again: writes, and what their clients sent before them. */
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
