/**
 * The bytes of a file or pipe, of which a bounded part is in memory.
 *
 * ```text
 * file     0 … position of bytes[0] …  at …            end … not read yet
 * bytes                     [ used    │ not used yet │ free ]
 *                             ▲         ▲              ▲
 *                             0         at             end
 * ```
 *
 * A reader works on `bytes` in place. When it needs more than there is, it calls {@linkcode ByteSource.need}, which
 * throws {@linkcode SHORT}. The caller goes back to the beginning of what it reads, awaits {@linkcode ByteSource.fill}
 * and tries again. A buffer holds thousands of small values, so a second try is rare.
 *
 * @module
 */

import { copyBytes } from "../bytes.ts";
import { messageOf, UsageError } from "../errors.ts";
import { IMPORT_BUFFER_BYTES } from "../limits.ts";

/** A stream that bytes are read from, such as a file. */
export interface ReadableSource {
  read(target: Uint8Array): Promise<number | null>;
}

/**
 * The value that is thrown when a reader needs more bytes than are in memory. It is not an error, so it has no stack.
 */
export const SHORT: { readonly name: string } = { name: "Short" };

/** The bytes of a file or pipe. */
export class ByteSource {
  /** The bytes in memory; those from {@linkcode at} to {@linkcode end} are not used yet. Filling replaces it. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(IMPORT_BUFFER_BYTES);
  /** Where the next byte is. */
  at = 0;
  /** Where the last byte ends. */
  end = 0;
  /** The name of the input in messages. */
  readonly name: string;
  readonly #source: ReadableSource;
  readonly #drop: (bytes: Uint8Array, length: number) => void;
  /** The position of `bytes[0]` in the input. */
  #base = 0;
  #isEnded = false;
  /** How many bytes the reader needs from `at` on. */
  #needed = 1;

  /**
   * @param drop is called with used bytes, from the first one of `bytes` on, before they are dropped
   */
  constructor(name: string, source: ReadableSource, drop: (bytes: Uint8Array, length: number) => void = () => {}) {
    this.name = name;
    this.#source = source;
    this.#drop = drop;
  }

  /** The number of bytes that are used. */
  get position(): number {
    return this.#base + this.at;
  }

  /** Whether the input has no bytes after {@linkcode end}. It is known only after a {@linkcode fill}. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Throws {@linkcode SHORT} unless `count` bytes are there from {@linkcode at} on. */
  need(count: number): void {
    if (this.end - this.at < count) this.short(count);
  }

  /** Throws {@linkcode SHORT}; the next {@linkcode fill} gets at least `count` bytes from {@linkcode at} on. */
  short(count: number): never {
    // The reader begins again at an earlier byte, from which it needs more.
    this.#needed = this.position + count;
    throw SHORT;
  }

  /**
   * Reads until there are as many bytes as the last {@linkcode need} asked for, and at least one more than there are.
   * The end of the input ends the reading, too.
   *
   * @returns whether there are as many
   * @throws {UsageError} when the input cannot be read
   */
  async fill(): Promise<boolean> {
    const wanted = Math.max(this.end - this.at + 1, this.#needed - this.position);
    this.#needed = 0;
    this.#compact();
    while (this.end < wanted && !this.#isEnded) {
      if (this.end === this.bytes.length) this.#grow(Math.min(wanted, 2 * this.bytes.length));
      const count = await this.#read(this.bytes.subarray(this.end));
      if (count === null) this.#isEnded = true;
      else this.end += count;
    }
    return this.end >= wanted;
  }

  /** Skips bytes, however many. Resolves to whether the input has as many. */
  async skip(count: number): Promise<boolean> {
    for (let left = count;;) {
      const part = Math.min(left, this.end - this.at);
      this.at += part;
      left -= part;
      if (left === 0) return true;
      if (!await this.fill()) return false;
    }
  }

  /**
   * Throws {@linkcode SHORT}; the next {@linkcode fill} gets twice as many bytes as there are from `start` on, so that
   * a long record whose size is not known is not searched again for each small read.
   */
  shortFrom(start: number): never {
    this.at = start;
    this.short(2 * (this.end - start) + 1);
  }

  /** Drops the used bytes, so that all bytes of the buffer can be read into. */
  #compact(): void {
    if (this.at === 0) return;
    this.#drop(this.bytes, this.at);
    const length = this.end - this.at;
    // A large value was here, and small ones follow.
    const isLarge = this.bytes.length > IMPORT_BUFFER_BYTES && length <= IMPORT_BUFFER_BYTES / 2;
    if (isLarge) this.#move(new Uint8Array(IMPORT_BUFFER_BYTES));
    else this.bytes.copyWithin(0, this.at, this.end);
    this.#base += this.at;
    this.at = 0;
    this.end = length;
  }

  #grow(size: number): void {
    this.#move(new Uint8Array(size));
  }

  #move(target: Uint8Array<ArrayBuffer>): void {
    copyBytes(this.bytes, this.at, target, 0, this.end - this.at);
    this.bytes = target;
  }

  async #read(target: Uint8Array): Promise<number | null> {
    try {
      return await this.#source.read(target);
    } catch (error) {
      throw new UsageError(`Cannot read ${this.name}: ${messageOf(error)}`, { cause: error });
    }
  }
}
