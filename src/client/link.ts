/**
 * The pipeline of one connection: requests are sent in batches, and replies are matched to them in order.
 *
 * ```text
 *              oldest                         newest
 * without      r1 → r2 → r3 → r4 → r5 → r6
 * a reply      └── written ──┘  └ collected ┘   one write sends all collected requests
 * ```
 *
 * Requests made in one turn of the event loop are sent in one write. Requests made while a write is in progress are
 * sent in the next. Replies have no number: the n-th reply belongs to the n-th request. A connection on which one reply
 * is missing or unreadable is therefore useless and is closed: a late reply must never be matched to another request.
 *
 * The time of a request begins when it is sent. It begins again after an earlier reply that its command has delayed,
 * such as `blpop`: the server could not begin with the request before.
 *
 * @module
 */

import { ConnectionError, InmemError, messageOf, ProtocolError, ReplyError } from "../errors.ts";
import { CLIENT_UNANSWERED_MAX_BYTES, REPLY_SIZE_MAX_BYTES } from "../limits.ts";
import { abort } from "../net/abort.ts";
import { Connection } from "../net/connection.ts";
import { probeOften } from "../net/keep_alive.ts";
import type { Socket } from "../net/socket.ts";
import { decodeReply, openReply, type Value } from "../wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../wire/native/frame.ts";
import type { Argument } from "../wire/request_writer.ts";
import { NativeRequestWriter } from "../wire/native/request_writer.ts";
import { commandOf, ReplyDelays } from "./reply_delay.ts";

/** The longest delay of a timer, in ms. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * A request without its reply. The requests form a singly linked list: replies remove the oldest, requests append the
 * newest.
 */
interface Unanswered {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
  /** How many requests of this connection were sent before. */
  readonly sequence: number;
  readonly sizeBytes: number;
  /** When the request was sent, by `performance.now()`. */
  readonly sentMs: number;
  /** How long its reply may take, including the command's own delay; `Infinity` for no limit. */
  readonly allowedMs: number;
  /** Whether the command itself delays its reply. */
  readonly isDelayed: boolean;
  next: Unanswered | undefined;
}

/** How a link opens its connection. */
export interface LinkOptions {
  /** `host:port`, for the messages of errors. */
  readonly address: string;
  /** Opens the connection, which the link owns from then on. The signal is aborted when it is not needed any more. */
  readonly open: (signal: AbortSignal) => Promise<Socket>;
  /** The passwords: the first is sent before all requests, and the next one if it is refused. */
  readonly passwords?: readonly Argument[];
  /** How long opening and authenticating may take together. */
  readonly openTimeoutMs: number;
}

/**
 * A connection with its requests in flight, from the first request on. Requests that are made while it opens wait, and
 * are sent in order once it is open and authenticated. A lost link stays lost, which {@linkcode Link.lost} shows.
 */
export class Link {
  /** Settles when the connection is open and authenticated, or has failed. */
  readonly opened: Promise<void>;
  /** Resolves once the connection is closed and all of its tasks have ended. */
  readonly ended: Promise<void>;
  readonly #address: string;
  readonly #aborter = new AbortController();
  readonly #writer = new NativeRequestWriter();
  #socket: Socket | undefined;
  #connection: Connection | undefined;
  #oldest: Unanswered | undefined;
  #newest: Unanswered | undefined;
  #addedCount = 0;
  /** The number of requests whose bytes were passed to the socket. */
  #writtenCount = 0;
  #unansweredBytes = 0;
  /** Whether the collected requests will be written without another call: after opening, or after the present write. */
  #flushing = true;
  #writing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerDeadlineMs = Infinity;
  readonly #delays = new ReplyDelays();
  /** When the last reply arrived that its command had delayed. */
  #delayEndedMs = -Infinity;
  /** Whether a request may be without a reply for long. */
  #wantsProbes = false;
  #isProbed = false;
  #hasReplied = false;
  #lost: ConnectionError | ReplyError | undefined;
  #lostAtMs = 0;
  #waiters: (() => void)[] = [];
  #aborted: Promise<void> | undefined;

