/**
 * One client's connection to the proxy: requests in, replies out in the same order.
 *
 * ```text
 * read once → every whole request in it → routed, each in a slot → read …      (requests)
 * slots → output, in order (proxy/client/reply_order.ts)                                    (replies)
 * ```
 *
 * The first byte tells the protocol. What differs from protocol to protocol stands behind the session's dialect; the
 * session itself knows none.
 *
 * Reading goes on while replies are awaited, so a client may pipeline; how far it gets ahead is bounded (proxy/client/backpressure.ts). So a
 * client that does not read its replies, or works with a slow server, costs a bounded amount of memory, and no other client
 * waits for it.
 *
 * Some requests must not overtake those before them, or be overtaken (`hello` changes what replies look like): for them
 * the session waits until it is *idle*, which is when nothing is in flight.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import { copyBytes, encodeText } from "../bytes.ts";
import type { ChannelMessage } from "../connection/channel_message.ts";
import { ClientState } from "../connection/client_state.ts";
import type { ClientConnection, ProtocolVersion } from "../connection/client_state.ts";
import type { ConnectionContext } from "../connection/context.ts";
import { finishInSlices } from "../connection/in_slices.ts";
import { ConnectionError, ProtocolError, ReplyError } from "../errors.ts";
import type { ReplyCode } from "../errors.ts";
import {
  BATCH_CLOCK_BYTES,
  BATCH_CLOCK_COUNT,
  FAILED_LOGINS_MAX_COUNT,
  LONG_FRAME_BYTES,
  MESSAGES_KEPT_MAX_BYTES,
  MESSAGES_MAX_BYTES,
  READ_AHEAD_MAX_BYTES,
  STEP_BYTES,
  WRITE_TIMEOUT_MS,
} from "../limits.ts";
import { type ClientMemory, Held } from "../memory/client_memory.ts";
import { freeBuffer } from "../memory/freed_memory.ts";
import { abort } from "../net/abort.ts";
import { Connection, protocolOf } from "../net/connection.ts";
import { Peer } from "../net/peer_ends.ts";
import type { PeerEnds } from "../net/peer_ends.ts";
import type { ReadAhead } from "../net/read_ahead.ts";
import { isDisconnection } from "../net/socket_errors.ts";
import type { AdminCommands } from "../role/admin_commands.ts";
import type { DeliveryQueue } from "../role/delivery_queue.ts";
import type { Disconnections } from "../role/disconnections.ts";
import type { FailedLogins } from "../role/failed_logins.ts";
import type { Slices } from "../role/slices.ts";
import { type Carrier, RequestStream } from "../route/backend_request.ts";
import type { BackendRequest } from "../route/backend_request.ts";
import type { FlushQueue } from "../route/flush_queue.ts";
import type { Pool } from "../route/pool.ts";
import { Request } from "../wire/request.ts";
import { REQUEST_LIMITS, UNAUTHENTICATED_REQUEST_LIMITS } from "../wire/request_limits.ts";
import type { Dialect, RequestDecoder } from "./backend/dialect.ts";
import { Backpressure } from "./client/backpressure.ts";
import { Deadlines } from "./client/deadlines.ts";
import { HeldMessages } from "./client/held_messages.ts";
import { Outbox } from "./client/outbox.ts";
import type { OutboxOwner } from "./client/outbox.ts";
import type { OwnReplies } from "./client/own_replies.ts";
import { type AbandonableWait, type Client, PendingReply, type ServerWatch } from "./client/pending_reply.ts";
import type { QueuedRequests } from "./client/queued_requests.ts";
import { ReplyOrder } from "./client/reply_order.ts";
import type { WriteCoalescer } from "./client/write_coalescer.ts";
import type { Connections, Resettable } from "./connections.ts";
import type { Router } from "./routing/router.ts";

/** A reply above this size is refused where the memory of clients has no room; the output of shorter ones is bounded. */
const UNCHECKED_REPLY_MAX_BYTES = 64 * 1024;
/** A reply up to this size is short. */
const SHORT_REPLY_MAX_BYTES = 1024;

const FOREIGN_PROTOCOL_LINE = encodeText("-ERR this is neither the native protocol of inmem nor RESP\r\n");

/** Why a request that was not sent to a server has no reply. */
function unsent({ address }: Pool, reason: string): ConnectionError {
  return new ConnectionError(address, `server "${address}": ${reason}`, false);
}

