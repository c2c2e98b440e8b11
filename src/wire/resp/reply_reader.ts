/**
 * Reads RESP replies value by value, without decoding what clients have stored.
 *
 * ```text
 * *2 CRLF · $3 CRLF abc CRLF · :7 CRLF        the header of an array, a value with a length, a value of one line
 * -ERR message CRLF                           a refusal
 * ```
 *
 * @module
 */

import { decodeText, parseInteger64 } from "../../bytes.ts";
import { ProtocolError, ReplyError } from "../../errors.ts";
import type { ValueReader } from "../reply_reader.ts";
import { Byte, findCarriageReturn, readNumber } from "./bytes.ts";
import { RespReplyScanner } from "./reply_scanner.ts";

const {
  LF,
  MINUS,
  STATUS,
  ERROR,
  INTEGER,
  DOUBLE,
  BOOLEAN,
  NIL,
  BIG_NUMBER,
  BULK,
  BULK_ERROR,
  VERBATIM,
  ARRAY,
  SET,
  PUSH,
  MAP,
} = Byte;

/** Returns whether the reply at `start` grants its request. */
export function isGranted(bytes: Uint8Array, start: number): boolean {
  return bytes[start] !== ERROR && bytes[start] !== BULK_ERROR;
}

/** Returns whether the reply at `start` is nil, in either version. */
export function isNil(bytes: Uint8Array, start: number): boolean {
  const type = bytes[start];
  return type === NIL || ((type === BULK || type === ARRAY) && bytes[start + 1] === MINUS);
}

/** Reads why the reply in `bytes[start, end)` refuses its request. */
export function readRefusal(bytes: Uint8Array, start: number, end: number): ReplyError {
  const line = decodeText(bytes, start + 1, end - start - 3);
  const space = line.indexOf(" ");
  return space < 0 ? new ReplyError("ERR", line) : new ReplyError(line.slice(0, space), line.slice(space + 1));
}

/** Reads the values of a RESP reply. */
export class RespValueReader implements ValueReader {
  readonly #bytes: Uint8Array;
  at: number;
  readonly end: number;
  contentStart = 0;

  /** @param bytes whose `[start, end)` is one reply that grants its request; borrowed */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.at = start;
    this.end = end;
  }

  array(): number {
    const type = this.#type();
    if (type !== ARRAY && type !== SET && type !== PUSH) throw this.#unexpected(type, "an array");
    const count = this.#number();
    if (count < 0) throw new ProtocolError("Cannot join a reply that is nil: expected an array");
    return count;
  }

  map(): number {
    // RESP2 has arrays of twice as many items instead.
    return this.#type() === MAP ? this.#number() : this.array() / 2;
  }

  skip(): number {
    const type = this.#type();
    switch (type) {
      case BULK:
      case VERBATIM: {
        const length = this.#number();
        if (length < 0) return 0;
        if (length + 2 > this.end - this.at) throw this.#short();
        this.contentStart = this.at;
        this.at += length + 2;
        return length;
      }
      case STATUS: {
        this.contentStart = this.at + 1;
        this.#line();
        return this.at - 2 - this.contentStart;
      }
      case INTEGER:
      case BIG_NUMBER:
      case DOUBLE:
      case BOOLEAN:
      case NIL:
        this.#line();
        return 0;
      default:
        throw this.#unexpected(type, "a value");
    }
  }

  skipNested(): void {
    const size = new RespReplyScanner().size(this.#bytes, this.at, this.end);
    if (size === 0) throw this.#short();
    this.at += size;
  }

  integer(): bigint {
    const type = this.#type();
    const start = this.at + 1;
    const line = this.#line();
    const value = type === INTEGER ? parseInteger64(this.#bytes, start, line - start) : undefined;
    if (value === undefined) throw new ProtocolError("Cannot add up a reply that is no integer");
    return value;
  }

  #type(): number {
    if (this.at >= this.end) throw this.#short();
    return this.#bytes[this.at]!;
  }

  /** Reads the number in the line at {@linkcode at}, and skips the line. */
  #number(): number {
    const start = this.at;
    const value = readNumber(this.#bytes, start, this.#line());
    if (!(value >= -1)) throw new ProtocolError("Cannot join a reply with a length that is no number");
    return value;
  }

  /** Skips the line at {@linkcode at}. Returns where its CR is. */
  #line(): number {
    const line = findCarriageReturn(this.#bytes, this.at, this.end);
    if (line + 2 > this.end || this.#bytes[line + 1] !== LF) throw this.#short();
    this.at = line + 2;
    return line;
  }

  #unexpected(type: number, expected: string): ProtocolError {
    return new ProtocolError(
      `Cannot join a reply that begins with '${String.fromCharCode(type)}': expected ${expected}`,
    );
  }

  #short(): ProtocolError {
    return new ProtocolError("Cannot join a value that goes beyond its reply");
  }
}
