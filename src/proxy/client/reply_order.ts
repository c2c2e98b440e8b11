/**
 * Brings the replies to one client's requests into the order of the requests.
 *
 * ```text
 * slots     [ answered, written | waiting · kept · kept · waiting … ]
 *                                 head                          tail
 * ```
 *
 * The reply that is due goes to the output at once, and with it those behind it that came before their turn. Requests that
 * came together are a batch, whose replies are to leave together.
 *
 * @module
 */

import { CLIENT_REPLY_ESTIMATE_BYTES } from "../../limits.ts";
import { type ClientAccount, Held, UNLIMITED_ACCOUNT } from "../../memory/client_memory.ts";
import type { Outbox } from "./outbox.ts";
import { PendingReply } from "./pending_reply.ts";
import type { Client } from "./pending_reply.ts";

const RING_INITIAL_COUNT = 16;
/** A ring above this size is given back when the client is idle. */
const RING_KEEP_MAX_COUNT = 1024;
/** Replies that are kept are charged so many bytes at a time. */
const CHARGED_BYTES = 64 * 1024;
/** What a slot takes: the object, and the buffer that it keeps. */
const SLOT_BYTES = 400;

/** The slots of one client. */
export class ReplyOrder {
  /** Bytes of replies kept in slots. */
  keptBytes = 0;
  readonly #outbox: Outbox;
  #ring: (PendingReply | undefined)[] = new Array(RING_INITIAL_COUNT).fill(undefined);
  #head = 0;
  #tail = 0;
  /** Where the batch ends whose replies come next, or have come. */
  #batchEnd = 0;
  /** The size of the next reply, guessed from above: the largest of late, sinking slowly. */
  #estimate = CLIENT_REPLY_ESTIMATE_BYTES;
  readonly #account: ClientAccount;
  /** Bytes of {@linkcode keptBytes} that are charged. */
  #chargedBytes = 0;
  #isDiscarded = false;

  /** @param account is charged for replies that are kept, and for slots */
  constructor(outbox: Outbox, account: ClientAccount = UNLIMITED_ACCOUNT) {
    this.#account = account;
    this.#outbox = outbox;
  }

  /** Requests not answered yet. */
  get inFlight(): number {
    return this.#tail - this.#head;
  }

  /** Bytes of replies that are held, and those that what is in flight is expected to bring. */
  get backlog(): number {
    return this.#outbox.size + this.keptBytes + (this.#tail - this.#head) * this.#estimate;
  }

  /** Whether more replies are to come that belong to a batch with those that came. */
  get expectsMore(): boolean {
    return this.#head < this.#batchEnd;
  }

  /** Says that the requests in flight came together: all of them that are of no batch yet. */
  endBatch(): void {
    if (!this.expectsMore) this.#batchEnd = this.#tail;
  }

  /** The slot of the next request. */
  open(client: Client): PendingReply {
    if (this.#tail - this.#head === this.#ring.length) this.#grow();
    const place = this.#tail++ & (this.#ring.length - 1);
    const pending = this.#ring[place] ??= new PendingReply(client);
    pending.reset();
    return pending;
  }

  /** Takes the reply of a slot, at `bytes[start, end)`, borrowed until return. */
  take(pending: PendingReply, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.#estimate = size >= this.#estimate ? size : this.#estimate - ((this.#estimate - size) >>> 4);
    if (pending !== this.#ring[this.#head & (this.#ring.length - 1)]) {
      pending.keep(bytes, start, end);
      this.#keep(size);
      return;
    }
    this.#outbox.append(bytes, start, size);
    this.#goOn();
  }

  /** Takes a long reply of a slot in pieces, of `size` bytes in all. They are owned from now on. */
  takeOwned(pending: PendingReply, pieces: readonly Uint8Array<ArrayBuffer>[], size: number): void {
    this.#estimate = Math.max(this.#estimate, size);
    if (pending !== this.#ring[this.#head & (this.#ring.length - 1)]) {
      pending.keepOwned(pieces, size);
      this.#keep(size);
      return;
    }
    for (const piece of pieces) this.#outbox.appendOwned(piece);
    this.#goOn();
  }

  #keep(size: number): void {
    this.keptBytes += size;
    if (this.keptBytes > this.#chargedBytes) this.#charge();
  }

  /** Hands on the replies that were kept behind the one that was due. */
  #goOn(): void {
    // Handing a reply on takes memory, and the client may have been closed for that.
    if (this.#isDiscarded) return;
    const mask = this.#ring.length - 1;
    this.#head++;
    for (; this.#head < this.#tail; this.#head++) {
      const next = this.#ring[this.#head & mask]!;
      if (!next.done) break;
      if (next.pieces === undefined) this.#outbox.append(next.reply, 0, next.replySize);
      else for (const piece of next.pieces) this.#outbox.appendOwned(piece);
      if (this.#isDiscarded) return;
      this.keptBytes -= next.replySize;
      next.drop();
    }
    if (this.#chargedBytes - this.keptBytes > CHARGED_BYTES) this.#charge();
    if (this.#head === this.#tail) {
      // Counting afresh keeps the positions small integers.
      this.#head = this.#tail = this.#batchEnd = 0;
      if (mask >= RING_KEEP_MAX_COUNT) {
        this.#account.release(Held.Objects, (this.#ring.length - RING_INITIAL_COUNT) * SLOT_BYTES);
        this.#ring = new Array(RING_INITIAL_COUNT).fill(undefined);
      }
    }
  }

  /** Charges what is kept, rounded up. */
  #charge(): void {
    const bytes = Math.ceil(this.keptBytes / CHARGED_BYTES) * CHARGED_BYTES;
    if (bytes > this.#chargedBytes) this.#account.force(Held.Reply, bytes - this.#chargedBytes);
    else this.#account.release(Held.Reply, this.#chargedBytes - bytes);
    this.#chargedBytes = bytes;
  }

  #grow(): void {
    this.#account.force(Held.Objects, this.#ring.length * SLOT_BYTES);
    // The client may have been closed for that: then there is one request more, which nobody answers.
    if (this.#isDiscarded) return;
    const grown: (PendingReply | undefined)[] = new Array(this.#ring.length * 2).fill(undefined);
    for (let i = this.#head; i < this.#tail; i++) {
      grown[i & (grown.length - 1)] = this.#ring[i & (this.#ring.length - 1)];
    }
    this.#ring = grown;
  }

  /** Lets go of everything. The client is gone. */
  discard(): void {
    this.#isDiscarded = true;
    this.#ring = [];
  }
}
