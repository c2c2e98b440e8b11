/**
 * Finds where native replies end, for the proxy, which passes replies on as they are.
 *
 * A frame begins with its length, so nothing has to be remembered, except of a reply that is dropped before it is
 * whole.
 *
 * @module
 */

import { ProtocolError } from "../../errors.ts";
import { REPLY_SIZE_MAX_BYTES } from "../../limits.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "./frame.ts";

/** The shortest reply is `92 00 c0`. */
const REPLY_MIN_BYTES = 3;

/** Finds the ends of the native replies on one connection. */
export class NativeReplyScanner {
  /** The size of the reply that has not arrived completely, in bytes; 0 when unknown. */
  needed = 0;
  /** The number of bytes that are missing of a reply whose first bytes were dropped. */
  #missing = 0;

  /**
   * Returns the size of the reply that begins at `start`, or 0 while it has not arrived completely.
   *
   * @throws {ProtocolError} when those bytes are not a reply
   */
  size(bytes: Uint8Array, start: number, end: number): number {
    if (this.#missing > 0) return this.#rest(end - start);
    this.needed = 0;
    if (end - start < FRAME_PREFIX_BYTES) return 0;
    const length = frameLength(bytes, start);
    if (length < REPLY_MIN_BYTES || length > REPLY_SIZE_MAX_BYTES) {
      throw new ProtocolError(`it sent a reply of ${length} bytes`);
    }
    const size = FRAME_PREFIX_BYTES + length;
    if (end - start >= size) return size;
    this.needed = size;
    return 0;
  }

  #rest(available: number): number {
    const rest = this.#missing;
    if (available < rest) return 0;
    this.#missing = 0;
    return rest;
  }

  /**
   * Gives up the first bytes of the reply in `bytes[start, end)`, which has not arrived completely and is not wanted.
   * The reply begins after them then.
   *
   * @returns the number of bytes that may be dropped
   */
  drop(bytes: Uint8Array, start: number, end: number): number {
    const available = end - start;
    if (this.#missing === 0) {
      if (available < FRAME_PREFIX_BYTES) return 0;
      this.#missing = FRAME_PREFIX_BYTES + frameLength(bytes, start);
    }
    this.#missing -= available;
    return available;
  }
}
