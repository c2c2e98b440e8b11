/**
 * The output of one client: it is collected during a turn of the event loop, and written once. When more replies of the
 * same batch are expected, it waits for them a little (write_coalescer.ts).
 *
 * While one buffer is written another one collects, so writes never overlap. Long output is written in pieces, so that
 * the progress of a slow reader can be seen. A full buffer is put aside and another one begun, so nothing is copied
 * twice. Buffers are charged to the client's account, and freed as soon as they are written.
 *
 * Messages of channels are written among the replies, in the order in which both came. They are not copied, since many
 * clients get the same ones (message_queue.ts):
 *
 * ```text
 * queue        replies   message   message   replies   message      everything up to the last message
 * collecting   replies …                                            everything after it; nearly always all there is
 * ```
 *
 * @module
 */

import { copyBytes, enlarge } from "../../bytes.ts";
import {
  BUFFER_KEEP_MAX_BYTES,
  READ_BUFFER_BATCH_BYTES,
  REPLY_BURST_BYTES,
  REPLY_CHUNK_BYTES,
  REPLY_FLUSH_BYTES,
  REPLY_HOLD_MAX_BYTES,
} from "../../limits.ts";
import { type ClientAccount, Held, UNLIMITED_ACCOUNT } from "../../memory/client_memory.ts";
import { freeUnborrowed } from "../../memory/freed_memory.ts";
import { MessageQueue, type SharedBytes } from "../../memory/message_queue.ts";
import type { Deliverable } from "../../role/delivery_queue.ts";
import type { Flushable, FlushQueue } from "../../route/flush_queue.ts";
import type { Coalesced as HeldBack, WriteCoalescer } from "./write_coalescer.ts";

const INITIAL_BYTES = 4096;
const EMPTY = new Uint8Array(0);

/** The link of the client that gets the output. */
export interface OutboxOwner {
  /** Writes all of `bytes`, which do not change until then. Rejects when the connection is lost. */
  write(bytes: Uint8Array): Promise<void>;
  /** Whether replies are on their way that should leave with those collected. */
  readonly expectsMore: boolean;
  /** Is called when everything was written, except replies that wait for more. */
  written(): void;
  /** Is called when writing failed. Nothing more will be written. */
  broken(): void;
}

/** The outbox of one client. */
export class Outbox implements Flushable, HeldBack, Deliverable {
  scheduled = false;
  listed = false;
  isDue = false;
  readonly #owner: OutboxOwner;
  readonly #flushQueue: FlushQueue;
  readonly #coalescer: WriteCoalescer;
  // A client that only waits holds no buffer.
  #collecting: Uint8Array<ArrayBuffer> = EMPTY;
  #length = 0;
  #spare: Uint8Array<ArrayBuffer> = EMPTY;
  /** The filled parts of full buffers, and long replies. They are written first. */
  #full: Uint8Array<ArrayBuffer>[] = [];
  #fullSize = 0;
  #leaving = 0;
  readonly #account: ClientAccount;
  readonly #queue: MessageQueue;

  /** @param account is charged for the buffers */
  constructor(
    owner: OutboxOwner,
    flushQueue: FlushQueue,
    coalescer: WriteCoalescer,
    account: ClientAccount = UNLIMITED_ACCOUNT,
  ) {
    this.#account = account;
    this.#queue = new MessageQueue((bytes) => account.share(bytes));
    this.#owner = owner;
    this.#flushQueue = flushQueue;
    this.#coalescer = coalescer;
  }

  /** The number of bytes that were not written yet. */
  get size(): number {
    return this.#length + this.#fullSize + this.#leaving + this.#queue.size;
  }

  /** The size of waiting messages that the client could have read by now, in bytes. */
  get agedMessagesSize(): number {
    return this.#queue.agedSize;
  }

  /** Whether a write is under way. */
  get writing(): boolean {
    return this.#leaving > 0;
  }

  /** Appends `bytes[start, start + length)`, which is copied. */
  append(bytes: Uint8Array, start: number, length: number): void {
    if (this.#length + length > this.#collecting.length) this.#makeRoom(length);
    copyBytes(bytes, start, this.#collecting, this.#length, length);
    this.#length += length;
    if (this.#leaving === 0) this.#flushQueue.schedule(this);
  }

  #makeRoom(length: number): void {
    const old = this.#collecting;
    const needed = this.#length + length;
    if (needed > REPLY_CHUNK_BYTES && this.#length > 0) {
      this.#putAside();
      this.#account.force(Held.Reply, Math.max(length, INITIAL_BYTES));
      this.#collecting = new Uint8Array(Math.max(length, INITIAL_BYTES));
      return;
    }
    const size = Math.max(needed, INITIAL_BYTES, Math.min(old.length * 2, REPLY_CHUNK_BYTES));
    this.#account.force(Held.Reply, size - old.length);
    this.#collecting = enlarge(old, this.#length, size);
    freeUnborrowed(old);
  }

  /** Puts aside the filled part of the buffer. From then on only that part is charged. */
  #putAside(): void {
    this.#account.release(Held.Reply, this.#collecting.length - this.#length);
    this.#full.push(this.#collecting.subarray(0, this.#length));
    this.#fullSize += this.#length;
    this.#length = 0;
  }

  /** Appends a long reply, or a piece of one, which the outbox owns from then on. */
  appendOwned(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#length > 0) {
      this.#putAside();
      this.#collecting = EMPTY;
    }
    this.#account.force(Held.Reply, bytes.length);
    this.#full.push(bytes);
    this.#fullSize += bytes.length;
    if (this.#leaving === 0) this.#flushQueue.schedule(this);
  }

  /**
   * Appends a message, whose bytes are kept. {@linkcode deliver} writes it, or it is written with the next replies.
   */
  put(head: Uint8Array, tail: SharedBytes | undefined): void {
    this.#queueReplies();
    this.#queue.put(head, tail);
    this.#noteMessages();
  }

  /** Puts the collected replies before a message. From then on they are charged as messages are. */
  #queueReplies(): void {
    for (const full of this.#full) {
      this.#queue.putReplies(full);
      this.#account.release(Held.Reply, full.length);
    }
    this.#full = [];
    this.#fullSize = 0;
    if (this.#length === 0) return;
    this.#queue.putReplies(this.#collecting.subarray(0, this.#length));
    this.#account.release(Held.Reply, this.#collecting.length);
    this.#collecting = EMPTY;
    this.#length = 0;
  }

  #noteMessages(): void {
    this.#account.set(Held.Messages, this.#queue.size);
  }

