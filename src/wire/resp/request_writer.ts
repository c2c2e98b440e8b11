/**
 * Writes RESP requests: the proxy's own, and the parts into which it divides a request.
 *
 * ```text
 * *count CRLF · $length CRLF argument CRLF · $length CRLF argument CRLF · …
 * ```
 *
 * Versions 2 and 3 are the same here. An inline request has no headers that could be copied, so all headers are written
 * again.
 *
 * @module
 */

import { copyBytes, encodeText, enlarge, INTEGER_TEXT_MAX_BYTES } from "../../bytes.ts";
import { BUFFER_KEEP_MAX_BYTES } from "../../limits.ts";
import type { Request } from "../request.ts";
import type { Argument, RequestWriter } from "../request_writer.ts";
import { Byte, writeHeader } from "./bytes.ts";

const { CR, LF, BULK, ARRAY } = Byte;

const INITIAL_BYTES = 4096;
/** The longest line of a type, a number and CRLF. */
const HEADER_MAX_BYTES = 1 + INTEGER_TEXT_MAX_BYTES + 2;

/** Writes RESP requests. */
export class RespRequestWriter implements RequestWriter {
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  length = 0;

  add(request: readonly Argument[]): void {
    this.#header(ARRAY, request.length);
    for (const each of request) {
      if (each instanceof Uint8Array) this.#argument(each, 0, each.length);
      else this.text(String(each));
    }
  }

  begin(request: Request, count: number): void {
    if (this.buffer.length > BUFFER_KEEP_MAX_BYTES) this.buffer = new Uint8Array(INITIAL_BYTES);
    this.length = 0;
    this.#header(ARRAY, count);
    this.copy(request, 0, 0);
  }

  copy(request: Request, first: number, last: number): void {
    for (let i = first; i <= last; i++) this.#argument(request.bytes, request.start(i), request.length(i));
  }

  copyPart(request: Request, index: number, from: number, maxBytes: number): number {
    const length = request.length(index);
    const part = Math.min(maxBytes, length - from);
    this.reserve(HEADER_MAX_BYTES + part + 2);
    if (from === 0) this.#header(BULK, length);
    copyBytes(request.bytes, request.start(index) + from, this.buffer, this.length, part);
    this.length += part;
    if (from + part < length) return from + part;
    this.#endLine();
    return -1;
  }

  integer(value: number): void {
    this.text(String(value));
  }

  text(value: string): void {
    const encoded = encodeText(value);
    this.#argument(encoded, 0, encoded.length);
  }

  end(): void {
    // Nothing in a request depends on what follows it.
  }

  reserve(size: number): void {
    const needed = this.length + size;
    if (needed > this.buffer.length) this.buffer = enlarge(this.buffer, this.length, needed);
  }

  #argument(bytes: Uint8Array, start: number, length: number): void {
    this.reserve(HEADER_MAX_BYTES + length + 2);
    this.#header(BULK, length);
    copyBytes(bytes, start, this.buffer, this.length, length);
    this.length += length;
    this.#endLine();
  }

  #header(type: number, value: number): void {
    this.reserve(HEADER_MAX_BYTES);
    this.length = writeHeader(this.buffer, this.length, type, value);
  }

  #endLine(): void {
    this.buffer[this.length++] = CR;
    this.buffer[this.length++] = LF;
  }
}
