/**
 * One client's connection to the proxy: requests in, replies out in the same order.
 *
 * ```text
 * read once → every whole frame in it → routed, each in a slot → read …      (requests)
 * slots     [ answered, written | waiting · kept · kept · waiting … ]        (replies)
 *                                 head                          tail
 * ```
 *
 * Reading goes on while replies are awaited, so a client may pipeline; how far it gets ahead is bounded. It is not
 * read while the replies that are held for it, or expected by the sizes of those it got before, exceed a limit, or a
 * server it sends to has its queue full. So a client that does not read its replies, or works with a slow server, costs
 * a bounded amount of memory, and no other client waits for it.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import type { ReplyCode } from "../errors.ts";
import { InmemError } from "../errors.ts";
import {
  CLIENT_BACKLOG_MAX_BYTES,
  CLIENT_REPLY_ESTIMATE_BYTES,
  FRAME_SIZE_MAX_BYTES,
  FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES,
  PROXY_IN_FLIGHT_MAX_COUNT,
} from "../limits.ts";
import { Lane } from "../route/exchange.ts";
import type { Exchange } from "../route/exchange.ts";
import type { Pool } from "../route/pool.ts";
import type { Turn } from "../route/turn.ts";
import { Connection, protocolOf } from "../wire/connection.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../wire/frame.ts";
import { abort } from "../wire/socket.ts";
import { Deadlines } from "./deadlines.ts";
import { Outbox } from "./outbox.ts";
import type { OutboxOwner } from "./outbox.ts";
import type { Router } from "./router.ts";
import { Slot } from "./slot.ts";
import type { Client } from "./slot.ts";

const RING_INITIAL_COUNT = 16;
/** A ring above this size is given back when the client is idle. */
const RING_KEEP_MAX_COUNT = 1024;

/** A reply up to this size is short. */
const SHORT_REPLY_MAX_BYTES = 1024;

const FOREIGN_PROTOCOL_LINE = encodeText(
  "-ERR this port speaks the native protocol of inmem only; use inmem client or a library for it\r\n",
);

/** What all sessions of a proxy share. */
export interface SessionHost {
  readonly router: Router;
  readonly turn: Turn;
  /** Whether clients have to authenticate. */
  readonly passwordRequired: boolean;
  /** See CLIENT_REPLIES_MAX_BYTES. */
  readonly repliesMaxBytes: number;
  /** Requests taken, by all sessions. */
  commands: number;
  /** Takes note of a bug of ours. */
  reportBug(error: unknown): void;
}

/** One connection that is being served. */
export class Session implements Client, OutboxOwner {
  authenticated: boolean;
  readonly #host: SessionHost;
  readonly #socket: Deno.TcpConn | Deno.TlsConn;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #deadlines = new Deadlines();
  readonly #lanes = new Map<Pool, Lane>();
  /** No more requests are taken. */
  #ending = false;
  /** The connection is gone; replies that still come are dropped. */
  #closed = false;
  #stopping: Promise<void> | undefined;

  #ring: (Slot | undefined)[] = new Array(RING_INITIAL_COUNT).fill(undefined);
  #head = 0;
  #tail = 0;
  /** Bytes of replies kept in slots. */
  #keptBytes = 0;
  /** The size of the next reply, guessed from above: the largest of late, sinking slowly. */
  #estimate = CLIENT_REPLY_ESTIMATE_BYTES;
  /** A server's queue is full. */
  #blocked = false;
  /** Ends the pause in taking requests. */
  #resume: (() => void) | undefined;
  /** Resolved when every reply is written. */
  #whenDrained: PromiseWithResolvers<void> | undefined;

  /** @param socket after its handshake; the session owns it */
  constructor(socket: Deno.TcpConn | Deno.TlsConn, host: SessionHost) {
    this.#socket = socket;
    this.#host = host;
    this.authenticated = !host.passwordRequired;
    this.#connection = new Connection(socket);
    this.#outbox = new Outbox(this, host.turn);
  }

