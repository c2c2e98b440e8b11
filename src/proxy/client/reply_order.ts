/**
 * Brings the replies to one client's requests into the order of the requests.
 *
 * ```text
 * places    [ replied, handed on | awaited · kept · kept · awaited … ]
 *                                  head                          tail
 * ```
 *
 * A reply that is due goes to the output immediately, and so do the kept replies after it. Requests that came together
 * are a batch, and their replies should leave together.
 *
 * @module
 */

import { CLIENT_REPLY_ESTIMATE_BYTES } from "../../limits.ts";
import { type ClientAccount, Held, UNLIMITED_ACCOUNT } from "../../memory/client_memory.ts";
import type { Outbox } from "./outbox.ts";
import type { ReplyPlace } from "./reply_place.ts";

const RING_INITIAL_COUNT = 16;
/** A ring above this size is freed when the client is idle. */
const RING_KEEP_MAX_COUNT = 1024;
/** Kept replies are charged in units of this size. */
const CHARGED_BYTES = 64 * 1024;
/** The memory of a place: the object, and the buffer that it keeps. */
const PLACE_BYTES = 400;

/** The places of one client's replies. */
export class ReplyOrder<Place extends ReplyPlace> {
  /** Bytes of replies that are kept in their places. */
  keptBytes = 0;
  readonly #outbox: Outbox;
  readonly #makePlace: () => Place;
  #ring: (Place | undefined)[] = new Array(RING_INITIAL_COUNT).fill(undefined);
  #head = 0;
  #tail = 0;
  /** The end of the batch whose replies come next, or came last. */
  #batchEnd = 0;
  /** An upper guess of the next reply's size: the largest of the last ones, sinking slowly. */
  #estimate = CLIENT_REPLY_ESTIMATE_BYTES;
  readonly #account: ClientAccount;
  /** The part of {@linkcode keptBytes} that is charged, rounded up. */
  #chargedBytes = 0;
  #isDiscarded = false;

  /**
   * @param makePlace makes one more place; places are used again and again
   * @param account is charged for replies that are kept, and for places
   */
  constructor(outbox: Outbox, makePlace: () => Place, account: ClientAccount = UNLIMITED_ACCOUNT) {
    this.#account = account;
    this.#outbox = outbox;
    this.#makePlace = makePlace;
  }

  /** Requests that have no reply yet. */
  get inFlight(): number {
    return this.#tail - this.#head;
  }

  /** Bytes of replies that are held, and those that the requests in flight are expected to bring. */
  get backlog(): number {
    return this.#outbox.size + this.keptBytes + (this.#tail - this.#head) * this.#estimate;
  }

  /** Whether more replies of the present batch are to come. */
  get expectsMore(): boolean {
    return this.#head < this.#batchEnd;
  }

  /**
   * Makes a batch of the requests that belong to none yet. Does nothing while replies of the last batch are to come.
   */
  endBatch(): void {
    if (!this.expectsMore) this.#batchEnd = this.#tail;
  }

  /** Returns the place for the reply to the next request. */
  open(): Place {
    if (this.#tail - this.#head === this.#ring.length) this.#grow();
    const place = this.#tail++ & (this.#ring.length - 1);
    const pending = this.#ring[place] ??= this.#makePlace();
    pending.reset();
    return pending;
  }

  /** Takes the reply of a place, at `bytes[start, end)`, borrowed until return. */
  take(pending: Place, bytes: Uint8Array, start: number, end: number): void {
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

  /** Takes a long reply of a place in pieces, of `size` bytes in all, which are owned from then on. */
  takeOwned(pending: Place, pieces: readonly Uint8Array<ArrayBuffer>[], size: number): void {
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

  /** Hands on the kept replies after the one that was due. */
  #goOn(): void {
    // Handing a reply on takes memory, for which the client may have been closed.
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
      // Counting from 0 again keeps the positions small integers.
      this.#head = this.#tail = this.#batchEnd = 0;
      if (mask >= RING_KEEP_MAX_COUNT) {
        this.#account.release(Held.Objects, (this.#ring.length - RING_INITIAL_COUNT) * PLACE_BYTES);
        this.#ring = new Array(RING_INITIAL_COUNT).fill(undefined);
      }
    }
  }

  /** Charges the kept replies, rounded up. */
  #charge(): void {
    const bytes = Math.ceil(this.keptBytes / CHARGED_BYTES) * CHARGED_BYTES;
    if (bytes > this.#chargedBytes) this.#account.force(Held.Reply, bytes - this.#chargedBytes);
    else this.#account.release(Held.Reply, this.#chargedBytes - bytes);
    this.#chargedBytes = bytes;
  }

  #grow(): void {
    this.#account.force(Held.Objects, this.#ring.length * PLACE_BYTES);
    // The client may have been closed for that. Then one more request gets no reply.
    if (this.#isDiscarded) return;
    const grown: (Place | undefined)[] = new Array(this.#ring.length * 2).fill(undefined);
    for (let i = this.#head; i < this.#tail; i++) {
      grown[i & (grown.length - 1)] = this.#ring[i & (this.#ring.length - 1)];
    }
    this.#ring = grown;
  }

  /** Forgets everything: the client is gone. */
  discard(): void {
    this.#isDiscarded = true;
    this.#ring = [];
  }
}
