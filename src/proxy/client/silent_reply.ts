/**
 * The reply to a request of a client that has turned its replies off with `client reply`.
 *
 * The reply keeps its place in the order, which is filled with nothing when it comes. So the client's later replies
 * wait for it, as they would wait for any other.
 *
 * @module
 */

import type { ConnectionError, ReplyCode } from "../../errors.ts";
import { freeBuffer } from "../../memory/freed_memory.ts";
import { PendingReply } from "./client_link.ts";

/** The place of a reply that the client does not get. */
export class SilentReply extends PendingReply {
  readonly #place: PendingReply;
  #isRouting = true;
  /** Whether the client gets this reply all the same; known when the request was routed. */
  #isKept = false;

  /** @param place the place in the order of replies */
  constructor(place: PendingReply) {
    super(place.link);
    this.#place = place;
  }

  /** Records that the request was routed. Only until then can it turn the client's replies on again. */
  routed(): void {
    this.#isKept = this.#isWanted;
    this.#isRouting = false;
  }

  /** Whether the client gets this reply: its request has turned replies on again. */
  get #isWanted(): boolean {
    return this.#isRouting ? this.link.client.silence === "none" : this.#isKept;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isWanted) this.#place.succeed(bytes, start, end);
    else this.link.completeSilently(this.#place, this);
  }

  override succeedOwned(bytes: Uint8Array<ArrayBuffer>, _start: number, _end: number): void {
    freeBuffer(bytes);
    this.link.completeSilently(this.#place, this);
  }

  override succeedInPieces(pieces: readonly Uint8Array<ArrayBuffer>[]): void {
    for (const piece of pieces) freeBuffer(piece);
    this.link.completeSilently(this.#place, this);
  }

  override fail(_error: ConnectionError): void {
    this.link.completeSilently(this.#place, this);
  }

  override refuse(_code: ReplyCode, _message: string): void {
    this.link.completeSilently(this.#place, this);
  }
}
