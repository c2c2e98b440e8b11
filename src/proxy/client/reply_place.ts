/**
 * A place in the order of one client's replies.
 *
 * Servers reply in any order, and a client gets its replies in the order of its requests. A reply that comes too early
 * is kept in its place until all replies before it have been handed on. The buffer of a place is used again and again.
 * A reply that comes when it is due is copied immediately from the server's read buffer to the client's output.
 *
 * @module
 */

import { copyBytes } from "../../bytes.ts";
import type { ReplyCode } from "../../errors.ts";
import { freeUnborrowed } from "../../memory/freed_memory.ts";
import { BackendRequest } from "../../route/backend_request.ts";

/** A place keeps its buffer up to this size; most replies are shorter. */
const KEEP_MAX_BYTES = 256;
const EMPTY = new Uint8Array(0);

/** The place of one reply. When a single server runs the request, the place itself is sent to that server. */
export abstract class ReplyPlace extends BackendRequest {
  /** Whether {@linkcode reply} or {@linkcode pieces} has the reply. */
  done = false;
  /** The reply is `[0, replySize)`. */
  reply: Uint8Array<ArrayBuffer> = EMPTY;
  replySize = 0;
  /** A long reply that is kept, in pieces. */
  pieces: readonly Uint8Array<ArrayBuffer>[] | undefined = undefined;
  /** Bytes of a long request that are charged to the client until the reply comes. */
  sentBytes = 0;

  /** Makes an error the reply. */
  abstract refuse(code: ReplyCode, message: string): void;

  /** Keeps a copy of the reply. */
  keep(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (size > this.reply.length) this.reply = new Uint8Array(size <= KEEP_MAX_BYTES ? Math.max(64, size) : size);
    copyBytes(bytes, start, this.reply, 0, size);
    this.replySize = size;
    this.done = true;
  }

  /** Keeps a long reply of `size` bytes. */
  keepOwned(pieces: readonly Uint8Array<ArrayBuffer>[], size: number): void {
    this.pieces = pieces;
    this.replySize = size;
    this.done = true;
  }

  /** Frees the reply, after it was handed on. */
  drop(): void {
    this.pieces = undefined;
    if (this.reply.length <= KEEP_MAX_BYTES) return;
    freeUnborrowed(this.reply);
    this.reply = EMPTY;
  }

  /** Makes the place ready for another request. */
  reset(): void {
    this.done = false;
  }
}
