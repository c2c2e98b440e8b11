/**
 * The keys of the requests that wait in a read buffer, found before those requests run.
 *
 * ```text
 * bytes    … set key1 …   … get key2 …   … get ke           requests, encoded in one of the protocols
 * starts         ▲              ▲
 * ```
 *
 * A server that knows the next keys can have the processor load the memory of all of them at the same time
 * (`Store.prefetch`). So a window finds, in each whole request, the argument after the command's name, which nearly
 * always is a key. A wrong guess costs a useless load and nothing else: requests are checked when they are decoded.
 *
 * @module
 */

/** Finds the keys of the next few requests. One object is used again and again. */
export abstract class KeyWindow {
  /** Where each key begins. */
  readonly starts: Int32Array;
  /** The length of each key, in bytes. */
  readonly lengths: Int32Array;
  /** The number of keys that {@linkcode fill} found last. */
  count = 0;

  /** @param size the most requests to look at */
  constructor(size: number) {
    this.starts = new Int32Array(size);
    this.lengths = new Int32Array(size);
  }

  /**
   * Finds the keys of the whole requests in `bytes[start, end)`.
   *
   * @returns the position after the last request that was looked at
   */
  abstract fill(bytes: Uint8Array, start: number, end: number): number;
}
