/**
 * The requests of the load generator, created in advance: one after another in one array, all of the same length, in
 * random order. So a pipeline of any number of them is a part of the array, and sending it allocates nothing.
 *
 * ```text
 * GET   *2 CRLF  $3 CRLF GET CRLF  $16 CRLF key CRLF                     reply   $32 CRLF value CRLF
 * SET   *3 CRLF  $3 CRLF SET CRLF  $16 CRLF key CRLF  $32 CRLF value CRLF        +OK CRLF
 * ```
 *
 * A key's value is the key twice, so a request determines its reply.
 *
 * @module
 */

import { keyName } from "./disk_loads.ts";
import { encodeCommands } from "./resp_connection.ts";

const KEY_BYTES = keyName(0).length;
/** The length of a value, in bytes. */
export const VALUE_BYTES: number = 2 * KEY_BYTES;
/** The position of the key in a request, which is equal in both commands. */
const KEY_OFFSET = "*2\r\n$3\r\nGET\r\n$16\r\n".length;
/** The beginning of a correct reply, or all of it. */
const HEADERS = { GET: "$32\r\n", SET: "+OK\r\n" } as const;
const HEADER_BYTES = 5;
const REPLY_SIZES = { GET: HEADER_BYTES + VALUE_BYTES + 2, SET: HEADER_BYTES } as const;

/** A measured command. */
export type LoadCommand = keyof typeof HEADERS;

/** The requests with one command, for some keys. */
export class LoadRequests {
  readonly command: LoadCommand;
  readonly count: number;
  /** The length of each correct reply. */
  readonly replySize: number;
  readonly #bytes: Uint8Array;
  readonly #size: number;
  readonly #header: Uint8Array;

  /**
   * Creates the requests.
   *
   * @param keys the numbers of the keys; at least as many as the longest pipeline
   */
  constructor(command: LoadCommand, keys: readonly number[]) {
    this.command = command;
    this.count = keys.length;
    this.replySize = REPLY_SIZES[command];
    this.#header = new TextEncoder().encode(HEADERS[command]);
    this.#bytes = encodeCommands(
      shuffled(keys).map((key) => {
        const name = keyName(key);
        return command === "GET" ? ["GET", name] : ["SET", name, name + name];
      }),
    );
    this.#size = this.#bytes.length / this.count;
  }

  /** Returns the bytes of `count` requests from the one at `first` on; borrowed. */
  slice(first: number, count: number): Uint8Array {
    return this.#bytes.subarray(first * this.#size, (first + count) * this.#size);
  }

  /**
   * Verifies the beginnings of the replies `from` to `to` of a pipeline, which are at `replies[0, end)`.
   *
   * @throws {Error} with the first wrong one
   */
  checkHeaders(replies: Uint8Array, from: number, to: number, end: number): void {
    const header = this.#header;
    for (let index = from; index < to; index++) {
      const at = index * this.replySize;
      for (let i = 0; i < HEADER_BYTES; i++) {
        if (replies[at + i] !== header[i]) throw this.#unexpected(replies.subarray(at, end));
      }
    }
  }

  /**
   * Verifies the whole reply at `index` of a pipeline that began with the request at `first`.
   *
   * @throws {Error} when it does not have the value of the key
   */
  checkValue(replies: Uint8Array, index: number, first: number): void {
    if (this.command === "SET") return;
    const key = (first + index) * this.#size + KEY_OFFSET;
    const value = index * this.replySize + HEADER_BYTES;
    for (let i = 0; i < VALUE_BYTES; i++) {
      if (replies[value + i] !== this.#bytes[key + i % KEY_BYTES]) {
        throw this.#unexpected(replies.subarray(value - HEADER_BYTES, value + VALUE_BYTES));
      }
    }
  }

  #unexpected(reply: Uint8Array): Error {
    const text = new TextDecoder().decode(reply.subarray(0, 200));
    return new Error(`Cannot measure: ${this.command} got the reply ${JSON.stringify(text)}`);
  }
}

/** The number of bytes of a reply that {@linkcode LoadRequests.checkHeaders} verifies. */
export const CHECKED_BYTES = HEADER_BYTES;

/** Returns the keys in random order, by the shuffle of Fisher and Yates. */
function shuffled(keys: readonly number[]): number[] {
  const order = [...keys];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
