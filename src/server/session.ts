/**
 * One client's connection to the server: batch in, commands, batch out.
 *
 * ```text
 * read once → every whole frame in it → run each, synchronously → the log → write all replies once → read …
 * ```
 *
 * Nothing is awaited and nothing allocated between the frames of a batch, except where a command waits (`save`, `keys`) or
 * the replies have become so many that they are written first. While it writes, it does not read, so a client that does
 * not take its replies holds one read buffer and one batch of replies.
 *
 * A command that takes long pauses between its slices. From the first pause on the session reads ahead, a little, only to
 * notice that the client leaves: as in Redis, one that ends its side of the connection gives up on the reply. One that waits
 * in `blpop` or the like is gone then, whatever it has sent behind that, and nothing is given to it any more: before an
 * element is, the system is asked who has gone (peer_ends.ts).
 *
 * No reply leaves before what it may tell of is in the log, as safe as the policy wants it (append_log.ts). Sessions that run in
 * one turn of the event loop wait for the same write.
 *
 * What is published to a channel comes from the commands of others, at any time: it is collected beside the replies. What came
 * before a batch is written before its replies, and what comes later after them, or at once when the session waits for input.
 *
 * Deadlines need no timer of their own: {@linkcode Session.sweep} is called about once a second and compares what it
 * sees with what it saw before.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import type { ChannelMessage } from "../connection/channel_message.ts";
import { ClientState } from "../connection/client_state.ts";
import type { ClientConnection, ProtocolVersion } from "../connection/client_state.ts";

import { formatAddress } from "../address.ts";
import type { GoesOn, Transaction } from "../command/context.ts";
import { execute } from "../command/dispatch.ts";
import type { CommandContext } from "../command/dispatch.ts";
import type { SharedState } from "../command/shared_state.ts";
import { NotSavedError, ProtocolError, ReplyError } from "../errors.ts";
import {
  AUTHENTICATION_TIMEOUT_MS,
  BATCH_CLOCK_COUNT,
  FAILED_LOGINS_MAX_COUNT,
  LINGER_TIMEOUT_MS,
  MESSAGES_KEPT_MAX_BYTES,
  MESSAGES_MAX_BYTES,
  PARTIAL_FRAME_MIN_BYTES_PER_MS,
  PARTIAL_FRAME_TIMEOUT_MS,
  PREFETCH_MAX_COUNT,
  READ_AHEAD_MAX_BYTES,
  READ_BUFFER_BATCH_BYTES,
  REPLY_BURST_BYTES,
  REPLY_CHUNK_BYTES,
  REPLY_FLUSH_BYTES,
  WRITE_TIMEOUT_MS,
} from "../limits.ts";
import type { AppendLog } from "../log/append_log.ts";
import { type ClientMemory, Held } from "../memory/client_memory.ts";
import { freeDescriptor } from "../net/abort.ts";
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
import type { Store } from "../store/store.ts";
import { KeyWindow } from "../wire/native/look_ahead.ts";
import { NativeDecoder } from "../wire/native/request_decoder.ts";
import { NativeReply } from "../wire/reply.ts";
import type { Reply } from "../wire/reply.ts";
import { Request } from "../wire/request.ts";
import { REQUEST_LIMITS, UNAUTHENTICATED_REQUEST_LIMITS } from "../wire/request_limits.ts";
import { RespKeyWindow } from "../wire/resp/look_ahead.ts";
import { RespReply } from "../wire/resp/reply_writer.ts";
import { RespDecoder } from "../wire/resp/request_decoder.ts";
import { Mailbox } from "./mailbox.ts";
import type { MailboxOwner } from "./mailbox.ts";

/** What all sessions of a server share. */
export interface SessionHost {
  readonly store: Store;
  /** TTL of keys made without one, in ms; 0 for none. */
  readonly defaultTtlMs: number;
  /** Whether clients have to authenticate. */
  readonly passwordRequired: boolean;
  /** What clients hold, and may hold. */
  readonly clientMemory: ClientMemory;
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
  readonly shared: SharedState;
  /** Tells at once which clients have gone; `undefined` where the system cannot be asked. */
  readonly peerEnds: PeerEnds | undefined;
  /** What is kept of clients that wait. */
  readonly readAhead: ReadAhead;
  /** Where effects go; `undefined` when nothing is kept. */
  readonly log: AppendLog | undefined;
  /** Requests answered, by all sessions. */
  commands: number;
  /** Whether user and password are right. */
  authenticate(user: string, password: string): boolean;
  /** The text of `info`. */
  info(sections: readonly string[]): string;
  /** Writes a snapshot, to a file of its own if a path is given. @throws {ReplyError} */
  save(path?: string): Promise<void>;
  /** Begins a snapshot, and answers whether none was under way. @throws {ReplyError} */
  beginSave(): boolean;
  /** When the last snapshot was taken, in ms since 1970. */
  readonly lastSaveMs: number;
  /** Sets the counts of `info` to zero. */
  resetStatistics(): void;
  /** Takes note of a bug of ours. */
  reportBug(error: unknown): void;
}

