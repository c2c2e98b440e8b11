/**
 * Reads native replies: as JavaScript values for the client, or value by value, undecoded, for the proxy.
 *
 * ```text
 * length:u32 · 92 00 value               the request was granted
 * length:u32 · 93 01 code message        the request was refused
 * ```
 *
 * @module
 */

import { copyBytes, decodeText, read32 } from "../../bytes.ts";
import { ProtocolError, ReplyError } from "../../errors.ts";
import { NESTING_MAX_DEPTH } from "../../limits.ts";
import type { ValueReader } from "../reply_reader.ts";
import { FRAME_PREFIX_BYTES } from "./frame.ts";
import { Form, headerNumber, headerSize, Kind, kindOf, signedNumber } from "./message_pack.ts";

const { NONE, NIL, BOOLEAN, UNSIGNED, SIGNED, FLOAT, STR, BIN, ARRAY, MAP } = Kind;

/**
 * A reply as a JavaScript value: data is `Uint8Array`, the server's own words are `string`. A `ReplyError` is found
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

/** Text of at most this many bytes is decoded by a loop as long as it is ASCII. */
const SHORT_TEXT_MAX = 64;
/**
 * Values of at most this size are copied into a shared buffer: a separate buffer costs ten times as much as the copy.
 */
const POOLED_MAX_BYTES = 1024;
const POOL_BYTES = 16 * 1024;

/** Where {@linkcode decodeValue} reads. Decoding runs to completion, so one position is enough. */
let cursor = 0;
/** The buffer that the next short values are copied into, and the number of its bytes that are taken. */
let pool = new Uint8Array(0);
let pooled = 0;

/**
 * Reads the reply in `bytes[start, end)`, the prefix excluded. The caller owns the value and its bytes, which are
 * copies. Short ones are views on a buffer that they share, so their `buffer` is not theirs alone.
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
 * Returns the value or the refusal in a decoded reply. The items of the reply to `exec` are replies, too.
 *
 * @throws {ProtocolError} when it is not a reply
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
  const first = bytes[cursor]!;
  if (first < 0x80) {
    cursor++;
    return first;
  }
  const kind = kindOf(first);
  if (kind === NONE) {
    throw new ProtocolError(`Cannot read a value that begins with 0x${first.toString(16).padStart(2, "0")}`);
  }
  const size = headerSize(first);
  need(end, size);
  const at = cursor;
  cursor += size;
  if (size === 9) return decodeWide(bytes, at + 1, kind);
  const number = headerNumber(bytes, at, size);
  switch (kind) {
    case BIN:
      return takeBytes(bytes, end, number);
    case STR:
      return takeText(bytes, end, number);
    case ARRAY:
      return takeArray(bytes, end, number, depth);
    case NIL:
      return null;
    case MAP:
      return takeMap(bytes, end, number, depth);
    case BOOLEAN:
      return first === Form.True;
    case SIGNED:
      return signedNumber(number, size);
    default:
      return number;
  }
}

/** Reads a float, or an integer of 64 bits. */
function decodeWide(bytes: Uint8Array, at: number, kind: Kind): number | bigint {
  if (kind === FLOAT) return new DataView(bytes.buffer, bytes.byteOffset + at, 8).getFloat64(0);
  const value = (BigInt(read32(bytes, at)) << 32n) | BigInt(read32(bytes, at + 4));
  const integer = kind === SIGNED ? BigInt.asIntN(64, value) : value;
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}

function need(end: number, size: number): void {
  if (size > end - cursor) throw new ProtocolError("Cannot read a value: it goes beyond its frame");
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
  // Most texts are the server's own words: short and ASCII. For those the engine's decoder costs more than this loop.
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

/** Returns whether the reply frame at `start` grants its request. */
export function isGranted(bytes: Uint8Array, start: number): boolean {
  return bytes[start + FRAME_PREFIX_BYTES] === 0x92 && bytes[start + FRAME_PREFIX_BYTES + 1] === 0;
}

/** Returns whether the reply frame at `start` grants its request with nil. */
export function isNil(bytes: Uint8Array, start: number): boolean {
  return isGranted(bytes, start) && bytes[start + VALUE_OFFSET] === Form.Nil;
}

/** Reads why the reply frame in `bytes[start, end)` refuses its request. */
export function readRefusal(bytes: Uint8Array, start: number, end: number): ReplyError {
  try {
    const reply = decodeReply(bytes, start + FRAME_PREFIX_BYTES, end);
    if (reply instanceof ReplyError) return reply;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  return new ReplyError("ERR", "a server has answered what is no reply");
}

/** Where the value begins in a reply frame that grants its request. */
const VALUE_OFFSET = FRAME_PREFIX_BYTES + 2;

/** Reads the values of a native reply. {@linkcode skip} accepts nil, integers, str and bin. */
export class NativeValueReader implements ValueReader {
  readonly #bytes: Uint8Array;
  at: number;
  readonly end: number;
  contentStart = 0;

  /** @param bytes whose `[start, end)` is one reply frame that grants its request; borrowed */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.at = start + VALUE_OFFSET;
    this.end = end;
  }

  array(): number {
    return this.#aggregate(ARRAY, "an array");
  }

  map(): number {
    return this.#aggregate(MAP, "a map");
  }

  #aggregate(kind: number, expected: string): number {
    this.#need(1);
    const first = this.#bytes[this.at]!;
    if (kindOf(first) !== kind) {
      throw new ProtocolError(`Cannot join a reply that begins with 0x${first.toString(16)}: expected ${expected}`);
    }
    return this.#number(headerSize(first));
  }

  skip(): number {
    this.#need(1);
    const first = this.#bytes[this.at]!;
    switch (kindOf(first)) {
      case NIL:
      case UNSIGNED:
      case SIGNED:
        return this.#skipContent(headerSize(first), 0);
      case STR:
      case BIN: {
        const size = headerSize(first);
        this.#need(size);
        return this.#skipContent(size, headerNumber(this.#bytes, this.at, size));
      }
      default:
        throw new ProtocolError(`Cannot join a value that begins with 0x${first.toString(16)}`);
    }
  }

  skipNested(): void {
    for (let left = 1; left > 0; left--) left += this.#enter();
  }

  /** Skips a value, or the header of an array or a map. Returns the number of values within. */
  #enter(): number {
    this.#need(1);
    const first = this.#bytes[this.at]!;
    switch (kindOf(first)) {
      case BOOLEAN:
      case FLOAT:
        return this.#skipContent(headerSize(first), 0);
      case ARRAY:
        return this.#number(headerSize(first));
      case MAP:
        return 2 * this.#number(headerSize(first));
      default:
        this.skip();
        return 0;
    }
  }

  integer(): bigint {
    cursor = this.at;
    const value = decodeValue(this.#bytes, this.end, 0);
    if (typeof value !== "number" && typeof value !== "bigint") {
      throw new ProtocolError("Cannot add up a reply that is no integer");
    }
    this.at = cursor;
    return BigInt(value);
  }

  /** Reads the number in a header of `size` bytes, and skips the header. */
  #number(size: number): number {
    this.#need(size);
    const at = this.at;
    this.at += size;
    return headerNumber(this.#bytes, at, size);
  }

  /** Skips a header of `size` bytes and the `length` bytes after it. Returns `length`. */
  #skipContent(size: number, length: number): number {
    this.#need(size + length);
    this.contentStart = this.at + size;
    this.at = this.contentStart + length;
    return length;
  }

  #need(size: number): void {
    if (size > this.end - this.at) throw new ProtocolError("Cannot join a value that goes beyond its frame");
  }
}
