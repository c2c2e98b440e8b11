/**
 * The keys of the RESP requests that wait in a read buffer, seen before those requests run; see `key_window.ts`.
 *
 * @module
 */

/** Places of the keys of the next few requests. Filled again and again. */
export class RespKeyWindow {
  /** Where key `i` begins. */
  readonly starts: Int32Array;
  /** How many bytes key `i` has. */
  readonly lengths: Int32Array;
  /** Keys that were found. */
  count = 0;

  /** @param size requests to look at, at most */
  constructor(size: number) {
    this.starts = new Int32Array(size);
    this.lengths = new Int32Array(size);
  }

  /**
   * Looks at the whole requests from `start` on.
   *
   * @returns the position behind the last one that was looked at
   */
  fill(_bytes: Uint8Array, start: number, _end: number): number {
    this.count = 0;
    return start;
  }
}
