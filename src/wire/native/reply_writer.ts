/**
 * Replies in the native protocol: `length:u32` and one MessagePack array, `[0, value]` or `[1, code, message]`.
 *
 * ```text
 * begin        length 0 0 0 0 · 92 00
 * …            value
 * openArray    dd 0 0 0 0               as wide as any count needs
 * closeArray   the count is filled in
 * end          length is filled in
 * ```
 *
 * The server's own words are str. Data is bin.
 *
 * @module
 */

import { encodeText } from "../../bytes.ts";
import type { ReplyCode } from "../../errors.ts";
import { formatDouble } from "../double.ts";
import { Reply, withoutLastBreaks } from "../reply.ts";
import { FRAME_PREFIX_BYTES } from "./frame.ts";
import {
  Form,
  HEADER_MAX_BYTES,
  writeArrayHeader,
  writeBinHeader,
  writeInteger,
  writeInteger64,
  writeMapHeader,
  writeStrHeader,
} from "./message_pack.ts";

/** Writes replies in the native protocol. */
export class NativeReply extends Reply {
  override begin(): void {
    this.begun = this.length;
    this.grow(6);
    const at = this.length;
    this.view.setUint16(at + 4, 0x9200);
    this.length = at + 6;
  }

  override end(): void {
    if (this.begunChunk === -1) {
      this.view.setUint32(this.begun, this.length - this.begun - 4);
    } else {
      this.patch(this.begunChunk, this.begun, this.said - 4);
      this.begunChunk = -1;
    }
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

  override double(value: number): void {
    this.text(formatDouble(value));
  }

  override nil(): void {
    this.grow(1);
    this.buffer[this.length++] = Form.Nil;
  }

  override nilArray(): void {
    this.nil();
  }

  override reserve(length: number): number {
    // Most values are short, and nothing is written more often.
    const { buffer, length: at } = this;
    const end = at + 2 + length;
    if (length < 0x100 && end <= buffer.length) {
      buffer[at] = Form.Bin8;
      buffer[at + 1] = length;
      this.length = end;
      return at + 2;
    }
    return this.#reserveLong(length);
  }

  #reserveLong(length: number): number {
    this.grow(HEADER_MAX_BYTES + length);
    const at = writeBinHeader(this.buffer, this.length, length);
    this.length = at + length;
    return at;
  }

  override openBytes(length: number): void {
    this.grow(HEADER_MAX_BYTES);
    this.length = writeBinHeader(this.buffer, this.length, length);
  }

  override closeBytes(): void {}

  override array(count: number): void {
    this.grow(HEADER_MAX_BYTES);
    this.length = writeArrayHeader(this.buffer, this.length, count);
  }

  override openArray(): void {
    this.grow(5);
    this.markArray();
    this.buffer[this.length] = Form.Array32;
    this.length += 5;
  }

  override closeArray(count: number): void {
    this.patchArray(1, count);
  }

  override closeSet(count: number): void {
    this.closeArray(count);
  }

  override map(count: number): void {
    this.grow(HEADER_MAX_BYTES);
    this.length = writeMapHeader(this.buffer, this.length, count);
  }

  override set(count: number): void {
    this.array(count);
  }

  override push(count: number): void {
    this.array(count);
  }

  override verbatim(text: string): void {
    this.text(text);
  }

  override get isRich(): boolean {
    return true;
  }

  override openItem(): void {
    this.grow(2);
    super.openItem();
    this.view.setUint16(this.length, 0x9200);
    this.length += 2;
  }

  override error(code: ReplyCode, message: string): void {
    this.rollback();
    const text = encodeText(withoutLastBreaks(message));
    const prefix = this.isInItem ? 0 : FRAME_PREFIX_BYTES;
    this.growForRefusal(prefix + 2 + HEADER_MAX_BYTES + code.length + HEADER_MAX_BYTES + text.length);
    this.view.setUint16(this.length + prefix, 0x9301);
    this.length += prefix + 2;
    this.status(code);
    const at = writeStrHeader(this.buffer, this.length, text.length);
    this.buffer.set(text, at);
    // As in RESP: programs that show or log an error expect one line.
    for (let i = at; i < at + text.length; i++) {
      if (this.buffer[i] === 0x0d || this.buffer[i] === 0x0a) this.buffer[i] = 0x20;
    }
    this.length = at + text.length;
  }
}
