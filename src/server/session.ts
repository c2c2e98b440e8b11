/**
 * One client's connection to the server: a batch of requests in, commands, a batch of replies out.
 *
 * ```text
 * read once → every whole request in it → run each, synchronously → the log → write all replies once → read …
 * ```
 *
 * Between the requests of a batch nothing is awaited and nothing is allocated, with two exceptions: a command that
 * waits (`save`, `keys`), and many replies, which are written before the next request. A session does not read while it
 * writes. So a client that does not take its replies holds one read buffer and one batch of replies.
 *
 * A command that takes long pauses between its slices. From the first pause on, the session reads ahead a little, only
 * to notice that the client leaves. As in Redis, a client that ends its side of the connection gives up the reply. When
 * a client waits in `blpop` or a similar command, the end of its side ends the wait, although other requests may come
 * before that end. The client gets no element any more: before an element is given away, the system is asked which
 * clients have gone (peer_ends.ts).
 *
 * A reply leaves only when the effects before it are in the log, as safe as the policy demands (append_log.ts).
 * Sessions that run in one turn of the event loop wait for the same write.
 *
 * Messages of channels come from the commands of other clients, at any time, and are collected beside the replies.
 * Messages that came before a batch are written before its replies. Later ones are written after them, or immediately
 * while the session waits for input.
 *
 * How requests are taken out of what the client sends, and which deadlines it has, says role/request_reader.ts.
 *
 * @module
 */

import type { Message } from "../connection/channel_message.ts";
import { ClientState } from "../connection/client_state.ts";
import type { ClientConnection, ProtocolVersion } from "../connection/client_state.ts";

import { formatAddress } from "../address.ts";
import type { GoesOn, ServerRole, Transaction } from "../command/context.ts";
import { execute } from "../command/dispatch.ts";
import type { CommandContext } from "../command/dispatch.ts";
import type { SharedState } from "../command/shared_state.ts";
import { NotSavedError, ProtocolError, ReplyError } from "../errors.ts";
import {
  BATCH_CLOCK_COUNT,
  MESSAGES_KEPT_MAX_BYTES,
  MESSAGES_MAX_BYTES,
  PREFETCH_MAX_COUNT,
  READ_BUFFER_BATCH_BYTES,
  REPLY_BURST_BYTES,
  REPLY_CHUNK_BYTES,
  REPLY_FLUSH_BYTES,
  WRITE_TIMEOUT_MS,
} from "../limits.ts";
import type { AppendLog } from "../log/append_log.ts";
import { type ClientMemory, Held } from "../memory/client_memory.ts";
import { freeDescriptor } from "../net/abort.ts";
import type { Connection } from "../net/connection.ts";
import type { ServedSocket } from "../net/socket.ts";
import {
  FOREIGN_PROTOCOL_LINE,
  type ReaderOwner,
  type ReadersShare,
  RequestReader,
  Taken,
} from "../role/request_reader.ts";
import { isDisconnection } from "../net/socket_errors.ts";
import type { DeliveryQueue } from "../role/delivery_queue.ts";
import type { Disconnections } from "../role/disconnections.ts";
import type { Slices } from "../role/slices.ts";
import type { Store } from "../store/store.ts";
import { NativeKeyWindow } from "../wire/native/look_ahead.ts";
import { NativeReply } from "../wire/native/reply_writer.ts";
import type { Reply } from "../wire/reply.ts";
import { RespKeyWindow } from "../wire/resp/look_ahead.ts";
import { RespReply } from "../wire/resp/reply_writer.ts";
import { Mailbox } from "./mailbox.ts";
import type { MailboxOwner } from "./mailbox.ts";

/** The server of a session: what all its sessions share. */
export interface SessionHost extends ServerRole, ReadersShare {
  readonly store: Store;
  /** TTL of keys made without one, in ms; 0 for none. */
  readonly defaultTtlMs: number;
  /** Bounds the memory that all clients hold. */
  readonly clientMemory: ClientMemory;
  /** Shares out the time of commands that take long. */
  readonly slices: Slices;
  /** Schedules the writing of messages that came for clients. */
  readonly deliveries: DeliveryQueue;
  /** Logs clients that do not keep up. */
  readonly disconnections: Disconnections;
  readonly shared: SharedState;
  /** Takes the effects of commands; `undefined` when nothing is kept on disk. */
  readonly log: AppendLog | undefined;
  /** Requests taken, of all sessions. */
  commands: number;
}

