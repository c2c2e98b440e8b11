/**
 * One client's connection to the server: batch in, commands, batch out.
 *
 * ```text
 * read once → every whole frame in it → run each, synchronously → write all replies once → read …
 * ```
 *
 * Nothing is awaited and nothing allocated between the frames of a batch, except where a command waits (`save`, `keys`) or
 * the replies have become so many that they are written first. While it writes, it does not read, so a client that does
 * not take its replies holds one read buffer and one batch of replies.
 *
 * A command that takes long pauses between its slices. From the first pause on the session reads ahead, a little, only to
 * notice that the client leaves: as in Redis, one that ends its side of the connection gives up on the reply.
 *
 * Deadlines need no timer of their own: {@linkcode Session.sweep} is called about once a second and compares what it
 * sees with what it saw before.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { execute } from "../command/table.ts";
import type { CommandContext } from "../command/table.ts";
import { InmemError, ProtocolError, ReplyError } from "../errors.ts";
import {
  AUTHENTICATION_TIMEOUT_MS,
  FRAME_SIZE_MAX_BYTES,
  FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES,
  LINGER_TIMEOUT_MS,
  PARTIAL_FRAME_MIN_BYTES_PER_MS,
  PARTIAL_FRAME_TIMEOUT_MS,
  PREFETCH_MAX_COUNT,
  READ_BUFFER_BATCH_BYTES,
  REPLY_BURST_BYTES,
  REPLY_CHUNK_BYTES,
  REPLY_FLUSH_BYTES,
  WRITE_TIMEOUT_MS,
} from "../limits.ts";
import type { Store } from "../store/store.ts";
import { Connection, protocolOf } from "../wire/connection.ts";
import { decodeRequest, FRAME_PREFIX_BYTES, frameLength } from "../wire/frame.ts";
import { KeyWindow } from "../wire/key_window.ts";
import { NativeReply } from "../wire/reply.ts";
import { Request } from "../wire/request.ts";
import { abort } from "../wire/socket.ts";
import type { Slices } from "./slices.ts";

/** What all sessions of a server share. */
export interface SessionHost {
  readonly store: Store;
  /** TTL of keys made without one, in ms; 0 for none. */
  readonly defaultTtlMs: number;
  /** Whether clients have to authenticate. */
  readonly passwordRequired: boolean;
  /** Turns for commands that take long. */
  readonly slices: Slices;
  /** Requests answered, by all sessions. */
  commands: number;
  /** Whether user and password are right. */
  authenticate(user: string, password: string): boolean;
  /** The text of `info`. */
  info(sections: readonly string[]): string;
  /** Writes a snapshot. @throws {ReplyError} */
  save(): Promise<void>;
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
  Close,
}

/** One is enough for all sessions, since nothing is kept in it. */
const nextKeys = new KeyWindow(PREFETCH_MAX_COUNT);

const FOREIGN_PROTOCOL_LINE = encodeText(
  "-ERR this port speaks the native protocol of inmem only; use inmem client or a library for it\r\n",
);

