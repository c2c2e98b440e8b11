/**
 * The link between one client and the proxy's routing: requests go out on it to servers, and replies come back in
 * order.
 *
 * ```text
 * session ─ request ─► router ─ order.open() ──► place of the reply
 *    ▲                        └── streams.send() ► stream to a server ► … ► server
 *    │ may take the next                                                      │
 * backpressure ◄─────────┐                                                    │
 * socket ◄─ outbox ◄─ order ◄─ complete() ◄─ PendingReply ◄─ … ◄──────────────┘
 * ```
 *
 * The session reads requests and closes the connection. The router and the servers' replies talk to the link, without
 * the session.
 *
 * The link is also what commands see as their connection (`ConnectionContext`), and what the commands of other clients
 * can do to it (`ClientConnection`).
 *
 * @module
 */

import { formatAddress } from "../../address.ts";
import type { Message } from "../../connection/channel_message.ts";
import {
  type ClientConnection,
  ClientState,
  type PendingWait,
  type ProtocolVersion,
} from "../../connection/client_state.ts";
import type { ConnectionContext, Role, SharedConnections } from "../../connection/context.ts";
import { type ConnectionError, type ReplyCode, ReplyError } from "../../errors.ts";
import { MESSAGES_KEPT_MAX_BYTES, MESSAGES_MAX_BYTES } from "../../limits.ts";
import { type ClientMemory, Held } from "../../memory/client_memory.ts";
import { freeBuffer } from "../../memory/freed_memory.ts";
import { abort } from "../../net/abort.ts";
import type { ServedSocket } from "../../net/socket.ts";
import { type ReaderOwner, type ReadersShare, RequestReader } from "../../role/request_reader.ts";
import type { DeliveryQueue } from "../../role/delivery_queue.ts";
import type { Disconnections } from "../../role/disconnections.ts";
import type { Slices } from "../../role/slices.ts";
import type { DedicatedStream } from "../../route/dedicated.ts";
import type { FlushQueue } from "../../route/flush_queue.ts";
import type { Pool } from "../../route/pool.ts";
import type { Dialect } from "../backend/dialect.ts";
import { codeOf } from "../backend/errors.ts";
import { Backpressure } from "./backpressure.ts";
import { HeldMessages } from "./held_messages.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import type { QueuedRequests } from "./queued_requests.ts";
import { ReplyOrder } from "./reply_order.ts";
import type { CountedRequest, RequestCounts } from "./request_counts.ts";
import { ReplyPlace } from "./reply_place.ts";
import { RequestStreams, type StreamsOwner } from "./request_streams.ts";
import type { WriteCoalescer } from "./write_coalescer.ts";

/** A reply above this size is refused when the memory of clients has no room; the output of shorter ones is bounded. */
const UNCHECKED_REPLY_MAX_BYTES = 64 * 1024;
/** A reply up to this size is always taken. */
const SHORT_REPLY_MAX_BYTES = 1024;

const GONE = "the connection was ended meanwhile";
const NOTHING = new Uint8Array(0);

/** The keys that a client watches on one server for the sake of a transaction. */
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

/** A command that waits, as the link of its client sees it. */
export interface AbandonableWait extends PendingWait {
  /** Ends the wait without a reply, because the client is gone. */
  abandon(): void;
}

/** The connections of a proxy, as far as each of them needs the others. */
export interface LinkedConnections extends SharedConnections {
  /** Returns a number that no other connection had. */
  nextId(): number;
  /** Removes a connection from the list. */
  remove(client: ClientState): void;
}

/** The proxy of a link: what all its links share. */
export interface LinkHost extends Role, ReadersShare {
  readonly connections: LinkedConnections;
  /** Bounds the memory that all clients hold. */
  readonly clientMemory: ClientMemory;
  /** Writes replies of the proxy's own. */
  readonly counts: RequestCounts;
  readonly ownReplies: { refuse(pending: PendingReply, code: ReplyCode, message: string): void };
  readonly dialects: Readonly<Record<ProtocolVersion, Dialect>>;
  readonly flushQueue: FlushQueue;
  readonly coalescer: WriteCoalescer;
  /** Shares out the time of commands that take long. */
  readonly slices: Slices;
  /** Schedules the writing of messages that came for clients. */
  readonly deliveries: DeliveryQueue;
  /** Logs clients that do not keep up. */
  readonly disconnections: Disconnections;
  /** The most bytes of replies that are held for a client, as CLIENT_REPLIES_MAX_BYTES has it. */
  readonly repliesMaxBytes: number;
  /** Identifies the assignment of slots to servers: another object after each change. */
  readonly ownership: unknown;
}

