/**
 * Requests that wait, packed one behind another.
 *
 * ```text
 * chunks   [ record | record … | free ]  [ record … ]  [ one long record ]     512 B, 1 KiB … 1 MiB; longer if need be
 * record   size:varint · size bytes
 * ```
 *
 * A record never stands in two chunks, so that it can be borrowed in one piece. Nothing is moved when the queue grows. Each
 * chunk is charged to the client's account when it is made.
 *
 * @module
 */

import { QUEUE_CHUNK_INITIAL_BYTES, QUEUE_CHUNK_MAX_BYTES } from "../limits.ts";
import { type ClientAccount, Held } from "./client_memory.ts";
import { freeBuffer } from "./freed_memory.ts";

/** Writes a whole number below 2^32, seven bits a byte, the lowest first. Returns the position behind it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  while (value >= 0x80) {
    target[at++] = value & 0x7f | 0x80;
    value >>>= 7;
  }
  target[at++] = value;
  return at;
}

/** Bytes that {@linkcode writeVarint} takes for a number. */
export function varintSize(value: number): number {
  let size = 1;
  for (; value >= 0x80; value >>>= 7) size++;
  return size;
}

/** Records of bytes in the order they were added. */
export class PackedQueue {
  /** How many records there are. */
  count = 0;
  /** Bytes of all chunks, which is what the queue costs. */
  size = 0;
  /** The chunk that {@linkcode reserve} or {@linkcode seek} has found. Borrowed until the queue is freed. */
  bytes: Uint8Array<ArrayBuffer> = EMPTY;
  /** The record that {@linkcode seek} has found is `bytes[start, end)`. */
  start = 0;
  end = 0;
  readonly #account: ClientAccount;
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  /** How far each chunk is filled. */
  #filled: number[] = [];
  // Where the next record is read: its number, its chunk's index and its place in it.
  #index = 0;
  #chunk = 0;
  #at = 0;

  /** @param account is charged for the chunks */
  constructor(account: ClientAccount) {
    this.#account = account;
  }

  /**
   * What a record of `size` bytes adds to {@linkcode size}: 0 when it fits the last chunk.
   */
  growthFor(size: number): number {
    const needed = size + varintSize(size);
    const last = this.#chunks.length - 1;
    if (last >= 0 && this.#filled[last]! + needed <= this.#chunks[last]!.length) return 0;
    return Math.max(needed, Math.min(QUEUE_CHUNK_MAX_BYTES, Math.max(QUEUE_CHUNK_INITIAL_BYTES, this.size)));
  }

  /**
   * Adds a record of `size` bytes, which the caller writes to {@linkcode bytes} at the returned place at once.
   *
   * @throws {ReplyError} when the client's memory does not allow it; nothing is added then
   */
  reserve(size: number): number {
    const growth = this.growthFor(size);
    if (growth > 0) {
      this.#account.charge(Held.Transaction, growth);
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

  /** Finds record `index`, which is below {@linkcode count}. Going on from one to the next takes no search. */
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

  /** Gives all memory back. The queue is empty then. Safe to call twice. */
  free(): void {
    for (const chunk of this.#chunks) freeBuffer(chunk);
    this.#account.release(Held.Transaction, this.size);
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
