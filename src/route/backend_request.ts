/**
 * One request in flight to a backend, and the stream that keeps a client's requests in order.
 *
 * A backend request is a plain object that its owner may reuse after it is settled: nothing here costs a promise, a
 * closure or an allocation per command. It is settled exactly once, by {@linkcode BackendRequest.succeed} or
 * {@linkcode BackendRequest.fail}.
 *
 * @module
 */

import type { ConnectionError } from "../errors.ts";
import type { Framing } from "./framing.ts";
import type { TimedRequest, Traffic } from "./traffic.ts";

/** The requests of one write. Its bytes are kept while it contains a read without a reply, which may be repeated. */
export class Batch {
  /** The frames are `[0, length)`. The array is replaced when it grows. */
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;
  /** The position after its last request, by the pipeline's count. It is set when the batch is complete. */
  tail = 0;
  /** The number of users of the bytes: the write in progress, and every unsettled request that may be repeated. */
  holders = 0;

  /** @param bytes an empty or filled buffer, which the batch owns from now on */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
  }
}

/** The connection that carries the requests of a stream: a `Pipeline`. */
export interface Carrier {
  /** Whether it accepts no further requests. */
  readonly ended: boolean;
  /** Whether clients should pause, because many bytes wait to be written. */
  readonly congested: boolean;
  /** Calls `relieved` once when it is not congested any more, or has ended. */
  whenRelieved(relieved: () => void): void;
  /** Sends the request at `bytes[start, start + size)`, which are borrowed until return. */
  send(stream: RequestStream, request: BackendRequest, bytes: Uint8Array, start: number, size: number): void;
  /** Sends the request at `bytes[0, size)`. The carrier owns the bytes from then on. */
  sendOwned(stream: RequestStream, request: BackendRequest, bytes: Uint8Array<ArrayBuffer>, size: number): void;
}

/**
 * The requests of one client to one server, in order. While some are in flight, all of them use the same connection, so
 * they are executed in the order in which they were sent: the client reads its own writes.
 */
export class RequestStream {
  /** The protocol of its requests. */
  readonly framing: Framing;
  /** The connection of its requests while some are in flight. */
  pipeline: Carrier | undefined = undefined;
  /** The number of requests that are sent and not settled. */
  inFlight = 0;

  constructor(framing: Framing) {
    this.framing = framing;
  }
}

/** A request, and the receiver of its reply. */
export abstract class BackendRequest implements TimedRequest {
  /** Whether executing the request twice does no harm, so that it may be repeated when its connection is lost. */
  repeatable = false;

  // The following fields belong to the pipeline until the request is settled.

  /** The stream on which it was sent. */
  stream: RequestStream | undefined = undefined;
  /** The batch that contains its frame, for repeating it. */
  batch: Batch | undefined = undefined;
  /** The position of its frame, which is `batch.bytes[start, start + size)`. */
  start = 0;
  /** The length of its frame in bytes. */
  size = 0;
  /** The time since which it has waited for its reply, by the pool's clock. */
  sinceMs = 0;
  /** The number of replies before its own that are discarded: those to other requests of the same frame. */
  unread = 0;
  /** The number of discarded replies that have arrived. */
  passed = 0;
  /** Whether it has been repeated. It is repeated only once. */
  repeated = false;
  /** The object that times it; `undefined` for most requests. */
  traffic: Traffic | undefined = undefined;
  /** The time at which timing began, by a precise clock. */
  timedMs = 0;
  /** The number of requests that a timed one represents, including itself. */
  timedCount = 0;

  /** Receives the reply, one whole frame at `bytes[start, end)`, borrowed until return. It must not throw. */
  abstract succeed(bytes: Uint8Array, start: number, end: number): void;

  /** Receives a long reply. The receiver owns the buffer, so that it need not be copied. */
  succeedOwned(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    this.succeed(bytes, start, end);
  }

  /**
   * Reports that no reply will arrive. `error.sent` shows whether the server may have executed the request. It must not
   * throw.
   */
  abstract fail(error: ConnectionError): void;
}
