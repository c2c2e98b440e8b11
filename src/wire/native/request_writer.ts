/**
 * Composes native requests out of arguments that stand encoded in another request.
 *
 * ```text
 * frame   length:u32 · array header · arg · arg · arg · …
 *                                     ▲     ▲
 *                      copied with their headers, whatever form the client chose
 * ```
 *
 * Copying arguments as they were encoded makes no part of a request larger than the request was.
 *
 * @module
 */

import { copyBytes, encodeText, enlarge, formatInteger, INTEGER_TEXT_MAX_BYTES } from "../../bytes.ts";
import { BUFFER_KEEP_MAX_BYTES } from "../../limits.ts";
import type { Request } from "../request.ts";
import type { RequestWriter } from "../request_writer.ts";
import { FRAME_PREFIX_BYTES } from "./frame.ts";
import { HEADER_MAX_BYTES, write32, writeArrayHeader, writeStrHeader } from "./message_pack.ts";

const INITIAL_BYTES = 4096;

/** See {@linkcode RequestWriter}. */
export class NativeComposer implements RequestWriter {
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  length = 0;

  begin(request: Request, count: number): void {
    if (this.buffer.length > BUFFER_KEEP_MAX_BYTES) this.buffer = new Uint8Array(INITIAL_BYTES);
    this.length = 0;
    const size = request.length(0);
    this.#grow(FRAME_PREFIX_BYTES + 2 * HEADER_MAX_BYTES + size);
    let at = writeArrayHeader(this.buffer, FRAME_PREFIX_BYTES, count);
    at = writeStrHeader(this.buffer, at, size);
    copyBytes(request.bytes, request.start(0), this.buffer, at, size);
    this.length = at + size;
  }

  copy(request: Request, first: number, last: number): void {
    const start = request.start(first - 1) + request.length(first - 1);
    const size = request.start(last) + request.length(last) - start;
    this.#grow(size);
    copyBytes(request.bytes, start, this.buffer, this.length, size);
    this.length += size;
  }

  copyPart(request: Request, index: number, from: number, maxBytes: number): number {
    const length = request.length(index);
    const start = request.start(index);
    const part = Math.min(maxBytes, length - from);
    // In front of it stands its header.
    const begin = from === 0 ? request.start(index - 1) + request.length(index - 1) : start + from;
    const size = start + from + part - begin;
    this.#grow(size);
    copyBytes(request.bytes, begin, this.buffer, this.length, size);
    this.length += size;
    return from + part < length ? from + part : -1;
  }

  reserve(size: number): void {
    this.#grow(size);
  }

  integer(value: number): void {
    this.#grow(1 + INTEGER_TEXT_MAX_BYTES);
    const size = formatInteger(value, this.buffer, this.length + 1);
    writeStrHeader(this.buffer, this.length, size);
    this.length += 1 + size;
  }

  text(value: string): void {
    const encoded = encodeText(value);
    this.#grow(HEADER_MAX_BYTES + encoded.length);
    const at = writeStrHeader(this.buffer, this.length, encoded.length);
    this.buffer.set(encoded, at);
    this.length = at + encoded.length;
  }

  end(): void {
    write32(this.buffer, 0, this.length - FRAME_PREFIX_BYTES);
  }

  #grow(size: number): void {
    const needed = this.length + size;
    if (needed > this.buffer.length) this.buffer = enlarge(this.buffer, this.length, needed);
  }
}
