/**
 * Takes requests of the native protocol out of a read buffer, one after another.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";
import { decodeRequest, FRAME_PREFIX_BYTES, frameLength } from "./frame.ts";
import type { Request } from "./request.ts";
import type { RequestLimits } from "./request_limits.ts";

/** Reads native frames. */
export class NativeDecoder {
  /** Bytes that the request under way takes in all; 0 when that is not known. */
  needed = 0;
  /** After an error: where the next request begins; -1 when nobody knows. */
  behind = -1;
  /** Bytes that may be dropped while a request is not whole: none here. */
  readonly passed = 0;

  /** Gives back what is kept of a request that is not whole: nothing. */
  free(): void {}

  /**
   * Reads the request at `bytes[start, end)` into `request`, which borrows `bytes`.
   *
   * @returns the position behind it; -1 while it is not whole
   * @throws {ProtocolError} see {@linkcode behind}
   */
  decode(bytes: Uint8Array, start: number, end: number, request: Request, limits: RequestLimits): number {
    const unread = end - start;
    if (unread < FRAME_PREFIX_BYTES) return -1;
    const length = frameLength(bytes, start);
    if (length > limits.requestMaxBytes) {
      this.behind = -1;
      throw new ProtocolError(
        `frame of ${length} bytes, expected at most ${limits.requestMaxBytes}${limits.reason}`,
      );
    }
    const next = start + FRAME_PREFIX_BYTES + length;
    if (next > end) {
      this.needed = FRAME_PREFIX_BYTES + length;
      return -1;
    }
    this.needed = 0;
    // The frame is whole, so the next one begins where it should, whatever is wrong with this one.
    this.behind = next;
    decodeRequest(bytes, start + FRAME_PREFIX_BYTES, next, request);
    return next;
  }
}
