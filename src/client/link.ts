/**
 * One connection's pipeline: requests out in batches, replies matched to them in order.
 *
 * ```text
 *              oldest                         newest
 * unanswered   r1 → r2 → r3 → r4 → r5 → r6
 *              └── written ──┘  └ collected ┘   one write takes all that is collected
 * ```
 *
 * Requests made in one turn of the event loop leave in one write; those made while a write is under way leave in the
 * next. Replies carry no number: the n-th answers the n-th request. So a connection on which one reply is missing or
 * unreadable is of no use any more, and is closed: a late reply must never reach another request.
 *
 * A request's time begins when it is sent, and again when a reply before it has come that was delayed by its own command,
 * such as `blpop`: until then the server could not begin with it.
 *
 * @module
 */

import { ConnectionError, InmemError, messageOf, ProtocolError, ReplyError } from "../errors.ts";
import { CLIENT_UNANSWERED_MAX_BYTES, REPLY_SIZE_MAX_BYTES } from "../limits.ts";
import { abort } from "../net/abort.ts";
import { Connection } from "../net/connection.ts";
import { probeOften } from "../net/keep_alive.ts";
import type { Socket } from "../net/socket.ts";
import { decodeReply, FRAME_PREFIX_BYTES, frameLength, openReply, RequestWriter } from "../wire/native/frame.ts";
import type { Argument, Value } from "../wire/native/frame.ts";
import { commandOf, ReplyDelays } from "./reply_delay.ts";

/** The longest that a timer can wait. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** A request without its reply. The list is singly linked: replies take the oldest, requests add the newest. */
interface Unanswered {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
  /** How many requests of this connection came before. */
  readonly sequence: number;
  readonly sizeBytes: number;
  /** When it was sent, by `performance.now()`. */
  readonly sentMs: number;
  /** How long its reply may take, the command's own delay included; `Infinity` for no bound. */
  readonly allowedMs: number;
  /** Whether the command itself delays its reply. */
  readonly isDelayed: boolean;
  next: Unanswered | undefined;
}

/** How a link comes by its connection. */
export interface LinkOptions {
  /** `host:port`, for the texts of errors. */
  readonly address: string;
  /** Makes the connection, which the link owns from then on. The signal tells that it is not wanted any more. */
  readonly open: (signal: AbortSignal) => Promise<Socket>;
  /** The first is sent before anything else, and its answer awaited; the next one when that is refused. */
  readonly passwords?: readonly Argument[];
  /** How long opening and authenticating may take together. */
  readonly openTimeoutMs: number;
}

/**
 * A connection with its requests in flight, from the moment it is wanted: requests made while it opens wait, and leave
 * in order once it is open and authenticated. Once lost it stays lost; {@linkcode Link.lost} says so.
 */
export class Link {
  /** Settles when the connection is open and authenticated, or could not be. */
  readonly opened: Promise<void>;
  /** Resolves once the connection is closed and nothing of it runs any more. */
  readonly ended: Promise<void>;
  readonly #address: string;
  readonly #aborter = new AbortController();
  readonly #writer = new RequestWriter();
  #socket: Socket | undefined;
  #connection: Connection | undefined;
  #oldest: Unanswered | undefined;
  #newest: Unanswered | undefined;
  #addedCount = 0;
  /** Requests whose bytes were given to the socket. */
  #writtenCount = 0;
  #unansweredBytes = 0;
  /** Whether somebody will take what the writer has collected: the opening, or a write under way. */
  #flushing = true;
  #writing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerDeadlineMs = Infinity;
  readonly #delays = new ReplyDelays();
  /** When the last reply came that its command had delayed. */
  #delayEndedMs = -Infinity;
  /** Whether a request may be without a reply for long. */
  #wantsProbes = false;
  #isProbed = false;
  #proven = false;
  #lost: ConnectionError | ReplyError | undefined;
  #lostAtMs = 0;
  #waiters: (() => void)[] = [];
  #aborted: Promise<void> | undefined;

