/**
 * The native protocol: what stands between two length prefixes. `src/wire/PROTOCOL.md` specifies every byte.
 *
 * ```text
 * frame    length:u32 big-endian · one MessagePack array of `length` bytes
 * request  [command, argument, …]          every item str or bin
 * reply    [0, value] or [1, code, message]
 * ```
 *
 * A server reads requests in place into a {@linkcode Request}. A client writes requests with
 * {@linkcode RequestWriter} and turns replies into JavaScript values with {@linkcode decodeReply}.
 *
 * @module
 */

import { copyBytes, decodeText, encodeText, enlarge } from "../../bytes.ts";
import { ProtocolError, ReplyError } from "../../errors.ts";
import { ARGUMENTS_MAX_COUNT, BUFFER_KEEP_MAX_BYTES, FRAME_SIZE_MAX_BYTES, NESTING_MAX_DEPTH } from "../../limits.ts";
import type { Request } from "../request.ts";
import { Form, HEADER_MAX_BYTES, read16, read32, write32, writeArrayHeader, writeBinHeader } from "./message_pack.ts";
import { writeStrHeader } from "./message_pack.ts";

/** Bytes of the length prefix. */
export const FRAME_PREFIX_BYTES = 4;

/** The length that the prefix at `start` announces, the prefix itself excluded. Four bytes must be there. */
export function frameLength(bytes: Uint8Array, start: number): number {
  return read32(bytes, start);
}

/**
 * Reads the request in `bytes[start, end)`, the prefix excluded, into `request`, which borrows `bytes`.
 *
 * @throws {ProtocolError} when those bytes are not exactly one array of str and bin
 */
export function decodeRequest(bytes: Uint8Array, start: number, end: number, request: Request): void {
  if (start >= end) {
    throw new ProtocolError("Cannot read an empty frame: expected an array of a command and its arguments");
  }
  let at = start + 1;
  const head = bytes[start]!;
  let count: number;
  if (head >= 0x90 && head <= 0x9f) {
    count = head & 0x0f;
  } else if (head === Form.Array16 && end - at >= 2) {
    count = read16(bytes, at);
    at += 2;
  } else if (head === Form.Array32 && end - at >= 4) {
    count = read32(bytes, at);
    at += 4;
  } else {
    throw new ProtocolError(`Cannot read a request that begins with 0x${hex(head)}: expected an array`);
  }
  if (count === 0) throw new ProtocolError("Cannot read an empty array: expected a command and its arguments");
  // Every argument takes a byte at least, so a count beyond the frame is a lie that must not cost memory.
  if (count > ARGUMENTS_MAX_COUNT || count > end - at) {
    throw new ProtocolError(
      `Cannot read ${count} arguments: expected at most ${ARGUMENTS_MAX_COUNT}, all in the frame`,
    );
  }
  request.reset(bytes, count);
  const starts = request.starts;
  const lengths = request.lengths;
  let size = 0;
  for (let i = 0; i < count; i++) {
    if (at >= end) throw truncated(i);
    const first = bytes[at++]!;
    let length: number;
    if (first >= 0xa0 && first <= 0xbf) {
      length = first & 0x1f;
    } else if (first === Form.Bin8 || first === Form.Str8) {
      if (end - at < 1) throw truncated(i);
      length = bytes[at]!;
      at += 1;
    } else if (first === Form.Bin16 || first === Form.Str16) {
      if (end - at < 2) throw truncated(i);
      length = read16(bytes, at);
      at += 2;
    } else if (first === Form.Bin32 || first === Form.Str32) {
      if (end - at < 4) throw truncated(i);
      length = read32(bytes, at);
      at += 4;
    } else {
      throw new ProtocolError(`Cannot read argument ${i}, which begins with 0x${hex(first)}: expected str or bin`);
    }
    if (length > end - at) throw truncated(i);
    starts[i] = at;
    lengths[i] = length;
    size += length;
    at += length;
  }
  if (at !== end) throw new ProtocolError(`Cannot read ${end - at} bytes behind the request: expected none`);
  request.size = size;
}

