/**
 * Reading on while a command waits, only to notice that the client leaves.
 *
 * An end is read behind everything that was sent before it, so what is behind the command has to be kept. All clients of a
 * role share what may be kept beside the buffer that each has anyway; one for which there is no room left is to be cut
 * off, since whether it is still there could not be told.
 *
 * @module
 */

import { READ_AHEAD_MAX_BYTES, READ_BUFFER_BATCH_BYTES } from "../limits.ts";
import type { Connection } from "./connection.ts";

/** What became of {@linkcode ReadAhead.watch}: the peer has ended the connection, or lost it; there is no room; or neither. */
export type WatchResult = "ended" | "full" | "stopped";

/** What is kept for the clients of one role that wait. */
export class ReadAhead {
  #leftBytes: number;
  /** How much is kept of those that have sent more than a batch. */
  readonly #kept = new Map<Connection, number>();

  constructor(maxBytes: number = READ_AHEAD_MAX_BYTES) {
    this.#leftBytes = maxBytes;
  }

  /** How much more may be kept. */
  get leftBytes(): number {
    return this.#leftBytes;
  }

  /**
   * Reads ahead as long as `goesOn` says so, which is asked before each read. Never rejects. {@linkcode release} is to be
   * called when that is over: a read may be under way for long after that.
   */
  async watch(connection: Connection, goesOn: () => boolean): Promise<WatchResult> {
    try {
      while (goesOn()) {
        if (!this.#keep(connection)) return "full";
        if (!await connection.readAhead()) return "ended";
      }
      return "stopped";
    } catch {
      // Why is told by the next read or write.
      return "ended";
    }
  }

  /** Takes note of how much of a connection is kept; `false` when there is no room for more. */
  #keep(connection: Connection): boolean {
    const excess = connection.end - connection.start - READ_BUFFER_BATCH_BYTES;
    if (excess <= 0) return true;
    this.release(connection);
    this.#kept.set(connection, excess);
    this.#leftBytes -= excess;
    return this.#leftBytes > 0;
  }

  /** Says that what is kept of a connection is kept for other reasons now, or not any more. Idempotent. */
  release(connection: Connection): void {
    const kept = this.#kept.get(connection);
    if (kept === undefined) return;
    this.#kept.delete(connection);
    this.#leftBytes += kept;
  }
}
