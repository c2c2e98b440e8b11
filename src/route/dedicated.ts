/**
 * Connections to one server that are lent to one client each, for what a shared one is no good for: a request that waits
 * for something to happen (others' requests would wait behind it), and what the server remembers of a connection.
 *
 * ```text
 *           lend()                    giveBack()
 * (none) ──────────► lent to a client ──────────► idle ──► lent again, or closed after a while
 *                          │ drop(), or lost
 *                          └──────────► closed
 * ```
 *
 * Nothing is ever repeated on another connection: what is in flight when one is lost fails, and so does what is sent on
 * its lane later. A lane that has given its connection back has no hold on it any more, whoever has it then.
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

/** What these connections share with all others of a role. */
export interface DedicatedOptions {
  /** How long a request may wait for its reply, in ms, beside what it waits for. */
  readonly timeoutMs: number;
  readonly flushQueue: FlushQueue;
  readonly clock: Clock;
  /** Whether one more connection may be made, to whatever server; always unless it is given. */
  readonly mayDedicate?: () => boolean;
}

/** The way of one client to one server, on a connection that nobody else uses. */
export class DedicatedStream extends RequestStream {
  declare readonly pipeline: Pipeline;
  readonly #owner: Dedicated;

  /** Use {@linkcode Dedicated.lend}. */
  constructor(owner: Dedicated, pipeline: Pipeline) {
    super(pipeline.framing);
    this.pipeline = pipeline;
    this.#owner = owner;
  }