  constructor(options: LinkOptions) {
    this.#address = options.address;
    this.opened = this.#open(options);
    this.ended = this.opened.then(() => this.#readReplies(), () => {}).then(() => this.#aborted);
  }

  /** The reason why the connection is useless; `undefined` while it is not. */
  get lost(): ConnectionError | ReplyError | undefined {
    return this.#lost;
  }

  /** When the connection was lost, by `performance.now()`. */
  get lostAtMs(): number {
    return this.#lostAtMs;
  }

  /** Whether any reply has arrived. */
  get hasReplied(): boolean {
    return this.#hasReplied;
  }

  /**
   * Sends one request. Its bytes are copied before this returns.
   *
   * @param timeoutMs how long its reply may take, in addition to the time that the command waits; `Infinity` for no
   *   limit
   * @returns the reply; rejects with {@linkcode ReplyError} when the server refuses, and with
   *   {@linkcode ConnectionError} when the connection is lost or the time is over
   */
  send(request: readonly Argument[], timeoutMs: number): Promise<Value> {
    if (this.#lost !== undefined) return Promise.reject(this.#error(this.#lost.message, false, this.#lost));
    if (this.#unansweredBytes >= CLIENT_UNANSWERED_MAX_BYTES) {
      const message =
        `Cannot send more to ${this.#address}: ${this.#unansweredBytes} bytes of requests wait for replies`;
      return Promise.reject(this.#error(message, false));
    }
    const begun = this.#writer.length;
    try {
      this.#writer.add(request);
    } catch (error) {
      return Promise.reject(error);
    }
    const sizeBytes = this.#writer.length - begun;
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    const command = commandOf(request);
    const delayMs = command === undefined ? 0 : this.#delays.next(request, command);
    const added = {
      resolve,
      reject,
      sequence: this.#addedCount++,
      sizeBytes,
      sentMs: performance.now(),
      allowedMs: timeoutMs + delayMs,
      isDelayed: delayMs > 0,
      next: undefined,
    };
    if (this.#newest === undefined) this.#oldest = added;
    else this.#newest.next = added;
    this.#newest = added;
    this.#unansweredBytes += sizeBytes;
    if (this.#oldest === added) this.#watchOldest();
    if (added.isDelayed) this.#probeOften();
    if (!this.#flushing) {
      this.#flushing = true;
      queueMicrotask(() => this.#flush());
    }
    return command?.transactionStep === "run" ? promise.then(openReplies) : promise;
  }

  /** The bytes of the requests without a reply. */
  get unansweredBytes(): number {
    return this.#unansweredBytes;
  }

  /** Resolves when no request is without a reply, also because the connection was lost. */
  async drained(): Promise<void> {
    while (this.#oldest !== undefined) await this.#progress();
  }

  /** Resolves when requests without a reply take at most half of their limit, or the connection was lost. */
  async room(): Promise<void> {
    while (this.#unansweredBytes > CLIENT_UNANSWERED_MAX_BYTES / 2) await this.#progress();
  }

  /**
   * Closes the connection immediately. Requests without a reply reject with a {@linkcode ConnectionError} with that
   * message.
   */
  close(message: string, cause?: unknown): void {
    if (this.#lost !== undefined) return;
    // A refused password is the server's reply to all requests that wait for this connection.
    const refusal = cause instanceof ReplyError ? cause : undefined;
    this.#lost = refusal ?? this.#error(message, this.#writtenCount > 0, cause);
    this.#lostAtMs = performance.now();
    clearTimeout(this.#timer);
    this.#aborter.abort(this.#lost);
    // A write that waits for a peer which does not read keeps the descriptor open beyond `close`.
    if (this.#writing && this.#socket !== undefined) this.#aborted = abort(this.#socket);
    else this.#connection?.close();
    this.#writer.take();
    for (let each = this.#oldest; each !== undefined; each = each.next) {
      each.reject(refusal ?? this.#error(message, each.sequence < this.#writtenCount, cause));
    }
    this.#oldest = this.#newest = undefined;
    this.#unansweredBytes = 0;
    this.#wake();
  }

  #error(message: string, sent: boolean, cause?: unknown): ConnectionError {
    return new ConnectionError(this.#address, message, sent, cause === undefined ? undefined : { cause });
  }

  async #open({ open, passwords = [], openTimeoutMs }: LinkOptions): Promise<void> {
    const timer = setTimeout(() => {
      const problem = `no answer within ${openTimeoutMs} ms`;
      // The connector's own error lists the addresses that were tried.
      if (this.#socket === undefined) this.#aborter.abort(new Deno.errors.TimedOut(problem));
      else this.close(`Cannot connect to ${this.#address}: ${problem}`);
    }, openTimeoutMs);
    try {
      this.#socket = await open(this.#aborter.signal);
      this.#connection = new Connection(this.#socket);
      if (this.#lost !== undefined) this.#connection.close();
      else await this.#authenticate(this.#connection, passwords);
    } catch (error) {
      // The message of an inmem error, such as that of the connector, is complete.
      const isOwn = error instanceof InmemError && !(error instanceof ProtocolError);
      this.close(isOwn ? error.message : this.#lossMessage(error), error);
    } finally {
      clearTimeout(timer);
    }
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#wantsProbes) this.#probeOften();
    this.#flush();
  }

  /** Tries the passwords, if any, one after another on this connection until one is accepted. */
  async #authenticate(connection: Connection, passwords: readonly Argument[]): Promise<void> {
    for (const [i, password] of passwords.entries()) {
      const writer = new NativeRequestWriter();
      writer.add(["auth", password]);
      await connection.write(writer.take());
      const reply = await this.#nextReply(connection);
      if (!(reply instanceof ReplyError)) return;
      if (reply.code !== "WRONGPASS" || i + 1 === passwords.length) throw reply;
    }
  }

  async #nextReply(connection: Connection): Promise<Value | ReplyError> {
    while (true) {
      const reply = this.#takeReply(connection);
      if (reply !== undefined) return reply;
      if (!await connection.fill()) throw new Deno.errors.UnexpectedEof();
    }
  }

  /** Makes the system notice a server that vanishes during a long wait. It is done once per connection. */
  #probeOften(): void {
    this.#wantsProbes = true;
    if (this.#socket === undefined || this.#isProbed) return;
    this.#isProbed = true;
    probeOften(this.#socket);
  }

  #progress(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  async #flush(): Promise<void> {
    try {
      while (this.#writer.length > 0 && this.#lost === undefined) {
        this.#writtenCount = this.#addedCount;
        this.#writing = true;
        await this.#connection!.write(this.#writer.take());
        this.#writing = false;
      }
    } catch (error) {
      this.#writing = false;
      this.close(this.#lossMessage(error), error);
    }
    this.#flushing = false;
  }

  async #readReplies(): Promise<void> {
    const connection = this.#connection!;
    try {
      do {
        this.#settleReplies(connection);
      } while (await connection.fill());
      this.close(this.#lossMessage("the other side closed it"));
    } catch (error) {
      this.close(this.#lossMessage(error), error);
    }
  }

  #lossMessage(error: unknown): string {
    return error instanceof ProtocolError
      ? `Cannot understand ${this.#address}: its replies are not in the protocol of inmem`
      : `Lost the connection to ${this.#address}: ${reasonOf(error)}`;
  }

  #settleReplies(connection: Connection): void {
    while (this.#lost === undefined) {
      const reply = this.#takeReply(connection);
      if (reply === undefined) break;
      const request = this.#oldest;
      if (request === undefined || request.sequence >= this.#writtenCount) {
        throw new ProtocolError("Cannot place a reply: expected none, since no request is without one");
      }
      this.#oldest = request.next;
      if (this.#oldest === undefined) this.#newest = undefined;
      if (request.isDelayed) this.#delayEndedMs = performance.now();
      this.#unansweredBytes -= request.sizeBytes;
      if (reply instanceof ReplyError) request.reject(reply);
      else request.resolve(reply);
    }
    this.#watchOldest();
    this.#wake();
  }

  /** Returns the next reply that is completely in the buffer, or `undefined`. */
  #takeReply(connection: Connection): Value | ReplyError | undefined {
    const { buffer, start, end } = connection;
    if (end - start < FRAME_PREFIX_BYTES) return undefined;
    const length = frameLength(buffer, start);
    if (length > REPLY_SIZE_MAX_BYTES) {
      throw new ProtocolError(`Cannot read a reply of ${length} bytes: expected at most ${REPLY_SIZE_MAX_BYTES}`);
    }
    const begin = start + FRAME_PREFIX_BYTES;
    if (length > end - begin) return undefined;
    connection.start = begin + length;
    this.#hasReplied = true;
    return decodeReply(buffer, begin, begin + length);
  }

  /** The deadline of the oldest request by `performance.now()`, or `Infinity`. Later requests have later deadlines. */
  get #deadlineMs(): number {
    if (this.#oldest === undefined) return Infinity;
    const { sentMs, allowedMs } = this.#oldest;
    return Math.max(sentMs, this.#delayEndedMs) + allowedMs;
  }

  /**
   * Sets the one timer for all requests, unless it fires early enough. It is not moved when a reply arrives, but checks
   * the deadline again when it fires.
   */
  #watchOldest(): void {
    const deadlineMs = this.#deadlineMs;
    if (deadlineMs >= this.#timerDeadlineMs || this.#lost !== undefined) return;
    clearTimeout(this.#timer);
    this.#timerDeadlineMs = deadlineMs;
    const delayMs = Math.min(TIMER_MAX_MS, Math.max(0, deadlineMs - performance.now()));
    this.#timer = setTimeout(() => this.#checkDeadline(), delayMs);
  }

  #checkDeadline(): void {
    this.#timerDeadlineMs = Infinity;
    if (this.#deadlineMs > performance.now()) this.#watchOldest();
    else if (this.#connection === undefined) this.close(`Cannot connect to ${this.#address} in time`);
    else this.close(`No answer from ${this.#address} in time`);
  }
}

/** Opens the reply to `exec`, whose items are replies themselves. It is nil when a watched key has changed. */
export function openReplies(value: Value): Value {
  return Array.isArray(value) ? value.map(openReply) : value;
}

/** Returns why a connection ended, as text for people. */
function reasonOf(error: unknown): string {
  const closed = [Deno.errors.UnexpectedEof, Deno.errors.ConnectionReset, Deno.errors.BrokenPipe];
  if (closed.some((kind) => error instanceof kind)) return "the other side closed it";
  return messageOf(error);
}
