/**
 * The places of the arguments of one request while it arrives, in many reads.
 *
 * ```text
 * request      [ head | argument 0 | argument 1 | argu…        its first byte may move with every read
 * starts              ▲            ▲                           from there on, until all have come
 * offset                                        ▲              behind the last whole argument
 * ```
 *
 * So each byte is looked at once, a part after each read: the last read brings no more work than the others. The arrays grow as
 * arguments arrive, not as they are announced, and are charged to the account of the client. When the request is whole, they
 * are handed over, not copied.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";
import { FRAME_SIZE_MAX_BYTES } from "../limits.ts";
import { type ClientAccount, Held } from "../memory/client_memory.ts";
import { freeBuffer } from "../memory/freed_memory.ts";
import type { Request } from "./request.ts";

/** A request of more arguments is kept while it arrives; a shorter one takes less to read again than a read. */
export const SHORT_MAX_COUNT = 1024;
/** So many arguments have come that the others are expected, too, and to be about as long. */
const KNOWN_MIN_COUNT = 64 * 1024;
/** How much longer they may be. */
const ESTIMATE_FACTOR = 1.1;
/** Where an argument begins, and how long it is. */
const PLACE_BYTES = 8;
const NONE = new Int32Array(0);

/** See the module's comment. One is used for one request after another. */
export class ArgumentPlaces {
  /** How many arguments the request under way has in all; 0 while none is. */
  count = 0;
  /** How many of them have come. */
  index = 0;
  /** Behind the last of them, from the request's first byte on. */
  offset = 0;
  #size = 0;
  #starts = NONE;
  #lengths = NONE;
  readonly #account: ClientAccount;

  /** @param account is charged for the arrays */
  constructor(account: ClientAccount) {
    this.#account = account;
  }

  /** Begins a request of `count` arguments, whose first one begins at `offset`. */
  begin(count: number, offset: number): void {
    this.count = count;
    this.offset = offset;
  }

  /**
   * Takes note of the next argument, which has come as a whole.
   *
   * @param start from the request's first byte on
   * @param behind the same, of what follows it
   * @throws {ProtocolError} when the memory of all clients has no room for it
   */
  add(start: number, length: number, behind: number): void {
    if (this.index === this.#starts.length) this.#grow();
    this.#starts[this.index] = start;
    this.#lengths[this.index++] = length;
    this.#size += length;
    this.offset = behind;
  }

  /** Bytes that the request will take if it goes on as it has begun; 0 as long as few arguments have come. */
  get expectedBytes(): number {
    if (this.index < SHORT_MAX_COUNT) return 0;
    return Math.min(this.offset * (this.count / this.index) * ESTIMATE_FACTOR, FRAME_SIZE_MAX_BYTES);
  }

  /** Hands all arguments to a request, whose first byte stands at `bytes[start]`, and is ready for another one. */
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

  /** Gives the arrays back. Safe to call twice. */
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

  /** Makes room for twice as many arguments, or for all: then nothing is copied any more, and what is not used costs nothing. */
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
