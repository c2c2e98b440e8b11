/**
 * The bulk stream: one connection on which requests are written as fast as they are made, and replies are handed to one
 * consumer in order. It serves what sends a great many requests: piped commands, `inmem import`, `inmem bench`.
 *
 * ```text
 *  producer                                                           consumer
 *  add() ──► filling ──► being written ──► server ──► read buffer ──► take(reply)
 *            └─ at most BULK_BATCH_BYTES ┘            one object for all replies
 *
 *  requests   0 … repliedCount      … writtenCount     … addedCount
 *             replied │ perhaps executed │  never sent  │
 * ```
 *
 * Differences to the client (client/client.ts), which has a promise for each request:
 *
 * - A request is copied into one of two buffers, which are used again and again. A reply is read in the read buffer.
 *   Neither costs an object, a promise or a look at the clock.
 * - It speaks the native protocol or RESP. So `inmem bench` can load any server that is compatible with Redis.
 * - The producer asks for room before each request, which bounds what is in flight.
 * - It never connects again. When the connection is lost, the three counts say exactly which requests were replied to,
 *   which may have been executed, and which were never sent.
 *
 * The time limit is for progress: a connection on which requests wait is given up when for that time no reply has
 * arrived and no batch was written. The times that commands such as `blpop` wait are added while these are in flight: a
 * server may hold earlier replies back until it has executed all requests that it has read.
 *
 * @module
 */

import { ConnectionError, ProtocolError } from "../errors.ts";
import { BUFFER_KEEP_MAX_BYTES, BULK_BATCH_BYTES, BULK_IN_FLIGHT_MAX_BYTES, BULK_LAST_REPLIES_MS } from "../limits.ts";
import { freeBuffer } from "../memory/freed_memory.ts";
import { abort } from "../net/abort.ts";
import { Connection } from "../net/connection.ts";
import { probeOften } from "../net/keep_alive.ts";
import type { Socket } from "../net/socket.ts";
import type { Argument } from "../wire/request_writer.ts";
import {
  type BulkProtocol,
  type BulkSettings,
  lossMessage,
  newReply,
  newWriter,
  openConnection,
} from "./bulk_connection.ts";
import type { BulkReply } from "./bulk_reply.ts";

export type { BulkProtocol } from "./bulk_connection.ts";

/** The receiver of the replies of a bulk stream. */
export interface ReplyConsumer {
  /**
   * Takes the reply to request number `stream.repliedCount`, the first of which is 0. It may add requests. An exception
   * closes the connection, and rejects {@linkcode BulkStream.room} and {@linkcode BulkStream.drained}.
   *
   * @param reply borrowed until return
   */
  take(reply: BulkReply): void;
  /**
   * Is called when all replies of one read are taken.
   *
   * @returns a promise that delays the next read until it resolves, so that a slow consumer slows the server down
   */
  taken?(): Promise<void> | undefined;
}

/** A batch of requests of which not all replies have arrived. */
interface Batch {
  /** The number of requests that were added to the stream up to its last one. */
  readonly addedCount: number;
  readonly sizeBytes: number;
}

/** A request whose command itself delays its reply. */
interface DelayedRequest {
  readonly number: number;
  readonly delayMs: number;
}

type Writer = ReturnType<typeof newWriter>;

/** The longest delay of a timer, in ms. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * One connection for a great many requests. {@linkcode BulkStream.open} makes it, and {@linkcode BulkStream.close} ends
 * it.
 *
 * @example
 * ```ts no-run
 * import { connectionSettings } from "../client/connection_settings.ts";
 * import { BulkStream } from "./bulk_stream.ts";
 *
 * let refusedCount = 0;
 * await using stream = await BulkStream.open(await connectionSettings(), "native", {
 *   take: (reply) => void (refusedCount += Number(reply.isRefusal)),
 * });
 * for (let i = 0; i < 1_000_000 && stream.lost === undefined; i++) {
 *   if (!stream.hasRoom) await stream.room();
 *   stream.add(["set", `key:${i}`, "value"]);
 * }
 * await stream.drained();
 * console.log(`${stream.repliedCount} replies, ${refusedCount} refused`, stream.lost?.message ?? "");
 * ```
 */
export class BulkStream implements AsyncDisposable {
  /** `host:port` of the server or proxy. */
  readonly address: string;
  /** The most requests that may be in flight; the consumer may change it at any time. */
  inFlightMaxCount = Infinity;
  readonly #consumer: ReplyConsumer;
  readonly #connection: Connection;
  readonly #socket: Socket;
  readonly #protocol: BulkProtocol;
  readonly #reply: BulkReply;
  readonly #timeoutMs: number;
  /** The requests that are collected, and the buffer that is empty or being written. */
  #filling: Writer;
  #other: Writer;
  #addedCount = 0;
  #writtenCount = 0;
  #repliedCount = 0;
  /** The batches in flight, the oldest first. */
  #batches: Batch[] = [];
  #writtenBytes = 0;
  /** Whether a write is under way or about to begin. */
  #isWriting = false;
  #delayed: DelayedRequest[] = [];
  #isProbed = false;
  /** When a reply has arrived or a batch was written last, by `performance.now()`. */
  #progressMs = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Ends the wait for the last replies after a write has failed. */
  #lastTimer: ReturnType<typeof setTimeout> | undefined;
  /** Whether reading waits for the consumer. */
  #isHeld = false;
  #lost: ConnectionError | undefined;
  #bug: unknown;
  /** Resolves at the next progress, for those who wait. */
  #progress: PromiseWithResolvers<void> | undefined;
  readonly #ended: Promise<void>;
  /** Resolves when the connection is lost. */
  readonly #losing = Promise.withResolvers<void>();
  #aborted: Promise<void> | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#lose(`The connection to ${this.address} was aborted`, this.#signal?.reason);

