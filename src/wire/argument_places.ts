/**
 * The places of the arguments of one long request, while it arrives in many reads.
 *
 * ```text
 * request      [ head | argument 0 | argument 1 | argu…        each read may move its first byte
 * starts              ▲            ▲                           relative to that byte, until all have arrived
 * offset                                        ▲              after the last whole argument
 * ```
 *
 * Each byte is read only once, after the read that brings it, so the last read brings no more work than the others. The
 * arrays grow as arguments arrive, not as they are announced, and are charged to the account of the client. When the
 * request is whole, the arrays are passed on, not copied.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";
import { FRAME_SIZE_MAX_BYTES } from "../limits.ts";
import { type ClientAccount, Held } from "../memory/client_memory.ts";
import { freeBuffer } from "../memory/freed_memory.ts";
import type { Request } from "./request.ts";

/** The most arguments of a request that is decoded again after each read, which takes less time than the read. */
export const SHORT_MAX_COUNT = 1024;
/** The number of arguments after which the rest is expected to arrive as well, with about the same lengths. */
const KNOWN_MIN_COUNT = 64 * 1024;
/** The factor by which the rest may be longer. */
const ESTIMATE_FACTOR = 1.1;
/** The size of the start and the length of one argument, in bytes. */
const PLACE_BYTES = 8;
const NONE = new Int32Array(0);

/** Collects the places of arguments, for one request after another. */
export class ArgumentPlaces {
  /** The number of arguments that the request announces; 0 without a request. */
  count = 0;
  /** The number of arguments that have arrived. */
  index = 0;
  /** The position after the last argument that has arrived, relative to the first byte of the request. */
  offset = 0;
  #size = 0;
  #starts = NONE;
  #lengths = NONE;
  readonly #account: ClientAccount;

  /** @param account is charged for the arrays */
  constructor(account: ClientAccount) {
    this.#account = account;
  }

  /** Begins a request of `count` arguments, the first of which begins at `offset`. */
  begin(count: number, offset: number): void {
    this.count = count;
    this.offset = offset;
  }

  /**
   * Records the next argument, which has arrived completely.
   *
   * @param start relative to the first byte of the request
   * @param next the start of what follows the argument, relative to the same byte
   * @throws {ProtocolError} when the memory of all clients has no room for it
   */
  add(start: number, length: number, next: number): void {
    if (this.index === this.#starts.length) this.#grow();
    this.#starts[this.index] = start;
    this.#lengths[this.index++] = length;
    this.#size += length;
    this.offset = next;
  }

  /** The estimated size of the request, in bytes; 0 as long as few arguments have arrived. */
  get expectedBytes(): number {
    if (this.index < SHORT_MAX_COUNT) return 0;
    return Math.min(this.offset * (this.count / this.index) * ESTIMATE_FACTOR, FRAME_SIZE_MAX_BYTES);
  }

  /** Passes all arguments to `request`, whose first byte is `bytes[start]`, and continues without a request. */
  give(request: Request, bytes: Uint8Array, start: number): void {
    const starts = this.#starts;
    for (let i = 0; i < this.count; i++) starts[i]! += start;
    this.#account.release(Held.Request, starts.length * PLACE_BYTES);
    request.reset(bytes, 0);
    request.starts = starts;
    request.lengths = this.#lengths;
    request.count = this.count;
    request.size = this.#size;
    this.#starts = this.#lengths = NONE;
    this.#forget();
  }

  /** Frees the arrays. Safe to call twice. */
  free(): void {
    this.#account.release(Held.Request, this.#starts.length * PLACE_BYTES);
    freeBuffer(this.#starts);
    freeBuffer(this.#lengths);
    this.#starts = this.#lengths = NONE;
    this.#forget();
  }

  #forget(): void {
    this.count =
      this.index =
      this.offset =
      this.#size =
        0;
  }

  /**
   * Makes room for twice as many arguments, or for all: then nothing is copied again, and unused memory costs nothing.
   */
  #grow(): void {
    const room = this.index >= KNOWN_MIN_COUNT ? this.count : Math.max(SHORT_MAX_COUNT, this.index * 2);
    const more = (room - this.#starts.length) * PLACE_BYTES;
    if (!this.#account.tryCharge(Held.Request, more)) throw new ProtocolError(this.#account.refusal(Held.Request));
    const starts = new Int32Array(room);
    const lengths = new Int32Array(room);
    starts.set(this.#starts);
    lengths.set(this.#lengths);
    freeBuffer(this.#starts);
    freeBuffer(this.#lengths);
    this.#starts = starts;
    this.#lengths = lengths;
  }
}
