/**
 * One reply of a bulk stream, read where it lies in the read buffer.
 *
 * ```text
 * buffer   … reply │ reply │ rep                       the connection's read buffer, borrowed
 *                  ▲       ▲
 *                start    end                          the present reply, whole
 * ```
 *
 * The stream moves the same object from reply to reply, so a reply costs no allocation unless its consumer asks for
 * text, bytes or an error. The cheap questions are `isOk`, `isRefusal`, `isNil`, `integer()` and `content()`.
 *
 * @module
 */

import { decodeText, equalBytes, parseInteger, parseInteger64 } from "../bytes.ts";
import { ProtocolError, type ReplyError } from "../errors.ts";
import { NESTING_MAX_DEPTH, REPLY_SIZE_MAX_BYTES } from "../limits.ts";
import { FRAME_PREFIX_BYTES } from "../wire/native/frame.ts";
import { headerNumber, headerSize, Kind, kindOf, signedNumber } from "../wire/native/message_pack.ts";
import { decodeReply, readRefusal as readNativeRefusal, type Value } from "../wire/native/reply_reader.ts";
import { NativeReplyScanner } from "../wire/native/reply_scanner.ts";
import { Byte, findCarriageReturn, readShortNumber } from "../wire/resp/bytes.ts";
import { readRefusal as readRespRefusal, RespValueReader } from "../wire/resp/reply_reader.ts";
import { RespReplyScanner } from "../wire/resp/reply_scanner.ts";

const { UNSIGNED, SIGNED, STR, BIN, ARRAY: NATIVE_ARRAY } = Kind;
const { CR, LF, STATUS, ERROR, INTEGER, DOUBLE, BOOLEAN, NIL, BIG_NUMBER, BULK, BULK_ERROR, VERBATIM } = Byte;
const { ARRAY, SET, PUSH, MAP, MINUS } = Byte;

const EMPTY = new Uint8Array(0);

/** A whole reply in a read buffer. Everything about it is borrowed until its consumer returns. */
export abstract class BulkReply {
  /** The buffer that contains the reply. */
  bytes: Uint8Array = EMPTY;
  /** The position of its first byte. */
  start = 0;
  /** The position after its last byte. */
  end = 0;
  /** The position of the content that {@linkcode content} has found. */
  contentStart = 0;

  /**
   * Moves to the reply that begins at `start`.
   *
   * @returns whether it has arrived completely; if not, the next call has the same first byte, and more bytes
   * @throws {ProtocolError} when those bytes are not a reply
   */
  abstract find(bytes: Uint8Array, start: number, end: number): boolean;
  /** The size of the reply that has not arrived completely, in bytes; 0 when it is unknown. */
  abstract get needed(): number;
  /** Whether it is the status `OK`. */
  abstract get isOk(): boolean;
  /** Whether the server refused the request. */
  abstract get isRefusal(): boolean;
  /** Whether it is nil. */
  abstract get isNil(): boolean;
  /** Returns the integer that it is; `NaN` when it is something else. */
  abstract integer(): number;
  /**
   * Finds the content of data, text or a status, which begins at {@linkcode contentStart}.
   *
   * @returns its length in bytes; -1 when the reply is something else
   */
  abstract content(): number;
  /** Returns the number of items if it is an array; -1 when it is something else. */
  abstract itemCount(): number;
  /** Returns why the server refused the request. The reply is a refusal. */
  abstract refusal(): ReplyError;
  /**
   * Decodes the reply. The caller owns the value.
   *
   * @returns a {@linkcode ReplyError} (returned, not thrown) when it is a refusal
   * @throws {ProtocolError} when those bytes are not a reply
   */
  abstract value(): Value | ReplyError;

  /** Returns whether it is data, text or a status whose content is `length` bytes of `expected` from `from` on. */
  hasContent(expected: Uint8Array, from = 0, length: number = expected.length - from): boolean {
    return this.content() === length && equalBytes(this.bytes, this.contentStart, expected, from, length);
  }
}

/** Where the value begins in a native reply that grants its request. */
const VALUE_OFFSET = FRAME_PREFIX_BYTES + 2;

/** A reply in the native protocol. */
export class NativeBulkReply extends BulkReply {
  readonly #scanner = new NativeReplyScanner();