  /**
   * Sends a request whose bytes are `bytes[start, start + size)`, borrowed until return.
   *
   * @param patienceMs how much longer than others it may wait for its reply
   */
  send(request: BackendRequest, bytes: Uint8Array, start: number, size: number, patienceMs = 0): void {
    if (this.#owner.admit(this, request, patienceMs)) this.pipeline.send(this, request, bytes, start, size);
  }

  /** As {@linkcode send}, of a long request at `bytes[0, size)`. The bytes are the connection's from now on. */
  sendOwned(request: BackendRequest, bytes: Uint8Array<ArrayBuffer>, size: number): void {
    if (this.#owner.admit(this, request, 0)) this.pipeline.sendOwned(this, request, bytes, size);
  }

  /** Gives the connection back, once. The server must remember nothing of it, and owe no reply. */
  giveBack(): void {
    this.#owner.giveBack(this);
  }

  /** Closes the connection, unless it was given back; what is in flight fails. Idempotent. */
  drop(): void {
    this.#owner.drop(this);
  }
}

/** The connections to one server that are lent. */
export class Dedicated implements PipelineHost {
  readonly address: string;
  readonly flushQueue: FlushQueue;
  readonly clock: Clock;
  readonly #timeoutMs: number;
  readonly #mayDedicate: () => boolean;
  /** Those that are lent, and to whom. */
  readonly #lent = new Map<Pipeline, DedicatedStream>();
  /** Those given back, the one of last last, and since when. */
  readonly #idle: { readonly pipeline: Pipeline; readonly sinceMs: number }[] = [];
  /** Why none is lent any more. */
  #retired: string | undefined;
  readonly #abort = new AbortController();

  constructor(address: string, options: DedicatedOptions) {
    this.address = address;
    this.flushQueue = options.flushQueue;
    this.clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
    this.#mayDedicate = options.mayDedicate ?? (() => true);
  }

  /** Connections there are, lent or not. */
  get count(): number {
    return this.#lent.size + this.#idle.length;
  }

  /** When the server has shown last that it works, on a connection that is lent. */
  get aliveMs(): number {
    let aliveMs = -Infinity;
    for (const pipeline of this.#lent.keys()) aliveMs = Math.max(aliveMs, pipeline.aliveMs);
    return aliveMs;
  }

  /**
   * Lends a connection, which may still have to be made: what is sent on it is kept until then.
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

  /** Whether a request may be sent on a lane, as part of {@linkcode DedicatedStream.send}; else it has failed. */
  admit(stream: DedicatedStream, request: BackendRequest, patienceMs: number): boolean {
    const { pipeline } = stream;
    request.sinceMs = this.clock.nowMs;
    request.repeated = false;
    if (this.#lent.get(pipeline) !== stream) {
      request.fail(new ConnectionError(this.address, `server "${this.address}": ${LOST}`, false));
      return false;
    }
    stream.inFlight++;
    pipeline.extraTimeoutMs = patienceMs;
    return true;
  }

  /** As {@linkcode DedicatedStream.giveBack}. */
  giveBack(stream: DedicatedStream): void {
    const { pipeline } = stream;
    if (this.#lent.get(pipeline) !== stream) return;
    this.#lent.delete(pipeline);
    const isOfUse = pipeline.ready && pipeline.inFlight === 0 && this.#idle.length < DEDICATED_IDLE_MAX_COUNT;
    if (!isOfUse) return pipeline.end(false, LOST);
    this.#idle.push({ pipeline, sinceMs: this.clock.nowMs });
  }

  /** As {@linkcode DedicatedStream.drop}. */
  drop(stream: DedicatedStream): void {
    if (this.#lent.get(stream.pipeline) === stream) stream.pipeline.end(false, LOST);
  }

  /** Part of {@linkcode PipelineHost}. */
  ended(pipeline: Pipeline, { reason, sent, unsent }: PipelineEnd): void {
    this.#lent.delete(pipeline);
    const place = this.#idle.findIndex((each) => each.pipeline === pipeline);
    if (place >= 0) this.#idle.splice(place, 1);
    const message = `server "${this.address}": ${reason}`;
    this.#fail(sent, new ConnectionError(this.address, message, true));
    this.#fail(unsent, new ConnectionError(this.address, message, false));
  }

  #fail(exchanges: readonly BackendRequest[], error: ConnectionError): void {
    for (const request of exchanges) {
      request.stream!.inFlight--;
      request.batch = undefined;
      request.fail(error);
    }
  }

  /** Part of {@linkcode PipelineHost}. */
  idle(pipeline: Pipeline): void {
    // Otherwise who has it decides what becomes of it.
    if (this.#retired !== undefined && pipeline.ready && pipeline.inFlight === 0) pipeline.end(false, this.#retired);
  }

  /** Ends what has waited too long, and what has been idle for long. To be called several times a second. */
  sweep(): void {
    for (const pipeline of [...this.#lent.keys()]) pipeline.sweep(this.#timeoutMs);
    const longAgoMs = this.clock.nowMs - DEDICATED_IDLE_MAX_MS;
    for (const { pipeline, sinceMs } of [...this.#idle]) if (sinceMs < longAgoMs) pipeline.end(false, LOST);
  }

  /** Lends no more; connections are closed when what is in flight on them is answered. */
  retire(reason: string): void {
    this.#retired = reason;
    for (const { pipeline } of [...this.#idle]) pipeline.end(false, reason);
    for (const pipeline of [...this.#lent.keys()]) if (pipeline.inFlight === 0) pipeline.end(false, reason);
  }

  /** Lends again. */
  restore(): void {
    this.#retired = undefined;
  }

  /** Closes all; what is in flight fails. */
  endAll(reason: string): void {
    for (const { pipeline } of [...this.#idle]) pipeline.end(false, reason);
    for (const pipeline of [...this.#lent.keys()]) pipeline.end(false, reason);
  }

  /** As {@linkcode endAll}, but for connections that are still being made. */
  endMade(reason: string): void {
    for (const pipeline of [...this.#idle.map((each) => each.pipeline), ...this.#lent.keys()]) {
      if (pipeline.ready) pipeline.end(false, reason);
    }
  }

  /** As {@linkcode endAll}, for good. */
  close(reason: string): void {
    this.#abort.abort();
    this.endAll(reason);
  }
}
