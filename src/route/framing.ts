/**
 * What connections to servers speak, as far as routing has to know: how one is made, and where a reply on it ends.
 *
 * One server may be spoken to in several protocols at once. Each has a framing, and every connection and every lane has
 * one for good, so a request never meets a connection that speaks something else.
 *
 * @module
 */

/** A connection as a pipeline uses it: one reader and one writer beside each other. */
export interface Transport {
  /** Unread bytes are `[start, end)`; may be replaced by {@linkcode fill}. */
  readonly buffer: Uint8Array;
  start: number;
  readonly end: number;
  /** Reads once and appends; `false` at the end. Rejects when the connection is lost. */
  fill(): Promise<boolean>;
  /** Makes room for the next read, of a reply of `size` bytes at least. Returns `false` when memory is too short for it. */
  makeRoom(size: number): boolean;
  /**
   * Gives the buffer away, whose bytes before `behind` are the caller's from then on, and goes on with another one, which has
   * those from `behind` on.
   */
  detach(behind: number): Uint8Array<ArrayBuffer>;
  /** Writes all of `bytes`, which do not change meanwhile. Rejects when the connection is lost. */
  write(bytes: Uint8Array): Promise<void>;
  /** Idempotent. What is under way rejects. */
  close(): void;
  /** Gives its memory back, after it was closed and its last read has ended. */
  free(): void;
}

/** Finds where replies end on one connection. May remember how far it got in one that is not whole. */
export interface FrameMeasure {
  /** What the reply under way is known to take, in bytes; 0 when unknown. */
  readonly needed: number;
  /**
   * The size of the reply that begins at `start`, or 0 while it is not whole.
   *
   * @throws {Error} when those bytes are no reply
   */
  size(bytes: Uint8Array, start: number, end: number): number;
  /**
   * Gives up the first bytes of the reply at `bytes[start, end)`, which {@linkcode size} has found not to be whole and nobody
   * wants any more. The reply begins behind them then.
   *
   * @returns how many bytes may be dropped
   */
  drop(bytes: Uint8Array, start: number, end: number): number;
}

/** One protocol. */
export interface Framing {
  /** The frame of a request that any server answers at once. */
  readonly ping: Uint8Array;
  /**
   * Makes a connection that the server has answered on, so that it is known to work. Has its own deadline.
   *
   * @throws {Error} whose message says why there is none
   */
  open(address: string, signal: AbortSignal): Promise<Transport>;
  /** A measure for one connection. */
  measure(): FrameMeasure;
}