  override find(bytes: Uint8Array, start: number, end: number): boolean {
    const size = this.#scanner.size(bytes, start, end);
    if (size === 0) return false;
    this.bytes = bytes;
    this.start = start;
    this.end = start + size;
    const form = bytes[start + FRAME_PREFIX_BYTES];
    const isReply = form === 0x92
      ? bytes[start + FRAME_PREFIX_BYTES + 1] === 0
      : form === 0x93 && bytes[start + FRAME_PREFIX_BYTES + 1] === 1;
    if (!isReply) throw new ProtocolError("Cannot read a reply: expected [0, value] or [1, code, message]");
    return true;
  }

  override get needed(): number {
    return this.#scanner.needed;
  }

  override get isOk(): boolean {
    const { bytes, start } = this;
    return this.end - start === VALUE_OFFSET + 3 && bytes[start + VALUE_OFFSET] === 0xa2 &&
      bytes[start + VALUE_OFFSET + 1] === 0x4f && bytes[start + VALUE_OFFSET + 2] === 0x4b;
  }

  override get isRefusal(): boolean {
    return this.bytes[this.start + FRAME_PREFIX_BYTES] === 0x93;
  }

  override get isNil(): boolean {
    return !this.isRefusal && this.bytes[this.start + VALUE_OFFSET] === 0xc0;
  }

  override integer(): number {
    const { bytes } = this;
    const at = this.start + VALUE_OFFSET;
    const first = bytes[at]!;
    const kind = kindOf(first);
    const size = headerSize(first);
    if (this.isRefusal || (kind !== UNSIGNED && kind !== SIGNED) || at + size !== this.end) return NaN;
    if (size === 9) return Number(this.value());
    const number = headerNumber(bytes, at, size);
    return kind === SIGNED ? signedNumber(number, size) : number;
  }

  override content(): number {
    const at = this.start + VALUE_OFFSET;
    const first = this.bytes[at]!;
    const kind = kindOf(first);
    if (this.isRefusal || (kind !== STR && kind !== BIN)) return -1;
    this.contentStart = at + headerSize(first);
    if (this.contentStart > this.end) throw cutShort();
    const length = headerNumber(this.bytes, at, this.contentStart - at);
    if (this.contentStart + length !== this.end) throw cutShort();
    return length;
  }

  override itemCount(): number {
    const at = this.start + VALUE_OFFSET;
    const first = this.bytes[at]!;
    if (this.isRefusal || kindOf(first) !== NATIVE_ARRAY) return -1;
    const size = headerSize(first);
    if (at + size > this.end) throw cutShort();
    return headerNumber(this.bytes, at, size);
  }

  override refusal(): ReplyError {
    return readNativeRefusal(this.bytes, this.start, this.end);
  }

  override value(): Value | ReplyError {
    return decodeReply(this.bytes, this.start + FRAME_PREFIX_BYTES, this.end);
  }
}

/** A reply in version 2 or 3 of RESP. */
export class RespBulkReply extends BulkReply {
  readonly #scanner = new RespReplyScanner(REPLY_SIZE_MAX_BYTES);
  /** Whether the scanner has begun with the reply that has not arrived completely. */
  #isScanning = false;

  override find(bytes: Uint8Array, start: number, end: number): boolean {
    // Most replies are short and whole. For those the scanner, which can continue anywhere, costs more than this.
    const size = this.#isScanning ? 0 : shortReplySize(bytes, start, end);
    this.bytes = bytes;
    this.start = start;
    this.end = start + (size > 0 ? size : this.#scan(bytes, start, end));
    return this.end > start;
  }

  #scan(bytes: Uint8Array, start: number, end: number): number {
    const size = this.#scanner.size(bytes, start, end);
    this.#isScanning = size === 0;
    return size;
  }

  override get needed(): number {
    return this.#isScanning ? this.#scanner.needed : 0;
  }

  override get isOk(): boolean {
    const { bytes, start } = this;
    return this.end - start === 5 && bytes[start] === STATUS && bytes[start + 1] === 0x4f && bytes[start + 2] === 0x4b;
  }

  override get isRefusal(): boolean {
    const type = this.bytes[this.start];
    return type === ERROR || type === BULK_ERROR;
  }

  override get isNil(): boolean {
    const type = this.bytes[this.start];
    return type === NIL || ((type === BULK || type === ARRAY) && this.bytes[this.start + 1] === MINUS);
  }

  override integer(): number {
    const { bytes, start, end } = this;
    return bytes[start] === INTEGER ? parseInteger(bytes, start + 1, end - start - 3) : NaN;
  }

