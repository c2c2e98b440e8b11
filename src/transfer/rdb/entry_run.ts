/**
 * The form that listpacks and ziplists share: a header with the size and the count, entries, and a last byte.
 *
 * ```text
 * bytes:u32  …  count:u16  entry  entry  …  ff        little-endian; count 65535 means that it is not known
 * ```
 *
 * @module
 */

import type { Span } from "../span.ts";
import { little16, little32, littleSigned, MalformedError, type Packed } from "./packed.ts";

const END = 0xff;
/** This count says that the elements have to be counted. */
const COUNT_UNKNOWN = 65_535;
const COUNT_BYTES = 2;

/** Reads the elements of a run of entries, each of which a subclass decodes. */
export abstract class EntryRun implements Packed {
  readonly #name: string;
  readonly #headerBytes: number;
  /** The bytes that contain the run. */
  protected bytes = new Uint8Array(0);
  /** Where the last byte is, which marks the end. */
  protected last = 0;
  #at = 0;
  /** The elements that follow, or a negative number if their count is not known. */
  #left = 0;

  /**
   * @param name the name of the encoding in messages
   * @param headerBytes the size of the header, at whose end the count is
   */
  constructor(name: string, headerBytes: number) {
    this.#name = name;
    this.#headerBytes = headerBytes;
  }

  begin(bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void {
    if (length <= this.#headerBytes || little32(bytes, start) !== length || bytes[start + length - 1] !== END) {
      throw new MalformedError(`a ${this.#name} has a wrong header, or no end`);
    }
    this.bytes = bytes;
    this.last = start + length - 1;
    this.#at = start + this.#headerBytes;
    const count = little16(bytes, this.#at - COUNT_BYTES);
    this.#left = count === COUNT_UNKNOWN ? -1 : count;
  }

  next(element: Span): boolean {
    if (this.#at === this.last) {
      if (this.#left > 0) throw new MalformedError(`a ${this.#name} has fewer elements than it announces`);
      return false;
    }
    if (this.#left === 0) throw new MalformedError(`a ${this.#name} has more elements than it announces`);
    this.#left--;
    this.#at = this.readEntry(element, this.#at);
    if (this.#at > this.last) throw this.#tooLong();
    return true;
  }

  /**
   * Moves the span to the element of the entry at `start`.
   *
   * @returns the position after the entry
   */
  protected abstract readEntry(element: Span, start: number): number;

  /** Returns the byte at `at`, which is in the run. */
  protected byte(at: number): number {
    if (at >= this.last) throw this.#ended();
    return this.bytes[at]!;
  }

  /** Throws unless `count` bytes at `at` are in the run. */
  protected require(at: number, count: number): void {
    if (at + count > this.last) throw this.#ended();
  }

  /** Moves the span to a string, and returns where it ends. */
  protected string(element: Span, start: number, length: number): number {
    if (start + length > this.last) throw this.#tooLong();
    element.point(this.bytes, start, length);
    return start + length;
  }

  /** Moves the span to an integer of `size` bytes, and returns where it ends. An `undefined` size is an error. */
  protected integer(element: Span, start: number, size: number | undefined, encoding: number): number {
    if (size === undefined) throw new MalformedError(`a ${this.#name} has the unknown encoding ${encoding}`);
    this.require(start, size);
    element.setInteger(littleSigned(this.bytes, start, size));
    return start + size;
  }

  /** Returns the error for an element that leads out of the run. */
  #tooLong(): MalformedError {
    return new MalformedError(`an element of a ${this.#name} is longer than the ${this.#name}`);
  }

  #ended(): MalformedError {
    return new MalformedError(`a ${this.#name} ends within an element`);
  }
}
