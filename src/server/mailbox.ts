/**
 * What is published to channels that one client listens to, until it is written.
 *
 * Messages come from the commands of others, at any time. While the client's session says nothing, the mailbox writes them by
 * itself, when its turn comes among all mailboxes (delivery_queue.ts); else the session takes them along with its replies. In
 * either case they stay in order: what came before a command ran is written before its reply.
 *
 * A client that does not keep up is given up. What counts is what waits when one more message comes, so that a client which has
 * read everything gets the next message, however long it is.
 *
 * @module
 */

import type { ChannelMessage } from "../connection/channel_message.ts";
import { REPLY_CHUNK_BYTES } from "../limits.ts";
import { MessageQueue } from "../memory/message_queue.ts";
import type { Deliverable, DeliveryQueue } from "../role/delivery_queue.ts";

/** What a mailbox needs of its session. */
export interface MailboxOwner {
  /** Whether nothing is being said just now, nor is about to be. */
  readonly isQuiet: boolean;
  /** Bytes of messages that may wait for the client when one more comes. */
  readonly messagesMaxBytes: number;
  /** Writes; resolves when all is written. */
  write(bytes: Uint8Array): Promise<void>;
  /** Takes note of how many bytes of messages the mailbox holds now. */
  held(bytes: number): void;
  /** Takes note that others hold so many of the same bytes. */
  share(bytes: number): void;
  /** Takes note that the mailbox cannot write: its client has to go. */
  giveUp(error: unknown): void;
  /** Takes note that the client does not keep up: it has to go. */
  overflow(waitingBytes: number): void;
}

/** The messages for one client. */
export class Mailbox implements Deliverable {
  isDue = false;
  readonly #owner: MailboxOwner;
  readonly #deliveries: DeliveryQueue;
  readonly #queue: MessageQueue;
  /** Bytes that stand before the replies of the batch that runs; see {@linkcode markBatch}. */
  #earlierSize = 0;
  /** The write that is under way while the session says nothing. */
  #writing: Promise<void> | undefined;
  #leavingSize = 0;

  constructor(owner: MailboxOwner, deliveries: DeliveryQueue) {
    this.#owner = owner;
    this.#deliveries = deliveries;
    this.#queue = new MessageQueue((bytes) => owner.share(bytes));
  }

  /** Bytes that are held, those being written included. Several mailboxes may hold the same ones. */
  get size(): number {
    return this.#queue.size + this.#leavingSize;
  }

  /** Whether there is something to write, or is being written. */
  get isBusy(): boolean {
    return this.#writing !== undefined || this.#queue.size > 0;
  }

  /** Whether what was taken last ends within a message. */
  get isWithin(): boolean {
    return this.#queue.isWithin;
  }

  /** Whether a message has come since {@linkcode markBatch} was called. */
  get hasLater(): boolean {
    return this.#queue.size > this.#earlierSize;
  }

  /** Resolves when the mailbox writes nothing by itself any more. Whoever wants to write waits for it. */
  get written(): Promise<void> | undefined {
    return this.#writing;
  }

  /** Appends a message, whose bytes are kept. */
  put(message: ChannelMessage, version: 2 | 3): void {
    const queue = this.#queue;
    if (queue.agedSize + this.#leavingSize > this.#owner.messagesMaxBytes) return this.#owner.overflow(this.size);
    queue.put(message.head(version), message.tail);
    this.#owner.held(this.size);
    this.#deliveries.schedule(this);
  }

  /** Part of {@linkcode Deliverable}. */
  deliver(): void {
    this.#queue.age();
    this.wake();
  }

  /** Writes what there is, if the session says nothing. To be called when it has become quiet: nobody else would. */
  wake(): void {
    if (this.#queue.size > 0 && this.#writing === undefined && this.#owner.isQuiet) this.#writing = this.#writeAll();
  }

  /** Says that a batch begins: what has come until now is written before its replies, and what comes later after them. */
  markBatch(): void {
    this.#earlierSize = this.#queue.size;
    this.#queue.seal();
  }

  /** Takes out some of what came before the batch, for the session to write before its replies. */
  takeEarlier(): Uint8Array | undefined {
    if (this.#earlierSize === 0) return undefined;
    const bytes = this.#queue.take(Math.min(REPLY_CHUNK_BYTES, this.#earlierSize));
    this.#earlierSize -= bytes?.length ?? this.#earlierSize;
    return bytes;
  }

  /** Takes out some of what there is, for the session to write. */
  take(): Uint8Array | undefined {
    return this.#queue.take(REPLY_CHUNK_BYTES);
  }

  /** Forgets all messages, for good: the connection has ended. */
  free(): void {
    this.#queue.clear();
    this.#earlierSize = 0;
  }

  async #writeAll(): Promise<void> {
    const queue = this.#queue;
    try {
      // A message that was begun is brought to its end.
      while (queue.isWithin || this.#owner.isQuiet) {
        const bytes = queue.take(REPLY_CHUNK_BYTES);
        if (bytes === undefined) break;
        this.#leavingSize = bytes.length;
        this.#earlierSize = Math.max(0, this.#earlierSize - bytes.length);
        await this.#owner.write(bytes);
        this.#leavingSize = 0;
        this.#owner.held(this.size);
      }
    } catch (error) {
      this.#leavingSize = 0;
      this.#owner.giveUp(error);
    } finally {
      this.#leavingSize = 0;
      // At once: a message that comes after the last look has to begin anew.
      this.#writing = undefined;
    }
  }
}