/** What all sessions of a proxy share. */
export interface SessionHost {
  readonly router: Router;
  readonly ownReplies: OwnReplies;
  readonly flushQueue: FlushQueue;
  readonly coalescer: WriteCoalescer;
  /** Turns for commands that take long. */
  readonly slices: Slices;
  /** Turns for clients that have messages to write. */
  readonly deliveries: DeliveryQueue;
  /** Where clients are noted that do not keep up. */
  readonly disconnections: Disconnections;
  /** Where wrong passwords are noted. */
  readonly failedLogins: FailedLogins;
  /** Where commands of administrators are noted. */
  readonly adminCommands: AdminCommands;
  readonly dialects: Readonly<Record<ProtocolVersion, Dialect>>;
  /** Whether clients have to authenticate. */
  readonly passwordRequired: boolean;
  /** See CLIENT_REPLIES_MAX_BYTES. */
  readonly repliesMaxBytes: number;
  readonly connections: Connections;
  /** What clients hold, and may hold. */
  readonly clientMemory: ClientMemory;
  /** Tells at once which clients have gone; `undefined` where the system cannot be asked. */
  readonly peerEnds: PeerEnds | undefined;
  /** What is kept of clients that wait. */
  readonly readAhead: ReadAhead;
  /** Requests taken, by all sessions. */
  commands: number;
  /** Whether user and password are right. */
  authenticate(user: string, password: string): boolean;
  /** The text of `info`. */
  info(sections: readonly string[]): string;
  /** Sets the counts of `info` to zero. */
  resetStatistics(): void;
  /** Takes note of a bug of ours. */
  reportBug(error: unknown): void;
}

/** One connection that is being served. */
export class Session implements Client, ConnectionContext, ClientConnection, Resettable, OutboxOwner {
  readonly state: ClientState<QueuedRequests>;
  readonly passwordRequired: boolean;
  dialect: Dialect;
  watch: ServerWatch | undefined;
  readonly #host: SessionHost;
  readonly #socket: Deno.TcpConn | Deno.TlsConn;
  readonly #connection: Connection;
  readonly #request = new Request();
  #decoder: RequestDecoder;
  readonly #outbox: Outbox;
  readonly #order: ReplyOrder;
  readonly #backpressure: Backpressure;
  readonly #deadlines = new Deadlines();
  readonly #lanes = new Map<Pool, RequestStream>();
  /** Messages that are kept while none may be sent; `undefined` while they may. */
  #heldMessages: HeldMessages | undefined;
  #wait: AbandonableWait | undefined;
  /** Whether {@linkcode Session.#watchForEnd} runs. */
  #watching = false;
  readonly #peer: Peer;
  /** Whether the client has ended its side, as far as that was looked for. */
  #left = false;
  /** The client has asked to leave, or is told to. */
  #leaving = false;
  /** No more requests are taken. */
  #ending = false;
  /** The connection is gone; replies that still come are dropped. */
  #closed = false;
  #stopping: Promise<void> | undefined;
  /** Resolved when every reply is written. */
  #whenDrained: PromiseWithResolvers<void> | undefined;