/** One request of a client, and the place of its reply. */
export class PendingReply extends ReplyPlace implements CountedRequest {
  readonly link: ClientLink;
  position = -1;
  weight = 0;
  timedSinceMs = 0;

  constructor(link: ClientLink) {
    super();
    this.link = link;
  }

  override reset(): void {
    this.done = false;
    this.position = -1;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.link.complete(this, bytes, start, end);
  }

  override succeedOwned(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    this.link.completeOwned(this, [bytes.subarray(start, end)]);
  }

  /** Takes a long reply in pieces, which belong to the client from then on. */
  succeedInPieces(pieces: readonly Uint8Array<ArrayBuffer>[]): void {
    this.link.completeOwned(this, pieces);
  }

  override fail(error: ConnectionError): void {
    this.refuse(codeOf(error, this.repeatable), error.message);
  }

  override refuse(code: ReplyCode, message: string): void {
    this.link.refuse(this, code, message);
  }
}

/** The link of one client. */
export class ClientLink implements ConnectionContext, ClientConnection, OutboxOwner, ReaderOwner, StreamsOwner {
  /** The client's identity, and the state into which its commands have brought it. */
  readonly client: ClientState<QueuedRequests>;
  readonly role: Role;
  /** Reads the client's requests. */
  readonly reader: RequestReader;
  /** The places of replies to come. */
  readonly order: ReplyOrder<PendingReply>;
  /** Sends requests to servers. */
  readonly streams: RequestStreams;
  /** Decides whether the next request is taken. */
  readonly backpressure: Backpressure;
  /** Collects replies and messages, and writes them. */
  readonly outbox: Outbox;
  /** The protocol of the client. */
  dialect: Dialect;
  /** The keys that the client watches. */
  watch: ServerWatch | undefined;
  /** Whether the connection is gone. Replies that still come are dropped. */
  isGone = false;
  /** Whether no more requests are taken. */
  isEnding = false;
  /** Whether the client has asked to leave, or has to. */
  isLeaving = false;
  /** Resolves when the connection has ended in order; `undefined` before {@linkcode stop}. */
  stopped: Promise<void> | undefined;
  readonly #host: LinkHost;
  readonly #socket: ServedSocket;
  /** Messages that are kept while none may be sent; `undefined` while they may. */
  #heldMessages: HeldMessages | undefined;
  #wait: AbandonableWait | undefined;
  /** Resolves when every reply is written. */
  #whenDrained: PromiseWithResolvers<void> | undefined;

  /**
   * @param socket after its handshake; the link owns it
   * @param isTrusted whether the client may run commands without a password, because it is this process itself
   */
  constructor(socket: ServedSocket, host: LinkHost, isTrusted = false) {
    this.#socket = socket;
    this.#host = host;
    this.role = host;
    const [address, localAddress] = [formatAddress(socket.remoteAddr), formatAddress(socket.localAddr)];
    const { connections, passwordRequired, clientMemory } = host;
    const isAuthenticated = isTrusted || !passwordRequired;
    this.client = new ClientState(connections.nextId(), address, localAddress, this, isAuthenticated, clientMemory);
    this.client.isInternal = isTrusted;
    const { account } = this.client;
    this.dialect = host.dialects[0];
    this.reader = new RequestReader(socket, this.client, host, this);
    this.outbox = new Outbox(this, host.flushQueue, host.coalescer, account);
    this.order = new ReplyOrder(this.outbox, () => new PendingReply(this), account);
    this.backpressure = new Backpressure(this.order, this.outbox, account);
    this.streams = new RequestStreams(this, this.backpressure, account);
  }

  get ownership(): unknown {
    return this.#host.ownership;
  }

  /** Whether all requests have got their replies. */
  get isIdle(): boolean {
    return this.order.inFlight === 0;
  }

  // Replies.

