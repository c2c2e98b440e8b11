/**
 * Replies in RESP, of either version.
 *
 * ```text
 *                 RESP2                    RESP3
 * ok              +OK                      +OK
 * integer         :42                      :42
 * bytes           $3 · foo                 $3 · foo
 * nil, nilArray   $-1, *-1                 _
 * double          $3 · 0.5                 ,0.5
 * array           *2 …                     *2 …
 * map, set, push  *4 …, *2 …, *2 …         %2 …, ~2 …, >2 …
 * verbatim        $3 · foo                 =7 · txt:foo
 * error           -ERR message             -ERR message
 * ```
 *
 * Every line, and the content of every value with a length, ends with CR LF. Nothing precedes or follows the reply to a
 * command, so `begin` and `end` write nothing.
 *
 * The count of an array must not have leading zeros, since clients refuse them. So `openArray` leaves room for the
 * longest count, and `closeArray` writes the count and closes the gap.
 *
 * The specification is https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md.
 *
 * @module
 */

import { encodeText, INTEGER_TEXT_MAX_BYTES } from "../../bytes.ts";
import type { ReplyCode } from "../../errors.ts";
import { formatDouble } from "../double.ts";
import { Reply, withoutLastBreaks } from "../reply.ts";
import { Byte, writeHeader } from "./bytes.ts";

const { CR, LF, ZERO, STATUS, ERROR, INTEGER, DOUBLE, NIL, BULK, VERBATIM, ARRAY, SET, PUSH, MAP } = Byte;

/** The longest integer with its type and the end of the line, in bytes. */
const INTEGER_MAX_BYTES = 1 + INTEGER_TEXT_MAX_BYTES + 2;
/** The longest line with a count or a length, in bytes: no reply has a number of more than 10 digits. */
const HEADER_MAX_BYTES = 1 + 10 + 2;

const VERBATIM_FORMAT = "txt:";

/** The header of the array being closed. */
const header = new Uint8Array(HEADER_MAX_BYTES);

/** Writes replies in RESP. */
export class RespReply extends Reply {
  /** The version in which the next values are written. */
  version: 2 | 3 = 2;

  override begin(): void {
    this.begun = this.length;
  }

  override end(): void {
    this.begunChunk = -1;
  }

  override get isRich(): boolean {
    return this.version === 3;
  }

  override ok(): void {
    this.grow(5);
    const at = this.length;
    this.view.setUint32(at, 0x2b4f4b0d);
    this.buffer[at + 4] = LF;
    this.length = at + 5;
  }

  override status(word: string): void {
    this.#line(STATUS, word);
  }

  override integer(value: number): void {
    this.grow(INTEGER_MAX_BYTES);
    const at = this.length;
    if (value >= 0 && value < 10) {
      this.view.setUint32(at, 0x3a300d0a + value * 0x10000);
      this.length = at + 4;
    } else {
      this.length = writeHeader(this.buffer, at, INTEGER, value);
    }
  }

  override integer64(value: bigint): void {
    this.#line(INTEGER, value.toString());
  }

  override double(value: number): void {
    const text = formatDouble(value);
    if (this.version === 3) this.#line(DOUBLE, text);
    else this.text(text);
  }

  override nil(): void {
    if (this.version === 2) {
      this.grow(5);
      const at = this.length;
      this.view.setUint32(at, 0x242d310d);
      this.buffer[at + 4] = LF;
      this.length = at + 5;
    } else {
      this.#nil3();
    }
  }

  override nilArray(): void {
    if (this.version === 2) this.#line(ARRAY, "-1");
    else this.#nil3();
  }

  #nil3(): void {
    this.grow(3);
    const { buffer, length: at } = this;
    buffer[at] = NIL;
    buffer[at + 1] = CR;
    buffer[at + 2] = LF;
    this.length = at + 3;
  }

  override reserve(length: number): number {
    // Most values are short, and nothing is written more often.
    const { buffer, length: at } = this;
    const end = at + 5 + length;
    if (length < 100 && end + 2 <= buffer.length) {
      buffer[at] = BULK;
      if (length >= 10) {
        const tens = (length * 205) >> 11;
        buffer[at + 1] = ZERO + tens;
        buffer[at + 2] = ZERO + length - tens * 10;
        buffer[at + 3] = CR;
        buffer[at + 4] = LF;
        buffer[end] = CR;
        buffer[end + 1] = LF;
        this.length = end + 2;
        return at + 5;
      }
      buffer[at + 1] = ZERO + length;
      buffer[at + 2] = CR;
      buffer[at + 3] = LF;
      buffer[end - 1] = CR;
      buffer[end] = LF;
      this.length = end + 1;
      return at + 4;
    }
    return this.#reserve(BULK, length);
  }

  #reserve(type: number, length: number): number {
    this.grow(HEADER_MAX_BYTES + length + 2);
    const buffer = this.buffer;
    const at = writeHeader(buffer, this.length, type, length);
    const end = at + length;
    buffer[end] = CR;
    buffer[end + 1] = LF;
    this.length = end + 2;
    return at;
  }

  override openBytes(length: number): void {
    this.#header(BULK, length);
  }

  override closeBytes(): void {
    this.grow(2);
    this.buffer[this.length] = CR;
    this.buffer[this.length + 1] = LF;
    this.length += 2;
  }

  override array(count: number): void {
    this.#header(ARRAY, count);
  }

  override openArray(): void {
    this.grow(HEADER_MAX_BYTES);
    this.markArray();
    this.length += HEADER_MAX_BYTES;
  }

  override closeArray(count: number): void {
    this.#close(ARRAY, count);
  }

  override closeSet(count: number): void {
    this.#close(this.version === 2 ? ARRAY : SET, count);
  }

  #close(type: number, count: number): void {
    this.spliceArray(HEADER_MAX_BYTES, header, writeHeader(header, 0, type, count));
  }

  override map(count: number): void {
    if (this.version === 2) this.#header(ARRAY, count * 2);
    else this.#header(MAP, count);
  }

  override set(count: number): void {
    this.#header(this.version === 2 ? ARRAY : SET, count);
  }

  override push(count: number): void {
    this.#header(this.version === 2 ? ARRAY : PUSH, count);
  }

  override verbatim(text: string): void {
    if (this.version === 2) return this.text(text);
    const encoded = encodeText(VERBATIM_FORMAT + text);
    const at = this.#reserve(VERBATIM, encoded.length);
    this.buffer.set(encoded, at);
  }

  override error(code: ReplyCode, message: string): void {
    this.rollback();
    const text = encodeText(`${code} ${withoutLastBreaks(message)}`);
    this.growForRefusal(1 + text.length + 2);
    const { buffer, length: at } = this;
    buffer[at] = ERROR;
    // A line break would end the reply too soon.
    for (let i = 0; i < text.length; i++) {
      const byte = text[i]!;
      buffer[at + 1 + i] = byte === CR || byte === LF ? 0x20 : byte;
    }
    const end = at + 1 + text.length;
    buffer[end] = CR;
    buffer[end + 1] = LF;
    this.length = end + 2;
  }

  #header(type: number, count: number): void {
    this.grow(HEADER_MAX_BYTES);
    this.length = writeHeader(this.buffer, this.length, type, count);
  }

  /** Writes a line of ASCII. */
  #line(type: number, text: string): void {
    this.grow(1 + text.length + 2);
    const buffer = this.buffer;
    let at = this.length;
    buffer[at++] = type;
    for (let i = 0; i < text.length; i++) buffer[at++] = text.charCodeAt(i);
    buffer[at] = CR;
    buffer[at + 1] = LF;
    this.length = at + 2;
  }
}
