/**
 * What a client has queued between `multi` and `exec`: the requests as they came, one behind another.
 *
 * @module
 */

import { copyBytes, enlarge } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import { TRANSACTION_MAX_BYTES } from "../limits.ts";

const INITIAL_BYTES = 256;
/** What a request counts beside its bytes. */
const OVERHEAD_BYTES = 128;

/** The queue of one transaction. */
export class QueuedRequests {
  /** The slot of all keys so far; -1 while there are none. */
  slot = -1;
  /** Whether a request could not be queued. */
  isSpoilt = false;
  /** Whether a request of it may change data. */
  writes = false;
  /** Where each request ends in {@linkcode bytes}. */
  readonly ends: number[] = [];
  /** The requests. Replaced when it grows. */
  bytes = new Uint8Array(INITIAL_BYTES);
  /** How many bytes they are. */
  size = 0;

  /** How many requests are queued. */
  get count(): number {
    return this.ends.length;
  }

  /**
   * Queues the request whose bytes are `bytes[start, start + size)`, which are copied.
   *
   * @throws {ReplyError} when the transaction gets too large
   */
  add(bytes: Uint8Array, start: number, size: number): void {
    const needed = this.size + size;
    if (needed + (this.count + 1) * OVERHEAD_BYTES > TRANSACTION_MAX_BYTES) {
      throw new ReplyError("ERR", `transaction exceeds ${TRANSACTION_MAX_BYTES} bytes`);
    }
    if (needed > this.bytes.length) this.bytes = enlarge(this.bytes, this.size, needed);
    copyBytes(bytes, start, this.bytes, this.size, size);
    this.size = needed;
    this.ends.push(needed);
  }
}
