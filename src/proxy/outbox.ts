/**
 * The replies of one client on their way out: collected during a turn of the event loop, written once. Where more are
 * expected that belong to the same batch, they wait for those a little (patience.ts).
 *
 * While one buffer is written another collects, so writes never overlap. Long output is written in pieces, so that a
 * slow reader's progress can be seen.
 *
 * Messages of channels stand among the replies in the order in which both came. They are not copied, since many clients get the
 * same ones (message_queue.ts):
 *
 * ```text
 * queue        replies   message   message   replies   message      what came up to the last message
 * collecting   replies …                                            what came after it; nearly always all there is
 * ```
 *
 * @module
 */

import { copyBytes, enlarge } from "../bytes.ts";
import { BUFFER_KEEP_MAX_BYTES, REPLY_BURST_BYTES, REPLY_FLUSH_BYTES, REPLY_HOLD_MAX_BYTES } from "../limits.ts";
import type { Deliverable } from "../role/delivery_queue.ts";
import type { Flushable, Turn } from "../route/turn.ts";
import { MessageQueue } from "../wire/message_queue.ts";
import type { Held, Patience } from "./patience.ts";

const INITIAL_BYTES = 4096;
const EMPTY = new Uint8Array(0);

/** Who an outbox belongs to. */
export interface OutboxOwner {
  /** Writes all of `bytes`, which do not change meanwhile. Rejects when the connection is lost. */
  write(bytes: Uint8Array): Promise<void>;
  /** Whether replies are on their way that are to leave with those collected. */
  readonly expectsMore: boolean;
  /** Everything was written, but for what waits for more. */
  written(): void;
  /** Writing failed; nothing more will be written. */
  broken(): void;
}

/** Collects and writes. */
export class Outbox implements Flushable, Held, Deliverable {
  scheduled = false;
  listed = false;
  isDue = false;
  /** Counts the pieces written: as long as it stays the same, the same piece is on its way. */
  steps = 0;
  readonly #owner: OutboxOwner;
  readonly #turn: Turn;
  readonly #patience: Patience;
  // A client that only waits holds no buffer.
  #collecting: Uint8Array<ArrayBuffer> = EMPTY;
  #length = 0;
  #spare: Uint8Array<ArrayBuffer> = EMPTY;
  #leaving = 0;
  readonly #queue = new MessageQueue();

  constructor(owner: OutboxOwner, turn: Turn, patience: Patience) {
    this.#owner = owner;
    this.#turn = turn;
    this.#patience = patience;
  }

  /** Bytes that were not written yet. */
  get size(): number {
    return this.#length + this.#leaving + this.#queue.size;
  }

  /** Bytes of messages that wait and that the client could have read by now. */
  get agedMessagesSize(): number {
    return this.#queue.agedSize;
  }

  /** Whether a write is under way. */
  get writing(): boolean {
    return this.#leaving > 0;
  }

  /** Appends `bytes[start, start + length)`, which is copied. */
  append(bytes: Uint8Array, start: number, length: number): void {
    const needed = this.#length + length;
    if (needed > this.#collecting.length) {
      this.#collecting = enlarge(this.#collecting, this.#length, Math.max(needed, INITIAL_BYTES));
    }
    copyBytes(bytes, start, this.#collecting, this.#length, length);
    this.#length = needed;
    if (this.#leaving === 0) this.#turn.schedule(this);
  }

  /** Appends a message, whose bytes are kept. It is written when {@linkcode deliver} is called, or with the next replies. */
  put(head: Uint8Array, tail: Uint8Array | undefined): void {
    if (this.#length > 0) {
      this.#queue.putReplies(this.#collecting.subarray(0, this.#length));
      this.#collecting = EMPTY;
      this.#length = 0;
    }
    this.#queue.put(head, tail);
  }

  /** Part of {@linkcode Deliverable}. */
  deliver(): void {
    this.#queue.age();
    this.flush();
  }

  /** Begins to write, unless that is under way, or more is expected: then what was collected follows. */
  flush(): void {
    if (this.#leaving > 0 || (this.#length === 0 && this.#queue.size === 0)) return;
    if (this.#mayWait) this.#patience.hold(this);
    else this.#write();
  }

  /** Part of {@linkcode Held}. */
  release(): void {
    if (this.#leaving === 0 && (this.#length > 0 || this.#queue.size > 0)) this.#write();
  }

  get #mayWait(): boolean {
    return this.#length < REPLY_HOLD_MAX_BYTES && this.#queue.size === 0 && this.#owner.expectsMore;
  }

  /** Forgets what is collected, for good. The owner has ended the connection. */
  discard(): void {
    this.#collecting = this.#spare = EMPTY;
    this.#length = 0;
    this.#queue.clear();
  }

  async #write(): Promise<void> {
    try {
      do {
        for (let burst = 0; this.#queue.size > 0;) {
          const bytes = this.#queue.take(REPLY_FLUSH_BYTES)!;
          this.#leaving = bytes.length;
          await this.#owner.write(bytes);
          this.steps++;
          burst += bytes.length;
          if (burst < REPLY_BURST_BYTES) continue;
          // Writes that need not wait follow each other without a turn of the event loop.
          burst = 0;
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
        this.#leaving = 0;
        if (this.#length === 0) continue;
        const buffer = this.#collecting;
        this.#leaving = this.#length;
        this.#collecting = this.#spare;
        this.#spare = EMPTY;
        this.#length = 0;
        const end = this.#leaving;
        for (let start = 0; start < end; start += REPLY_FLUSH_BYTES) {
          const stop = Math.min(end, start + REPLY_FLUSH_BYTES);
          await this.#owner.write(buffer.subarray(start, stop));
          this.#leaving = end - stop;
          this.steps++;
        }
        if (buffer.length <= BUFFER_KEEP_MAX_BYTES) {
          if (this.#collecting.length === 0) this.#collecting = buffer;
          else this.#spare = buffer;
        }
      } while (this.#queue.size > 0 || (this.#length > 0 && !this.#mayWait));
      if (this.#length > 0) this.#patience.hold(this);
      this.#owner.written();
    } catch {
      this.#leaving = 0;
      this.#owner.broken();
    }
  }
}
