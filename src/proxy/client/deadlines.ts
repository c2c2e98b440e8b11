/**
 * What a peer may take how long for, without a timer per connection: a sweep about once a second compares what it sees
 * with what it saw before.
 *
 * @module
 */

import {
  AUTHENTICATION_TIMEOUT_MS,
  LINGER_TIMEOUT_MS,
  PARTIAL_FRAME_MIN_BYTES_PER_MS,
  PARTIAL_FRAME_TIMEOUT_MS,
  WRITE_TIMEOUT_MS,
} from "../../limits.ts";

/** The progress of a connection's output. */
export interface Output {
  /** Whether a write is under way. */
  readonly writing: boolean;
  /** Counts the writes done. */
  readonly steps: number;
}

/** The deadlines of one connection. */
export class Deadlines {
  /** Counts the frames taken: as long as it stays the same, a frame under way is still the same. */
  frames = 0;
  readonly #openedMs = performance.now();
  #lingersMs = Infinity;
  #frameSeen = -1;
  #frameMs = 0;
  #writeSeen = -1;
  #writeMs = 0;

  /** Says that nothing is expected of the peer but its end. */
  linger(): void {
    this.#lingersMs = performance.now();
  }

  /**
   * Whether the peer has taken too long.
   *
   * @param nowMs as `performance.now()` tells it
   * @param partialBytes what was read of a frame that is not whole yet; 0 when the peer is not waited for
   */
  isLate(nowMs: number, authenticated: boolean, partialBytes: number, output: Output): boolean {
    if (!authenticated && nowMs - this.#openedMs > AUTHENTICATION_TIMEOUT_MS) return true;
    if (nowMs - this.#lingersMs > LINGER_TIMEOUT_MS) return true;
    if (partialBytes === 0 || this.frames !== this.#frameSeen) {
      this.#frameSeen = this.frames;
      this.#frameMs = nowMs;
    }
    if (!output.writing || output.steps !== this.#writeSeen) {
      this.#writeSeen = output.steps;
      this.#writeMs = nowMs;
    }
    const frameTimeoutMs = PARTIAL_FRAME_TIMEOUT_MS + partialBytes / PARTIAL_FRAME_MIN_BYTES_PER_MS;
    return nowMs - this.#frameMs > frameTimeoutMs || nowMs - this.#writeMs > WRITE_TIMEOUT_MS;
  }
}
