/**
 * The deadlines of one client's connection.
 *
 * | what the client has to do | within |
 * |---|---|
 * | authenticate | `AUTHENTICATION_TIMEOUT_MS` from the connection's start |
 * | complete a request that it has begun | `PARTIAL_FRAME_TIMEOUT_MS`, and more for a large request |
 * | take a part of its replies | `WRITE_TIMEOUT_MS` from the part before |
 * | end its side once the connection is refused | `LINGER_TIMEOUT_MS` |
 *
 * No connection has a timer. A sweep looks at every connection about once a second, and compares what it sees with what
 * it saw before: while a count stays the same, the same request or the same write is under way.
 *
 * @module
 */

import {
  AUTHENTICATION_TIMEOUT_MS,
  LINGER_TIMEOUT_MS,
  PARTIAL_FRAME_MIN_BYTES_PER_MS,
  PARTIAL_FRAME_TIMEOUT_MS,
  WRITE_TIMEOUT_MS,
} from "../limits.ts";

/** The thing that a client is late with. */
export type Overdue = "authentication" | "request" | "reading" | "end";

/** The deadlines of one connection. */
export class PeerDeadlines {
  readonly #openedMs = performance.now();
  #lingersMs = Infinity;
  #requestsSeen = -1;
  #requestMs = 0;
  #writesSeen = -1;
  #writeMs = 0;

  /** Starts the deadline of a client that has nothing left to do but to end its side. */
  linger(): void {
    this.#lingersMs = performance.now();
  }

  /**
   * Returns what the client is late with; `undefined` when it is not late.
   *
   * @param nowMs the present time by `performance.now()`
   * @param authenticated whether the client may run commands
   * @param partialBytes bytes of a request that has not come completely; 0 while the connection does not wait for it
   * @param requests counts the requests taken
   * @param isWriting whether a write is under way
   * @param writes counts the writes
   */
  overdue(
    nowMs: number,
    authenticated: boolean,
    partialBytes: number,
    requests: number,
    isWriting: boolean,
    writes: number,
  ): Overdue | undefined {
    if (partialBytes === 0 || requests !== this.#requestsSeen) {
      this.#requestsSeen = requests;
      this.#requestMs = nowMs;
    }
    if (!isWriting || writes !== this.#writesSeen) {
      this.#writesSeen = writes;
      this.#writeMs = nowMs;
    }
    if (!authenticated && nowMs - this.#openedMs > AUTHENTICATION_TIMEOUT_MS) return "authentication";
    if (nowMs - this.#lingersMs > LINGER_TIMEOUT_MS) return "end";
    if (nowMs - this.#writeMs > WRITE_TIMEOUT_MS) return "reading";
    const requestTimeoutMs = PARTIAL_FRAME_TIMEOUT_MS + partialBytes / PARTIAL_FRAME_MIN_BYTES_PER_MS;
    return nowMs - this.#requestMs > requestTimeoutMs ? "request" : undefined;
  }
}
