/**
 * Connections to one server that are lent to one client each. They are for requests that a shared connection cannot
 * serve: those that wait for an event (others' requests would wait after them), and those that leave state in the
 * server's connection.
 *
 * ```text
 *           lend()                    giveBack()
 * (none) ──────────► lent to a client ──────────► idle ──► lent again, or closed after a while
 *                          │ drop(), or lost
 *                          └──────────► closed
 * ```
 *
 * No request is ever repeated on another connection. When a connection is lost, the requests in flight fail, and so do
 * later ones on its stream. A stream that has given its connection back cannot use it any more, even if another client
 * has it.
 *
 * @module
 */

import { ConnectionError } from "../errors.ts";
import { DEDICATED_CONNECTIONS_MAX_COUNT, DEDICATED_IDLE_MAX_COUNT, DEDICATED_IDLE_MAX_MS } from "../limits.ts";
import { RequestStream } from "./backend_request.ts";
import type { BackendRequest } from "./backend_request.ts";
import type { Clock, FlushQueue } from "./flush_queue.ts";
import type { Framing, Transport } from "./framing.ts";
import { Pipeline } from "./pipeline.ts";
import type { PipelineEnd, PipelineHost } from "./pipeline.ts";

const LOST = "the connection that this client had for itself was lost";

/** The options that dedicated connections share with all others of a role. */
export interface DedicatedOptions {
  /** How long a request may wait for its reply, in ms, beside the event that it waits for. */
  readonly timeoutMs: number;
  readonly flushQueue: FlushQueue;
  readonly clock: Clock;
  /** Returns whether one more connection may be opened, to any server. Without it, always. */
  readonly mayDedicate?: () => boolean;
}

/** The requests of one client to one server, on a connection that no other client uses. */
export class DedicatedStream extends RequestStream {
  declare readonly pipeline: Pipeline;
  readonly #owner: Dedicated;

  /** Use {@linkcode Dedicated.lend} to get a stream. */
  constructor(owner: Dedicated, pipeline: Pipeline) {
    super(pipeline.framing);
    this.pipeline = pipeline;
    this.#owner = owner;
  }

