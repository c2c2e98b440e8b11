/**
 * The replies of one client on their way out: collected during a turn of the event loop, written once.
 *
 * While one buffer is written another collects, so writes never overlap. Long output is written in pieces, so that a
 * slow reader's progress can be seen.
 *
 * @module
 */

import { copyBytes, enlarge } from "../bytes.ts";
import { BUFFER_KEEP_MAX_BYTES, REPLY_FLUSH_BYTES } from "../limits.ts";
import type { Flushable, Turn } from "../route/turn.ts";

const INITIAL_BYTES = 4096;
const EMPTY = new Uint8Array(0);

/** Who an outbox belongs to. */
export interface OutboxOwner {
  /** Writes all of `bytes`, which do not change meanwhile. Rejects when the connection is lost. */
  write(bytes: Uint8Array): Promise<void>;
  /** Everything was written. */
  written(): void;
  /** Writing failed; nothing more will be written. */
  broken(): void;
}

/** Collects and writes. */
export class Outbox implements Flushable {
  scheduled = false;
  /** Counts the pieces written: as long as it stays the same, the same piece is on its way. */
  steps = 0;
  readonly #owner: OutboxOwner;
  readonly #turn: Turn;
  // A client that only waits holds no buffer.
  #collecting: Uint8Array<ArrayBuffer> = EMPTY;
  #length = 0;
  #spare: Uint8Array<ArrayBuffer> = EMPTY;
  #leaving = 0;

  constructor(owner: OutboxOwner, turn: Turn) {
    this.#owner = owner;
    this.#turn = turn;
  }

  /** Bytes that were not written yet. */
  get size(): number {
    return this.#length + this.#leaving;
  }

  /** Whether a write is under way. */
  get writing(): boolean {
    return this.#leaving > 0;
  }

  /** Appends `bytes[start, start + length)`, which is copied. */
  append(bytes: Uint8Array, start: number, length: number): void {
    const needed = this.#length + length;
    if (needed > this.#collecting.length) {
      this.#collecting = enlarge(this.#collecting, this.#length, Math.max(needed, INITIAL_BYTES));
    }
    copyBytes(bytes, start, this.#collecting, this.#length, length);
    this.#length = needed;
    if (this.#leaving === 0) this.#turn.schedule(this);
  }

  /** Begins to write, unless that is under way: then what was collected follows. */
  flush(): void {
    if (this.#leaving === 0 && this.#length > 0) this.#write();
  }

  /** Forgets what is collected, for good. The owner has ended the connection. */
  discard(): void {
    this.#collecting = this.#spare = EMPTY;
    this.#length = 0;
  }

  async #write(): Promise<void> {
    try {
      while (this.#length > 0) {
        const buffer = this.#collecting;
        this.#leaving = this.#length;
        this.#collecting = this.#spare;
        this.#spare = EMPTY;
        this.#length = 0;
        const end = this.#leaving;
        for (let start = 0; start < end; start += REPLY_FLUSH_BYTES) {
          const stop = Math.min(end, start + REPLY_FLUSH_BYTES);
          await this.#owner.write(buffer.subarray(start, stop));
          this.#leaving = end - stop;
          this.steps++;
        }
        if (buffer.length <= BUFFER_KEEP_MAX_BYTES) {
          if (this.#collecting.length === 0) this.#collecting = buffer;
          else this.#spare = buffer;
        }
      }
      this.#owner.written();
    } catch {
      this.#leaving = 0;
      this.#owner.broken();
    }
  }
}
