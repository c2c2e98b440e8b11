/**
 * A place in the order of one client's replies.
 *
 * Servers answer in any order, clients are answered in theirs. A reply that comes early is kept in its slot, whose
 * buffer is used again and again, until all slots before it are answered; one that comes in its turn is copied from
 * the server's read buffer to the client's output at once.
 *
 * @module
 */

import { copyBytes } from "../../bytes.ts";
import type { ClientState, PendingWait } from "../../connection/client_state.ts";
import type { ConnectionContext } from "../../connection/context.ts";
import type { ConnectionError, ReplyCode } from "../../errors.ts";
import { freeUnborrowed } from "../../memory/freed_memory.ts";
import { BackendRequest } from "../../route/backend_request.ts";
import type { DedicatedStream } from "../../route/dedicated.ts";
import type { Pool } from "../../route/pool.ts";
import type { Dialect } from "../backend/dialect.ts";
import { codeOf } from "../backend/errors.ts";
import type { QueuedRequests } from "./queued_requests.ts";

/** A slot keeps its buffer up to this size; most replies are shorter. */
const KEEP_MAX_BYTES = 256;
const EMPTY = new Uint8Array(0);

/** What a client watches on one server for the sake of a transaction. */
export interface ServerWatch {
  /** The hash slot of the keys. */
  readonly slot: number;
  /** The server that watches them. */
  readonly pool: Pool;
  /** The connection on which the server remembers them. */
  readonly stream: DedicatedStream;
  /** Continues in another version of RESP, as the client does. */
  follow(dialect: Dialect): void;
  /** Returns the connection, on which the server remembers nothing any more. */
  end(): void;
}

/** A command that waits, as its client's connection sees it. */
export interface AbandonableWait extends PendingWait {
  /** Ends the wait without a reply, because the client is gone. */
  abandon(): void;
}

/** The client of a request, as the routing sees it. */
export interface Client {
  /** Who it is, and what state its commands have brought it into. */
  readonly state: ClientState<QueuedRequests>;
  /** For the commands on the connection. */
  readonly context: ConnectionContext;
  /** What it watches. */
  watch: ServerWatch | undefined;
  /** What it waits for: meanwhile it takes no request, and notices that its peer leaves. */
  wait: AbandonableWait | undefined;
  /** What it speaks. */
  readonly dialect: Dialect;
  /** Whether its connection is gone. */
  readonly isGone: boolean;
  /** Whether it has sent bytes that were not read; `false` where the system cannot be asked. */
  readonly hasInput: boolean;
  /** Whether all its requests are answered. */
  readonly isIdle: boolean;
  /** The slot of the next request. */
  openReply(): PendingReply;
  /** Takes no further request until all are answered. */
  holdUntilIdle(): void;
  /** Takes no further request until the promise resolves, which is not to reject. */
  holdUntil(settled: Promise<unknown>): void;
  /** Ends the connection once all is answered. */
  leave(): void;
  /** Sends a request to a server, behind all others of this client to that server. The frame is borrowed until return. */
  send(pool: Pool, backendRequest: BackendRequest, bytes: Uint8Array, start: number, size: number): void;
  /** As {@linkcode send}, of a long request at `bytes[0, size)`. The bytes are the server's connection's from then on. */
  sendOwned(pool: Pool, backendRequest: BackendRequest, bytes: Uint8Array<ArrayBuffer>, size: number): void;
  /** Takes the reply of a slot, a frame at `bytes[start, end)`, borrowed until return. */
  complete(pending: PendingReply, bytes: Uint8Array, start: number, end: number): void;
  /** As {@linkcode complete}, of a long reply in pieces, which are the client's from then on. */
  completeOwned(pending: PendingReply, pieces: readonly Uint8Array<ArrayBuffer>[]): void;
  /** Keeps messages of channels until {@linkcode releaseMessages}, so that none gets in front of the reply under way. */
  holdMessages(): void;
  releaseMessages(): void;
  /** Answers a slot with an error. */
  refuse(pending: PendingReply, code: ReplyCode, message: string): void;
}

/** One request of a client. When a single server answers it, the slot itself is the exchange. */
export class PendingReply extends BackendRequest {
  readonly client: Client;
  /** Whether its reply is kept in {@linkcode reply}. */
  done = false;
  /** The reply is `[0, replySize)`. */
  reply: Uint8Array<ArrayBuffer> = EMPTY;
  replySize = 0;
  /** A long reply that is kept, in pieces. */
  pieces: readonly Uint8Array<ArrayBuffer>[] | undefined = undefined;
  /** Bytes of a long request that are charged to the client until it is answered. */
  sentBytes = 0;

  constructor(client: Client) {
    super();
    this.client = client;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.client.complete(this, bytes, start, end);
  }

  override succeedOwned(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    this.client.completeOwned(this, [bytes.subarray(start, end)]);
  }

  /** As {@linkcode succeedOwned}, of a long reply in pieces. */
  succeedInPieces(pieces: readonly Uint8Array<ArrayBuffer>[]): void {
    this.client.completeOwned(this, pieces);
  }

  override fail(error: ConnectionError): void {
    this.client.refuse(this, codeOf(error, this.repeatable), error.message);
  }

  /** Keeps a copy of the reply. */
  keep(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (size > this.reply.length) this.reply = new Uint8Array(size <= KEEP_MAX_BYTES ? Math.max(64, size) : size);
    copyBytes(bytes, start, this.reply, 0, size);
    this.replySize = size;
    this.done = true;
  }

  /** Keeps a long reply of `size` bytes. */
  keepOwned(pieces: readonly Uint8Array<ArrayBuffer>[], size: number): void {
    this.pieces = pieces;
    this.replySize = size;
    this.done = true;
  }

  /** Lets go of the reply, after it was handed on. */
  drop(): void {
    this.pieces = undefined;
    if (this.reply.length <= KEEP_MAX_BYTES) return;
    freeUnborrowed(this.reply);
    this.reply = EMPTY;
  }

  /** Makes it ready for another request. */
  reset(): void {
    this.done = false;
  }
}