  /**
   * Sends a request whose bytes are `bytes[start, start + size)`, borrowed until return.
   *
   * @param extraTimeoutMs how much longer than other requests it may wait for its reply
   */
  send(request: BackendRequest, bytes: Uint8Array, start: number, size: number, extraTimeoutMs = 0): void {
    if (this.#owner.admit(this, request, extraTimeoutMs)) this.pipeline.send(this, request, bytes, start, size);
  }

  /** Sends a long request at `bytes[0, size)`. The connection owns the bytes from now on. */
  sendOwned(request: BackendRequest, bytes: Uint8Array<ArrayBuffer>, size: number): void {
    if (this.#owner.admit(this, request, 0)) this.pipeline.sendOwned(this, request, bytes, size);
  }

  /** Gives the connection back, once. The server must hold no state for it and owe no reply. */
  giveBack(): void {
    this.#owner.giveBack(this);
  }

  /** Closes the connection unless it was given back. Requests in flight fail. Idempotent. */
  drop(): void {
    this.#owner.drop(this);
  }
}

/** The dedicated connections to one server. */
export class Dedicated implements PipelineHost {
  readonly address: string;
  readonly flushQueue: FlushQueue;
  readonly clock: Clock;
  readonly #timeoutMs: number;
  readonly #mayDedicate: () => boolean;
  /** The connections that are lent, each with its stream. */
  readonly #lent = new Map<Pipeline, DedicatedStream>();
  /** The connections that were given back, the most recent one last, and since when. */
  readonly #idle: { readonly pipeline: Pipeline; readonly sinceMs: number }[] = [];
  /** The reason why no connection is lent any more. */
  #retired: string | undefined;
  readonly #abort = new AbortController();

  constructor(address: string, options: DedicatedOptions) {
    this.address = address;
    this.flushQueue = options.flushQueue;
    this.clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
    this.#mayDedicate = options.mayDedicate ?? (() => true);
  }

  /** The number of connections, lent or idle. */
  get count(): number {
    return this.#lent.size + this.#idle.length;
  }

  /** When the server last showed on a lent connection that it works. */
  get aliveMs(): number {
    let aliveMs = -Infinity;
    for (const pipeline of this.#lent.keys()) aliveMs = Math.max(aliveMs, pipeline.aliveMs);
    return aliveMs;
  }

  /**
   * Lends a connection, which may still have to be opened. Requests are kept until then.
   *
   * @throws {ConnectionError} when too many are lent
   */
  lend(framing: Framing): DedicatedStream {
    const place = this.#idle.findLastIndex(({ pipeline }) => pipeline.framing === framing);
    let pipeline: Pipeline;
    if (place >= 0) {
      pipeline = this.#idle.splice(place, 1)[0]!.pipeline;
    } else {
      if (this.#lent.size >= DEDICATED_CONNECTIONS_MAX_COUNT) {
        const reason = `${DEDICATED_CONNECTIONS_MAX_COUNT} clients have a connection for themselves already`;
        throw new ConnectionError(this.address, `server "${this.address}": ${reason}`, false);
      }
      if (!this.#mayDedicate()) {
        const reason = "too many clients have a connection for themselves already (ulimit -n)";
        throw new ConnectionError(this.address, `server "${this.address}": ${reason}`, false);
      }
      pipeline = new Pipeline(this, framing);
      this.#connect(pipeline);
    }
    const stream = new DedicatedStream(this, pipeline);
    this.#lent.set(pipeline, stream);
    return stream;
  }

  async #connect(pipeline: Pipeline): Promise<void> {
    let transport: Transport;
    try {
      transport = await pipeline.framing.open(this.address, this.#abort.signal);
    } catch (error) {
      return pipeline.end(false, (error as Error).message);
    }
    if (pipeline.ended) return transport.close();
    pipeline.begin(transport);
  }

  /** Returns whether a request may be sent, as a part of {@linkcode DedicatedStream.send}; otherwise it has failed. */
  admit(stream: DedicatedStream, request: BackendRequest, extraTimeoutMs: number): boolean {
    const { pipeline } = stream;
    request.sinceMs = this.clock.nowMs;
    request.repeated = false;
    if (this.#lent.get(pipeline) !== stream) {
      request.fail(new ConnectionError(this.address, `server "${this.address}": ${LOST}`, false));
      return false;
    }
    stream.inFlight++;
    pipeline.extraTimeoutMs = extraTimeoutMs;
    return true;
  }

  /** Implements {@linkcode DedicatedStream.giveBack}. */
  giveBack(stream: DedicatedStream): void {
    const { pipeline } = stream;
    if (this.#lent.get(pipeline) !== stream) return;
    this.#lent.delete(pipeline);
    const isReusable = pipeline.ready && pipeline.inFlight === 0 && this.#idle.length < DEDICATED_IDLE_MAX_COUNT;
    if (!isReusable) return pipeline.end(false, LOST);
    this.#idle.push({ pipeline, sinceMs: this.clock.nowMs });
  }

  /** Implements {@linkcode DedicatedStream.drop}. */
  drop(stream: DedicatedStream): void {
    if (this.#lent.get(stream.pipeline) === stream) stream.pipeline.end(false, LOST);
  }

  /** Fails the requests of a connection that has ended. */
  ended(pipeline: Pipeline, { reason, sent, unsent }: PipelineEnd): void {
    this.#lent.delete(pipeline);
    const place = this.#idle.findIndex((each) => each.pipeline === pipeline);
    if (place >= 0) this.#idle.splice(place, 1);
    const message = `server "${this.address}": ${reason}`;
    this.#fail(sent, new ConnectionError(this.address, message, true));
    this.#fail(unsent, new ConnectionError(this.address, message, false));
  }

  #fail(requests: readonly BackendRequest[], error: ConnectionError): void {
    for (const request of requests) {
      request.stream!.inFlight--;
      request.batch = undefined;
      request.fail(error);
    }
  }

  /** Closes a connection without requests in flight once the server is retired. */
  idle(pipeline: Pipeline): void {
    // Otherwise the client that has it decides.
    if (this.#retired !== undefined && pipeline.ready && pipeline.inFlight === 0) pipeline.end(false, this.#retired);
  }

  /** Closes connections that have waited or been idle for too long. It is called several times a second. */
  sweep(): void {
    for (const pipeline of [...this.#lent.keys()]) pipeline.sweep(this.#timeoutMs);
    const longAgoMs = this.clock.nowMs - DEDICATED_IDLE_MAX_MS;
    for (const { pipeline, sinceMs } of [...this.#idle]) if (sinceMs < longAgoMs) pipeline.end(false, LOST);
  }

  /** Stops lending. Connections are closed when their requests in flight have replies. */
  retire(reason: string): void {
    this.#retired = reason;
    for (const { pipeline } of [...this.#idle]) pipeline.end(false, reason);
    for (const pipeline of [...this.#lent.keys()]) if (pipeline.inFlight === 0) pipeline.end(false, reason);
  }

  /** Lends connections again. */
  restore(): void {
    this.#retired = undefined;
  }

  /** Closes all connections. Requests in flight fail. */
  endAll(reason: string): void {
    for (const { pipeline } of [...this.#idle]) pipeline.end(false, reason);
    for (const pipeline of [...this.#lent.keys()]) pipeline.end(false, reason);
  }

  /** Closes all connections except those that are still being opened. Requests in flight fail. */
  endMade(reason: string): void {
    for (const pipeline of [...this.#idle.map((each) => each.pipeline), ...this.#lent.keys()]) {
      if (pipeline.ready) pipeline.end(false, reason);
    }
  }

  /** Closes all connections permanently. Requests in flight fail. */
  close(reason: string): void {
    this.#abort.abort();
    this.endAll(reason);
  }
}
