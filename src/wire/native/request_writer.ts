/**
 * Writes native requests: those of a client, and the parts into which the proxy divides a request.
 *
 * ```text
 * frame   length:u32 · array header · arg · arg · arg · …
 *                                     ▲     ▲
 *                      copied with their headers, whatever form the client chose
 * ```
 *
 * The proxy copies arguments as they are encoded, so no part of a request is larger than the request.
 *
 * @module
 */

import { copyBytes, encodeText, enlarge, formatInteger, INTEGER_TEXT_MAX_BYTES, write32 } from "../../bytes.ts";
import { ARGUMENTS_MAX_COUNT, BUFFER_KEEP_MAX_BYTES, FRAME_SIZE_MAX_BYTES } from "../../limits.ts";
import type { Request } from "../request.ts";
import type { Argument, RequestWriter } from "../request_writer.ts";
import { FRAME_PREFIX_BYTES } from "./frame.ts";
import { HEADER_MAX_BYTES, writeArrayHeader, writeBinHeader, writeStrHeader } from "./message_pack.ts";

const INITIAL_BYTES = 4096;
/** Text of at most this many UTF-16 units is encoded by a loop as long as it is ASCII. */
const SHORT_TEXT_MAX = 64;
/** Longer text is encoded separately first: making room for the most bytes that it may take would waste memory. */
const LONG_TEXT_MIN = 16 * 1024;

const encoder = new TextEncoder();

/**
 * Writes native requests, one after another.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { NativeRequestWriter } from "./request_writer.ts";
 *
 * const writer = new NativeRequestWriter();
 * writer.add(["get", "x"]);
 * // The size of the frame; an array of two; "get" and "x" as text.
 * assertEquals([...writer.take()], [0, 0, 0, 7, 0x92, 0xa3, 0x67, 0x65, 0x74, 0xa1, 0x78]);
 * ```
 */
export class NativeRequestWriter implements RequestWriter {
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  length = 0;

  /**
   * Appends one request.
   *
   * @throws {RangeError} when there is no command, or the frame would exceed `FRAME_SIZE_MAX_BYTES`; nothing is
   * appended then
   * @throws {TypeError} when an argument is neither text, bytes nor a number
   */
  add(request: readonly Argument[]): void {
    if (request.length === 0 || request.length > ARGUMENTS_MAX_COUNT) {
      throw new RangeError(`Cannot send ${request.length} arguments: expected 1 to ${ARGUMENTS_MAX_COUNT}`);
    }
    const start = this.length;
    try {
      this.reserve(FRAME_PREFIX_BYTES + HEADER_MAX_BYTES);
      this.length = writeArrayHeader(this.buffer, start + FRAME_PREFIX_BYTES, request.length);
      for (let i = 0; i < request.length; i++) this.#argument(request[i]!, i);
      const size = this.length - start - FRAME_PREFIX_BYTES;
      if (size > FRAME_SIZE_MAX_BYTES) {
        throw new RangeError(`Cannot send a request of ${size} bytes: expected at most ${FRAME_SIZE_MAX_BYTES}`);
      }
      write32(this.buffer, start, size);
    } catch (error) {
      this.length = start;
      throw error;
    }
  }

  /** Appends a copy of bytes that are whole frames. */
  addFrames(bytes: Uint8Array, start: number, length: number): void {
    this.reserve(length);
    copyBytes(bytes, start, this.buffer, this.length, length);
    this.length += length;
  }

  /** Returns what is written, which the caller owns from then on, and continues with an empty buffer. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.buffer.subarray(0, this.length);
    // A new buffer, since the caller writes this one while new requests arrive.
    this.buffer = new Uint8Array(Math.min(BUFFER_KEEP_MAX_BYTES, Math.max(INITIAL_BYTES, this.length)));
    this.length = 0;
    return taken;
  }

  begin(request: Request, count: number): void {
    if (this.buffer.length > BUFFER_KEEP_MAX_BYTES) this.buffer = new Uint8Array(INITIAL_BYTES);
    this.length = 0;
    const size = request.length(0);
    this.reserve(FRAME_PREFIX_BYTES + 2 * HEADER_MAX_BYTES + size);
    let at = writeArrayHeader(this.buffer, FRAME_PREFIX_BYTES, count);
    at = writeStrHeader(this.buffer, at, size);
    copyBytes(request.bytes, request.start(0), this.buffer, at, size);
    this.length = at + size;
  }

  copy(request: Request, first: number, last: number): void {
    const start = request.start(first - 1) + request.length(first - 1);
    this.addFrames(request.bytes, start, request.start(last) + request.length(last) - start);
  }

  copyPart(request: Request, index: number, from: number, maxBytes: number): number {
    const length = request.length(index);
    const start = request.start(index);
    const part = Math.min(maxBytes, length - from);
    // The first part begins with the header, which is between this argument and the one before it.
    const begin = from === 0 ? request.start(index - 1) + request.length(index - 1) : start + from;
    this.addFrames(request.bytes, begin, start + from + part - begin);
    return from + part < length ? from + part : -1;
  }

  integer(value: number): void {
    this.reserve(1 + INTEGER_TEXT_MAX_BYTES);
    const size = formatInteger(value, this.buffer, this.length + 1);
    writeStrHeader(this.buffer, this.length, size);
    this.length += 1 + size;
  }

  text(text: string): void {
    if (text.length > LONG_TEXT_MIN) return this.#bytes(encodeText(text), writeStrHeader);
    // Three bytes a UTF-16 unit is the most that UTF-8 takes.
    this.reserve(HEADER_MAX_BYTES + text.length * 3);
    const start = this.length;
    if (text.length <= SHORT_TEXT_MAX) {
      let at = writeStrHeader(this.buffer, start, text.length);
      let i = 0;
      for (let unit; i < text.length && (unit = text.charCodeAt(i)) < 0x80; i++) this.buffer[at++] = unit;
      if (i === text.length) {
        this.length = at;
        return;
      }
    }
    // The text is encoded where it would begin after the longest header, and moved once its length is known.
    const { written } = encoder.encodeInto(text, this.buffer.subarray(start + HEADER_MAX_BYTES));
    const at = writeStrHeader(this.buffer, start, written);
    this.buffer.copyWithin(at, start + HEADER_MAX_BYTES, start + HEADER_MAX_BYTES + written);
    this.length = at + written;
  }

  end(): void {
    write32(this.buffer, 0, this.length - FRAME_PREFIX_BYTES);
  }

  reserve(size: number): void {
    const needed = this.length + size;
    if (needed > this.buffer.length) this.buffer = enlarge(this.buffer, this.length, needed);
  }

  #argument(argument: Argument, index: number): void {
    if (typeof argument === "string") {
      this.text(argument);
    } else if (typeof argument === "number" || typeof argument === "bigint") {
      this.text(String(argument));
    } else if (argument instanceof Uint8Array) {
      this.#bytes(argument, writeBinHeader);
    } else {
      throw new TypeError(`Cannot send argument ${index} of type ${typeof argument}: expected text, bytes or a number`);
    }
  }

  #bytes(bytes: Uint8Array, writeHeader: typeof writeBinHeader): void {
    this.reserve(HEADER_MAX_BYTES + bytes.length);
    const at = writeHeader(this.buffer, this.length, bytes.length);
    copyBytes(bytes, 0, this.buffer, at, bytes.length);
    this.length = at + bytes.length;
  }
}