function truncated(argument: number): ProtocolError {
  return new ProtocolError(`Cannot read argument ${argument}: it goes beyond its frame`);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

/** What a client may give as an argument: text goes as UTF-8, numbers in decimal. */
export type Argument = string | Uint8Array | number | bigint;

/**
 * What a reply means in JavaScript: data is `Uint8Array`, the server's own words are `string`. A `ReplyError` is found
 * only in the reply to `exec`, in the place of a command that was refused.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array<ArrayBuffer>
  | Value[]
  | Map<Value, Value>
  | ReplyError;

/**
 * Collects request frames for one write.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { RequestWriter } from "./frame.ts";
 *
 * const writer = new RequestWriter();
 * writer.add(["get", "x"]);
 * // The size of the frame; an array of two; "get" and "x" as text.
 * assertEquals([...writer.take()], [0, 0, 0, 7, 0x92, 0xa3, 0x67, 0x65, 0x74, 0xa1, 0x78]);
 * ```
 */
export class RequestWriter {
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(4096);
  #length = 0;

  /** Bytes collected and not yet taken. */
  get length(): number {
    return this.#length;
  }

  /**
   * Appends one request.
   *
   * @throws {RangeError} when there is no command, or the frame would exceed `FRAME_SIZE_MAX_BYTES`; nothing is appended then
   * @throws {TypeError} when an argument is neither text, bytes nor a number
   */
  add(request: readonly Argument[]): void {
    if (request.length === 0 || request.length > ARGUMENTS_MAX_COUNT) {
      throw new RangeError(`Cannot send ${request.length} arguments: expected 1 to ${ARGUMENTS_MAX_COUNT}`);
    }
    const begun = this.#length;
    try {
      this.#grow(FRAME_PREFIX_BYTES + HEADER_MAX_BYTES);
      this.#length = writeArrayHeader(this.#buffer, begun + FRAME_PREFIX_BYTES, request.length);
      for (let i = 0; i < request.length; i++) this.#argument(request[i]!, i);
      const size = this.#length - begun - FRAME_PREFIX_BYTES;
      if (size > FRAME_SIZE_MAX_BYTES) {
        throw new RangeError(`Cannot send a request of ${size} bytes: expected at most ${FRAME_SIZE_MAX_BYTES}`);
      }
      write32(this.#buffer, begun, size);
    } catch (error) {
      this.#length = begun;
      throw error;
    }
  }

  /** Appends bytes that are whole frames already; they are copied. */
  addFrames(bytes: Uint8Array, start: number, length: number): void {
    this.#grow(length);
    copyBytes(bytes, start, this.#buffer, this.#length, length);
    this.#length += length;
  }

  /** The collected frames; the caller owns them, and the writer starts afresh. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#buffer.subarray(0, this.#length);
    // A new buffer, since the caller writes this one while new requests arrive.
    this.#buffer = new Uint8Array(Math.min(BUFFER_KEEP_MAX_BYTES, Math.max(4096, this.#length)));
    this.#length = 0;
    return taken;
  }

  #argument(argument: Argument, index: number): void {
    if (typeof argument === "string") {
      this.#text(argument);
    } else if (typeof argument === "number" || typeof argument === "bigint") {
      this.#argument(String(argument), index);
    } else if (argument instanceof Uint8Array) {
      this.#bytes(argument, writeBinHeader);
    } else {
      throw new TypeError(`Cannot send argument ${index} of type ${typeof argument}: expected text, bytes or a number`);
    }
  }

  #bytes(bytes: Uint8Array, writeHeader: typeof writeBinHeader): void {
    this.#grow(HEADER_MAX_BYTES + bytes.length);
    const at = writeHeader(this.#buffer, this.#length, bytes.length);
    copyBytes(bytes, 0, this.#buffer, at, bytes.length);
    this.#length = at + bytes.length;
  }

  #text(text: string): void {
    if (text.length > LONG_TEXT_MIN) return this.#bytes(encodeText(text), writeStrHeader);
    // Three bytes a UTF-16 unit is the most that UTF-8 takes.
    this.#grow(HEADER_MAX_BYTES + text.length * 3);
    const begun = this.#length;
    if (text.length <= SHORT_TEXT_MAX) {
      let at = writeStrHeader(this.#buffer, begun, text.length);
      let i = 0;
      for (let unit; i < text.length && (unit = text.charCodeAt(i)) < 0x80; i++) this.#buffer[at++] = unit;
      if (i === text.length) {
        this.#length = at;
        return;
      }
    }
    // Encoded behind the longest header, and moved to the shortest.
    const { written } = encoder.encodeInto(text, this.#buffer.subarray(begun + HEADER_MAX_BYTES));
    const at = writeStrHeader(this.#buffer, begun, written);
    this.#buffer.copyWithin(at, begun + HEADER_MAX_BYTES, begun + HEADER_MAX_BYTES + written);
    this.#length = at + written;
  }

  #grow(size: number): void {
    const needed = this.#length + size;
    if (needed > this.#buffer.length) this.#buffer = enlarge(this.#buffer, this.#length, needed);
  }
}

const encoder = new TextEncoder();
/** Text up to this long is encoded and decoded by a loop while it is ASCII. */
const SHORT_TEXT_MAX = 64;
/** Text longer than this is encoded by itself first: room for the most that it may take would be too much. */
const LONG_TEXT_MIN = 16 * 1024;

/** Position of the decoder below; decoding runs to completion, so one is enough. */
let cursor = 0;
/** Values up to this long share a buffer with others: one of its own costs such a value ten times its copying. */
const POOLED_MAX_BYTES = 1024;
const POOL_BYTES = 16 * 1024;
/** Where the next short values are copied to, and how much of it is taken. */
let pool = new Uint8Array(0);
let pooled = 0;

/**
 * Reads the reply in `bytes[start, end)`, the prefix excluded. The caller owns the value and its bytes, which are copies.
 * Short ones are views on a buffer that they share, so their `buffer` is not theirs alone.
 *
 * @returns the value, or a {@linkcode ReplyError} (returned, not thrown) when the server refused the command
 * @throws {ProtocolError} when those bytes are not one reply
 */
export function decodeReply(bytes: Uint8Array, start: number, end: number): Value | ReplyError {
  cursor = start;
  const reply = decodeValue(bytes, end, 0);
  if (cursor !== end) throw new ProtocolError("Cannot read a reply: expected nothing after it in its frame");
  return openReply(reply);
}

/**
 * The value or the refusal in a decoded reply. The items of the reply to `exec` are replies, too.
 *
 * @throws {ProtocolError} when it is no reply
 */
export function openReply(reply: Value): Value | ReplyError {
  if (Array.isArray(reply)) {
    if (reply.length === 2 && reply[0] === 0) return reply[1]!;
    if (reply.length === 3 && reply[0] === 1 && typeof reply[1] === "string" && typeof reply[2] === "string") {
      return new ReplyError(reply[1], reply[2]);
    }
  }
  throw new ProtocolError("Cannot read a reply: expected [0, value] or [1, code, message]");
}

function decodeValue(bytes: Uint8Array, end: number, depth: number): Value {
  need(end, 1);
  const first = bytes[cursor++]!;
  if (first < 0x80) return first;
  if (first >= 0xe0) return first - 0x100;
  if (first >= 0xa0 && first <= 0xbf) return takeText(bytes, end, first & 0x1f);
  if (first >= 0x90 && first <= 0x9f) return takeArray(bytes, end, first & 0x0f, depth);
  if (first <= 0x8f) return takeMap(bytes, end, first & 0x0f, depth);
  switch (first) {
    case Form.Nil:
      return null;
    case Form.False:
      return false;
    case Form.True:
      return true;
    case Form.Bin8:
      return takeBytes(bytes, end, unsigned(bytes, end, 1));
    case Form.Bin16:
      return takeBytes(bytes, end, unsigned(bytes, end, 2));
    case Form.Bin32:
      return takeBytes(bytes, end, unsigned(bytes, end, 4));
    case Form.Str8:
      return takeText(bytes, end, unsigned(bytes, end, 1));
    case Form.Str16:
      return takeText(bytes, end, unsigned(bytes, end, 2));
    case Form.Str32:
      return takeText(bytes, end, unsigned(bytes, end, 4));
    case Form.Array16:
      return takeArray(bytes, end, unsigned(bytes, end, 2), depth);
    case Form.Array32:
      return takeArray(bytes, end, unsigned(bytes, end, 4), depth);
    case Form.Map16:
      return takeMap(bytes, end, unsigned(bytes, end, 2), depth);
    case Form.Map32:
      return takeMap(bytes, end, unsigned(bytes, end, 4), depth);
    case Form.Unsigned8:
      return unsigned(bytes, end, 1);
    case Form.Unsigned16:
      return unsigned(bytes, end, 2);
    case Form.Unsigned32:
      return unsigned(bytes, end, 4);
    case Form.Signed8:
      return unsigned(bytes, end, 1) << 24 >> 24;
    case Form.Signed16:
      return unsigned(bytes, end, 2) << 16 >> 16;
    case Form.Signed32:
      return unsigned(bytes, end, 4) | 0;
    case Form.Unsigned64:
    case Form.Signed64:
      return integer64(bytes, end, first === Form.Signed64);
    case Form.Float64: {
      need(end, 8);
      const value = new DataView(bytes.buffer, bytes.byteOffset + cursor, 8).getFloat64(0);
      cursor += 8;
      return value;
    }
    default:
      throw new ProtocolError(`Cannot read a value that begins with 0x${hex(first)}`);
  }
}

function need(end: number, size: number): void {
  if (size > end - cursor) throw new ProtocolError("Cannot read a value: it goes beyond its frame");
}

function unsigned(bytes: Uint8Array, end: number, size: 1 | 2 | 4): number {
  need(end, size);
  const at = cursor;
  cursor += size;
  return size === 1 ? bytes[at]! : size === 2 ? read16(bytes, at) : read32(bytes, at);
}

function integer64(bytes: Uint8Array, end: number, signed: boolean): number | bigint {
  const value = (BigInt(unsigned(bytes, end, 4)) << 32n) | BigInt(unsigned(bytes, end, 4));
  const integer = signed ? BigInt.asIntN(64, value) : value;
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}

function takeBytes(bytes: Uint8Array, end: number, length: number): Uint8Array<ArrayBuffer> {
  need(end, length);
  const from = cursor;
  cursor += length;
  if (length > POOLED_MAX_BYTES) return new Uint8Array(bytes.subarray(from, cursor));
  if (length > pool.length - pooled) {
    pool = new Uint8Array(POOL_BYTES);
    pooled = 0;
  }
  const copy = pool.subarray(pooled, pooled + length);
  copyBytes(bytes, from, pool, pooled, length);
  pooled += length;
  return copy;
}

function takeText(bytes: Uint8Array, end: number, length: number): string {
  need(end, length);
  const from = cursor;
  cursor += length;
  // Most texts are words of the server's: short and ASCII. Then the engine's decoder costs more than it does.
  if (length > SHORT_TEXT_MAX) return decodeText(bytes, from, length);
  let text = "";
  for (let at = from; at < cursor; at++) {
    if (bytes[at]! >= 0x80) return decodeText(bytes, from, length);
    text += String.fromCharCode(bytes[at]!);
  }
  return text;
}

function takeArray(bytes: Uint8Array, end: number, count: number, depth: number): Value[] {
  nest(depth);
  need(end, count);
  const items: Value[] = [];
  for (let i = 0; i < count; i++) items.push(decodeValue(bytes, end, depth + 1));
  return items;
}

function takeMap(bytes: Uint8Array, end: number, count: number, depth: number): Map<Value, Value> {
  nest(depth);
  need(end, count * 2);
  const map = new Map<Value, Value>();
  for (let i = 0; i < count; i++) {
    const key = decodeValue(bytes, end, depth + 1);
    map.set(key, decodeValue(bytes, end, depth + 1));
  }
  return map;
}

function nest(depth: number): void {
  if (depth >= NESTING_MAX_DEPTH) {
    throw new ProtocolError(`Cannot read a value nested deeper than ${NESTING_MAX_DEPTH}`);
  }
}
