/**
 * The requests whose replies have not arrived, in order: what each does, and its key, so that a reply can be counted
 * and a refusal can name its key. Neither costs an object.
 *
 * ```text
 * entries   kind  position  key length        a ring; one entry for each request
 *           ▲ oldest                ▲ newest
 * keys      … key │ key │ key │ key           the same order, in one buffer that is moved together when it is full
 * ```
 *
 * The key of the last entry that was {@linkcode InFlight.mark}ed stays, for the report.
 *
 * @module
 */

import { copyBytes, enlarge } from "../bytes.ts";
import type { Span } from "./span.ts";

const INITIAL_COUNT = 1024;
const INITIAL_BYTES = 64 * 1024;

/** The requests in flight. */
export class InFlight {
  #kinds = new Uint8Array(INITIAL_COUNT);
  #positions = new Float64Array(INITIAL_COUNT);
  #lengths = new Uint32Array(INITIAL_COUNT);
  #oldest = 0;
  #count = 0;
  #keys: Uint8Array = new Uint8Array(INITIAL_BYTES);
  /** Where the keys of the oldest entry and of the next one are. */
  #oldestKey = 0;
  #end = 0;
  #markedStart = 0;
  #markedLength = 0;

  /** The number of requests. */
  get count(): number {
    return this.#count;
  }

  /** Adds a request. `position` is that of its key in the input. */
  push(kind: number, position: number, key: Span): void {
    if (this.#count === this.#kinds.length) this.#enlarge();
    const index = (this.#oldest + this.#count++) & (this.#kinds.length - 1);
    this.#kinds[index] = kind;
    this.#positions[index] = position;
    this.#lengths[index] = key.length;
    if (this.#end + key.length > this.#keys.length) this.#makeRoom(key.length);
    copyBytes(key.bytes, key.start, this.#keys, this.#end, key.length);
    this.#end += key.length;
  }

  /** The kind of the oldest request. */
  get kind(): number {
    return this.#kinds[this.#oldest]!;
  }

  /** The position of the key of the oldest request. */
  get position(): number {
    return this.#positions[this.#oldest]!;
  }

  /** Returns a copy of the key of the oldest request. */
  key(): Uint8Array {
    return this.#keys.slice(this.#oldestKey, this.#oldestKey + this.#lengths[this.#oldest]!);
  }

  /** Marks the key of the oldest request as the last one that was imported. */
  mark(): void {
    this.#markedStart = this.#oldestKey;
    this.#markedLength = this.#lengths[this.#oldest]!;
  }

  /** Returns a copy of the marked key. */
  markedKey(): Uint8Array {
    return this.#keys.slice(this.#markedStart, this.#markedStart + this.#markedLength);
  }

  /** Removes the oldest request. */
  shift(): void {
    this.#oldestKey += this.#lengths[this.#oldest]!;
    this.#oldest = (this.#oldest + 1) & (this.#kinds.length - 1);
    this.#count--;
  }

  #enlarge(): void {
    const size = this.#kinds.length;
    const order = (index: number) => (this.#oldest + index) & (size - 1);
    this.#kinds = new Uint8Array(2 * size).map((_, i) => i < size ? this.#kinds[order(i)]! : 0);
    this.#positions = new Float64Array(2 * size).map((_, i) => i < size ? this.#positions[order(i)]! : 0);
    this.#lengths = new Uint32Array(2 * size).map((_, i) => i < size ? this.#lengths[order(i)]! : 0);
    this.#oldest = 0;
  }

  /** Moves the keys to the front of the buffer: the marked one, and those in flight. */
  #makeRoom(length: number): void {
    const keys = this.#keys;
    keys.copyWithin(0, this.#markedStart, this.#markedStart + this.#markedLength);
    keys.copyWithin(this.#markedLength, this.#oldestKey, this.#end);
    this.#end -= this.#oldestKey - this.#markedLength;
    this.#oldestKey = this.#markedLength;
    this.#markedStart = 0;
    // Half of the buffer stays free, so that moving is rare.
    if (this.#end + length > keys.length / 2) this.#keys = enlarge(keys, this.#end, 2 * (this.#end + length));
  }
}
