/**
 * One connection to the port: one request after another, each with its response.
 *
 * ```text
 *          ┌──────────────────────────── keep-alive ───────────────────────────┐
 *          ▼                                                                   │
 * request: head, body ──► waits for its turn ──► response is made, written ────┤
 *     │                                                                        ├──► event stream, until the viewer leaves
 *     └─ refused ──► response ──► rest of the input is dropped ──► closed      └──► closed
 * ```
 *
 * A session does not read while it makes or writes a response, except for an event stream, whose viewer sends nothing
 * more. Pipelined requests therefore wait in the read buffer and in the system. No step has a timer: a sweep closes
 * connections that are late with one.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import { encodeText } from "../bytes.ts";
import {
  HTTP_BYTES_PER_MS,
  HTTP_DROPPED_MAX_BYTES,
  HTTP_IDLE_TIMEOUT_MS,
  HTTP_READ_COST_MS,
  HTTP_REQUEST_COST_MS,
  HTTP_REQUEST_TIMEOUT_MS,
  HTTP_RESPONSE_COST_MAX_MS,
  HTTP_RESPONSE_TIMEOUT_MS,
  LINGER_TIMEOUT_MS,
} from "../limits.ts";
import { freeDescriptor } from "../net/abort.ts";
import type { ClientSession } from "../net/clients.ts";
import { Connection } from "../net/connection.ts";
import { isDisconnection } from "../net/socket_errors.ts";
import type { EventStream } from "./event_stream.ts";
import type {
  ContentResponse,
  HttpHandler,
  HttpPeer,
  HttpRequest,
  HttpResponse,
  RequestHead,
  StreamResponse,
} from "./message.ts";
import { textResponse } from "./message.ts";
import { HeadScanner, parseHead, RequestProblem } from "./request_head.ts";
import { formatHead } from "./response_head.ts";
import type { OutgoingBytes } from "./outgoing_bytes.ts";
import type { TimeShare } from "./time_share.ts";

/** The part of a server that all its sessions share. */
export interface SessionShare {
  readonly handle: HttpHandler;
  readonly timeShare: TimeShare;
  readonly outgoing: OutgoingBytes;
  /** The most viewers of a stream, so that enough places are left for requests. */
  readonly viewersMaxCount: number;
  /** The paths whose requests go before others. */
  readonly urgentPaths: ReadonlySet<string>;
  /** Logs an exception that nothing should throw. */
  readonly reportBug: (error: unknown) => void;
}

/** The present step of a session. Its deadline and the effect of {@linkcode HttpSession.stop} depend on it. */
const enum Step {
  /** Waits for a request, of which nothing has come yet. */
  Idle,
  /** Reads a request, or waits for the first one. */
  Request,
  /** Makes or writes a response. */
  Response,
  /** Sends events. */
  Stream,
  /** Drops what the peer still sends after a refused request. */
  Lingering,
}

/** The longest time that each step may take, in ms. A stream has no end, but each of its writes is bounded. */
const TIMEOUTS_MS: Readonly<Record<Step, number>> = {
  [Step.Idle]: HTTP_IDLE_TIMEOUT_MS,
  [Step.Request]: HTTP_REQUEST_TIMEOUT_MS,
  [Step.Response]: HTTP_RESPONSE_TIMEOUT_MS,
  [Step.Stream]: Infinity,
  [Step.Lingering]: LINGER_TIMEOUT_MS,
};

/** One connection that is being served. */
export class HttpSession implements ClientSession {
  readonly #socket: Deno.TcpConn | Deno.TlsConn;
  readonly #share: SessionShare;
  readonly #connection: Connection;
  readonly #peer: HttpPeer;
  readonly #scanner = new HeadScanner();
  #step = Step.Request;
  #stepSinceMs = performance.now();
  /** The time at which the present write of an event began. */
  #eventSinceMs = Infinity;
  #stopping = false;
  #aborted: Promise<void> | undefined;
  /** Ends the present delay early. */
  #wake: () => void = () => {};