  /** @param socket after its handshake; the session owns it */
  constructor(socket: Deno.TcpConn | Deno.TlsConn, host: SessionHost) {
    this.#socket = socket;
    this.#host = host;
    this.passwordRequired = host.passwordRequired;
    const [address, localAddress] = [formatAddress(socket.remoteAddr), formatAddress(socket.localAddr)];
    const { connections, passwordRequired, clientMemory } = host;
    this.state = new ClientState(connections.nextId(), address, localAddress, this, !passwordRequired, clientMemory);
    const { account } = this.state;
    this.dialect = host.dialects[0];
    this.#decoder = this.dialect.decoder(account);
    this.#peer = new Peer(socket, () => {
      this.#left = true;
      if (this.#wait !== undefined) this.#close();
    });
    host.peerEnds?.add(this.#peer);
    this.#connection = new Connection({
      read: (target) => socket.read(target),
      write: (source) => socket.write(source),
      close: () => {
        host.peerEnds?.remove(this.#peer);
        socket.close();
      },
    }, account);
    this.#outbox = new Outbox(this, host.flushQueue, host.coalescer, account);
    this.#order = new ReplyOrder(this.#outbox, account);
    this.#backpressure = new Backpressure(this.#order, this.#outbox, account);
  }

  /** Serves the connection until it ends, and closes it. Never rejects because of what the peer does. */
  async run(): Promise<void> {
    const connection = this.#connection;
    const { slices } = this.#host;
    try {
      if (!await connection.fill()) return;
      if (!this.#chooseProtocol()) {
        this.#outbox.append(FOREIGN_PROTOCOL_LINE, 0, FOREIGN_PROTOCOL_LINE.length);
        return await this.#endRefused();
      }
      this.#host.connections.add(this.state, this);
      for (;;) {
        if (this.#stopping !== undefined) return await this.#stopping;
        if (!this.#takeRequests()) return await this.#endRefused();
        while (!this.#ending && this.#backpressure.isShut) {
          await this.#backpressure.pass();
          if (!this.#takeRequests()) return await this.#endRefused();
        }
        this.#releaseRequest();
        if (connection.isMoving) await connection.move(slices);
        if (!await connection.fill()) break;
        if (connection.hasReadMuch && slices.isTurnLong) await slices.readTurn();
      }
      // The client may have ended its half only, and wait for its replies.
      await this.#endInOrder();
    } catch (error) {
      // A connection that was lost, or closed by a deadline, ends the session and nothing else.
      if (error instanceof ProtocolError) await this.#refuseRequest(error);
      else if (!isDisconnection(error)) this.#host.reportBug(error);
    } finally {
      this.#close();
      // Nothing reads any more.
      this.#decoder.free();
      this.#request.release();
      this.#connection.free();
    }
  }

  /** Ends the connection because of a request that there is no room for. Never rejects because of what the peer does. */
  async #refuseRequest(error: ProtocolError): Promise<void> {
    try {
      this.refuse(this.openReply(), "ERR", `Protocol error: ${error.message}`);
      await this.#endRefused();
    } catch (error) {
      if (!isDisconnection(error)) this.#host.reportBug(error);
    }
  }

  /** Goes by the first byte; `false` when it is of no protocol. */
  #chooseProtocol(): boolean {
    const connection = this.#connection;
    const protocol = protocolOf(connection.buffer[connection.start]!);
    if (protocol !== "resp") return protocol === "native";
    this.speak(2);
    this.#decoder = this.dialect.decoder(this.state.account);
    return true;
  }

  /** Tells the peer why it is not served, and closes. */
  async reject(message: string): Promise<void> {
    try {
      // In which protocol to say it is known once the peer has said something.
      this.#deadlines.linger();
      if (!await this.#connection.fill()) return;
      this.#chooseProtocol();
      this.refuse(this.openReply(), "ERR", message);
      await this.#endRefused();
    } catch (error) {
      if (!isDisconnection(error)) this.#host.reportBug(error);
    } finally {
      this.#close();
    }
  }

  /** Takes no more requests, and ends the connection once those in flight are answered. */
  stop(): Promise<void> {
    this.#wait?.refuse(new ReplyError("ERR", "the proxy is stopping"));
    return this.#stopping ??= this.#endInOrder();
  }

  async #endInOrder(): Promise<void> {
    this.#ending = true;
    await this.#drained();
    // The end is announced first, so that the client sees an orderly one.
    if (!this.#closed) await this.#socket.closeWrite().catch(() => {});
    this.#close();
  }

  /** Closes the connection whatever it does. */
  async abort(): Promise<void> {
    this.#close();
    await abort(this.#socket);
  }

  /** Cuts the connection off when the peer has taken too long. To be called about once a second. */
  sweep(nowMs: number): void {
    const { start, end } = this.#connection;
    const partialBytes = this.#backpressure.isAwaited ? 0 : end - start;
    if (!this.#deadlines.isLate(nowMs, this.state.authenticated, partialBytes, this.#outbox)) return;
    if (this.state.subscriptions > 0 && this.#outbox.writing) {
      const reason = `it has taken nothing for ${WRITE_TIMEOUT_MS} ms`;
      this.#host.disconnections.note(this.state, this.#outbox.size, reason);
    }
    this.abort();
  }

  /**
   * Takes requests out of the buffer and routes them, up to the first that is not whole, or that has to wait; a batch that
   * takes long goes on after others had their turn.
   *
   * @returns `false` when there is nothing more to take: the framing is lost, or the client wants to leave
   */
  #takeRequests(): boolean {
    const connection = this.#connection;
    const decoder = this.#decoder;
    const request = this.#request;
    const { router } = this.#host;
    const startedMs = performance.now();
    let untilClock = BATCH_CLOCK_COUNT;
    while (!this.#ending && !this.#backpressure.isShut) {
      const { buffer, start } = connection;
      let behind: number;
      try {
        const limits = this.state.authenticated ? REQUEST_LIMITS : UNAUTHENTICATED_REQUEST_LIMITS;
        behind = decoder.decode(buffer, start, connection.end, request, limits);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.refuse(this.openReply(), "ERR", `Protocol error: ${error.message}`);
        if (decoder.behind === -1) return false;
        // It is known where the next one begins: only this one is refused.
        connection.start = decoder.behind;
        continue;
      }
      if (behind === -1) {
        connection.start = start + decoder.passed;
        return true;
      }
      if (!router.route(this, request, buffer, start, behind)) {
        this.#backpressure.holdUntilIdle();
        return true;
      }
      connection.start = behind;
      this.#deadlines.frames++;
      this.#host.commands++;
      untilClock -= behind - start < BATCH_CLOCK_BYTES ? 1 : BATCH_CLOCK_COUNT;
      if (untilClock > 0) continue;
      untilClock = BATCH_CLOCK_COUNT;
      this.#pauseAfter(startedMs);
    }
    return !this.#leaving;
  }

  /** Lets others have their turn before the next request, when this batch has taken long since `startedMs`. */
  #pauseAfter(startedMs: number): void {
    const { slices } = this.#host;
    const ranMs = performance.now() - startedMs;
    if (!slices.isLong(ranMs) || this.#backpressure.isShut) return;
    slices.ranLong(ranMs);
    this.#backpressure.hold(slices.next());
  }

  /** Before the next read: the request borrows the buffer, which may be a large one that the read gives back. */
  #releaseRequest(): void {
    this.#order.endBatch();
    this.#noteCommand();
    this.#request.clear();
    if (this.state.authenticated) this.#connection.prepare(this.#decoder);
  }

  /** For `client list`. */
  #noteCommand(): void {
    const request = this.#request;
    if (request.count > 0) this.state.noteCommand(request.bytes, request.starts[0]!, request.lengths[0]!);
    this.state.lastMs = performance.now();
  }

  // What the routing asks of a client.

  get wait(): AbandonableWait | undefined {
    return this.#wait;
  }

  set wait(wait: AbandonableWait | undefined) {
    this.#wait = this.state.waiter = wait;
    if (wait === undefined) this.#host.readAhead.release(this.#connection);
    else this.#beginToWatch();
  }

  #beginToWatch(): void {
    this.#noteCommand();
    this.#host.peerEnds?.watch(this.#peer);
    if (this.#left) this.#close();
    else if (!this.#watching) this.#watchForEnd();
  }

  /** Reads ahead while it waits, to see the peer leave: as in Redis, it gives up its reply then. */
  async #watchForEnd(): Promise<void> {
    this.#watching = true;
    // Reading ahead may replace the buffer, out of which a request is being taken.
    await undefined;
    const result = await this.#host.readAhead.watch(this.#connection, () => this.#wait !== undefined && !this.#closed);
    this.#watching = false;
    if (this.#wait === undefined) return;
    if (result === "ended") return this.#close();
    if (result === "stopped") return;
    this.#wait.refuse(new ReplyError("ERR", `more than ${READ_AHEAD_MAX_BYTES} bytes wait behind this command`));
    this.leave();
  }

  openReply(): PendingReply {
    return this.#order.open(this);
  }

  get isGone(): boolean {
    return this.#closed;
  }

  get hasInput(): boolean {
    return this.#host.peerEnds?.hasInput(this.#peer) ?? false;
  }

  get isIdle(): boolean {
    return this.#order.inFlight === 0;
  }

  holdUntilIdle(): void {
    this.#backpressure.holdUntilIdle();
  }

  holdUntil(settled: Promise<unknown>): void {
    this.#backpressure.hold(settled);
  }

  leave(): void {
    this.#leaving = this.#ending = true;
  }

  send(pool: Pool, backendRequest: BackendRequest, bytes: Uint8Array, start: number, size: number): void {
    if (size >= LONG_FRAME_BYTES) return this.holdUntil(this.#sendLong(pool, backendRequest, bytes, start, size));
    if (size > UNCHECKED_REPLY_MAX_BYTES && backendRequest instanceof PendingReply) {
      // Until it is answered, it is on its way to the server.
      const { account } = this.state;
      if (!account.tryCharge(Held.Request, size)) {
        return this.refuse(backendRequest, "ERR", account.refusal(Held.Request));
      }
      backendRequest.sentBytes = size;
    }
    this.#holdWhile(pool.send(this.#laneTo(pool), backendRequest, bytes, start, size));
  }

  /** Copies a long request in slices, and sends it. Never rejects. */
  async #sendLong(
    pool: Pool,
    backendRequest: BackendRequest,
    bytes: Uint8Array,
    start: number,
    size: number,
  ): Promise<void> {
    const { account } = this.state;
    if (!account.tryCharge(Held.Request, size)) return backendRequest.fail(unsent(pool, account.refusal(Held.Request)));
    // Until it is answered, it is on its way to the server.
    if (backendRequest instanceof PendingReply) backendRequest.sentBytes = size;
    const { ownership } = this.#host.router;
    const copy = new Uint8Array(size);
    let length = 0;
    const step = () => {
      const part = Math.min(STEP_BYTES, size - length);
      copyBytes(bytes, start + length, copy, length, part);
      length += part;
      return length === size;
    };
    try {
      await finishInSlices(this, step);
    } catch (error) {
      return backendRequest.fail(unsent(pool, (error as Error).message));
    }
    if (ownership !== this.#host.router.ownership) {
      return backendRequest.fail(unsent(pool, "its slots have moved; try again"));
    }
    this.sendOwned(pool, backendRequest, copy, size);
    if (!(backendRequest instanceof PendingReply)) account.release(Held.Request, size);
  }

  sendOwned(pool: Pool, backendRequest: BackendRequest, bytes: Uint8Array<ArrayBuffer>, size: number): void {
    this.#holdWhile(pool.sendOwned(this.#laneTo(pool), backendRequest, bytes, size));
  }

  #holdWhile(congested: Carrier | undefined): void {
    if (congested === undefined || this.#backpressure.blocked) return;
    this.#backpressure.blocked = true;
    congested.whenRelieved(() => this.#backpressure.blocked = false);
  }

  #laneTo(pool: Pool): RequestStream {
    return this.#lanes.get(pool) ?? this.#addLane(pool);
  }

  #addLane(pool: Pool): RequestStream {
    // Servers that were removed are forgotten now and then, and this happens seldom.
    for (const known of this.#lanes.keys()) if (known.closed) this.#lanes.delete(known);
    const stream = new RequestStream(this.dialect);
    this.#lanes.set(pool, stream);
    return stream;
  }

  refuse(pending: PendingReply, code: ReplyCode, message: string): void {
    this.#host.ownReplies.refuse(pending, code, message);
  }

  complete(pending: PendingReply, bytes: Uint8Array, start: number, end: number): void {
    if (!this.#admitsReply(pending, end - start)) return;
    this.#order.take(pending, bytes, start, end);
    this.#backpressure.update();
  }

  /** Whether the reply of a slot is taken; else it was refused. */
  #admitsReply(pending: PendingReply, size: number): boolean {
    if (this.#closed) return false;
    if (pending.sentBytes > 0) {
      this.state.account.release(Held.Request, pending.sentBytes);
      pending.sentBytes = 0;
    }
    // Short replies, refusals among them, are always taken: their number is bounded.
    if (size > SHORT_REPLY_MAX_BYTES && this.#outbox.size + this.#order.keptBytes > this.#host.repliesMaxBytes) {
      const message = `more than ${this.#host.repliesMaxBytes} bytes of replies wait to be read`;
      return this.#dropReply(pending, "BUSY", message);
    }
    if (size > UNCHECKED_REPLY_MAX_BYTES && !this.#mayHold(size)) {
      return this.#dropReply(pending, "ERR", this.state.account.refusal(Held.Reply));
    }
    return true;
  }

  /** Answers a slot with an error in place of the reply. Returns `false`. */
  #dropReply(pending: PendingReply, code: ReplyCode, message: string): false {
    // The reply to a write may be all that is left of what it took out, so it must not be dropped alone.
    if (pending.repeatable) this.refuse(pending, code, message);
    else this.abort();
    return false;
  }

  completeOwned(pending: PendingReply, pieces: readonly Uint8Array<ArrayBuffer>[]): void {
    let size = 0;
    for (const piece of pieces) size += piece.length;
    if (this.#admitsReply(pending, size)) {
      this.#order.takeOwned(pending, pieces, size);
      this.#backpressure.update();
    } else {
      for (const piece of pieces) freeBuffer(piece);
    }
  }

  /** Whether a long reply has room in the memory of all clients. Room is made for it if need be. */
  #mayHold(size: number): boolean {
    const { account } = this.state;
    if (!account.tryCharge(Held.Reply, size)) return false;
    // It is charged when it is copied, at once.
    account.release(Held.Reply, size);
    return true;
  }

  // What the commands on the connection ask of it.

  get context(): ConnectionContext {
    return this;
  }

  get client(): ClientState<QueuedRequests> {
    return this.state;
  }

  get shared(): Connections {
    return this.#host.connections;
  }

  authenticate(user: string, password: string): boolean {
    // Once it is to end, it gets no further guess, however many it has sent already.
    return this.state.failedLogins < FAILED_LOGINS_MAX_COUNT && this.#host.authenticate(user, password);
  }

  failedLogin(): number {
    return this.#host.failedLogins.note(this.state);
  }

  noteAdmin(command: string, words: string): void {
    this.#host.adminCommands.note(this.state, command, words);
  }

  info(sections: readonly string[]): string {
    return this.#host.info(sections);
  }

  resetStatistics(): void {
    this.#host.resetStatistics();
  }

  speak(version: ProtocolVersion): void {
    this.state.version = version;
    this.state.update();
    if (this.dialect.version === version) return;
    this.dialect = this.#host.dialects[version];
    // The reply under way goes on in it.
    void this.dialect.reply;
    // Nothing is in flight on them, and their connections speak the other version.
    this.#lanes.clear();
    this.watch?.follow(this.dialect);
  }

  resetState(): void {
    this.state.transaction?.free();
    this.state.transaction = undefined;
    this.shared.channels.forget(this.state);
    this.watch?.stream.drop();
    this.watch = undefined;
  }

  slice(step: () => boolean): boolean {
    return this.#host.slices.run(step);
  }

  async pause(): Promise<void> {
    await this.#host.slices.next();
    if (this.#closed) throw new ReplyError("ERR", "the connection was ended meanwhile");
  }

  kill(): void {
    this.abort();
  }

  end(): void {
    this.#wait?.refuse(new ReplyError("ERR", "messages of a server may have been missed"));
    this.#stopping ??= this.#endInOrder();
  }

  holdMessages(): void {
    this.#heldMessages ??= new HeldMessages(this.state.account);
  }

  releaseMessages(): void {
    const held = this.#heldMessages;
    this.#heldMessages = undefined;
    if (held === undefined || held.isEmpty) return;
    // Who is told to leave gets what came before.
    held.release(this.state.version === 3 ? 3 : 2, this.#closed ? undefined : this.#outbox);
    if (!this.#closed) this.#host.deliveries.schedule(this.#outbox);
  }

  deliver(message: ChannelMessage): void {
    if (this.#ending) return;
    const outbox = this.#outbox;
    const held = this.#heldMessages;
    const maxBytes = this.state.isKept ? MESSAGES_KEPT_MAX_BYTES : MESSAGES_MAX_BYTES;
    if (outbox.agedMessagesSize > maxBytes || held !== undefined && held.size > maxBytes) {
      this.#host.disconnections.note(this.state, outbox.size, `more than ${maxBytes} bytes of messages wait`);
      return void this.abort();
    }
    if (held !== undefined) return held.put(message);
    outbox.put(message.head(this.state.version === 3 ? 3 : 2), message.tail);
    this.#host.deliveries.schedule(outbox);
  }

  // Writing.

  get expectsMore(): boolean {
    return this.#order.expectsMore;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#connection.write(bytes);
  }

  written(): void {
    if (this.isIdle) this.#whenDrained?.resolve();
    this.#backpressure.update();
  }

  broken(): void {
    this.#close();
  }

  /** Resolves when every request is answered and every reply written, or the connection is lost. */
  async #drained(): Promise<void> {
    if (this.#closed || (this.isIdle && this.#outbox.size === 0)) return;
    this.#whenDrained ??= Promise.withResolvers<void>();
    await this.#whenDrained.promise;
  }

  /**
   * Writes the replies, then ends the connection. What the peer still sends is read for a while: closing with unread
   * input resets the connection, and the peer would lose the reply that says why.
   */
  async #endRefused(): Promise<void> {
    this.#ending = true;
    await this.#drained();
    if (this.#closed) return;
    await this.#socket.closeWrite();
    this.#deadlines.linger();
    await this.#connection.drop(this.#host.slices);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ending = true;
    this.#connection.close();
    this.#whenDrained?.resolve();
    this.#backpressure.break();
    this.#host.connections.remove(this.state);
    this.shared.channels.forget(this.state);
    this.watch?.stream.drop();
    this.#wait?.abandon();
    // Slots in flight hold the session until their servers answer; what it holds need not wait for that.
    this.#lanes.clear();
    this.#order.discard();
    this.#outbox.discard();
    this.state.transaction?.free();
    this.state.account.close();
  }
}