/** What a session does just now; {@linkcode Session.sweep} and {@linkcode Session.stop} go by it. */
const enum Phase {
  Reading,
  Running,
  Writing,
  Lingering,
}

/** Why {@linkcode Session} stopped taking frames out of its buffer. */
const enum Next {
  Read,
  Flush,
  Wait,
  /** For a turn of the event loop: the batch has taken long. */
  Pause,
  Close,
}

/** One of each is enough for all sessions, since nothing is kept in them. */
const nativeKeys = new KeyWindow(PREFETCH_MAX_COUNT);
const respKeys = new RespKeyWindow(PREFETCH_MAX_COUNT);

/** The reply of a session that does not know yet which protocol it speaks. Nothing is told to it. */
const SILENT = new NativeReply();

/** What thousands of clients may be told at once: to make an error for each takes 20 µs, since it notes where it was made. */
const KILLED = new ReplyError("ERR", "the connection was killed");
const STOPPING = new ReplyError("ERR", "the server is stopping");
const GONE = new ReplyError("ERR", "the connection was ended meanwhile");

const FOREIGN_PROTOCOL_LINE = encodeText("-ERR this is neither the native protocol of inmem nor RESP\r\n");

/** One connection that is being served. */
export class Session implements CommandContext, ClientConnection, MailboxOwner {
  readonly store: Store;
  readonly passwordRequired: boolean;
  readonly defaultTtlMs: number;
  readonly client: ClientState<Transaction>;
  readonly shared: SharedState;
  untilClock = 0;
  readonly #host: SessionHost;
  readonly #socket: Deno.TcpConn | Deno.TlsConn;
  readonly #connection: Connection;
  readonly #request = new Request();
  readonly log: AppendLog | undefined;
  /** `log.writes` when the requests began to run that are to be answered. */
  #writesBefore = 0;
  // The protocol, once the first byte has told it.
  #decoder: NativeDecoder | RespDecoder = new NativeDecoder();
  #reply: Reply = SILENT;
  #keys: KeyWindow | RespKeyWindow = nativeKeys;
  /** What channels bring, once there was something. */
  #mailbox: Mailbox | undefined;
  readonly #acceptedMs = performance.now();
  #phase = Phase.Reading;
  #stopping = false;
  #aborted: Promise<void> | undefined;
  /** The command that {@linkcode Next.Wait} waits for. */
  #pending: Promise<void> | undefined;
  /** Whether {@linkcode #watch} runs. */
  #watching = false;
  /** Whether the client has ended its side, as far as that was looked for. */
  #left = false;
  readonly #peer: Peer;
  /** Counts frames and writes: as long as it stays the same, what is under way is still the same. */
  #steps = 0;
  /** Bytes of replies written since the batch began, or others had their turn. */
  #burst = 0;
  /** What {@linkcode sweep} saw last, and since when. */
  #sweptSteps = -1;
  #sweptPhase = Phase.Reading;
  #sweptMs = 0;

