/**
 * Reads the values of a reply, in either protocol, without decoding what the clients stored.
 *
 * @module
 */

/** Reads one value after another from a reply that grants its request. */
export interface ValueReader {
  /** The start of the next value. */
  readonly at: number;
  /** The position after the last byte of the reply. */
  readonly end: number;
  /** The start of the content of the value that {@linkcode skip} skipped last. */
  readonly contentStart: number;
  /**
   * Reads the header of an array.
   *
   * @returns the number of items that follow
   * @throws {ProtocolError} when the next value is not an array
   */
  array(): number;
  /**
   * Reads the header of a map.
   *
   * @returns the number of pairs that follow
   * @throws {ProtocolError} when the next value is not a map
   */
  map(): number;
  /**
   * Skips one value that is not an aggregate.
   *
   * @returns the length of its content, in bytes; 0 when it is neither bytes nor text
   * @throws {ProtocolError} when the next value is an aggregate
   */
  skip(): number;
  /**
   * Skips one value of any kind, with all values in it.
   *
   * @throws {ProtocolError} when the value is not complete
   */
  skipNested(): void;
  /**
   * Reads an integer.
   *
   * @throws {ProtocolError} when the next value is not an integer
   */
  integer(): bigint;
}
