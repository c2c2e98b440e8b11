/**
 * A run of bytes in some buffer: a key, a field or a value that was just read.
 *
 * A reader has one span for each of these, and moves it from value to value, so that a value costs no object. A span
 * points into a buffer of the reader, or into its own memory if the value is not stored as it is, such as a compressed
 * one. It is valid until the next value is read.
 *
 * @module
 */

import { copyBytes, decodeText, encodeText, equalBytes, formatInteger, INTEGER_TEXT_MAX_BYTES } from "../bytes.ts";
import { BUFFER_KEEP_MAX_BYTES } from "../limits.ts";

const INITIAL_BYTES = 64;
/** Text up to this length is encoded by a loop as long as it is ASCII. */
const SHORT_TEXT_MAX_LENGTH = 64;

const encoder = new TextEncoder();

/** A run of bytes in a buffer. */
export class Span {
  bytes: Uint8Array = new Uint8Array(INITIAL_BYTES);
  start = 0;
  length = 0;
  #own: Uint8Array = this.bytes;

  /** Points to bytes of a buffer. */
  point(bytes: Uint8Array, start: number, length: number): void {
    this.bytes = bytes;
    this.start = start;
    this.length = length;
  }

  /** Points to its own memory, whose first `length` bytes the caller writes. */
  own(length: number): Uint8Array {
    const size = this.#own.length;
    if (length > size) this.#own = new Uint8Array(Math.max(length, 2 * INITIAL_BYTES));
    else if (size > BUFFER_KEEP_MAX_BYTES && length <= BUFFER_KEEP_MAX_BYTES) this.#own = new Uint8Array(length);
    this.point(this.#own, 0, length);
    return this.#own;
  }

  /** Copies the bytes to its own memory, so that they stay valid when the reader's buffer changes. */
  keep(): void {
    if (this.bytes === this.#own) return;
    const { bytes, start, length } = this;
    copyBytes(bytes, start, this.own(length), 0, length);
  }

  /** Becomes the decimal form of an integer. */
  setInteger(value: number | bigint): void {
    if (typeof value === "bigint") return this.setBytes(encodeText(String(value)));
    const target = this.own(INTEGER_TEXT_MAX_BYTES);
    this.length = formatInteger(value, target, 0);
  }

  /** Becomes the UTF-8 encoding of a text. */
  setText(text: string): void {
    const { length } = text;
    if (length <= SHORT_TEXT_MAX_LENGTH) {
      const target = this.own(3 * length);
      let i = 0;
      for (let unit; i < length && (unit = text.charCodeAt(i)) < 0x80; i++) target[i] = unit;
      this.length = length;
      if (i === length) return;
    }
    const { written } = encoder.encodeInto(text, this.own(3 * text.length));
    this.length = written;
  }

  /** Returns whether both have the same bytes. */
  equals(other: Span): boolean {
    return this.length === other.length && equalBytes(this.bytes, this.start, other.bytes, other.start, this.length);
  }

  /** Points to all bytes of an array. */
  setBytes(bytes: Uint8Array): void {
    this.point(bytes, 0, bytes.length);
  }

  /** Returns a copy of the bytes. */
  copy(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(this.start, this.start + this.length) as Uint8Array<ArrayBuffer>;
  }

  /** Returns the bytes as text, for messages. */
  text(): string {
    return decodeText(this.bytes, this.start, this.length);
  }
}