  constructor(options: LinkOptions) {
    this.#address = options.address;
    this.opened = this.#open(options);
    this.ended = this.opened.then(() => this.#readReplies(), () => {}).then(() => this.#aborted);
  }

  /** Why the connection is of no use any more, or `undefined` while it is. */
  get lost(): ConnectionError | ReplyError | undefined {
    return this.#lost;
  }

  /** When it was lost, by `performance.now()`. */
  get lostAtMs(): number {
    return this.#lostAtMs;
  }

  /** Whether the other side has answered anything at all. */
  get proven(): boolean {
    return this.#proven;
  }

  /**
   * Sends one request. Its bytes are copied before this returns.
   *
   * @param timeoutMs how long its reply may take, besides what the command itself waits; `Infinity` for no bound
   * @returns the reply; rejects with {@linkcode ReplyError} when the server refuses, and with
   * {@linkcode ConnectionError} when the connection is lost or the time is up
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
    return command?.name === "exec" ? promise.then(openReplies) : promise;
  }

  /** Bytes of requests that were not answered yet. */
  get unansweredBytes(): number {
    return this.#unansweredBytes;
  }

  /** Resolves when nothing is unanswered, be it that all was answered or that the connection was lost. */
  async drained(): Promise<void> {
    while (this.#oldest !== undefined) await this.#progress();
  }

  /** Resolves when half of what may be unanswered is free, or the connection was lost. */
  async room(): Promise<void> {
    while (this.#unansweredBytes > CLIENT_UNANSWERED_MAX_BYTES / 2) await this.#progress();
  }

  /** Closes the connection at once. What is unanswered rejects with a {@linkcode ConnectionError} of that text. */
  close(message: string, cause?: unknown): void {
    if (this.#lost !== undefined) return;
    // A refused password is the server's answer to everything that waits for this connection.
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
      // Who opens knows which addresses were tried.
      if (this.#socket === undefined) this.#aborter.abort(new Deno.errors.TimedOut(problem));
      else this.close(`Cannot connect to ${this.#address}: ${problem}`);
    }, openTimeoutMs);
    try {
      this.#socket = await open(this.#aborter.signal);
      this.#connection = new Connection(this.#socket);
      if (this.#lost !== undefined) this.#connection.close();
      else await this.#authenticate(this.#connection, passwords);
    } catch (error) {
      // An error of inmem's own, such as that of the connector, says it all.
      const isOwn = error instanceof InmemError && !(error instanceof ProtocolError);
      this.close(isOwn ? error.message : this.#lossMessage(error), error);
    } finally {
      clearTimeout(timer);
    }
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#wantsProbes) this.#probeOften();
    this.#flush();
  }

  /** Tries the passwords in turn, on this connection, until one is accepted; none, where there is none. */
  async #authenticate(connection: Connection, passwords: readonly Argument[]): Promise<void> {
    for (const [i, password] of passwords.entries()) {
      const writer = new RequestWriter();
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

  /** Lets the system notice a server that vanishes during a long wait. Once is enough. */
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
      ? `Cannot understand ${this.#address}: its answers are not the protocol of inmem`
      : `Lost the connection to ${this.#address}: ${reasonOf(error)}`;
  }

  #settleReplies(connection: Connection): void {
    while (this.#lost === undefined) {
      const reply = this.#takeReply(connection);
      if (reply === undefined) break;
      const answered = this.#oldest;
      if (answered === undefined || answered.sequence >= this.#writtenCount) {
        throw new ProtocolError("Cannot place a reply: expected none, since no request is without one");
      }
      this.#oldest = answered.next;
      if (this.#oldest === undefined) this.#newest = undefined;
      if (answered.isDelayed) this.#delayEndedMs = performance.now();
      this.#unansweredBytes -= answered.sizeBytes;
      if (reply instanceof ReplyError) answered.reject(reply);
      else answered.resolve(reply);
    }
    this.#watchOldest();
    this.#wake();
  }

  /** The next reply that is in the buffer as a whole, or `undefined`. */
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
    this.#proven = true;
    return decodeReply(buffer, begin, begin + length);
  }

  /** The time at which the oldest request is late, by `performance.now()`, or `Infinity`. Later requests are late later. */
  get #deadlineMs(): number {
    if (this.#oldest === undefined) return Infinity;
    const { sentMs, allowedMs } = this.#oldest;
    return Math.max(sentMs, this.#delayEndedMs) + allowedMs;
  }

  /**
   * Sets the one timer for all requests, unless it rings soon enough. It is not moved when a reply comes, but looks again
   * when it rings.
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

/** The reply to `exec`, whose items are replies themselves. It is nil when a watched key has changed. */
function openReplies(value: Value): Value {
  return Array.isArray(value) ? value.map(openReply) : value;
}

/** Why a connection ended, in words for people. */
function reasonOf(error: unknown): string {
  const closed = [Deno.errors.UnexpectedEof, Deno.errors.ConnectionReset, Deno.errors.BrokenPipe];
  if (closed.some((kind) => error instanceof kind)) return "the other side closed it";
  return messageOf(error);
}
