/**
 * The bytes between a role and its clients.
 *
 * @module
 */

/** Counts the bytes of many connections. */
export class ByteCounts {
  /** The number of bytes that were read. */
  inputBytes = 0;
  /** The number of bytes that were written, or that are being written. */
  outputBytes = 0;
}
