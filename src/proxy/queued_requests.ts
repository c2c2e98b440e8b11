/**
 * What a client has queued between `multi` and `exec`: the requests as they came, one behind another.
 *
 * @module
 */

import { copyBytes } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import { QUEUED_EXCHANGE_BYTES, TRANSACTION_MAX_BYTES } from "../limits.ts";
import { type ClientAccount, Held, UNLIMITED_ACCOUNT } from "../wire/client_memory.ts";
import { PackedQueue } from "../wire/packed_queue.ts";

/** Requests are charged for what sending them will take, so many at a time. */
const CHARGED_COUNT = 256;

/** The queue of one transaction. Whoever ends it calls {@linkcode QueuedRequests.free}. */
export class QueuedRequests {
  /** The slot of all keys so far; -1 while there are none. */
  slot = -1;
  /** Whether a request could not be queued. */
  isSpoilt = false;
  /** Whether a request of it may change data. */
  writes = false;
  readonly #account: ClientAccount;
  readonly #queue: PackedQueue;
  /** How many requests are charged for what `exec` will make for each of them. */
  #charged = 0;

  /** @param account is charged for what is queued */
  constructor(account: ClientAccount = UNLIMITED_ACCOUNT) {
    this.#account = account;
    this.#queue = new PackedQueue(account);
  }

  /** How many requests are queued. */
  get count(): number {
    return this.#queue.count;
  }

  /**
   * Queues the request whose bytes are `bytes[start, start + size)`, which are copied.
   *
   * @throws {ReplyError} when the transaction gets too large; nothing is queued then
   */
  add(bytes: Uint8Array, start: number, size: number): void {
    // None of it will run.
    if (this.isSpoilt) return this.free();
    const queue = this.#queue;
    const cost = queue.size + queue.growthFor(size) + (queue.count + 1) * QUEUED_EXCHANGE_BYTES;
    if (cost > TRANSACTION_MAX_BYTES) {
      throw new ReplyError("ERR", `transaction exceeds ${TRANSACTION_MAX_BYTES} bytes`);
    }
    if (queue.count === this.#charged) {
      this.#account.charge(Held.Objects, CHARGED_COUNT * QUEUED_EXCHANGE_BYTES);
      this.#charged += CHARGED_COUNT;
    }
    const at = queue.reserve(size);
    copyBytes(bytes, start, queue.bytes, at, size);
  }

  /** Calls `take` with each request, in order. The bytes are borrowed until it returns. */
  forEach(take: (bytes: Uint8Array, start: number, size: number) => void): void {
    const queue = this.#queue;
    for (let i = 0; i < queue.count; i++) {
      queue.seek(i);
      take(queue.bytes, queue.start, queue.end - queue.start);
    }
  }

  /** Gives the memory of the queue back. Safe to call twice. */
  free(): void {
    this.#account.release(Held.Objects, this.#charged * QUEUED_EXCHANGE_BYTES);
    this.#charged = 0;
    this.#queue.free();
  }
}
