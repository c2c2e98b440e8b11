/**
 * Native requests, encoded one after another from bytes that lie in buffers. It makes no views of these bytes, which
 * would cost more than the copying.
 *
 * ```text
 * frame    length:u32 · header of an array · name · argument · argument · …
 *          └─ known at the end ─┘
 * ```
 *
 * The number of words of a request is known ({@linkcode RequestBatch.begin}), or the request is open: then arguments
 * are added until it is large enough, and their number is written at the end ({@linkcode RequestBatch.beginOpen}).
 *
 * @module
 */

import { copyBytes, encodeText, enlarge, formatInteger, INTEGER_TEXT_MAX_BYTES, write32 } from "../bytes.ts";
import { BUFFER_KEEP_MAX_BYTES } from "../limits.ts";
import { FRAME_PREFIX_BYTES } from "../wire/native/frame.ts";
import {
  Form,
  HEADER_MAX_BYTES,
  writeArrayHeader,
  writeBinHeader,
  writeStrHeader,
} from "../wire/native/message_pack.ts";
import type { Span } from "./span.ts";

const INITIAL_BYTES = 128 * 1024;
/** The longest word that {@linkcode encodeWord} encodes. */
const WORD_MAX_BYTES = 31;

/** Returns a short word of a request with its header, to be copied into requests. */
export function encodeWord(word: string): Uint8Array {
  const text = encodeText(word);
  const bytes = new Uint8Array(1 + text.length);
  writeStrHeader(bytes, 0, text.length);
  bytes.set(text, 1);
  return bytes;
}

/** Encodes native requests into one buffer. */
export class RequestBatch {
  /** The buffer, which is filled up to {@linkcode length}. It is replaced when it grows. */
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  /** The number of bytes that are written. */
  length = 0;
  /** The number of complete requests. */
  count = 0;
  /** Where the request that is being written begins, or the next one will begin. */
  #start = 0;
  /** The number of words of the open request. */
  #openCount = 0;

  /** Begins a request of as many words. */
  begin(count: number): void {
    this.#reserve(FRAME_PREFIX_BYTES + HEADER_MAX_BYTES);
    this.length = writeArrayHeader(this.buffer, this.length + FRAME_PREFIX_BYTES, count);
  }

  /** Begins a request whose number of words is not known yet. */
  beginOpen(): void {
    this.#reserve(FRAME_PREFIX_BYTES + HEADER_MAX_BYTES);
    this.buffer[this.length + FRAME_PREFIX_BYTES] = Form.Array32;
    this.length += FRAME_PREFIX_BYTES + 5;
    this.#openCount = 0;
  }

  /** The number of bytes of the complete requests. */
  get completeBytes(): number {
    return this.#start;
  }

  /** The number of bytes of the request that is being written. */
  get openBytes(): number {
    return this.length - this.#start;
  }

  /** Appends a word that {@linkcode encodeWord} has encoded. */
  word(word: Uint8Array): void {
    this.#reserve(WORD_MAX_BYTES + 1);
    copyBytes(word, 0, this.buffer, this.length, word.length);
    this.length += word.length;
    this.#openCount++;
  }

  /** Appends an argument. */
  span({ bytes, start, length }: Span): void {
    this.#reserve(HEADER_MAX_BYTES + length);
    const at = writeBinHeader(this.buffer, this.length, length);
    copyBytes(bytes, start, this.buffer, at, length);
    this.length = at + length;
    this.#openCount++;
  }

  /** Appends an integer in decimal. */
  integer(value: number): void {
    this.#reserve(1 + INTEGER_TEXT_MAX_BYTES);
    const size = formatInteger(value, this.buffer, this.length + 1);
    writeStrHeader(this.buffer, this.length, size);
    this.length += 1 + size;
    this.#openCount++;
  }

  /** Completes the request. */
  end(): void {
    write32(this.buffer, this.#start, this.openBytes - FRAME_PREFIX_BYTES);
    this.#start = this.length;
    this.count++;
  }

  /** Completes the open request. */
  endOpen(): void {
    write32(this.buffer, this.#start + FRAME_PREFIX_BYTES + 1, this.#openCount);
    this.end();
  }

  /** Removes the request that is being written. */
  cancel(): void {
    this.length = this.#start;
  }

  /** Removes the complete requests. */
  dropComplete(): void {
    const open = this.openBytes;
    if (this.buffer.length > BUFFER_KEEP_MAX_BYTES && open < INITIAL_BYTES) {
      const buffer = new Uint8Array(INITIAL_BYTES);
      buffer.set(this.buffer.subarray(this.#start, this.length));
      this.buffer = buffer;
    } else {
      this.buffer.copyWithin(0, this.#start, this.length);
    }
    this.length = open;
    this.#start = 0;
    this.count = 0;
  }

  #reserve(size: number): void {
    const needed = this.length + size;
    if (needed > this.buffer.length) this.buffer = enlarge(this.buffer, this.length, needed);
  }
}
