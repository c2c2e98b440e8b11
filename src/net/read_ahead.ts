/**
 * Reads ahead while a command waits, to notice that the client leaves.
 *
 * The end of a connection is read after all bytes that were sent before it, so the bytes after the command have to be
 * kept. Each client has its read buffer anyway; beyond that, all clients of a role share one limit. A client for which
 * no room is left has to be disconnected, since its end would not be noticed.
 *
 * @module
 */

import { READ_AHEAD_MAX_BYTES, READ_BUFFER_BATCH_BYTES } from "../limits.ts";
import type { Connection } from "./connection.ts";

/**
 * The result of {@linkcode ReadAhead.watch}: the connection has ended or is lost; there is no room for more bytes; or
 * the caller has stopped it.
 */
export type WatchResult = "ended" | "full" | "stopped";

/** The bytes that are kept for the waiting clients of one role. */
export class ReadAhead {
  #leftBytes: number;
  /** The bytes kept beyond a batch, of each connection that has sent more than one. */
  readonly #kept = new Map<Connection, number>();

  constructor(maxBytes: number = READ_AHEAD_MAX_BYTES) {
    this.#leftBytes = maxBytes;
  }

  /** The bytes that may still be kept. */
  get leftBytes(): number {
    return this.#leftBytes;
  }

  /**
   * Reads ahead while `goesOn`, which is called before each read, returns true. Never rejects. The caller calls
   * {@linkcode release} when the command has ended, since a read may stay under way for long after that.
   */
  async watch(connection: Connection, goesOn: () => boolean): Promise<WatchResult> {
    try {
      while (goesOn()) {
        if (!this.#keep(connection)) return "full";
        if (!await connection.readAhead()) return "ended";
      }
      return "stopped";
    } catch {
      // The next read or write throws the reason.
      return "ended";
    }
  }

  /** Updates the bytes kept of a connection. Returns `false` when there is no room for more. */
  #keep(connection: Connection): boolean {
    const excess = connection.end - connection.start - READ_BUFFER_BATCH_BYTES;
    if (excess <= 0) return true;
    this.release(connection);
    this.#kept.set(connection, excess);
    this.#leftBytes -= excess;
    return this.#leftBytes > 0;
  }

  /** Stops counting the bytes of a connection as kept. Idempotent. */
  release(connection: Connection): void {
    const kept = this.#kept.get(connection);
    if (kept === undefined) return;
    this.#kept.delete(connection);
    this.#leftBytes += kept;
  }
}