  /** Part of {@linkcode Deliverable}. */
  deliver(): void {
    this.#queue.age();
    this.flush();
  }

  /** Begins to write, unless a write is under way or more replies are expected. Then the output follows later. */
  flush(): void {
    if (this.#leaving > 0 || (this.#length === 0 && this.#fullSize === 0 && this.#queue.size === 0)) return;
    if (this.#mayWait) this.#coalescer.hold(this);
    else this.#write();
  }

  /** Part of {@linkcode HeldBack}. */
  release(): void {
    if (this.#leaving === 0 && (this.#length > 0 || this.#fullSize > 0 || this.#queue.size > 0)) this.#write();
  }

  get #mayWait(): boolean {
    return this.#fullSize === 0 && this.#length < REPLY_HOLD_MAX_BYTES && this.#queue.size === 0 &&
      this.#owner.expectsMore;
  }

  /** Forgets the collected output: the owner has ended the connection. */
  discard(): void {
    for (const buffer of [this.#collecting, this.#spare, ...this.#full]) this.#free(buffer);
    this.#collecting = this.#spare = EMPTY;
    this.#full = [];
    this.#length = this.#fullSize = 0;
    this.#queue.clear();
    this.#noteMessages();
  }

  #free(buffer: Uint8Array<ArrayBuffer>): void {
    this.#account.release(Held.Reply, buffer.length);
    freeUnborrowed(buffer);
  }

  /** Takes out the buffer that is written next, and sets `#leaving` to the size of its filled part. */
  #takeNext(): Uint8Array<ArrayBuffer> {
    const full = this.#full.shift();
    if (full !== undefined) {
      this.#leaving = full.length;
      this.#fullSize -= this.#leaving;
      return full;
    }
    const last = this.#collecting;
    this.#leaving = this.#length;
    this.#collecting = this.#spare;
    this.#spare = EMPTY;
    this.#length = 0;
    return last;
  }

  /** Keeps a written buffer for the next replies, or frees it. */
  #keepOrFree(buffer: Uint8Array<ArrayBuffer>): void {
    const size = buffer.buffer.byteLength;
    const keepMaxBytes = this.#account.isTight ? READ_BUFFER_BATCH_BYTES : BUFFER_KEEP_MAX_BYTES;
    const isNeeded = this.#collecting.length === 0 || this.#spare.length === 0;
    if (size > keepMaxBytes || this.#account.isClosed || !isNeeded) return this.#free(buffer);
    this.#account.force(Held.Reply, size - buffer.length);
    const whole = size === buffer.length ? buffer : new Uint8Array(buffer.buffer);
    if (this.#collecting.length === 0) this.#collecting = whole;
    else this.#spare = whole;
  }

  /** Lets others have a turn: writes that complete immediately follow each other without one. Returns 0. */
  async #pause(): Promise<0> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    return 0;
  }

  async #write(): Promise<void> {
    try {
      let burst = 0;
      do {
        while (this.#queue.size > 0) {
          const bytes = this.#queue.take(REPLY_FLUSH_BYTES)!;
          this.#leaving = bytes.length;
          await this.#owner.write(bytes);
          this.#noteMessages();
          burst += bytes.length;
          if (burst >= REPLY_BURST_BYTES) burst = await this.#pause();
        }
        this.#leaving = 0;
        if (this.#length === 0 && this.#fullSize === 0) continue;
        const buffer = this.#takeNext();
        const end = this.#leaving;
        for (let start = 0; start < end; start += REPLY_FLUSH_BYTES) {
          if (burst >= REPLY_BURST_BYTES) burst = await this.#pause();
          const stop = Math.min(end, start + REPLY_FLUSH_BYTES);
          await this.#owner.write(buffer.subarray(start, stop));
          burst += stop - start;
          this.#leaving = end - stop;
        }
        this.#keepOrFree(buffer);
      } while (this.#queue.size > 0 || this.#fullSize > 0 || (this.#length > 0 && !this.#mayWait));
      if (this.#length > 0) this.#coalescer.hold(this);
      this.#owner.written();
    } catch {
      this.#leaving = 0;
      this.#owner.broken();
    }
  }
}