/** The present activity of a session. {@linkcode Session.sweep} and {@linkcode Session.stop} depend on it. */
const enum Phase {
  Reading,
  Running,
  Writing,
  Lingering,
}

/** The reason why {@linkcode Session} stopped taking requests, and so what it does next. */
const enum Next {
  Read,
  Flush,
  Wait,
  /** Lets others have a turn of the event loop: the batch has taken long. */
  Pause,
  Close,
}

/** All sessions share one of each, since nothing is kept in them between two calls. */
const nativeKeys = new NativeKeyWindow(PREFETCH_MAX_COUNT);
const respKeys = new RespKeyWindow(PREFETCH_MAX_COUNT);

/** The reply of a session whose protocol is not known yet. Nothing is written to it. */
const SILENT = new NativeReply();

/**
 * Thousands of clients may get these in one moment. To make an error takes 20 µs, since it records where it was made.
 */
const KILLED = new ReplyError("ERR", "the connection was killed");
const STOPPING = new ReplyError("ERR", "the server is stopping");
const GONE = new ReplyError("ERR", "the connection was ended meanwhile");

/** One connection that is being served. */
export class Session implements CommandContext, ClientConnection, MailboxOwner, ReaderOwner {
  readonly store: Store;
  defaultTtlMs: number;
  readonly client: ClientState<Transaction>;
  readonly shared: SharedState;
  readonly role: SessionHost;
  readonly log: AppendLog | undefined;
  untilClock = 0;
  readonly #socket: ServedSocket;
  readonly #reader: RequestReader;
  readonly #connection: Connection;
  /** The value of `log.writes` before the requests ran whose replies are written next. */
  #writesBefore = 0;
  // These two depend on the protocol, which the first byte tells.
  #reply: Reply = SILENT;
  #keys: NativeKeyWindow | RespKeyWindow = nativeKeys;
  /** Messages of channels; `undefined` until the first one comes. */
  #mailbox: Mailbox | undefined;
  #phase = Phase.Reading;
  #stopping = false;
  #aborted: Promise<void> | undefined;
  /** The command that {@linkcode Next.Wait} waits for. */
  #pending: Promise<void> | undefined;
  /** Bytes of replies written since the batch began, or since others had a turn. */
  #burst = 0;

  /**
   * @param socket after its handshake; the session owns it
   * @param isTrusted whether the client may run commands without a password, because it is this process itself
   */
  constructor(socket: ServedSocket, host: SessionHost, isTrusted = false) {
    this.#socket = socket;
    this.role = host;
    this.store = host.store;
    this.defaultTtlMs = host.defaultTtlMs;
    this.shared = host.shared;
    this.log = host.log;
    const [address, localAddress] = [formatAddress(socket.remoteAddr), formatAddress(socket.localAddr)];
    const { shared, passwordRequired, clientMemory } = host;
    const isAuthenticated = isTrusted || !passwordRequired;
    this.client = new ClientState(shared.nextId(), address, localAddress, this, isAuthenticated, clientMemory);
    this.client.isInternal = isTrusted;
    this.#reader = new RequestReader(socket, this.client, host, this);
    this.#connection = this.#reader.connection;
  }

  slice(step: () => boolean): boolean {
    return this.role.slices.run(step);
  }

