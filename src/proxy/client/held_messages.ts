/**
 * Messages of channels that must not be sent yet, since the client could take them for the reply that it waits for.
 *
 * The version of RESP in which they are sent is known at the end, so they are kept in both. All listeners share the
 * same bytes, and long payloads are shared too, so holding a message costs little more than a reference to it.
 *
 * @module
 */

import type { Message } from "../../connection/channel_message.ts";
import { type ClientAccount, Held } from "../../memory/client_memory.ts";
import type { SharedBytes } from "../../memory/message_queue.ts";
import type { Outbox } from "./outbox.ts";

/** The cost of keeping a message, beside its bytes. */
const MESSAGE_OVERHEAD_BYTES = 64;

interface HeldMessage {
  readonly second: Uint8Array;
  readonly third: Uint8Array;
  readonly tail: SharedBytes | undefined;
}

/** The messages of one client. The owner has to call {@linkcode release}. */
export class HeldMessages {
  /** The size of the messages that are kept, in bytes. */
  size = 0;
  readonly #account: ClientAccount;
  readonly #messages: HeldMessage[] = [];

  /** @param account is charged for the messages */
  constructor(account: ClientAccount) {
    this.#account = account;
  }

  /** Whether no message is kept. */
  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Keeps a message, which is borrowed until return. */
  put(message: Message): void {
    const { tail } = message;
    const [second, third] = [message.head(2), message.head(3)];
    const size = second.length + third.length + (tail?.bytes.length ?? 0) + MESSAGE_OVERHEAD_BYTES;
    this.#messages.push({ second, third, tail });
    this.size += size;
    this.#account.force(Held.Reply, size);
  }

  /** Hands the messages on in their order, in one version of RESP. Without an outbox it drops them. */
  release(version: 2 | 3, outbox: Outbox | undefined): void {
    this.#account.release(Held.Reply, this.size);
    if (outbox !== undefined) {
      for (const { second, third, tail } of this.#messages) outbox.put(version === 3 ? third : second, tail);
    }
    this.#messages.length = this.size = 0;
  }
}
