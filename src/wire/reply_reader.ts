/**
 * Reads the values of a reply, in either protocol, without decoding what the clients stored.
 *
 * @module
 */

/** Reads one value after another out of a reply that grants its request. */
export interface ValueReader {
  /** Where the next value begins. */
  readonly at: number;
  /** Behind the last byte of the reply. */
  readonly end: number;
  /** Where the content of the value passed over last begins; see {@linkcode skip}. */
  readonly contentStart: number;
  /**
   * Reads the header of an array.
   *
   * @returns how many items follow
   * @throws {ProtocolError} when something else stands there
   */
  array(): number;
  /**
   * Passes over one value that is no aggregate.
   *
   * @returns the length of its content, 0 where it is no bytes or text
   * @throws {ProtocolError} when something else stands there
   */
  skip(): number;
  /**
   * Passes over one value of any kind, with all that is within it.
   *
   * @throws {ProtocolError} when it is not whole
   */
  skipNested(): void;
  /**
   * Reads an integer.
   *
   * @throws {ProtocolError} when something else stands there
   */
  integer(): bigint;
}
