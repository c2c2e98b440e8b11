/**
 * Finds where a reply in RESP ends, without reading what it says.
 *
 * @module
 */

/** Finds the ends of replies, one after another; keeps where it got to in one that is not whole. */
export class RespReplyScanner {
  /** Bytes that the reply under way is known to take in all, for making room at once; 0 when unknown. */
  needed = 0;

  /**
   * @returns the position behind the reply that begins at `start`; -1 while it is not whole
   * @throws {ProtocolError} when those bytes are no reply, or one beyond the bounds
   */
  scan(_bytes: Uint8Array, _start: number, _end: number): number {
    return -1;
  }
}
