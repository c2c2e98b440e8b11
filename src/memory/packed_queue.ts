/**
 * A queue of records of bytes, such as waiting requests, packed one after another.
 *
 * ```text
 * chunks   [ record | record … | free ]  [ record … ]  [ one long record ]     512 B, 1 KiB … 1 MiB; longer if need be
 * record   size:varint · size bytes
 * ```
 *
 * Each record is in one chunk, so that it can be borrowed in one piece. Nothing is moved when the queue grows. Each
 * chunk is charged to the client's account when it is allocated.
 *
 * @module
 */

import { QUEUE_CHUNK_INITIAL_BYTES, QUEUE_CHUNK_MAX_BYTES } from "../limits.ts";
import { type ClientAccount, Held } from "./client_memory.ts";
import { freeBuffer } from "./freed_memory.ts";

/** Writes an integer below 2^32 with seven bits in each byte, the lowest first. Returns the position after it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  while (value >= 0x80) {
    target[at++] = value & 0x7f | 0x80;
    value >>>= 7;
  }
  target[at++] = value;
  return at;
}

/** Returns the number of bytes that {@linkcode writeVarint} writes for a number. */
export function varintSize(value: number): number {
  let size = 1;
  for (; value >= 0x80; value >>>= 7) size++;
  return size;
}

/** Records of bytes in the order in which they were added. */
export class PackedQueue {
  /** The number of records. */
  count = 0;
  /** The bytes of all chunks, which are charged to the account. */
  size = 0;
  /** The chunk that {@linkcode reserve} or {@linkcode seek} has chosen. It is valid until the queue is freed. */
  bytes: Uint8Array<ArrayBuffer> = EMPTY;
  /** The position in {@linkcode bytes} where the record that {@linkcode seek} has found begins. */
  start = 0;
  /** The position in {@linkcode bytes} after the record that {@linkcode seek} has found. */
  end = 0;
  readonly #account: ClientAccount;
  readonly #kind: Held;
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  /** The number of bytes used in each chunk. */
  #filled: number[] = [];
  // The next record to read: its index, the index of its chunk, and its position in the chunk.
  #index = 0;
  #chunk = 0;
  #at = 0;

  /**
   * Creates an empty queue.
   *
   * @param account the account that is charged for the chunks
   * @param kind the kind of memory that it is charged for
   */
  constructor(account: ClientAccount, kind: Held = Held.Transaction) {
    this.#account = account;
    this.#kind = kind;
  }

  /** Returns the bytes that a record of `size` bytes adds to {@linkcode size}: 0 when it fits into the last chunk. */
  growthFor(size: number): number {
    const needed = size + varintSize(size);
    const last = this.#chunks.length - 1;
    if (last >= 0 && this.#filled[last]! + needed <= this.#chunks[last]!.length) return 0;
    return Math.max(needed, Math.min(QUEUE_CHUNK_MAX_BYTES, Math.max(QUEUE_CHUNK_INITIAL_BYTES, this.size)));
  }

  /**
   * Adds a record of `size` bytes. The caller then writes it to {@linkcode bytes}, at the returned position.
   *
   * @throws {ReplyError} when the limit of clients' memory does not allow it; nothing is added then
   */
  reserve(size: number): number {
    const growth = this.growthFor(size);
    if (growth > 0) {
      this.#account.charge(this.#kind, growth);
      this.size += growth;
      this.#chunks.push(new Uint8Array(growth));
      this.#filled.push(0);
    }
    const last = this.#chunks.length - 1;
    this.bytes = this.#chunks[last]!;
    const at = writeVarint(this.bytes, this.#filled[last]!, size);
    this.#filled[last] = at + size;
    this.count++;
    return at;
  }

  /** Finds record `index`, which is below {@linkcode count}. Reading the records in order takes no search. */
  seek(index: number): void {
    if (index < this.#index) this.#index = this.#chunk = this.#at = 0;
    do {
      if (this.#at === this.#filled[this.#chunk]!) {
        this.#chunk++;
        this.#at = 0;
      }
      const bytes = this.#chunks[this.#chunk]!;
      let at = this.#at;
      let size = 0;
      let shift = 0;
      for (let byte = 0x80; byte >= 0x80; shift += 7) {
        byte = bytes[at++]!;
        size += (byte & 0x7f) * 2 ** shift;
      }
      this.bytes = bytes;
      this.start = at;
      this.end = this.#at = at + size;
    } while (this.#index++ < index);
  }

  /** Frees all memory and empties the queue. Safe to call twice. */
  free(): void {
    for (const chunk of this.#chunks) freeBuffer(chunk);
    this.#account.release(this.#kind, this.size);
    this.#chunks = [];
    this.#filled = [];
    this.bytes = EMPTY;
    this.count =
      this.size =
      this.#index =
      this.#chunk =
      this.#at =
      this.start =
      this.end =
        0;
  }
}

const EMPTY = new Uint8Array(0);