  private constructor(
    { address, timeoutMs, signal }: BulkSettings,
    protocol: BulkProtocol,
    consumer: ReplyConsumer,
    socket: Socket,
    connection: Connection,
  ) {
    this.address = address;
    this.#timeoutMs = timeoutMs;
    this.#consumer = consumer;
    this.#socket = socket;
    this.#connection = connection;
    this.#protocol = protocol;
    this.#reply = newReply(protocol);
    this.#filling = newWriter(protocol);
    this.#other = newWriter(protocol);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort, { once: true });
    this.#ended = this.#readReplies();
  }

  /**
   * Connects and authenticates.
   *
   * @param settings of `connectionSettings()` of client/client.ts
   * @param consumer takes all replies, in order
   * @throws {ConnectionError} when the connection fails; the message contains the reason
   * @throws {ReplyError} when the password is refused
   */
  static async open(
    settings: BulkSettings,
    protocol: BulkProtocol,
    consumer: ReplyConsumer,
  ): Promise<BulkStream> {
    const { socket, connection } = await openConnection(settings, protocol);
    return new BulkStream(settings, protocol, consumer, socket, connection);
  }

  /** The number of requests that were added. */
  get addedCount(): number {
    return this.#addedCount;
  }

  /** The number of requests that were sent, perhaps not completely. */
  get writtenCount(): number {
    return this.#writtenCount;
  }

  /** The number of requests whose replies were taken. Within `take` it is the number of the present request. */
  get repliedCount(): number {
    return this.#repliedCount;
  }

  /**
   * The reason why the connection is useless; `undefined` while it is not. Its `sent` says whether the first request
   * without a reply may have been executed.
   */
  get lost(): ConnectionError | undefined {
    return this.#lost;
  }

  /** Resolves when the connection is lost. */
  get ended(): Promise<void> {
    return this.#losing.promise;
  }