  /** @param socket after its handshake; the session owns it */
  constructor(socket: Deno.TcpConn | Deno.TlsConn, host: SessionHost) {
    this.#socket = socket;
    this.#host = host;
    this.store = host.store;
    this.passwordRequired = host.passwordRequired;
    this.defaultTtlMs = host.defaultTtlMs;
    this.shared = host.shared;
    this.log = host.log;
    const [address, localAddress] = [formatAddress(socket.remoteAddr), formatAddress(socket.localAddr)];
    const { shared, passwordRequired, clientMemory } = host;
    this.client = new ClientState(shared.nextId(), address, localAddress, this, !passwordRequired, clientMemory);
    this.#peer = new Peer(socket, () => this.#notice());
    host.peerEnds?.add(this.#peer);
    this.#connection = new Connection({
      read: (target) => socket.read(target),
      write: (source) => {
        // A write that took a part is progress: the next one starts its time anew.
        this.#steps++;
        return socket.write(source);
      },
      close: () => {
        host.peerEnds?.remove(this.#peer);
        socket.close();
      },
    }, this.client.account);
  }

  authenticate(user: string, password: string): boolean {
    // Once it is to end, it gets no further guess, however many it has sent already.
    return this.client.failedLogins < FAILED_LOGINS_MAX_COUNT && this.#host.authenticate(user, password);
  }

  failedLogin(): number {
    return this.#host.failedLogins.note(this.client);
  }

  noteAdmin(command: string, words: string): void {
    this.#host.adminCommands.note(this.client, command, words);
  }

  info(sections: readonly string[]): string {
    return this.#host.info(sections);
  }

  save(path?: string): Promise<void> {
    return this.#host.save(path);
  }

  beginSave(): boolean {
    return this.#host.beginSave();
  }

  get lastSaveMs(): number {
    return this.#host.lastSaveMs;
  }

  slice(step: () => boolean): boolean {
    return this.#host.slices.run(step);
  }