  override content(): number {
    const { bytes, start, end } = this;
    const type = bytes[start];
    if (type === STATUS) {
      this.contentStart = start + 1;
      return end - start - 3;
    }
    if (this.isNil || (type !== BULK && type !== VERBATIM)) return -1;
    // A search by a loop is faster here: the line is short.
    const line = findCarriageReturn(bytes, start, end);
    // The text of a verbatim string begins with its format, such as `txt:`.
    this.contentStart = line + 2 + (type === VERBATIM ? VERBATIM_FORMAT_BYTES : 0);
    return end - 2 - this.contentStart;
  }

  override itemCount(): number {
    const type = this.bytes[this.start];
    if (this.isNil || (type !== ARRAY && type !== SET && type !== PUSH)) return -1;
    return new RespValueReader(this.bytes, this.start, this.end).array();
  }

  override refusal(): ReplyError {
    const { bytes, start, end } = this;
    return readRespRefusal(bytes, bytes[start] === BULK_ERROR ? bytes.indexOf(CR, start) + 1 : start, end);
  }

  override value(): Value | ReplyError {
    if (this.isRefusal) return this.refusal();
    return decodeResp(this.bytes, new RespValueReader(this.bytes, this.start, this.end), 0);
  }
}

const VERBATIM_FORMAT_BYTES = 4;
/** A line that is longer than this is left to the scanner. */
const SHORT_LINE_MAX_BYTES = 32;

/** Returns the size of a whole reply of one short line, or of data of known length; 0 for any other. */
function shortReplySize(bytes: Uint8Array, start: number, end: number): number {
  const type = bytes[start];
  if (type === BULK) {
    const number = readShortNumber(bytes, start, end, BULK);
    if (number < 0) return 0;
    // The line is a type, the digits and its end. The content has an end, too.
    const size = 3 + (number & 15) + (number >> 4) + 2;
    return start + size <= end && bytes[start + size - 2] === CR && bytes[start + size - 1] === LF ? size : 0;
  }
  if (type !== STATUS && type !== INTEGER) return 0;
  const last = Math.min(end - 1, start + SHORT_LINE_MAX_BYTES);
  for (let at = start + 1; at < last; at++) {
    if (bytes[at] === CR) return bytes[at + 1] === LF ? at + 2 - start : 0;
  }
  return 0;
}

function decodeResp(bytes: Uint8Array, reader: RespValueReader, depth: number): Value {
  if (depth > NESTING_MAX_DEPTH) throw cutShort();
  const type = bytes[reader.at];
  const isNull = bytes[reader.at + 1] === MINUS;
  if (type === INTEGER) {
    const value = reader.integer();
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (type === MAP) {
    const map = new Map<Value, Value>();
    for (let left = reader.map(); left > 0; left--) {
      const key = decodeResp(bytes, reader, depth + 1);
      map.set(key, decodeResp(bytes, reader, depth + 1));
    }
    return map;
  }
  if ((type === ARRAY || type === SET || type === PUSH) && !isNull) {
    const items: Value[] = [];
    for (let left = reader.array(); left > 0; left--) items.push(decodeResp(bytes, reader, depth + 1));
    return items;
  }
  return decodeSingle(bytes, reader, type);
}

/** Decodes a value that is not an aggregate. */
function decodeSingle(bytes: Uint8Array, reader: RespValueReader, type: number | undefined): Value {
  const start = reader.at;
  const isNull = bytes[start + 1] === MINUS;
  // The reader of values refuses errors, and nil in the place of an array.
  if (type === ERROR || type === BULK_ERROR || (type === ARRAY && isNull)) {
    reader.skipNested();
    if (type === ARRAY) return null;
    return readRespRefusal(bytes, type === BULK_ERROR ? bytes.indexOf(CR, start) + 1 : start, reader.at);
  }
  const length = reader.skip();
  const line = () => decodeText(bytes, start + 1, reader.at - start - 3);
  switch (type) {
    case BULK:
      return isNull ? null : bytes.slice(reader.contentStart, reader.contentStart + length) as Uint8Array<ArrayBuffer>;
    case VERBATIM:
      return bytes.slice(reader.contentStart + VERBATIM_FORMAT_BYTES, reader.contentStart + length) as Uint8Array<
        ArrayBuffer
      >;
    case BOOLEAN:
      return bytes[start + 1] === 0x74;
    case DOUBLE:
      return Number(line().replace("inf", "Infinity"));
    case BIG_NUMBER:
      return parseInteger64(bytes, start + 1, reader.at - start - 3) ?? line();
    case STATUS:
      return line();
    default:
      return null;
  }
}

function cutShort(): ProtocolError {
  return new ProtocolError("Cannot read a value: it does not end with its reply");
}