  /** Whether one more request may be added now. It is `false` once the connection is lost. */
  get hasRoom(): boolean {
    return this.#filling.length < BULK_BATCH_BYTES && this.#addedCount - this.#repliedCount < this.inFlightMaxCount &&
      (this.#filling.length + this.#writtenBytes < BULK_IN_FLIGHT_MAX_BYTES ||
        this.#addedCount === this.#repliedCount) &&
      this.#lost === undefined;
  }

  /** Resolves when one more request may be added, or the connection is lost. */
  async room(): Promise<void> {
    while (!this.hasRoom && this.#lost === undefined) await this.#progressed();
    this.#throwBug();
  }

  /** Resolves when no request is without a reply, or the connection is lost. */
  async drained(): Promise<void> {
    while (this.#repliedCount < this.#addedCount && this.#lost === undefined) await this.#progressed();
    this.#throwBug();
  }

  /**
   * Adds a request. Its bytes are copied. Requests that are added in one turn of the event loop are sent together.
   * After the connection is lost, nothing happens.
   *
   * @param delayMs how long the command itself may delay its reply, as `blpop` does; `Infinity` for a wait without end
   * @throws {RangeError} when the request is too large; nothing is added then
   */
  add(request: readonly Argument[], delayMs = 0): void {
    if (this.#lost !== undefined) return;
    this.#filling.add(request);
    this.#added(delayMs);
  }

  /**
   * Adds requests that are encoded already, in the protocol of the stream.
   *
   * @param bytes copied
   * @param count how many requests they are
   */
  addEncoded(bytes: Uint8Array, count: number): void {
    if (this.#lost !== undefined) return;
    const writer = this.#filling;
    writer.reserve(bytes.length);
    writer.buffer.set(bytes, writer.length);
    writer.length += bytes.length;
    this.#addedCount += count - 1;
    this.#added(0);
  }

  /** Closes the connection now. Requests without a reply stay without. */
  async close(): Promise<void> {
    this.#lose(`The connection to ${this.address} is closed`);
    await this.#ended;
    await this.#aborted;
  }

  /** Closes the stream like {@linkcode close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #added(delayMs: number): void {
    if (delayMs > 0) this.#noteDelay(delayMs);
    this.#addedCount++;
    if (this.#isWriting) return;
    this.#isWriting = true;
    queueMicrotask(() => this.#write());
  }

  #noteDelay(delayMs: number): void {
    this.#delayed.push({ number: this.#addedCount, delayMs });
    // Makes the system notice a server that vanishes during a long wait. It is done once per connection.
    if (!this.#isProbed) probeOften(this.#socket);
    this.#isProbed = true;
  }

  async #write(): Promise<void> {
    try {
      while (this.#filling.length > 0 && this.#lost === undefined) {
        const writer = this.#filling;
        this.#filling = this.#other;
        this.#other = writer;
        if (this.#writtenCount === this.#repliedCount) this.#beginWaiting();
        this.#batches.push({ addedCount: this.#addedCount, sizeBytes: writer.length });
        this.#writtenBytes += writer.length;
        this.#writtenCount = this.#addedCount;
        await this.#connection.write(writer.buffer.subarray(0, writer.length));
        writer.length = 0;
        if (writer.buffer.length > BUFFER_KEEP_MAX_BYTES) shrink(writer);
        this.#progressMs = performance.now();
        this.#wake();
      }
      this.#isWriting = false;
    } catch (error) {
      // Replies to requests before may have arrived. They say what was done, so they are read up to their end.
      this.#lastTimer = setTimeout(() => this.#lose(this.#lossMessage(error), error), BULK_LAST_REPLIES_MS);
    }
  }

  async #readReplies(): Promise<void> {
    const connection = this.#connection;
    try {
      while (await connection.fill()) {
        this.#takeReplies(connection);
        this.#progressMs = performance.now();
        this.#wake();
        const taken = this.#consumer.taken?.();
        if (taken !== undefined) await this.#hold(taken);
        if (this.#lost !== undefined) return;
      }
      this.#lose(this.#lossMessage("the other side closed it"));
    } catch (error) {
      this.#lose(this.#lossMessage(error), error);
    }
  }

  /** Does not read until the consumer is ready. That time does not count against the server. */
  async #hold(taken: Promise<void>): Promise<void> {
    this.#isHeld = true;
    await Promise.race([taken, this.#losing.promise]);
    this.#isHeld = false;
    this.#progressMs = performance.now();
  }

  #takeReplies(connection: Connection): void {
    const { buffer, end } = connection;
    const reply = this.#reply;
    let at = connection.start;
    while (at < end && reply.find(buffer, at, end)) {
      if (this.#repliedCount >= this.#writtenCount) {
        throw new ProtocolError("Cannot place a reply: expected none, since no request is without one");
      }
      at = reply.end;
      try {
        this.#consumer.take(reply);
      } catch (error) {
        this.#bug = error;
        throw error;
      }
      this.#repliedCount++;
      if (this.#delayed.length > 0 && this.#delayed[0]!.number < this.#repliedCount) this.#delayed.shift();
    }
    connection.start = at;
    if (at < end && reply.needed > 0) connection.reserve(reply.needed);
    while (this.#batches.length > 0 && this.#batches[0]!.addedCount <= this.#repliedCount) {
      this.#writtenBytes -= this.#batches.shift()!.sizeBytes;
    }
  }

  /** The time of the last progress is the time at which a request begins to wait. */
  #beginWaiting(): void {
    this.#progressMs = performance.now();
    if (this.#timer === undefined && this.#timeoutMs !== Infinity) this.#watch(this.#timeoutMs);
  }

  #watch(delayMs: number): void {
    this.#timer = setTimeout(() => this.#checkProgress(), Math.min(TIMER_MAX_MS, Math.max(1, delayMs)));
  }

  /** Looks at the time of the last progress when the timer fires: moving the timer each time would cost more. */
  #checkProgress(): void {
    this.#timer = undefined;
    if (this.#lost !== undefined || this.#repliedCount === this.#writtenCount) return;
    const delayMs = this.#delayed.reduce((sum, request) => sum + request.delayMs, 0);
    const leftMs = this.#isHeld ? this.#timeoutMs : this.#progressMs + this.#timeoutMs + delayMs - performance.now();
    if (leftMs > 0) this.#watch(leftMs);
    else this.#lose(`No answer from ${this.address} in time`);
  }

  #lose(message: string, cause?: unknown): void {
    if (this.#lost !== undefined) return;
    const sent = this.#repliedCount < this.#writtenCount;
    this.#lost = new ConnectionError(this.address, message, sent, cause === undefined ? undefined : { cause });
    clearTimeout(this.#timer);
    clearTimeout(this.#lastTimer);
    this.#signal?.removeEventListener("abort", this.#abort);
    // A write that waits for a peer which does not read keeps the descriptor open beyond `close`.
    if (this.#isWriting) this.#aborted = abort(this.#socket);
    else this.#connection.close();
    this.#losing.resolve();
    this.#wake();
  }

  #lossMessage(error: unknown): string {
    return lossMessage(this.address, this.#protocol, error);
  }

  #throwBug(): void {
    if (this.#bug !== undefined) throw this.#bug;
  }

  #progressed(): Promise<void> {
    this.#progress ??= Promise.withResolvers();
    return this.#progress.promise;
  }

  #wake(): void {
    this.#progress?.resolve();
    this.#progress = undefined;
  }
}

/** Frees the buffer of a large request. */
function shrink(writer: Writer): void {
  freeBuffer(writer.buffer);
  writer.buffer = new Uint8Array(BULK_BATCH_BYTES);
}
