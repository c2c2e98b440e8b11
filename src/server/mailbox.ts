/**
 * What is published to channels that one client listens to, until it is written.
 *
 * Messages come from the commands of others, at any time. While the client's session says nothing, the mailbox writes them by
 * itself; else the session takes them along behind its replies. All that comes within one turn is one write.
 *
 * @module
 */

import { writeMessage } from "../command/channels.ts";
import { MESSAGES_MAX_BYTES } from "../limits.ts";
import { freeBuffer } from "../wire/client_memory.ts";
import { RespReply } from "../wire/resp_reply.ts";

/** What a mailbox needs of its session. */
export interface MailboxOwner {
  /** Whether nothing is being said just now, nor is about to be. */
  readonly isQuiet: boolean;
  /** Writes; resolves when all is written. */
  write(bytes: Uint8Array): Promise<void>;
  /** Takes note of how many bytes of messages the mailbox holds now. */
  held(bytes: number): void;
  /** Takes note that the mailbox cannot write, or holds more than `MESSAGES_MAX_BYTES`: its client has to go. */
  giveUp(error: unknown): void;
}

/** The messages for one client. */
export class Mailbox {
  readonly #owner: MailboxOwner;
  #collected = new RespReply();
  /** The write that is under way while the session says nothing. */
  #writing: Promise<void> | undefined;
  #leavingSize = 0;

  constructor(owner: MailboxOwner) {
    this.#owner = owner;
  }

  /** Bytes that are held, those being written included. */
  get size(): number {
    return this.#collected.size + this.#leavingSize;
  }

  /** Whether there is something to write, or is being written. */
  get isBusy(): boolean {
    return this.#writing !== undefined || this.#collected.size > 0;
  }

  /** Resolves when the mailbox writes nothing by itself any more. Whoever wants to write waits for it. */
  get written(): Promise<void> | undefined {
    return this.#writing;
  }

  /** Collects a message. The bytes are borrowed until return. */
  put(version: 2 | 3, pattern: Uint8Array | undefined, channel: Uint8Array, message: Uint8Array): void {
    const collected = this.#collected;
    collected.version = version;
    collected.begin();
    writeMessage(collected, pattern, channel, message);
    collected.end();
    this.#owner.held(this.size);
    if (collected.size > MESSAGES_MAX_BYTES) this.#owner.giveUp(undefined);
    else this.wake();
  }

  /** Writes what was collected, if the session says nothing. To be called when it has become quiet: nobody else would. */
  wake(): void {
    if (this.#collected.size > 0 && this.#writing === undefined && this.#owner.isQuiet) {
      this.#writing = this.#writeAll();
    }
  }

  /**
   * Takes out what was collected, for the session to write; the caller owns it, and frees it when it was written. `undefined`
   * when there is nothing.
   */
  take(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#collected.size === 0) return undefined;
    const collected = this.#collected;
    const bytes = collected.contents();
    // Several chunks were copied into one.
    if (bytes.buffer !== collected.buffer.buffer) collected.free();
    // The next messages shall not change what is being written.
    this.#collected = new RespReply();
    return bytes;
  }

  /** Frees what was collected, for good: the connection has ended. */
  free(): void {
    this.#collected.free();
  }

  async #writeAll(): Promise<void> {
    try {
      // What comes until the present command has ended goes along.
      await Promise.resolve();
      while (this.#owner.isQuiet) {
        const bytes = this.take();
        if (bytes === undefined) break;
        this.#leavingSize = bytes.length;
        await this.#owner.write(bytes);
        freeBuffer(bytes);
        this.#leavingSize = 0;
        this.#owner.held(this.size);
      }
    } catch (error) {
      this.#owner.giveUp(error);
    } finally {
      this.#leavingSize = 0;
      // At once: a message that comes after the last look has to begin anew.
      this.#writing = undefined;
    }
  }
}