  async pause(goesOn: GoesOn = "no"): Promise<void> {
    this.#watch();
    await this.role.slices.next();
    this.resume();
    if (goesOn === "always") return;
    // A reply of bounded length is completed while the server waits for its sessions to end.
    if (this.#stopping && goesOn === "no") throw STOPPING;
    if (this.#reader.hasLeft || this.#connection.closed) throw GONE;
  }

  resume(): void {
    this.store.nowMs = Date.now();
    this.store.touches = !this.client.touchesNothing;
    // Other sessions have looked ahead since, in their buffers.
    this.store.forgetAhead();
  }

  async block(begin: () => Promise<void> | undefined): Promise<void> {
    const reply = this.#reply;
    const reader = this.#reader;
    if (!reader.watchPeer()) {
      // The connection may be lost already, which is read in the next turn.
      this.#watch();
      await this.role.slices.next();
    }
    // Replies that are complete must not wait with this one.
    reply.rollback();
    if (reply.size > 0) {
      await this.#flushOrLeave();
      // What was pushed meanwhile is not for a client that has gone.
      this.role.peerEnds?.look();
    }
    this.#phase = Phase.Running;
    this.store.nowMs = Date.now();
    reply.begin();
    if (this.#stopping) throw STOPPING;
    if (reader.hasLeft) throw this.#gone();
    const answered = begin();
    if (answered === undefined) return;
    this.#mailbox?.wake();
    reader.noteCommand();
    this.#watch();
    await answered;
    reader.releaseAhead();
    this.store.nowMs = Date.now();
  }

  /**
   * Writes the replies before a command that waits. A failed write means that the client has gone, which is not a bug.
   */
  async #flushOrLeave(): Promise<void> {
    try {
      await this.#flush();
    } catch (error) {
      if (isDisconnection(error) || error instanceof NotSavedError) throw this.#gone();
      throw error;
    }
  }

  hasInput(): boolean {
    return this.#reader.hasInput;
  }

  speak(version: ProtocolVersion): void {
    this.client.version = version;
    this.client.update();
    if (this.#reply instanceof RespReply && version !== 0) this.#reply.version = version;
  }

  // What the commands of other clients do to this connection.

  kill(): void {
    // Requests after the command that runs are not run any more.
    this.client.closing = true;
    this.client.waiter?.refuse(KILLED);
    this.abort();
    this.#mailbox?.free();
  }

  deliver(message: Message, isOwn: boolean): void {
    if (this.#connection.closed) return;
    const version = this.client.version === 3 ? 3 : 2;
    // A client gets what it publishes to itself before the reply to `publish`, but not within the reply to `exec`.
    const isSilent = this.client.silence !== "none";
    if (
      isOwn && !isSilent && !this.client.executing && message.tail === undefined && this.#mailbox?.hasLater !== true
    ) {
      const head = message.head(version);
      return this.#reply.raw(head, 0, head.length);
    }
    if (isOwn) this.client.hasHeardItself = true;
    this.#mailbox ??= new Mailbox(this, this.role.deliveries);
    this.#mailbox.put(message, version);
  }

  // What the mailbox needs of its session.

  get isQuiet(): boolean {
    return (this.#phase === Phase.Reading || this.client.waiter !== undefined) && !this.#connection.closed;
  }

  get messagesMaxBytes(): number {
    return this.client.isKept ? MESSAGES_KEPT_MAX_BYTES : MESSAGES_MAX_BYTES;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writePiece(bytes);
  }

  held(bytes: number): void {
    this.client.account.set(Held.Messages, bytes);
  }

  share(bytes: number): void {
    this.client.account.share(bytes);
  }

  giveUp(error: unknown): void {
    if (!isDisconnection(error)) this.role.reportBug(error);
    this.kill();
  }

  overflow(waitingBytes: number): void {
    const reason = `more than ${this.messagesMaxBytes} bytes of messages wait`;
    this.role.disconnections.note(this.client, waitingBytes, reason);
    this.kill();
  }

  /**
   * Reads ahead while a command pauses or waits, to notice that the client leaves. A command that ends by itself has as
   * much read as a batch; one that may wait forever has everything read.
   */
  #watch(): void {
    if (this.#reader.isWatching) return;
    const connection = this.#connection;
    const goesOn = () => {
      if (this.#reader.hasLeft || this.#phase !== Phase.Running) return false;
      return this.client.waiter !== undefined || connection.end - connection.start < READ_BUFFER_BATCH_BYTES;
    };
    this.#reader.watchForEnd(goesOn, () => {
      // The system still sees an end that comes after what was read.
      if (this.#phase === Phase.Running) this.#reader.watchPeer();
    });
  }

  readAheadFull(error: ReplyError): void {
    this.client.waiter?.refuse(error);
    this.client.closing = true;
  }

  peerEnded(): void {
    if (this.client.waiter !== undefined) this.client.waiter.refuse(this.#gone());
  }

  /** Ends a command that waits, and with it the connection. */
  #gone(): ReplyError {
    this.client.closing = true;
    this.#connection.close();
    return GONE;
  }

  /** Serves the connection until it ends, and closes it. Never rejects because of what the peer does. */
  async run(): Promise<void> {
    const connection = this.#connection;
    try {
      if (!await connection.fill()) return;
      if (!this.#chooseProtocol()) return await this.#refuse(FOREIGN_PROTOCOL_LINE);
      this.shared.add(this.client);
      for (;;) {
        const next = this.#runBatch();
        if (next === Next.Read && this.#isBrief) {
          // Nearly every batch: one write, and one read.
          const bytes = this.#reply.buffer.subarray(0, this.#reply.length);
          this.#reader.release();
          if (bytes.length > 0) {
            const settled = this.#settled();
            if (settled !== undefined) await settled;
            this.#phase = Phase.Writing;
            this.#reader.writes++;
            const count = await this.#socket.write(bytes);
            this.role.instruments.traffic.outputBytes += count;
            if (count < bytes.length) await connection.write(bytes.subarray(count));
            this.#reply.clear();
          }
        } else if (await this.#finish(next) === Next.Close) {
          return;
        }
        if (this.#stopping) return await this.#socket.closeWrite();
        this.#phase = Phase.Reading;
        this.#mailbox?.wake();
        if (connection.isMoving) await connection.move(this.role.slices);
        if (connection.isReading) {
          if (!await connection.fill()) return;
        } else {
          const count = await this.#socket.read(connection.writable());
          if (count === null) return;
          connection.commit(count);
          if (connection.hasReadMuch && this.role.slices.isTurnLong) await this.role.slices.readTurn();
        }
      }
    } catch (error) {
      // A connection that was lost, or closed by a deadline, ends the session and nothing else.
      if (error instanceof ProtocolError) await this.#refuseRequest(error);
      else if (!isDisconnection(error) && !(error instanceof NotSavedError)) this.role.reportBug(error);
    } finally {
      this.shared.forget(this.client);
      connection.close();
      this.#reader.free();
      this.#reply.free();
      this.#mailbox?.free();
      await this.#aborted;
    }
  }

  /** Chooses the protocol by the first byte. Returns `false` when the byte belongs to no protocol. */
  #chooseProtocol(): boolean {
    const protocol = this.#reader.chooseProtocol();
    const { account } = this.client;
    if (protocol === "native") this.#reply = new NativeReply(undefined, undefined, account);
    if (protocol === "resp") {
      this.#reply = new RespReply(undefined, undefined, account);
      this.#keys = respKeys;
      this.speak(2);
    }
    return protocol !== "unknown";
  }

  /**
   * Ends the connection because of a request that no memory is left for. Never rejects because of what the peer does.
   */
  async #refuseRequest(error: ProtocolError): Promise<void> {
    try {
      this.#fail(`Protocol error: ${error.message}`);
      await this.#refuse(new Uint8Array(0));
    } catch (error) {
      if (!isDisconnection(error) && !(error instanceof NotSavedError)) this.role.reportBug(error);
    }
  }

  /** Sends the client the reason why it is not served, and closes the connection. */
  async reject(message: string): Promise<void> {
    try {
      // The protocol is known after the first byte.
      this.#phase = Phase.Lingering;
      this.#reader.linger();
      if (!await this.#connection.fill()) return;
      this.#chooseProtocol();
      this.#fail(message);
      await this.#refuse(new Uint8Array(0));
    } catch (error) {
      if (!isDisconnection(error)) this.role.reportBug(error);
    } finally {
      this.client.account.close();
      this.#connection.close();
      this.#connection.free();
      await this.#aborted;
    }
  }

  /** Ends the session after the batch that runs. A command that waits, or walks over all keys, gets an error. */
  stop(): void {
    this.#stopping = true;
    this.client.waiter?.refuse(STOPPING);
    if (this.#phase !== Phase.Reading && this.#phase !== Phase.Lingering) return;
    // Our side ends first, so that the client sees an orderly end.
    this.#socket.closeWrite().catch(() => {}).then(() => this.#connection.close());
  }

  /** Closes the connection in any state. The promise resolves when its descriptor is free. */
  abort(): Promise<void> {
    this.#connection.close();
    this.#aborted ??= freeDescriptor(this.#socket);
    return this.#aborted;
  }

  /**
   * Closes the connection when the client has missed a deadline. `nowMs` is the present time by `performance.now()`.
   */
  sweep(nowMs: number): void {
    const writesMessages = this.#mailbox?.written !== undefined;
    const isWriting = writesMessages || this.#phase === Phase.Writing;
    const overdue = this.#reader.overdue(nowMs, this.#phase === Phase.Reading, isWriting);
    if (overdue === undefined) return;
    if (overdue === "reading" && writesMessages) {
      const reason = `it has taken nothing for ${WRITE_TIMEOUT_MS} ms`;
      this.role.disconnections.note(this.client, this.#mailbox!.size, reason);
    }
    this.abort();
  }

  /** Runs the requests that were read, up to the first that has to wait. */
  #runBatch(): Next {
    this.#burst = 0;
    return this.#runSome();
  }

  #runSome(): Next {
    const mailbox = this.#mailbox;
    if (mailbox !== undefined) {
      // A message came after replies that are not written yet: both are written before the next replies.
      if (mailbox.hasLater && this.#reply.size > 0) return Next.Flush;
      mailbox.markBatch();
      this.client.hasHeardItself = false;
    }
    this.#phase = Phase.Running;
    this.store.nowMs = Date.now();
    this.store.touches = !this.client.touchesNothing;
    // Replies from before a wait that are not written yet still depend on the earlier writes.
    if (this.log !== undefined && this.#reply.size === 0) this.#writesBefore = this.log.writes;
    return this.client.silence === "none" ? this.#runRequests() : this.#runSilently();
  }

  /** Whether one short piece of replies is all there is to write. */
  get #isBrief(): boolean {
    const reply = this.#reply;
    return this.#mailbox === undefined && reply.length <= REPLY_CHUNK_BYTES && reply.size === reply.length;
  }

  /**
   * Resolves when the log is as safe as the policy wants it, so that the replies may leave. `undefined` when it is
   * already.
   */
  #settled(): Promise<void> | undefined {
    const { log } = this;
    return log?.mustWait(this.#writesBefore) ? log.settled(this.#writesBefore) : undefined;
  }

  get #hasOutput(): boolean {
    return this.#reply.size > 0 || (this.#mailbox?.isBusy ?? false);
  }

  /** Runs the rest of a batch that stopped for `next`, and writes all replies. */
  async #finish(next: Next): Promise<Next> {
    for (;;) {
      if (next === Next.Wait) {
        await this.#pending;
        this.#pending = undefined;
        if (this.client.closing) next = Next.Close;
      }
      if (next === Next.Close) {
        await this.#refuse(new Uint8Array(0));
        return next;
      }
      if (next === Next.Read) this.#reader.release();
      if (next !== Next.Wait && this.#hasOutput) await this.#flush();
      if (next === Next.Pause) await this.role.slices.next();
      if (next === Next.Read) return next;
      next = this.#runSome();
    }
  }

  /** Takes requests out of the buffer and runs them, up to the first that is incomplete or has to wait. */
  #runRequests(): Next {
    const connection = this.#connection;
    const reader = this.#reader;
    const { request } = reader;
    const reply = this.#reply;
    const { role } = this;
    let ahead = connection.start;
    const startedMs = performance.now();
    this.untilClock = BATCH_CLOCK_COUNT;
    // Other sessions have looked ahead since, or the buffer has other requests now.
    this.store.forgetAhead();
    for (;;) {
      if (connection.start >= ahead && this.store.isLarge) ahead = this.#lookAhead();
      const taken = reader.take();
      if (taken !== Taken.Request) {
        if (taken === Taken.Nothing) return Next.Read;
        this.#fail(reader.problem);
        if (taken === Taken.Lost) return Next.Close;
        continue;
      }
      role.commands++;
      const pending = execute(this, request, reply);
      if (pending !== undefined) {
        this.#pending = pending;
        return Next.Wait;
      }
      if (reply.size > REPLY_FLUSH_BYTES) return Next.Flush;
      if (--this.untilClock > 0) continue;
      this.untilClock = BATCH_CLOCK_COUNT;
      const ranMs = performance.now() - startedMs;
      if (role.slices.isLong(ranMs)) {
        role.slices.ranLong(ranMs);
        return Next.Pause;
      }
    }
  }

  /**
   * Runs requests of a client that has turned its replies off, up to the first that it gets the reply to. Each reply is
   * dropped as a whole, so those before it are written first.
   */
  #runSilently(): Next {
    const { client } = this;
    const reply = this.#reply;
    const { slices } = this.role;
    const startedMs = performance.now();
    this.untilClock = BATCH_CLOCK_COUNT;
    this.store.forgetAhead();
    while (client.silence !== "none") {
      if (reply.size > 0) return Next.Flush;
      const taken = this.#reader.take();
      if (taken !== Taken.Request) {
        if (taken === Taken.Nothing) return Next.Read;
        this.#fail(this.#reader.problem);
        if (taken === Taken.Lost) return Next.Close;
        continue;
      }
      this.role.commands++;
      if (client.silence === "next") client.silence = "this";
      const pending = execute(this, this.#reader.request, reply);
      if (pending !== undefined) {
        this.#pending = pending.then(() => this.#endSilentRequest());
        return Next.Wait;
      }
      this.#endSilentRequest();
      if (--this.untilClock > 0) continue;
      this.untilClock = BATCH_CLOCK_COUNT;
      const ranMs = performance.now() - startedMs;
      if (slices.isLong(ranMs)) {
        slices.ranLong(ranMs);
        return Next.Pause;
      }
    }
    return this.#runRequests();
  }

  /** Drops the reply to a request that the client wants none to. */
  #endSilentRequest(): void {
    const { client } = this;
    const isDropped = client.silence === "this" || client.silence === "all";
    if (isDropped && !client.isHeard) this.#reply.clear();
    client.isHeard = false;
    if (client.silence === "this") client.silence = "none";
  }

  /** Prefetches the memory of the next requests' keys. Returns where to look ahead again. */
  #lookAhead(): number {
    const { buffer, start, end } = this.#connection;
    const keys = this.#keys;
    const next = keys.fill(buffer, start, end);
    this.store.prefetch(buffer, keys.starts, keys.lengths, 0, keys.count, 1);
    return next === start ? end : next;
  }

  #fail(message: string): void {
    this.#reply.begin();
    this.#reply.error("ERR", message);
    this.shared.instruments.errors.note("ERR");
    this.#reply.end();
  }

  async #flush(): Promise<void> {
    const reply = this.#reply;
    const settled = this.#settled();
    if (settled !== undefined) await settled;
    this.#phase = Phase.Writing;
    if (this.#mailbox !== undefined) await this.#mailbox.writeEarlier();
    for (let chunk = reply.takeChunk(); chunk !== undefined; chunk = reply.takeChunk()) await this.#writeLong(chunk);
    const last = reply.buffer.subarray(0, reply.length);
    if (last.length > REPLY_CHUNK_BYTES) await this.#writeLong(last);
    else if (last.length > 0) await this.#writePiece(last);
    reply.clear();
    if (this.#mailbox !== undefined) await this.#mailbox.writeLater();
  }

  async #writeLong(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; start += REPLY_CHUNK_BYTES) {
      await this.#writePiece(bytes.subarray(start, start + REPLY_CHUNK_BYTES));
    }
  }

  /** Writes a piece of replies. After many pieces, others have a turn. */
  #writePiece(bytes: Uint8Array): Promise<void> {
    const written = this.#connection.write(bytes);
    this.#burst += bytes.length;
    if (this.#burst < REPLY_BURST_BYTES) return written;
    // Writes that complete immediately follow each other without a turn of the event loop.
    this.#burst = 0;
    return written.then(() => this.role.slices.next());
  }

  /**
   * Writes the replies and `line`, then ends the connection. What the client still sends is read for a while: closing
   * with unread input resets the connection, and the client would lose the reply that says why.
   */
  async #refuse(line: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#hasOutput) await this.#flush();
    this.#phase = Phase.Writing;
    // A client that sees the end must not be counted as a listener any more.
    this.shared.forget(this.client);
    if (line.length > 0) await this.#connection.write(line);
    await this.#socket.closeWrite();
    if (this.#stopping) return;
    this.#phase = Phase.Lingering;
    await this.#reader.drop(this.role.slices);
  }
}