  /** Serves the connection until it ends, and closes it. Never rejects because of what the peer does. */
  async run(): Promise<void> {
    const connection = this.#connection;
    try {
      if (!await connection.fill()) return;
      if (protocolOf(connection.buffer[connection.start]!) !== "native") {
        this.#outbox.append(FOREIGN_PROTOCOL_LINE, 0, FOREIGN_PROTOCOL_LINE.length);
        return await this.#endRefused();
      }
      do {
        if (this.#stopping !== undefined) return await this.#stopping;
        if (!this.#takeFrames()) return await this.#endRefused();
        while (this.#mustPause()) {
          await this.#pause();
          if (!this.#takeFrames()) return await this.#endRefused();
        }
      } while (await connection.fill());
      // The client may have ended its half only, and wait for its replies.
      await this.#endInOrder();
    } catch (error) {
      // A connection that was lost, or closed by a deadline, ends the session and nothing else.
      if (!isDisconnection(error)) this.#host.reportBug(error);
    } finally {
      this.#close();
    }
  }

  /** Tells the peer why it is not served, and closes. */
  async reject(message: string): Promise<void> {
    try {
      this.refuse(this.openSlot(), "ERR", message);
      await this.#endRefused();
    } catch (error) {
      if (!isDisconnection(error)) this.#host.reportBug(error);
    } finally {
      this.#close();
    }
  }

  /** Takes no more requests, and ends the connection once those in flight are answered. */
  stop(): Promise<void> {
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
    const partialBytes = this.#resume === undefined ? end - start : 0;
    if (this.#deadlines.isLate(nowMs, this.authenticated, partialBytes, this.#outbox)) this.abort();
  }

  /**
   * Takes frames out of the buffer and routes them, up to the first that is not whole, or that has to wait.
   *
   * @returns `false` when the framing is lost, and the client was told so
   */
  #takeFrames(): boolean {
    const connection = this.#connection;
    const router = this.#host.router;
    while (!this.#ending && !this.#mustPause()) {
      const start = connection.start;
      const unread = connection.end - start;
      if (unread < FRAME_PREFIX_BYTES) return true;
      const length = frameLength(connection.buffer, start);
      const limit = this.authenticated ? FRAME_SIZE_MAX_BYTES : FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES;
      if (length > limit) {
        const reason = this.authenticated ? "" : " before authentication";
        const message = `Protocol error: frame of ${length} bytes, expected at most ${limit}${reason}`;
        this.refuse(this.openSlot(), "ERR", message);
        return false;
      }
      if (unread < FRAME_PREFIX_BYTES + length) return true;
      const end = start + FRAME_PREFIX_BYTES + length;
      connection.start = end;
      this.#deadlines.frames++;
      this.#host.commands++;
      router.route(this, connection.buffer, start, end);
    }
    return true;
  }

  // What the routing asks of a client.

  openSlot(): Slot {
    if (this.#tail - this.#head === this.#ring.length) this.#growRing();
    const place = this.#tail++ & (this.#ring.length - 1);
    const slot = this.#ring[place] ??= new Slot(this);
    slot.reset();
    return slot;
  }

  send(pool: Pool, exchange: Exchange, bytes: Uint8Array, start: number, size: number): void {
    let lane = this.#lanes.get(pool);
    if (lane === undefined) lane = this.#addLane(pool);
    const congested = pool.send(lane, exchange, bytes, start, size);
    if (congested === undefined || this.#blocked) return;
    this.#blocked = true;
    congested.whenRelieved(() => {
      this.#blocked = false;
      this.#resumeIfPossible();
    });
  }

  #addLane(pool: Pool): Lane {
    // Servers that were removed are forgotten now and then, and this happens seldom.
    for (const known of this.#lanes.keys()) if (known.closed) this.#lanes.delete(known);
    const lane = new Lane();
    this.#lanes.set(pool, lane);
    return lane;
  }

  refuse(slot: Slot, code: ReplyCode, message: string): void {
    this.#host.router.refuse(slot, code, message);
  }

  complete(slot: Slot, bytes: Uint8Array, start: number, end: number): void {
    if (this.#closed) return;
    const size = end - start;
    // Short replies, refusals among them, are always taken: their number is bounded.
    if (size > SHORT_REPLY_MAX_BYTES && this.#outbox.size + this.#keptBytes > this.#host.repliesMaxBytes) {
      // The reply to a write may be all that is left of what it took out, so it must not be dropped alone.
      if (!slot.repeatable) return void this.abort();
      const message = `more than ${this.#host.repliesMaxBytes} bytes of replies wait to be read`;
      return this.refuse(slot, "BUSY", message);
    }
    this.#estimate = size >= this.#estimate ? size : this.#estimate - ((this.#estimate - size) >>> 4);
    const mask = this.#ring.length - 1;
    if (slot !== this.#ring[this.#head & mask]) {
      slot.keep(bytes, start, end);
      this.#keptBytes += size;
      return;
    }
    this.#outbox.append(bytes, start, size);
    this.#head++;
    for (; this.#head < this.#tail; this.#head++) {
      const next = this.#ring[this.#head & mask]!;
      if (!next.done) break;
      this.#outbox.append(next.reply, 0, next.replySize);
      this.#keptBytes -= next.replySize;
    }
    if (this.#head === this.#tail) {
      // Counting afresh keeps the positions small integers.
      this.#head = this.#tail = 0;
      if (mask >= RING_KEEP_MAX_COUNT) this.#ring = new Array(RING_INITIAL_COUNT).fill(undefined);
    }
    if (this.#resume !== undefined) this.#resumeIfPossible();
  }

  #growRing(): void {
    const grown: (Slot | undefined)[] = new Array(this.#ring.length * 2).fill(undefined);
    for (let i = this.#head; i < this.#tail; i++) {
      grown[i & (grown.length - 1)] = this.#ring[i & (this.#ring.length - 1)];
    }
    this.#ring = grown;
  }

  // Bounds on how far the client gets ahead.

  /** Bytes of replies that are held, and those that what is in flight is expected to bring. */
  #backlog(): number {
    return this.#outbox.size + this.#keptBytes + (this.#tail - this.#head) * this.#estimate;
  }

  #mustPause(): boolean {
    if (this.#ending) return false;
    if (this.#blocked) return true;
    const inFlight = this.#tail - this.#head;
    if (inFlight === 0 && this.#outbox.size === 0) return false;
    return inFlight >= PROXY_IN_FLIGHT_MAX_COUNT || this.#backlog() >= CLIENT_BACKLOG_MAX_BYTES;
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resume = resolve;
    // What it waits for may have come about between the two calls.
    this.#resumeIfPossible();
    return promise;
  }

  /** Goes on well below the limits, so that one does not stop and go for every request. */
  #resumeIfPossible(): void {
    const resume = this.#resume;
    if (resume === undefined) return;
    const inFlight = this.#tail - this.#head;
    const idle = inFlight === 0 && this.#outbox.size === 0;
    const relieved = inFlight <= PROXY_IN_FLIGHT_MAX_COUNT / 2 && this.#backlog() <= CLIENT_BACKLOG_MAX_BYTES / 2;
    if (!this.#closed && (this.#blocked || !(idle || relieved))) return;
    this.#resume = undefined;
    resume();
  }

  // Writing.

  write(bytes: Uint8Array): Promise<void> {
    return this.#connection.write(bytes);
  }

  written(): void {
    if (this.#head === this.#tail) this.#whenDrained?.resolve();
    this.#resumeIfPossible();
  }

  broken(): void {
    this.#close();
  }

  /** Resolves when every request is answered and every reply written, or the connection is lost. */
  async #drained(): Promise<void> {
    if (this.#closed || (this.#head === this.#tail && this.#outbox.size === 0)) return;
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
    do this.#connection.start = this.#connection.end; while (await this.#connection.fill());
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ending = true;
    this.#connection.close();
    this.#whenDrained?.resolve();
    this.#resumeIfPossible();
    // Slots in flight hold the session until their servers answer; what it holds need not wait for that.
    this.#lanes.clear();
    this.#ring = [];
    this.#outbox.discard();
  }
}

/** Whether an exception means that the connection is gone, rather than that we have a bug. */
function isDisconnection(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof InmemError) return false;
  // What the runtime has no class for, such as EHOSTUNREACH, is a plain error with the system's code.
  return error.name in Deno.errors || "code" in error;
}
