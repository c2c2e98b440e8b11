/**
 * The messages for one client that listens to channels, until they are written.
 *
 * Messages come from commands of other clients, at any time. While the client's session is quiet, the mailbox writes
 * them itself, in its turn among all mailboxes (delivery_queue.ts). Otherwise the session writes them with its replies.
 * Either way their order is kept: messages that came before a command ran are written before its reply.
 *
 * A client that does not keep up is disconnected. Only messages that already wait when another one comes are counted,
 * so that a client that has read everything gets the next message, regardless of its length.
 *
 * @module
 */

import type { Message } from "../connection/channel_message.ts";
import { REPLY_CHUNK_BYTES } from "../limits.ts";
import { MessageQueue } from "../memory/message_queue.ts";
import type { Deliverable, DeliveryQueue } from "../role/delivery_queue.ts";

/** The parts of a session that its mailbox uses. */
export interface MailboxOwner {
  /** Whether the session writes nothing now, and is not about to. */
  readonly isQuiet: boolean;
  /** The most bytes of messages that may wait for the client when one more comes. */
  readonly messagesMaxBytes: number;
  /** Writes bytes to the client; resolves when all are written. */
  write(bytes: Uint8Array): Promise<void>;
  /** Reports how many bytes of messages the mailbox holds now. */
  held(bytes: number): void;
  /** Reports how many of the held bytes other mailboxes hold as well. */
  share(bytes: number): void;
  /** Reports that the mailbox cannot write, so that its client must be disconnected. */
  giveUp(error: unknown): void;
  /** Reports that the client does not keep up, so that it must be disconnected. */
  overflow(waitingBytes: number): void;
}

/** The queue of messages for one client. */
export class Mailbox implements Deliverable {
  isDue = false;
  readonly #owner: MailboxOwner;
  readonly #deliveries: DeliveryQueue;
  readonly #queue: MessageQueue;
  /** The bytes that come before the replies of the current batch; {@linkcode markBatch} sets it. */
  #earlierSize = 0;
  /** The current write of the mailbox itself, while the session is quiet. */
  #writing: Promise<void> | undefined;
  #leavingSize = 0;

  constructor(owner: MailboxOwner, deliveries: DeliveryQueue) {
    this.#owner = owner;
    this.#deliveries = deliveries;
    this.#queue = new MessageQueue((bytes) => owner.share(bytes));
  }

  /** The bytes that are held, including those being written. Several mailboxes may hold the same bytes. */
  get size(): number {
    return this.#queue.size + this.#leavingSize;
  }

  /** Whether there are messages to write, or being written. */
  get isBusy(): boolean {
    return this.#writing !== undefined || this.#queue.size > 0;
  }

  /** Whether a message has come since {@linkcode markBatch} was called. */
  get hasLater(): boolean {
    return this.#queue.size > this.#earlierSize;
  }

  /** A promise that resolves when the mailbox stops writing itself. Other writers have to wait for it. */
  get written(): Promise<void> | undefined {
    return this.#writing;
  }

  /** Appends a message, whose bytes are kept. */
  put(message: Message, version: 2 | 3): void {
    const queue = this.#queue;
    if (queue.agedSize + this.#leavingSize > this.#owner.messagesMaxBytes) return this.#owner.overflow(this.size);
    queue.put(message.head(version), message.tail);
    this.#owner.held(this.size);
    this.#deliveries.schedule(this);
  }

  /** Writes the messages in this mailbox's turn, as {@linkcode Deliverable} specifies. */
  deliver(): void {
    this.#queue.age();
    this.wake();
  }

  /** Writes the messages if the session is quiet. To be called when it becomes quiet: nothing else would write them. */
  wake(): void {
    if (this.#queue.size > 0 && this.#writing === undefined && this.#owner.isQuiet) this.#writing = this.#writeAll();
  }

  /** Begins a batch: messages that have come until now are written before its replies, and later ones after them. */
  markBatch(): void {
    this.#earlierSize = this.#queue.size;
    this.#queue.seal();
  }

  /** Writes the messages that came before the batch. The session calls it before it writes the replies. */
  async writeEarlier(): Promise<void> {
    await this.#writing;
    while (this.#earlierSize > 0) {
      const bytes = this.#queue.take(Math.min(REPLY_CHUNK_BYTES, this.#earlierSize));
      if (bytes === undefined) {
        this.#earlierSize = 0;
        return;
      }
      this.#earlierSize -= bytes.length;
      await this.#write(bytes);
    }
  }

  /**
   * Writes the messages that there are now. Later ones wait, as the client's requests do. The session calls it after it
   * has written the replies.
   */
  async writeLater(): Promise<void> {
    for (let left = this.size; left > 0 || this.#queue.isWithin;) {
      const bytes = this.#queue.take(REPLY_CHUNK_BYTES);
      if (bytes === undefined) return;
      left -= bytes.length;
      await this.#write(bytes);
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#owner.write(bytes);
    this.#owner.held(this.size);
  }

  /** Discards all messages: the connection has ended. */
  free(): void {
    this.#queue.clear();
    this.#earlierSize = 0;
  }

  async #writeAll(): Promise<void> {
    const queue = this.#queue;
    try {
      // A message that was begun is written to its end.
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
      // This must follow the last check without a pause: a message that comes after it has to start a new write.
      this.#writing = undefined;
    }
  }
}
