/**
 * Bounds the memory of the responses that are being written, whose peers may read slowly or not at all.
 *
 * A response that would exceed the bound is written all the same. The connections whose responses have been under way
 * for longest are closed for it: those that read at a normal pace take milliseconds.
 *
 * @module
 */

import { HTTP_RESPONSES_MAX_BYTES } from "../limits.ts";

/** A connection to which a response is written. */
export interface Writer {
  /** Closes the connection. */
  abort(): unknown;
}

/** The responses that are being written on all connections of a port. */
export class OutgoingBytes {
  /** The bytes of each response. The one that began first is the first. */
  readonly #responses = new Map<Writer, number>();
  #bytes = 0;
  readonly #maxBytes: number;

  constructor(maxBytes = HTTP_RESPONSES_MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The bytes of all responses. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts a response whose writing begins. */
  begin(writer: Writer, bytes: number): void {
    this.#responses.set(writer, bytes);
    this.#bytes += bytes;
    for (const oldest of this.#responses.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === writer) return;
      this.end(oldest);
      oldest.abort();
    }
  }

  /** Counts a response no more, whether it was written or not. */
  end(writer: Writer): void {
    this.#bytes -= this.#responses.get(writer) ?? 0;
    this.#responses.delete(writer);
  }
}