/** One connection that is being served. */
export class Session implements CommandContext {
  readonly store: Store;
  readonly passwordRequired: boolean;
  readonly defaultTtlMs: number;
  authenticated: boolean;
  readonly #host: SessionHost;
  readonly #socket: Deno.TcpConn | Deno.TlsConn;
  readonly #connection: Connection;
  readonly #request = new Request();
  readonly #reply = new NativeReply();
  readonly #acceptedMs = performance.now();
  #phase = Phase.Reading;
  #stopping = false;
  #aborted: Promise<void> | undefined;
  /** The command that {@linkcode Next.Wait} waits for. */
  #pending: Promise<void> | undefined;
  /** Whether {@linkcode #watch} runs. */
  #watching = false;
  /** Whether the client has ended its side while a command paused. */
  #left = false;
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
    this.authenticated = !host.passwordRequired;
    this.#connection = new Connection({
      read: (target) => socket.read(target),
      write: (source) => {
        // A write that took a part is progress: the next one starts its time anew.
        this.#steps++;
        return socket.write(source);
      },
      close: () => socket.close(),
    });
  }

  authenticate(user: string, password: string): boolean {
    return this.#host.authenticate(user, password);
  }

  info(sections: readonly string[]): string {
    return this.#host.info(sections);
  }

  save(): Promise<void> {
    return this.#host.save();
  }

  slice(step: () => boolean): boolean {
    return this.#host.slices.run(step);
  }

  async pause(): Promise<void> {
    if (!this.#watching) this.#watch();
    await this.#host.slices.next();
    this.store.nowMs = Date.now();
    if (this.#stopping) throw new ReplyError("ERR", "the server is stopping");
    if (this.#left || this.#connection.closed) throw new ReplyError("ERR", "the connection was ended meanwhile");
  }

  /** Reads ahead while a command waits, as far as a batch goes, to see the client leave. */
  async #watch(): Promise<void> {
    const connection = this.#connection;
    this.#watching = true;
    try {
      while (
        !this.#left && this.#phase === Phase.Running && connection.end - connection.start < READ_BUFFER_BATCH_BYTES
      ) {
        this.#left = !await connection.readAhead();
      }
    } catch {
      // Why is told by the next read or write, which ends the session.
      this.#left = true;
    }
    this.#watching = false;
  }

  reportBug(error: unknown): void {
    this.#host.reportBug(error);
  }

  /** Serves the connection until it ends, and closes it. Never rejects because of what the peer does. */
  async run(): Promise<void> {
    const connection = this.#connection;
    try {
      if (!await connection.fill()) return;
      if (protocolOf(connection.buffer[connection.start]!) !== "native") {
        await this.#refuse(FOREIGN_PROTOCOL_LINE);
        return;
      }
      let next: Next;
      do {
        next = await this.#batch();
        if (next === Next.Close) return;
        if (this.#stopping) return await this.#socket.closeWrite();
        this.#phase = Phase.Reading;
      } while (await connection.fill());
    } catch (error) {
      // A connection that was lost, or closed by a deadline, ends the session and nothing else.
      if (!isDisconnection(error)) this.#host.reportBug(error);
    } finally {
      connection.close();
      await this.#aborted;
    }
  }

  /** Tells the peer why it is not served, and closes. */
  async reject(message: string): Promise<void> {
    try {
      this.#fail(message);
      await this.#refuse(new Uint8Array(0));
    } catch (error) {
      if (!isDisconnection(error)) this.#host.reportBug(error);
    } finally {
      this.#connection.close();
      await this.#aborted;
    }
  }

  /** Ends the session once the batch that is running is answered, where a command pauses with an error; at once else. */
  stop(): void {
    this.#stopping = true;
    if (this.#phase !== Phase.Reading && this.#phase !== Phase.Lingering) return;
    // The end is announced first, so that the client sees an orderly one.
    this.#socket.closeWrite().catch(() => {}).then(() => this.#connection.close());
  }

  /** Closes the connection whatever it does; resolves when its descriptor is free. */
  abort(): Promise<void> {
    this.#connection.close();
    this.#aborted ??= abort(this.#socket);
    return this.#aborted;
  }

  /**
   * Cuts the connection off when something has taken too long.
   *
   * @param nowMs as `performance.now()` tells it
   */
  sweep(nowMs: number): void {
    if (!this.authenticated && nowMs - this.#acceptedMs > AUTHENTICATION_TIMEOUT_MS) {
      this.abort();
      return;
    }
    const { start, end } = this.#connection;
    const phase = this.#phase;
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
    if (nowMs - this.#sweptMs > allowedMs) this.abort();
  }

  /** Runs all whole frames that were read and writes all replies. */
  async #batch(): Promise<Next> {
    const reply = this.#reply;
    this.#burst = 0;
    for (;;) {
      this.#phase = Phase.Running;
      this.store.nowMs = Date.now();
      const next = this.#runFrames();
      if (next === Next.Wait) {
        await this.#pending;
        this.#pending = undefined;
      } else if (next === Next.Close) {
        await this.#refuse(new Uint8Array(0));
        return next;
      } else {
        // It borrows the read buffer, which may be a large one that the next read gives back.
        if (next === Next.Read) this.#request.clear();
        if (reply.size > 0) await this.#flush();
        if (next === Next.Read) return next;
      }
    }
  }

  /** Takes frames out of the buffer and runs them, up to the first that is not whole or that something waits for. */
  #runFrames(): Next {
    const connection = this.#connection;
    const request = this.#request;
    const reply = this.#reply;
    let ahead = connection.start;
    for (;;) {
      const unread = connection.end - connection.start;
      if (unread < FRAME_PREFIX_BYTES) return Next.Read;
      if (connection.start >= ahead && this.store.isLarge) ahead = this.#lookAhead();
      const length = frameLength(connection.buffer, connection.start);
      const limit = this.authenticated ? FRAME_SIZE_MAX_BYTES : FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES;
      if (length > limit) {
        const reason = this.authenticated ? "" : " before authentication";
        this.#fail(`Protocol error: frame of ${length} bytes, expected at most ${limit}${reason}`);
        return Next.Close;
      }
      if (unread < FRAME_PREFIX_BYTES + length) return Next.Read;
      const start = connection.start + FRAME_PREFIX_BYTES;
      connection.start = start + length;
      this.#steps++;
      this.#host.commands++;
      try {
        decodeRequest(connection.buffer, start, connection.start, request);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        // The frame was whole, so the next one begins where it should: only this one is refused.
        this.#fail(`Protocol error: ${error.message}`);
        continue;
      }
      const pending = execute(this, request, reply);
      if (pending !== undefined) {
        this.#pending = pending;
        return Next.Wait;
      }
      if (reply.size > REPLY_FLUSH_BYTES) return Next.Flush;
    }
  }

  /** Has the memory for the next frames' keys fetched. Answers where to look ahead again. */
  #lookAhead(): number {
    const { buffer, start, end } = this.#connection;
    const behind = nextKeys.fill(buffer, start, end);
    this.store.prefetch(buffer, nextKeys.starts, nextKeys.lengths, 0, nextKeys.count, 1);
    return behind === start ? end : behind;
  }

  #fail(message: string): void {
    this.#reply.begin();
    this.#reply.error("ERR", message);
    this.#reply.end();
  }

  async #flush(): Promise<void> {
    const reply = this.#reply;
    this.#phase = Phase.Writing;
    for (let chunk = reply.takeChunk(); chunk !== undefined; chunk = reply.takeChunk()) await this.#writeLong(chunk);
    const last = reply.buffer.subarray(0, reply.length);
    if (last.length > REPLY_CHUNK_BYTES) await this.#writeLong(last);
    else await this.#writePiece(last);
    reply.clear();
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
    if (this.#reply.size > 0) await this.#flush();
    this.#phase = Phase.Writing;
    if (line.length > 0) await this.#connection.write(line);
    await this.#socket.closeWrite();
    if (this.#stopping) return;
    this.#steps++;
    this.#phase = Phase.Lingering;
    do this.#connection.start = this.#connection.end; while (await this.#connection.fill());
  }
}

/** Whether an exception means that the connection is gone, rather than that we have a bug. */
function isDisconnection(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof InmemError) return false;
  // What the runtime has no class for, such as EHOSTUNREACH, is a plain error with the system's code.
  return error.name in Deno.errors || "code" in error;
}
