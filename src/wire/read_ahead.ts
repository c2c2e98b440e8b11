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

  constructor(maxBytes: number = READ_AHEAD_MAX_BYTES) {
    this.#leftBytes = maxBytes;
  }

  /** How much more may be kept. */
  get leftBytes(): number {
    return this.#leftBytes;
  }

  /**
   * Reads ahead as long as `goesOn` says so, which is asked before each read. Never rejects.
   */
  async watch(connection: Connection, goesOn: () => boolean): Promise<WatchResult> {
    let taken = 0;
    try {
      while (goesOn()) {
        const kept = Math.max(0, connection.end - connection.start - READ_BUFFER_BATCH_BYTES);
        this.#leftBytes += taken - kept;
        taken = kept;
        if (taken > 0 && this.#leftBytes <= 0) return "full";
        if (!await connection.readAhead()) return "ended";
      }
      return "stopped";
    } catch {
      // Why is told by the next read or write.
      return "ended";
    } finally {
      this.#leftBytes += taken;
    }
  }
}
