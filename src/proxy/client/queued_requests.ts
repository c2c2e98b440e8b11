/**
 * The requests that a client has queued between `multi` and `exec`, as they came, one after another.
 *
 * @module
 */

import { copyBytes } from "../../bytes.ts";
import type { CommandSpecification } from "../../catalog/specification.ts";
import { ReplyError } from "../../errors.ts";
import { QUEUED_REQUEST_BYTES, TRANSACTION_MAX_BYTES } from "../../limits.ts";
import { type ClientAccount, Held, UNLIMITED_ACCOUNT } from "../../memory/client_memory.ts";
import { PackedQueue } from "../../memory/packed_queue.ts";

/** Requests are charged for the memory that sending them will take, in groups of this size. */
const CHARGED_COUNT = 256;

/** The bytes of a request as they came: `bytes[start, start + size)`, borrowed. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly size: number;
}

/** A queued request that the proxy runs itself. */
export interface OwnRequest {
  /** The place of the request in the queue. */
  readonly index: number;
  readonly specification: CommandSpecification;
}

/** The queue of one transaction. {@linkcode QueuedRequests.free} has to be called at its end. */
export class QueuedRequests {
  /** The hash slot of all keys so far; -1 while there are none. */
  slot = -1;
  /** Whether a request could not be queued. */
  isSpoilt = false;
  /** Whether a queued request may change data. */
  writes = false;
  /** The requests that the proxy runs itself, in their order. */
  readonly own: OwnRequest[] = [];
  readonly #account: ClientAccount;
  readonly #queue: PackedQueue;
  /** The number of queued requests, and the size of all of them in bytes. */
  count = 0;
  bytes = 0;
  /** The number of requests that are charged for the objects which `exec` will make for them. */
  #charged = 0;

  /** @param account is charged for the queue */
  constructor(account: ClientAccount = UNLIMITED_ACCOUNT) {
    this.#account = account;
    this.#queue = new PackedQueue(account);
  }

  /**
   * Queues the request whose bytes are `bytes[start, start + size)`, which are copied.
   *
   * @param own its command, if the proxy runs it itself
   * @throws {ReplyError} when the transaction gets too large; then nothing is queued
   */
  add(bytes: Uint8Array, start: number, size: number, own?: CommandSpecification): void {
    // None of its requests will run.
    if (this.isSpoilt) return this.free();
    const queue = this.#queue;
    const cost = queue.size + queue.growthFor(size) + (queue.count + 1) * QUEUED_REQUEST_BYTES;
    if (cost > TRANSACTION_MAX_BYTES) {
      throw new ReplyError("ERR", `transaction exceeds ${TRANSACTION_MAX_BYTES} bytes`);
    }
    if (queue.count === this.#charged) {
      this.#account.charge(Held.Objects, CHARGED_COUNT * QUEUED_REQUEST_BYTES);
      this.#charged += CHARGED_COUNT;
    }
    const at = queue.reserve(size);
    copyBytes(bytes, start, queue.bytes, at, size);
    if (own !== undefined) this.own.push({ index: this.count, specification: own });
    this.count++;
    this.bytes += size;
  }

  /**
   * Copies request `index` to `target` from `at` on, and returns its size. Going from one request to the next needs no
   * search.
   */
  copyTo(index: number, target: Uint8Array, at: number): number {
    const queue = this.#queue;
    queue.seek(index);
    const size = queue.end - queue.start;
    copyBytes(queue.bytes, queue.start, target, at, size);
    return size;
  }

  /** The bytes of request `index`, borrowed until they are freed. */
  frameOf(index: number): Frame {
    const queue = this.#queue;
    queue.seek(index);
    return { bytes: queue.bytes, start: queue.start, size: queue.end - queue.start };
  }

  /** Frees the memory of the requests, which were copied. */
  freeBytes(): void {
    this.#queue.free();
  }

  /** Frees the memory of the queue. Safe to call twice. */
  free(): void {
    this.#account.release(Held.Objects, this.#charged * QUEUED_REQUEST_BYTES);
    this.#charged =
      this.count =
      this.bytes =
      this.own.length =
        0;
    this.#queue.free();
  }
}
