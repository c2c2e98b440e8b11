/**
 * Replies, collected for one write.
 *
 * A command tells its answer to a `Reply` in terms of meaning (an integer, a bulk of bytes, a map…); the protocol of
 * the connection decides which bytes that is. Replies of all commands of one read batch stand one behind another in
 * one buffer, which is written to the socket once. Nothing is allocated per reply; the buffer doubles when it is full.
 *
 * An aggregate is told head first: `map(2)` is followed by exactly four values.
 *
 * @module
 */

import { copyBytes, encodeText } from "../bytes.ts";
import { BUFFER_KEEP_MAX_BYTES, REPLY_BUFFER_INITIAL_BYTES, REPLY_SIZE_MAX_BYTES } from "../limits.ts";
import { ReplyError } from "../errors.ts";
import type { ReplyCode } from "../errors.ts";
import {
  Form,
  HEADER_MAX_BYTES,
  write32,
  writeArrayHeader,
  writeBinHeader,
  writeInteger,
  writeInteger64,
  writeMapHeader,
  writeStrHeader,
} from "./message_pack.ts";

/** Most bytes that any protocol puts around a value. */
const VALUE_OVERHEAD_MAX_BYTES = 16;

/** What a command says its answer to. One value a command, unless it announced an aggregate. */
export abstract class Reply {
  /** Holds the replies of the batch in `[0, length)`. Replaced when it grows, so read it after `reserve`. */
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(REPLY_BUFFER_INITIAL_BYTES);
  /** Bytes of {@linkcode buffer} that are filled. */
  length = 0;
  /** Where the reply to the command now running begins. */
  protected begun = 0;

  /** Starts the reply to the next command. */
  abstract begin(): void;
  /** Completes the reply to the command. */
  abstract end(): void;
  /** Answers `OK`. */
  abstract ok(): void;
  /** Answers a word of the server's own, such as `PONG` or a type's name. ASCII. */
  abstract status(word: string): void;
  /** Answers a safe integer. */
  abstract integer(value: number): void;
  /** Answers a 64-bit signed integer. */
  abstract integer64(value: bigint): void;
  /** Answers that there is nothing. */
  abstract nil(): void;
  /**
   * Answers `length` bytes, which the caller writes at the returned position of {@linkcode buffer} at once.
   */
  abstract reserve(length: number): number;
  /** Begins an array of `count` values. */
  abstract array(count: number): void;
  /** Begins a map of `count` pairs, each a key and a value. */
  abstract map(count: number): void;
  /** Answers a refusal, and forgets what this command has said so far. */
  abstract error(code: ReplyCode, message: string): void;

  /** Answers a copy of `source[start, start + length)`. */
  bytes(source: Uint8Array, start: number, length: number): void {
    const at = this.reserve(length);
    copyBytes(source, start, this.buffer, at, length);
  }

  /** Answers text as bytes of UTF-8. */
  text(value: string): void {
    const encoded = encodeText(value);
    this.bytes(encoded, 0, encoded.length);
  }

  /**
   * Makes room for `count` values of `size` bytes in all, so that answering with them cannot fail half way. For
   * commands that take away what they answer with.
   *
   * @throws {ReplyError} when the reply to this command would exceed `REPLY_SIZE_MAX_BYTES`
   */
  prepare(count: number, size: number): void {
    this.grow(size + count * VALUE_OVERHEAD_MAX_BYTES);
  }

  /** Empties the buffer after it was written; a large one is given back. */
  clear(): void {
    this.length = 0;
    this.begun = 0;
    if (this.buffer.length > BUFFER_KEEP_MAX_BYTES) this.buffer = new Uint8Array(REPLY_BUFFER_INITIAL_BYTES);
  }

  /**
   * Makes room for `size` more bytes.
   *
   * @throws {ReplyError} when the reply to this command would exceed `REPLY_SIZE_MAX_BYTES`
   */
  protected grow(size: number): void {
    const needed = this.length + size;
    if (needed <= this.buffer.length) return;
    if (needed - this.begun > REPLY_SIZE_MAX_BYTES) {
      throw new ReplyError("ERR", `reply exceeds ${REPLY_SIZE_MAX_BYTES} bytes; ask for less at a time`);
    }
    // Never beyond the bound, so that spare room cannot carry a reply past it.
    const doubled = Math.min(this.buffer.length * 2, this.begun + REPLY_SIZE_MAX_BYTES);
    const grown = new Uint8Array(Math.max(needed, doubled));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }
}

/**
 * Replies in the native protocol: `length:u32` and one MessagePack array, `[0, value]` or `[1, code, message]`.
 *
 * ```text
 * begin   length 0 0 0 0 · 92 00
 * …       value
 * end     length is filled in
 * ```
 *
 * The server's own words are str, data is bin.
 */
export class NativeReply extends Reply {
  override begin(): void {
    this.begun = this.length;
    this.grow(6);
    const buffer = this.buffer;
    buffer[this.length + 4] = 0x92;
    buffer[this.length + 5] = 0;
    this.length += 6;
  }

  override end(): void {
    write32(this.buffer, this.begun, this.length - this.begun - 4);
  }

  override ok(): void {
    this.grow(3);
    const buffer = this.buffer;
    buffer[this.length] = 0xa2;
    buffer[this.length + 1] = 0x4f;
    buffer[this.length + 2] = 0x4b;
    this.length += 3;
  }

  override status(word: string): void {
    this.grow(HEADER_MAX_BYTES + word.length);
    let at = writeStrHeader(this.buffer, this.length, word.length);
    for (let i = 0; i < word.length; i++) this.buffer[at++] = word.charCodeAt(i);
    this.length = at;
  }

  override integer(value: number): void {
    this.grow(HEADER_MAX_BYTES);
    this.length = writeInteger(this.buffer, this.length, value);
  }

  override integer64(value: bigint): void {
    this.grow(HEADER_MAX_BYTES);
    const number = Number(value);
    this.length = Number.isSafeInteger(number)
      ? writeInteger(this.buffer, this.length, number)
      : writeInteger64(this.buffer, this.length, value);
  }

  override nil(): void {
    this.grow(1);
    this.buffer[this.length++] = Form.Nil;
  }

  override reserve(length: number): number {
    this.grow(HEADER_MAX_BYTES + length);
    const at = writeBinHeader(this.buffer, this.length, length);
    this.length = at + length;
    return at;
  }

  override array(count: number): void {
    this.grow(HEADER_MAX_BYTES);
    this.length = writeArrayHeader(this.buffer, this.length, count);
  }

  override map(count: number): void {
    this.grow(HEADER_MAX_BYTES);
    this.length = writeMapHeader(this.buffer, this.length, count);
  }

  override error(code: ReplyCode, message: string): void {
    this.length = this.begun;
    const text = encodeText(message);
    this.grow(4 + 2 + HEADER_MAX_BYTES + code.length + HEADER_MAX_BYTES + text.length);
    this.buffer[this.length + 4] = 0x93;
    this.buffer[this.length + 5] = 1;
    this.length += 6;
    this.status(code);
    const at = writeStrHeader(this.buffer, this.length, text.length);
    this.buffer.set(text, at);
    this.length = at + text.length;
  }
}