  /** Takes the reply of a request, a frame at `bytes[start, end)`, borrowed until return. */
  complete(pending: PendingReply, bytes: Uint8Array, start: number, end: number): void {
    if (pending.weight !== 0) this.#host.counts.end(pending);
    if (!this.dialect.grants(bytes, start)) this.#host.counts.failed(pending, this.dialect, bytes, start, end);
    if (!this.#admitsReply(pending, end - start)) return;
    this.order.take(pending, bytes, start, end);
    this.backpressure.update();
  }

  /** Takes a long reply in pieces, which belong to the client from then on. */
  completeOwned(pending: PendingReply, pieces: readonly Uint8Array<ArrayBuffer>[]): void {
    if (pending.weight !== 0) this.#host.counts.end(pending);
    let size = 0;
    for (const piece of pieces) size += piece.length;
    if (this.#admitsReply(pending, size)) {
      this.order.takeOwned(pending, pieces, size);
      this.backpressure.update();
    } else {
      for (const piece of pieces) freeBuffer(piece);
    }
  }

  /** Makes an error the reply to a request. */
  refuse(pending: PendingReply, code: ReplyCode, message: string): void {
    this.#host.ownReplies.refuse(pending, code, message);
  }

  /**
   * Fills a place with nothing, since the client does not want the reply.
   *
   * @param request the request, which is in no place itself
   */
  completeSilently(place: PendingReply, request: PendingReply): void {
    if (request.weight !== 0) this.#host.counts.end(request);
    if (this.isGone) return;
    this.client.account.release(Held.Request, request.sentBytes);
    request.sentBytes = 0;
    this.order.take(place, NOTHING, 0, 0);
    // Nothing is written that would report this.
    if (this.isIdle && this.outbox.size === 0) this.#whenDrained?.resolve();
    this.backpressure.update();
  }

  /** Returns whether a reply is taken. If not, it was replaced by an error. */
  #admitsReply(pending: PendingReply, size: number): boolean {
    if (this.isGone) return false;
    if (pending.sentBytes > 0) {
      this.client.account.release(Held.Request, pending.sentBytes);
      pending.sentBytes = 0;
    }
    // Short replies, errors among them, are always taken: their number is bounded.
    if (size > SHORT_REPLY_MAX_BYTES && this.outbox.size + this.order.keptBytes > this.#host.repliesMaxBytes) {
      const message = `more than ${this.#host.repliesMaxBytes} bytes of replies wait to be read`;
      return this.#dropReply(pending, "BUSY", message);
    }
    if (size > UNCHECKED_REPLY_MAX_BYTES && !this.#mayHold(size)) {
      return this.#dropReply(pending, "ERR", this.client.account.refusal(Held.Reply));
    }
    return true;
  }