  async pause(goesOn: GoesOn = "no"): Promise<void> {
    if (!this.#watching) this.#watch();
    await this.#host.slices.next();
    this.resume();
    if (goesOn === "always") return;
    // Replies of bounded length are given in full, until the connection is closed with the server's patience.
    if (this.#stopping && goesOn === "no") throw STOPPING;
    if (this.#left || this.#connection.closed) throw GONE;
  }

  resume(): void {
    this.store.nowMs = Date.now();
    this.store.touches = !this.client.touchesNothing;
    // Others have looked ahead since, in other buffers.
    this.store.forgetAhead();
  }

  async block(begin: () => Promise<void> | undefined): Promise<void> {
    const reply = this.#reply;
    const { peerEnds } = this.#host;
    if (peerEnds?.watch(this.#peer) === false) {
      // It may be lost already, which is read in the next turn.
      if (!this.#watching) this.#watch();
      await this.#host.slices.next();
    }
    // Nobody shall wait for what was answered long ago.
    reply.rollback();
    if (reply.size > 0) {
      await this.#flushOrLeave();
      // What was pushed meanwhile is not for a client that has gone.
      peerEnds?.look();
    }
    this.#phase = Phase.Running;
    this.store.nowMs = Date.now();
    reply.begin();
    if (this.#stopping) throw STOPPING;
    if (this.#left) throw this.#gone();
    const answered = begin();
    if (answered === undefined) return;
    this.#mailbox?.wake();
    this.#noteCommand();
    if (!this.#watching) this.#watch();
    await answered;
    this.#host.readAhead.release(this.#connection);
    this.store.nowMs = Date.now();
  }

  /** Writes the replies before a command that waits. Where they cannot be written, that is the client's end, not a bug of ours. */
  async #flushOrLeave(): Promise<void> {
    try {
      await this.#flush();
    } catch (error) {
      if (isDisconnection(error) || error instanceof NotSavedError) throw this.#gone();
      throw error;
    }
  }

  hasInput(): boolean {
    return this.#host.peerEnds?.hasInput(this.#peer) ?? false;
  }

  speak(version: ProtocolVersion): void {
    this.client.version = version;
    this.client.update();
    if (this.#reply instanceof RespReply && version !== 0) this.#reply.version = version;
  }

  resetStatistics(): void {
    this.#host.resetStatistics();
  }

  // What others' commands want of the connection.

  kill(): void {
    // What it has sent behind the command that runs is not run any more.
    this.client.closing = true;
    this.client.waiter?.refuse(KILLED);
    this.abort();
    this.#mailbox?.free();
  }

  deliver(message: ChannelMessage, isOwn: boolean): void {
    if (this.#connection.closed) return;
    const version = this.client.version === 3 ? 3 : 2;
    // What a client publishes to itself comes before the answer to that, but not into the array of a transaction's answers.
    if (isOwn && !this.client.executing && message.tail === undefined && this.#mailbox?.hasLater !== true) {
      const head = message.head(version);
      return this.#reply.raw(head, 0, head.length);
    }
    if (isOwn) this.client.hasHeardItself = true;
    this.#mailbox ??= new Mailbox(this, this.#host.deliveries);
    this.#mailbox.put(message, version);
  }

  // What the mailbox wants of it.

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
    if (!isDisconnection(error)) this.#host.reportBug(error);
    this.kill();
  }

  overflow(waitingBytes: number): void {
    const reason = `more than ${this.messagesMaxBytes} bytes of messages wait`;
    this.#host.disconnections.note(this.client, waitingBytes, reason);
    this.kill();
  }

  /**
   * Reads ahead while a command pauses or waits, to see the client leave: as far as a batch goes where the command ends by
   * itself, and without end where it may wait for ever.
   */
  async #watch(): Promise<void> {
    const connection = this.#connection;
    this.#watching = true;
    const result = await this.#host.readAhead.watch(connection, () => {
      if (this.#left || this.#phase !== Phase.Running) return false;
      return this.client.waiter !== undefined || connection.end - connection.start < READ_BUFFER_BATCH_BYTES;
    });
    this.#watching = false;
    if (result === "ended") return this.#notice();
    if (result === "full") {
      this.client.waiter?.refuse(
        new ReplyError("ERR", `more than ${READ_AHEAD_MAX_BYTES} bytes wait behind this command`),
      );
      this.client.closing = true;
    } else if (this.#phase === Phase.Running) {
      // Beyond what is read the system sees its end.
      this.#host.peerEnds?.watch(this.#peer);
    }
  }

  /** Takes note that the client has ended its side. */
  #notice(): void {
    this.#left = true;
    if (this.client.waiter !== undefined) this.client.waiter.refuse(this.#gone());
  }

  /** Ends a command that waits, and with it the connection. */
  #gone(): ReplyError {
    this.client.closing = true;
    this.#connection.close();
    return GONE;
  }

  reportBug(error: unknown): void {
    this.#host.reportBug(error);
  }

  /** Serves the connection until it ends, and closes it. Never rejects because of what the peer does. */
  async run(): Promise<void> {
    const connection = this.#connection;
    try {
      if (!await connection.fill()) return;
      if (!this.#chooseProtocol()) return await this.#refuse(FOREIGN_PROTOCOL_LINE);
      this.shared.clients.set(this.client.id, this.client);
      for (;;) {
        const next = this.#runBatch();
        if (next === Next.Read && this.#isBrief) {
          // Nearly every batch: one write, and one read.
          const bytes = this.#reply.buffer.subarray(0, this.#reply.length);
          this.#releaseRequest();
          if (bytes.length > 0) {
            const settled = this.#settled();
            if (settled !== undefined) await settled;
            this.#phase = Phase.Writing;
            this.#steps++;
            const count = await this.#socket.write(bytes);
            if (count < bytes.length) await connection.write(bytes.subarray(count));
            this.#reply.clear();
          }
        } else if (await this.#finish(next) === Next.Close) {
          return;
        }
        if (this.#stopping) return await this.#socket.closeWrite();
        this.#phase = Phase.Reading;
        this.#mailbox?.wake();
        if (connection.isMoving) await connection.move(this.#host.slices);
        if (connection.isReading) {
          if (!await connection.fill()) return;
        } else {
          const count = await this.#socket.read(connection.writable());
          if (count === null) return;
          connection.commit(count);
          if (connection.hasReadMuch && this.#host.slices.isTurnLong) await this.#host.slices.readTurn();
        }
      }
    } catch (error) {
      // A connection that was lost, or closed by a deadline, ends the session and nothing else.
      if (error instanceof ProtocolError) await this.#refuseRequest(error);
      else if (!isDisconnection(error) && !(error instanceof NotSavedError)) this.#host.reportBug(error);
    } finally {
      this.shared.forget(this.client);
      connection.close();
      connection.free();
      this.#decoder.free();
      this.#request.release();
      this.#reply.free();
      this.#mailbox?.free();
      await this.#aborted;
    }
  }

  /** Goes by the first byte; `false` when it is of no protocol. */
  #chooseProtocol(): boolean {
    const connection = this.#connection;
    const protocol = protocolOf(connection.buffer[connection.start]!);
    const { account } = this.client;
    if (protocol === "unknown") return false;
    if (protocol === "native") {
      this.#decoder = new NativeDecoder(account);
      this.#reply = new NativeReply(undefined, undefined, account);
      return true;
    }
    this.#decoder = new RespDecoder(account);
    this.#reply = new RespReply(undefined, undefined, account);
    this.#keys = respKeys;
    this.speak(2);
    return true;
  }

  /** Ends the connection because of a request that there is no room for. Never rejects because of what the peer does. */
  async #refuseRequest(error: ProtocolError): Promise<void> {
    try {
      this.#fail(`Protocol error: ${error.message}`);
      await this.#refuse(new Uint8Array(0));
    } catch (error) {
      if (!isDisconnection(error) && !(error instanceof NotSavedError)) this.#host.reportBug(error);
    }
  }

  /** Tells the peer why it is not served, and closes. */
  async reject(message: string): Promise<void> {
    try {
      // In which protocol to say it is known once the peer has said something.
      this.#phase = Phase.Lingering;
      if (!await this.#connection.fill()) return;
      this.#chooseProtocol();
      this.#fail(message);
      await this.#refuse(new Uint8Array(0));
    } catch (error) {
      if (!isDisconnection(error)) this.#host.reportBug(error);
    } finally {
      this.client.account.close();
      this.#connection.close();
      this.#connection.free();
      await this.#aborted;
    }
  }

  /** Ends the session once the batch that is running is answered, a walk or a wait with an error; at once else. */
  stop(): void {
    this.#stopping = true;
    this.client.waiter?.refuse(STOPPING);
    if (this.#phase !== Phase.Reading && this.#phase !== Phase.Lingering) return;
    // The end is announced first, so that the client sees an orderly one.
    this.#socket.closeWrite().catch(() => {}).then(() => this.#connection.close());
  }

  /** Closes the connection whatever it does; resolves when its descriptor is free. */
  abort(): Promise<void> {
    this.#connection.close();
    this.#aborted ??= freeDescriptor(this.#socket);
    return this.#aborted;
  }

  /**
   * Cuts the connection off when something has taken too long.
   *
   * @param nowMs as `performance.now()` tells it
   */
  sweep(nowMs: number): void {
    if (!this.client.authenticated && nowMs - this.#acceptedMs > AUTHENTICATION_TIMEOUT_MS) {
      this.abort();
      return;
    }
    const { start, end } = this.#connection;
    const writesMessages = this.#mailbox?.written !== undefined;
    const phase = writesMessages ? Phase.Writing : this.#phase;
    const idle = phase === Phase.Running || (phase === Phase.Reading && start === end);
    if (idle || phase !== this.#sweptPhase || this.#steps !== this.#sweptSteps) {
      this.#sweptSteps = this.#steps;
      this.#sweptPhase = phase;
      this.#sweptMs = nowMs;
      return;
    }
    let allowedMs = LINGER_TIMEOUT_MS;
    if (phase === Phase.Writing) allowedMs = WRITE_TIMEOUT_MS;
    if (phase === Phase.Reading) allowedMs = PARTIAL_FRAME_TIMEOUT_MS + (end - start) / PARTIAL_FRAME_MIN_BYTES_PER_MS;
    if (nowMs - this.#sweptMs <= allowedMs) return;
    if (writesMessages) {
      const reason = `it has taken nothing for ${WRITE_TIMEOUT_MS} ms`;
      this.#host.disconnections.note(this.client, this.#mailbox!.size, reason);
    }
    this.abort();
  }

  /** Runs the requests that were read, as far as they run without a wait. */
  #runBatch(): Next {
    this.#burst = 0;
    return this.#runSome();
  }

  #runSome(): Next {
    const mailbox = this.#mailbox;
    if (mailbox !== undefined) {
      // A message came after replies that are not written yet: both go before what is said next.
      if (mailbox.hasLater && this.#reply.size > 0) return Next.Flush;
      mailbox.markBatch();
      this.client.hasHeardItself = false;
    }
    this.#phase = Phase.Running;
    this.store.nowMs = Date.now();
    this.store.touches = !this.client.touchesNothing;
    // What was answered before a wait, and is not written yet, counts on.
    if (this.log !== undefined && this.#reply.size === 0) this.#writesBefore = this.log.writes;
    return this.#runRequests();
  }

  /** Whether there is nothing to write but one short piece of replies. */
  get #isBrief(): boolean {
    const reply = this.#reply;
    return this.#mailbox === undefined && reply.length <= REPLY_CHUNK_BYTES && reply.size === reply.length;
  }

  /** Resolves when the replies may leave: when the log is as safe as the policy wants it. Nothing when they may at once. */
  #settled(): Promise<void> | undefined {
    const { log } = this;
    return log?.mustWait(this.#writesBefore) ? log.settled(this.#writesBefore) : undefined;
  }

  get #hasOutput(): boolean {
    return this.#reply.size > 0 || (this.#mailbox?.isBusy ?? false);
  }

  /** Carries on with a batch whose requests were run up to `next`, to its end, and writes all replies. */
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
      if (next === Next.Read) this.#releaseRequest();
      if (next !== Next.Wait && this.#hasOutput) await this.#flush();
      if (next === Next.Pause) await this.#host.slices.next();
      if (next === Next.Read) return next;
      next = this.#runSome();
    }
  }

  /** Before the next read: the request borrows the buffer, which may be a large one that the read gives back. */
  #releaseRequest(): void {
    this.#noteCommand();
    this.client.lastMs = performance.now();
    this.#request.clear();
    if (this.client.authenticated) this.#connection.prepare(this.#decoder);
  }

  #noteCommand(): void {
    const { bytes, starts, lengths, count } = this.#request;
    if (count > 0) this.client.noteCommand(bytes, starts[0]!, lengths[0]!);
  }

  /** Takes requests out of the buffer and runs them, up to the first that is not whole or that something waits for. */
  #runRequests(): Next {
    const connection = this.#connection;
    const request = this.#request;
    const reply = this.#reply;
    const decoder = this.#decoder;
    const host = this.#host;
    let ahead = connection.start;
    const startedMs = performance.now();
    this.untilClock = BATCH_CLOCK_COUNT;
    // Others have been here since, or the buffer has other requests now.
    this.store.forgetAhead();
    for (;;) {
      if (connection.start >= ahead && this.store.isLarge) ahead = this.#lookAhead();
      let behind: number;
      try {
        const limits = this.client.authenticated ? REQUEST_LIMITS : UNAUTHENTICATED_REQUEST_LIMITS;
        behind = decoder.decode(connection.buffer, connection.start, connection.end, request, limits);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#fail(`Protocol error: ${error.message}`);
        if (decoder.behind === -1) return Next.Close;
        // It is known where the next one begins: only this one is refused.
        connection.start = decoder.behind;
        continue;
      }
      if (behind === -1) {
        connection.start += decoder.passed;
        return Next.Read;
      }
      connection.start = behind;
      this.#steps++;
      host.commands++;
      const pending = execute(this, request, reply);
      if (pending !== undefined) {
        this.#pending = pending;
        return Next.Wait;
      }
      if (reply.size > REPLY_FLUSH_BYTES) return Next.Flush;
      if (--this.untilClock > 0) continue;
      this.untilClock = BATCH_CLOCK_COUNT;
      const ranMs = performance.now() - startedMs;
      if (this.#host.slices.isLong(ranMs)) {
        this.#host.slices.ranLong(ranMs);
        return Next.Pause;
      }
    }
  }

  /** Has the memory for the next requests' keys fetched. Answers where to look ahead again. */
  #lookAhead(): number {
    const { buffer, start, end } = this.#connection;
    const keys = this.#keys;
    const behind = keys.fill(buffer, start, end);
    this.store.prefetch(buffer, keys.starts, keys.lengths, 0, keys.count, 1);
    return behind === start ? end : behind;
  }

  #fail(message: string): void {
    this.#reply.begin();
    this.#reply.error("ERR", message);
    this.#reply.end();
  }

  async #flush(): Promise<void> {
    const reply = this.#reply;
    const settled = this.#settled();
    if (settled !== undefined) await settled;
    this.#phase = Phase.Writing;
    if (this.#mailbox !== undefined) await this.#writeEarlier(this.#mailbox);
    for (let chunk = reply.takeChunk(); chunk !== undefined; chunk = reply.takeChunk()) await this.#writeLong(chunk);
    const last = reply.buffer.subarray(0, reply.length);
    if (last.length > REPLY_CHUNK_BYTES) await this.#writeLong(last);
    else if (last.length > 0) await this.#writePiece(last);
    reply.clear();
    if (this.#mailbox !== undefined) await this.#writeLater(this.#mailbox);
  }

  /** Writes the messages that came before the batch. */
  async #writeEarlier(mailbox: Mailbox): Promise<void> {
    await mailbox.written;
    for (let bytes = mailbox.takeEarlier(); bytes !== undefined; bytes = mailbox.takeEarlier()) {
      await this.#writePiece(bytes);
      this.held(mailbox.size);
    }
  }

  /** Writes the messages that there are now. Those that come meanwhile have to wait: the client's requests do so, too. */
  async #writeLater(mailbox: Mailbox): Promise<void> {
    for (let left = mailbox.size; left > 0 || mailbox.isWithin;) {
      const bytes = mailbox.take();
      if (bytes === undefined) return;
      left -= bytes.length;
      await this.#writePiece(bytes);
      this.held(mailbox.size);
    }
  }

  async #writeLong(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; start += REPLY_CHUNK_BYTES) {
      await this.#writePiece(bytes.subarray(start, start + REPLY_CHUNK_BYTES));
    }
  }

  /** Writes a piece of replies, and lets others run where many follow each other. */
  #writePiece(bytes: Uint8Array): Promise<void> {
    const written = this.#connection.write(bytes);
    this.#burst += bytes.length;
    if (this.#burst < REPLY_BURST_BYTES) return written;
    // Writes that need not wait follow each other without a turn of the event loop.
    this.#burst = 0;
    return written.then(() => this.#host.slices.next());
  }

  /**
   * Writes the replies and `line`, then ends the connection. What the peer still sends is read for a while: closing
   * with unread input resets the connection, and the peer would lose the reply that says why.
   */
  async #refuse(line: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#hasOutput) await this.#flush();
    this.#phase = Phase.Writing;
    // Nobody shall be told that this client listens once it sees the end.
    this.shared.forget(this.client);
    if (line.length > 0) await this.#connection.write(line);
    await this.#socket.closeWrite();
    if (this.#stopping) return;
    this.#steps++;
    this.#phase = Phase.Lingering;
    await this.#connection.drop(this.#host.slices);
  }
}
