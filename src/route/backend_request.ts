/**
 * One request on its way through a backend, and the lane that keeps a client's requests in order.
 *
 * An exchange is a plain object that its owner may use again once it is settled: nothing here costs a promise, a
 * closure or an allocation per command. It is settled exactly once, by {@linkcode BackendRequest.succeed} or
 * {@linkcode BackendRequest.fail}.
 *
 * @module
 */

import type { ConnectionError } from "../errors.ts";
import type { Framing } from "./framing.ts";
import type { TimedRequest, Traffic } from "./traffic.ts";

/** Requests of one write. Its bytes are kept while a read that may be repeated is unanswered. */
export class Batch {
  /** The frames are `[0, length)`. Replaced when it grows. */
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;
  /** Behind its last exchange, by the pipeline's count. Set when nothing is added any more. */
  tail = 0;
  /** Who still needs the bytes: the write under way, and every unanswered request that may be repeated. */
  holders = 0;

  /** @param bytes to be filled, or filled; the batch owns them */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
  }
}

/** The connection that carries the requests of a stream: a `Pipeline`. */
export interface Carrier {
  /** Whether it takes no further requests. */
  readonly ended: boolean;
  /** Whether so much waits to be written that clients should pause. */
  readonly congested: boolean;
  /** Calls `relieved` once when it is not congested any more, or has ended. */
  whenRelieved(relieved: () => void): void;
  /** Sends the request at `bytes[start, start + size)`, which are borrowed until return. */
  send(stream: RequestStream, request: BackendRequest, bytes: Uint8Array, start: number, size: number): void;
  /** Sends the request at `bytes[0, size)`. The carrier owns the bytes from then on. */
  sendOwned(stream: RequestStream, request: BackendRequest, bytes: Uint8Array<ArrayBuffer>, size: number): void;
}

/**
 * The way of one client to one server. While it has requests in flight all of them take the same connection, so they
 * are run in the order they were sent: the client reads its own writes.
 */
export class RequestStream {
  /** What its requests are. */
  readonly framing: Framing;
  /** Where its requests go while some are in flight. */
  pipeline: Carrier | undefined = undefined;
  /** Requests sent and not settled. */
  inFlight = 0;

  constructor(framing: Framing) {
    this.framing = framing;
  }
}

/** A request and the place its reply is wanted. */
export abstract class BackendRequest implements TimedRequest {
  /** Whether running the request twice does no harm, so that it may be repeated when its connection is lost. */
  repeatable = false;

  // What follows belongs to the pipeline until the exchange is settled.

  /** The lane it was sent on. */
  stream: RequestStream | undefined = undefined;
  /** Where its frame is, for repeating it. */
  batch: Batch | undefined = undefined;
  /** Its frame is `batch.bytes[start, start + size)`. */
  start = 0;
  /** The length of its frame in bytes. */
  size = 0;
  /** Since when it waits for its reply, by the pool's clock. */
  sinceMs = 0;
  /** Replies that come before its own and are for nobody: those to requests of the same frame. */
  unread = 0;
  /** How many of them have come. */
  passed = 0;
  /** Whether it has been repeated: once is all. */
  repeated = false;
  /** Who times it; nobody, as a rule. */
  traffic: Traffic | undefined = undefined;
  /** Since when it is timed, by a precise clock. */
  timedMs = 0;
  /** For how many requests it stands, itself among them, when it is timed. */
  timedCount = 0;

  /**
   * Takes the reply, one whole frame at `bytes[start, end)`, borrowed until return. Must not throw.
   */
  abstract succeed(bytes: Uint8Array, start: number, end: number): void;

  /**
   * As {@linkcode succeed}, of a long reply: the buffer is the taker's, so that it need not be copied.
   */
  succeedOwned(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    this.succeed(bytes, start, end);
  }

  /**
   * Takes note that no reply will come. `error.sent` says whether the server may have run the request. Must not throw.
   */
  abstract fail(error: ConnectionError): void;
}
