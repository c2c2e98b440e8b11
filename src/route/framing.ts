/**
 * The protocol of connections to servers, as far as routing depends on it: how a connection is opened, and where a
 * reply on it ends.
 *
 * One server may be addressed in several protocols at the same time. Each protocol has a framing. Every connection and
 * every stream keeps its framing, so a request is never sent on a connection of another protocol.
 *
 * @module
 */

/** A connection as a pipeline uses it, with one reader and one writer at the same time. */
export interface Transport {
  /** The unread bytes are `[start, end)`. {@linkcode fill} may replace the buffer. */
  readonly buffer: Uint8Array;
  start: number;
  readonly end: number;
  /** Reads once and appends; resolves to `false` at the end. Rejects when the connection is lost. */
  fill(): Promise<boolean>;
  /**
   * Makes room for the next read, of a reply of at least `size` bytes. Returns `false` if there is not enough memory
   * for it.
   */
  makeRoom(size: number): boolean;
  /**
   * Gives the buffer to the caller, who owns its bytes before `at` from then on. The connection continues with
   * another buffer, which has the bytes from `at` on.
   */
  detach(at: number): Uint8Array<ArrayBuffer>;
  /** Writes all of `bytes`, which must not change meanwhile. Rejects when the connection is lost. */
  write(bytes: Uint8Array): Promise<void>;
  /** Closes the connection. Reads and writes in progress reject. Idempotent. */
  close(): void;
  /** Frees the connection's memory, after it was closed and its last read has ended. */
  free(): void;
}

/** Finds where replies end on one connection. It may remember its progress in an incomplete reply. */
export interface FrameMeasure {
  /** The known size of the reply that is arriving, in bytes; 0 when unknown. */
  readonly needed: number;
  /**
   * Returns the size of the reply that begins at `start`, or 0 while it is incomplete.
   *
   * @throws {Error} when those bytes are not a reply
   */
  size(bytes: Uint8Array, start: number, end: number): number;
  /**
   * Drops the first bytes of the reply at `bytes[start, end)`, which {@linkcode size} has found incomplete and which is
   * not needed any more. The reply then begins after them.
   *
   * @returns the number of bytes that may be dropped
   */
  drop(bytes: Uint8Array, start: number, end: number): number;
}

/** One protocol of connections to servers. */
export interface Framing {
  /** The frame of a request to which any server replies immediately. */
  readonly ping: Uint8Array;
  /**
   * Opens a connection and waits for a first reply on it, so that it is known to work. It has its own deadline.
   *
   * @throws {Error} whose message says why there is no connection
   */
  open(address: string, signal: AbortSignal): Promise<Transport>;
  /** Returns a measure for one connection. */
  measure(): FrameMeasure;
}