  /** Makes an error the reply in place of the one that came. Returns `false`. */
  #dropReply(pending: PendingReply, code: ReplyCode, message: string): false {
    // The reply to a write may hold the only copy of what the write took out, so it must not be dropped alone.
    if (pending.repeatable) this.refuse(pending, code, message);
    else this.abort();
    return false;
  }

  /** Returns whether the memory of all clients has room for a long reply. Makes room for it if need be. */
  #mayHold(size: number): boolean {
    const { account } = this.client;
    if (!account.tryCharge(Held.Reply, size)) return false;
    // It is charged again when it is copied, which comes next.
    account.release(Held.Reply, size);
    return true;
  }

  // Output.

  get expectsMore(): boolean {
    return this.order.expectsMore;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.reader.connection.write(bytes);
  }

  written(): void {
    if (this.isIdle) this.#whenDrained?.resolve();
    this.backpressure.update();
  }

  broken(): void {
    this.close();
  }

  /** Resolves when every request has its reply and every reply is written, or the connection is gone. */
  async drained(): Promise<void> {
    if (this.isGone || (this.isIdle && this.outbox.size === 0)) return;
    this.#whenDrained ??= Promise.withResolvers<void>();
    await this.#whenDrained.promise;
  }

  // A command that waits.

  /**
   * The command that the client waits for. Meanwhile no request is taken, and an end of the client's side is noticed.
   */
  get wait(): AbandonableWait | undefined {
    return this.#wait;
  }

  set wait(wait: AbandonableWait | undefined) {
    this.#wait = this.client.waiter = wait;
    if (wait === undefined) this.reader.releaseAhead();
    else this.#watchForEnd();
  }

  /** Notices from now on that the client leaves. As in Redis, a client that leaves gives up the reply. */
  #watchForEnd(): void {
    const { reader } = this;
    reader.noteCommand();
    this.client.lastMs = performance.now();
    reader.watchPeer();
    if (reader.hasLeft) this.close();
    else if (!reader.isWatching) reader.watchForEnd(() => this.#wait !== undefined && !this.isGone);
  }

  peerEnded(): void {
    if (this.#wait !== undefined) this.close();
  }

  readAheadFull(error: ReplyError): void {
    if (this.#wait === undefined) return;
    this.#wait.refuse(error);
    this.leave();
  }

  /** Whether the client has sent bytes that were not read; `false` where the system cannot be asked. */
  get hasInput(): boolean {
    return this.reader.hasInput;
  }

  // The connection, as its commands see it.

  get shared(): SharedConnections {
    return this.#host.connections;
  }

  speak(version: ProtocolVersion): void {
    this.client.version = version;
    this.client.update();
    if (this.dialect.version === version) return;
    this.dialect = this.#host.dialects[version];
    // The reply that is being written continues in the new version.
    void this.dialect.reply;
    // Nothing is in flight on these, and their connections speak the other version.
    this.streams.clear();
    this.watch?.follow(this.dialect);
  }

  slice(step: () => boolean): boolean {
    return this.#host.slices.run(step);
  }

  async pause(): Promise<void> {
    await this.#host.slices.next();
    if (this.isGone) throw new ReplyError("ERR", GONE);
  }

  /** Ends what the client has begun: its transaction, its watches, and all subscriptions. */
  reset(): void {
    this.client.transaction?.free();
    this.client.transaction = undefined;
    this.shared.instruments.endMonitor(this.client);
    this.shared.channels.forget(this.client);
    this.watch?.stream.drop();
    this.watch = undefined;
  }

  // Messages of channels.

  /** Keeps messages until {@linkcode releaseMessages}, so that none comes before the reply that is being made. */
  holdMessages(): void {
    this.#heldMessages ??= new HeldMessages(this.client.account);
  }

  /** Sends the messages that were kept. */
  releaseMessages(): void {
    const held = this.#heldMessages;
    this.#heldMessages = undefined;
    if (held === undefined || held.isEmpty) return;
    // A client that has to leave still gets what came before.
    held.release(this.client.version === 3 ? 3 : 2, this.isGone ? undefined : this.outbox);
    if (!this.isGone) this.#host.deliveries.schedule(this.outbox);
  }

  deliver(message: Message): void {
    if (this.isEnding) return;
    const outbox = this.outbox;
    const held = this.#heldMessages;
    const maxBytes = this.client.isKept ? MESSAGES_KEPT_MAX_BYTES : MESSAGES_MAX_BYTES;
    if (outbox.agedMessagesSize > maxBytes || held !== undefined && held.size > maxBytes) {
      this.#host.disconnections.note(this.client, outbox.size, `more than ${maxBytes} bytes of messages wait`);
      return void this.abort();
    }
    if (held !== undefined) return held.put(message);
    outbox.put(message.head(this.client.version === 3 ? 3 : 2), message.tail);
    this.#host.deliveries.schedule(outbox);
  }

  // The end.

  /** Takes no further request, and ends the connection once all have got their replies. */
  leave(): void {
    this.isLeaving = this.isEnding = true;
  }

  /** Ends the connection in order, once all requests have got their replies. `error` ends a command that waits. */
  stop(error: ReplyError): Promise<void> {
    this.#wait?.refuse(error);
    return this.stopped ??= this.endInOrder();
  }

  /** Waits for the replies, then ends our side and closes the connection. */
  async endInOrder(): Promise<void> {
    this.isEnding = true;
    await this.drained();
    // Our side ends first, so that the client sees an orderly end.
    if (!this.isGone) await this.#socket.closeWrite().catch(() => {});
    this.close();
  }

  /**
   * Waits for the replies, then ends our side. What the client still sends is read for a while: closing with unread
   * input resets the connection, and the client would lose the reply that says why.
   */
  async endRefused(): Promise<void> {
    this.isEnding = true;
    await this.drained();
    if (this.isGone) return;
    await this.#socket.closeWrite();
    await this.reader.drop(this.#host.slices);
  }

  kill(): void {
    this.abort();
  }

  /** Closes the connection in any state. The promise resolves when its descriptor is free. */
  async abort(): Promise<void> {
    this.close();
    await abort(this.#socket);
  }

  /** Closes the connection and frees what it holds. Safe to call twice. */
  close(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.isEnding = true;
    this.reader.connection.close();
    this.#whenDrained?.resolve();
    this.backpressure.break();
    this.#host.connections.remove(this.client);
    this.shared.instruments.endMonitor(this.client);
    this.shared.channels.forget(this.client);
    this.watch?.stream.drop();
    this.#wait?.abandon();
    // Requests in flight hold the link until their servers reply; what it holds need not wait for that.
    this.streams.clear();
    this.order.discard();
    this.outbox.discard();
    this.client.transaction?.free();
    this.client.account.close();
  }
}
