/**
 * Reads the values of a RESP reply without decoding what the clients stored.
 *
 * ```text
 * *2 CRLF · $3 CRLF abc CRLF · :7 CRLF        an array's header, a value of bytes, a value of one line
 * ```
 *
 * @module
 */

import { parseInteger, parseInteger64 } from "../../bytes.ts";
import { ProtocolError } from "../../errors.ts";
import type { ValueReader } from "../reply_reader.ts";
import { RespReplyScanner } from "./reply_scanner.ts";

const CR = 0x0d;
const LF = 0x0a;
const Sign = {
  Array: 0x2a,
  Push: 0x3e,
  Set: 0x7e,
  Bulk: 0x24,
  Verbatim: 0x3d,
  Status: 0x2b,
  Integer: 0x3a,
  BigNumber: 0x28,
  Double: 0x2c,
  Boolean: 0x23,
  Nil: 0x5f,
} as const;

/** See {@linkcode ValueReader}. */
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
    const sign = this.#sign();
    if (sign !== Sign.Array && sign !== Sign.Set && sign !== Sign.Push) throw this.#unexpected(sign, "an array");
    const count = this.#number();
    if (count < 0) throw new ProtocolError("Cannot join a reply that is nil: expected an array");
    return count;
  }

  skip(): number {
    const sign = this.#sign();
    switch (sign) {
      case Sign.Bulk:
      case Sign.Verbatim: {
        const length = this.#number();
        if (length < 0) return 0;
        if (length + 2 > this.end - this.at) throw this.#short();
        this.contentStart = this.at;
        this.at += length + 2;
        return length;
      }
      case Sign.Status: {
        this.contentStart = this.at + 1;
        this.#line();
        return this.at - 2 - this.contentStart;
      }
      case Sign.Integer:
      case Sign.BigNumber:
      case Sign.Double:
      case Sign.Boolean:
      case Sign.Nil:
        this.#line();
        return 0;
      default:
        throw this.#unexpected(sign, "a value");
    }
  }

  skipNested(): void {
    const behind = new RespReplyScanner().scan(this.#bytes, this.at, this.end);
    if (behind < 0) throw this.#short();
    this.at = behind;
  }

  integer(): bigint {
    const sign = this.#sign();
    const start = this.at + 1;
    this.#line();
    const value = sign === Sign.Integer ? parseInteger64(this.#bytes, start, this.at - 2 - start) : undefined;
    if (value === undefined) throw new ProtocolError("Cannot add up a reply that is no integer");
    return value;
  }

  #sign(): number {
    if (this.at >= this.end) throw this.#short();
    return this.#bytes[this.at]!;
  }

  /** Reads the number behind a sign, and passes over its line. */
  #number(): number {
    const start = this.at + 1;
    this.#line();
    const value = parseInteger(this.#bytes, start, this.at - 2 - start);
    if (!(value >= -1)) throw new ProtocolError("Cannot join a reply with a length that is no number");
    return value;
  }

  /** Passes over the line under way. */
  #line(): void {
    const stop = this.#bytes.indexOf(CR, this.at);
    if (stop < 0 || stop + 2 > this.end || this.#bytes[stop + 1] !== LF) throw this.#short();
    this.at = stop + 2;
  }

  #unexpected(sign: number, expected: string): ProtocolError {
    return new ProtocolError(
      `Cannot join a reply that begins with '${String.fromCharCode(sign)}': expected ${expected}`,
    );
  }

  #short(): ProtocolError {
    return new ProtocolError("Cannot join a value that goes beyond its reply");
  }
}
