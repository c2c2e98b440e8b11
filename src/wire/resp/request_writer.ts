/**
 * Composes RESP requests out of arguments of another request.
 *
 * ```text
 * *count CRLF · $length CRLF argument CRLF · $length CRLF argument CRLF · …
 * ```
 *
 * Versions 2 and 3 are the same here. An inline request has no headers that could be copied, so all are made anew.
 *
 * @module
 */

import { copyBytes, encodeText, enlarge, formatInteger, INTEGER_TEXT_MAX_BYTES } from "../../bytes.ts";
import { BUFFER_KEEP_MAX_BYTES } from "../../limits.ts";
import type { Request } from "../request.ts";
import type { RequestWriter } from "../request_writer.ts";

const INITIAL_BYTES = 4096;
/** A sign, a number and CRLF. */
const HEADER_MAX_BYTES = 1 + INTEGER_TEXT_MAX_BYTES + 2;
const ASTERISK = 0x2a;
const DOLLAR = 0x24;
const CR = 0x0d;
const LF = 0x0a;

/** A request of the proxy's own. */
export function encodeRespRequest(words: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const composer = new RespComposer();
  composer.beginWords(words.length);
  for (const word of words) {
    const bytes = typeof word === "string" ? encodeText(word) : word;
    composer.argument(bytes, 0, bytes.length);
  }
  return composer.buffer.slice(0, composer.length);
}

/** See {@linkcode RequestWriter}. */
export class RespComposer implements RequestWriter {
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  length = 0;

  begin(request: Request, count: number): void {
    if (this.buffer.length > BUFFER_KEEP_MAX_BYTES) this.buffer = new Uint8Array(INITIAL_BYTES);
    this.length = 0;
    this.beginWords(count);
    this.argument(request.bytes, request.start(0), request.length(0));
  }

  /** Begins a request of `count` arguments, of which the first follows too. */
  beginWords(count: number): void {
    this.#grow(HEADER_MAX_BYTES);
    this.#header(ASTERISK, count);
  }

  copy(request: Request, first: number, last: number): void {
    for (let i = first; i <= last; i++) this.argument(request.bytes, request.start(i), request.length(i));
  }

  copyPart(request: Request, index: number, from: number, maxBytes: number): number {
    const length = request.length(index);
    const part = Math.min(maxBytes, length - from);
    this.#grow(HEADER_MAX_BYTES + part + 2);
    if (from === 0) this.#header(DOLLAR, length);
    copyBytes(request.bytes, request.start(index) + from, this.buffer, this.length, part);
    this.length += part;
    if (from + part < length) return from + part;
    this.#endLine();
    return -1;
  }

  reserve(size: number): void {
    this.#grow(size);
  }

  integer(value: number): void {
    this.text(String(value));
  }

  text(value: string): void {
    const encoded = encodeText(value);
    this.argument(encoded, 0, encoded.length);
  }

  end(): void {
    // Nothing is told later than it stands.
  }

  /** Appends an argument. */
  argument(bytes: Uint8Array, start: number, length: number): void {
    this.#grow(HEADER_MAX_BYTES + length + 2);
    this.#header(DOLLAR, length);
    copyBytes(bytes, start, this.buffer, this.length, length);
    this.length += length;
    this.#endLine();
  }

  #header(sign: number, value: number): void {
    this.buffer[this.length++] = sign;
    this.length += formatInteger(value, this.buffer, this.length);
    this.#endLine();
  }

  #endLine(): void {
    this.buffer[this.length++] = CR;
    this.buffer[this.length++] = LF;
  }

  #grow(size: number): void {
    const needed = this.length + size;
    if (needed > this.buffer.length) this.buffer = enlarge(this.buffer, this.length, needed);
  }
}