  /** @param socket after its handshake; the session owns it */
  constructor(socket: Deno.TcpConn | Deno.TlsConn, id: number, share: SessionShare) {
    this.#socket = socket;
    this.#share = share;
    this.#connection = new Connection(socket);
    this.#peer = { id, address: formatAddress(socket.remoteAddr), failedLogins: 0, closing: false };
  }

  /** The time since when the session is at its present step, in ms; `undefined` for a viewer of events. */
  get waitsSinceMs(): number | undefined {
    return this.#step === Step.Stream ? undefined : this.#stepSinceMs;
  }

  /** Serves the connection until it ends, and closes it. */
  run(): Promise<void> {
    return this.#untilEnd(async () => {
      while (await this.#serveOne()) this.#enter(Step.Idle);
    });
  }

  /** Sends the peer the reason why it is not served, and closes the connection. */
  reject(message: string): Promise<void> {
    return this.#untilEnd(() => this.#refuse(new RequestProblem(503, message)));
  }

  /** Ends the session after the response under way. */
  stop(): void {
    this.#stopping = true;
    this.#wake();
    if (this.#step === Step.Response) return;
    this.#socket.closeWrite().catch(() => {}).then(() => this.#connection.close());
  }

  /** Closes the connection in any state. The promise resolves when its descriptor is free. */
  abort(): Promise<void> {
    this.#connection.close();
    this.#wake();
    this.#aborted ??= freeDescriptor(this.#socket);
    return this.#aborted;
  }

  /** Closes the connection when its present step takes too long. */
  sweep(nowMs: number): void {
    const isLate = nowMs - this.#stepSinceMs > TIMEOUTS_MS[this.#step] ||
      nowMs - this.#eventSinceMs > HTTP_RESPONSE_TIMEOUT_MS;
    if (isLate) this.abort();
  }

  #enter(step: Step): void {
    this.#step = step;
    this.#stepSinceMs = performance.now();
  }

  async #untilEnd(serve: () => Promise<void>): Promise<void> {
    try {
      await serve();
    } catch (error) {
      // A connection that was lost, or closed by a deadline, ends the session and nothing else.
      if (!isDisconnection(error)) this.#share.reportBug(error);
    } finally {
      this.#connection.close();
      this.#connection.free();
      await this.#aborted;
    }
  }

  /** Serves one request. Returns whether another one may follow. */
  async #serveOne(): Promise<boolean> {
    const request = await this.#readRequest();
    if (request === undefined) return false;
    if (request instanceof RequestProblem) {
      await this.#refuse(request);
      return false;
    }
    this.#enter(Step.Response);
    await this.#share.timeShare.next(this.#share.urgentPaths.has(request.path));
    if (this.#connection.closed) return false;
    const startedMs = performance.now();
    const response = await this.#handle(request);
    this.#share.timeShare.spend(Math.min(performance.now() - startedMs, HTTP_RESPONSE_COST_MAX_MS));
    if ("events" in response) return await this.#stream(request, response);
    const keepsAlive = request.keepsAlive && !this.#stopping && !this.#peer.closing;
    if (response.delayMs !== undefined && response.delayMs > 0) await this.#delay(response.delayMs);
    await this.#write(response, keepsAlive, request.method === "HEAD");
    if (!keepsAlive) await this.#linger();
    return keepsAlive;
  }

  async #handle(request: HttpRequest): Promise<HttpResponse> {
    try {
      return await this.#share.handle(request);
    } catch (error) {
      this.#share.reportBug(error);
      return textResponse(500, "a bug of inmem; its log says more");
    }
  }

  /** Reads a whole request; `undefined` when the peer has ended the connection. */
  async #readRequest(): Promise<HttpRequest | RequestProblem | undefined> {
    const connection = this.#connection;
    const head = await this.#readHead();
    if (head === undefined || head instanceof RequestProblem) return head;
    const { bodyBytes, ...rest } = head;
    while (connection.end - connection.start < bodyBytes) if (!await this.#fillMore()) return undefined;
    const body = connection.buffer.slice(connection.start, connection.start + bodyBytes);
    connection.start += bodyBytes;
    return { ...rest, body, peer: this.#peer };
  }

  async #readHead(): Promise<RequestHead | RequestProblem | undefined> {
    const connection = this.#connection;
    const scanner = this.#scanner;
    scanner.reset();
    for (;;) {
      const { buffer, start, end } = connection;
      const isNew = end > start && !scanner.hasBegun;
      if (isNew && this.#step === Step.Idle) this.#enter(Step.Request);
      const headEnd = scanner.scan(buffer, start, end);
      if (headEnd instanceof RequestProblem) return headEnd;
      if (headEnd >= 0) {
        connection.start = headEnd;
        return parseHead(buffer, start, headEnd);
      }
      if (!await (scanner.hasBegun ? this.#fillMore() : connection.fill())) return undefined;
    }
  }

  /**
   * Reads once more of a request that has begun. A peer that sends few bytes at a time causes many reads, so they are
   * charged. Returns `false` when the peer has ended the connection in order.
   */
  async #fillMore(): Promise<boolean> {
    const { timeShare } = this.#share;
    if (timeShare.isExhausted) await timeShare.next();
    timeShare.spend(HTTP_READ_COST_MS);
    return await this.#connection.fill();
  }

  /** Holds a response back. */
  async #delay(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, ms);
    if (!this.#stopping) await promise;
    clearTimeout(timer);
  }

  async #write(response: ContentResponse, keepsAlive: boolean, isHead: boolean): Promise<void> {
    const { status, type, headers } = response;
    const body = typeof response.body === "string" ? encodeText(response.body) : response.body;
    const head = encodeText(
      formatHead(status, { "content-type": type, "content-length": `${body.length}`, ...headers }, keepsAlive),
    );
    const bytes = new Uint8Array(head.length + (isHead ? 0 : body.length));
    bytes.set(head);
    if (!isHead) bytes.set(body, head.length);
    this.#share.timeShare.spend(HTTP_REQUEST_COST_MS + bytes.length / HTTP_BYTES_PER_MS);
    const { outgoing } = this.#share;
    outgoing.begin(this, bytes.length);
    try {
      await this.#connection.write(bytes);
    } finally {
      outgoing.end(this);
    }
  }

  /** Sends events until the viewer leaves. */
  async #stream(request: HttpRequest, { events }: StreamResponse): Promise<boolean> {
    if (request.method !== "GET") await this.#refuse(new RequestProblem(405, "expected GET", { allow: "GET" }));
    else if (this.#stopping || events.count >= this.#share.viewersMaxCount || !await this.#view(events)) {
      await this.#refuse(new RequestProblem(503, "there are too many viewers", { "retry-after": "10" }));
    }
    return false;
  }

  async #view(events: EventStream): Promise<boolean> {
    const viewer = {
      write: async (bytes: Uint8Array) => {
        this.#eventSinceMs = performance.now();
        this.#share.timeShare.spend(bytes.length / HTTP_BYTES_PER_MS);
        await this.#connection.write(bytes);
        this.#eventSinceMs = Infinity;
      },
    };
    if (!events.add(viewer, formatHead(200, { "content-type": "text/event-stream" }, false))) return false;
    this.#enter(Step.Stream);
    try {
      // A viewer sends nothing more. One that does is closed, since its bytes would have to be kept.
      if (this.#connection.start === this.#connection.end) await this.#connection.fill();
    } finally {
      events.remove(viewer);
    }
    return true;
  }

  /** Sends a response that says why the request is refused, and ends the connection. */
  async #refuse({ status, message, headers }: RequestProblem): Promise<void> {
    this.#enter(Step.Response);
    await this.#share.timeShare.next();
    await this.#write(textResponse(status, message, headers), false, false);
    await this.#linger();
  }

  /**
   * Ends our side, and reads what the peer still sends for a while: closing with unread input would reset the
   * connection, and the peer would lose the response.
   */
  async #linger(): Promise<void> {
    const connection = this.#connection;
    await this.#socket.closeWrite();
    if (this.#stopping) return;
    this.#enter(Step.Lingering);
    let dropped = 0;
    do {
      dropped += connection.end - connection.start;
      connection.start = connection.end;
    } while (dropped < HTTP_DROPPED_MAX_BYTES && await this.#fillMore());
  }
}
