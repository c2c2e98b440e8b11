/**
 * Reads the values of a native reply without decoding what the clients stored.
 *
 * @module
 */

import { ProtocolError } from "../../errors.ts";
import type { ValueReader } from "../reply_reader.ts";
import { decodeReply, FRAME_PREFIX_BYTES } from "./frame.ts";
import { Form, read16, read32 } from "./message_pack.ts";

/** Where the value begins in a reply frame that grants its request. */
const VALUE_OFFSET = FRAME_PREFIX_BYTES + 2;

/** See {@linkcode ValueReader}. Its values are nil, integers, str and bin. */
export class NativeValueReader implements ValueReader {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  at: number;
  readonly end: number;
  contentStart = 0;

  /** @param bytes whose `[start, end)` is one reply frame that grants its request; borrowed */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#start = start;
    this.at = start + VALUE_OFFSET;
    this.end = end;
  }

  array(): number {
    const head = this.#bytes[this.at]!;
    this.#need(1);
    if (head >= 0x90 && head <= 0x9f) {
      this.at += 1;
      return head & 0x0f;
    }
    if (head === Form.Array16) {
      this.#need(3);
      this.at += 3;
      return read16(this.#bytes, this.at - 2);
    }
    if (head === Form.Array32) {
      this.#need(5);
      this.at += 5;
      return read32(this.#bytes, this.at - 4);
    }
    throw new ProtocolError(`Cannot join a reply that begins with 0x${head.toString(16)}: expected an array`);
  }

  skip(): number {
    const head = this.#bytes[this.at]!;
    this.#need(1);
    if (head < 0x80 || head >= 0xe0 || head === Form.Nil) return this.#pass(1, 0);
    if (head >= 0xa0 && head <= 0xbf) return this.#pass(1, head & 0x1f);
    switch (head) {
      case Form.Unsigned8:
      case Form.Signed8:
        return this.#pass(2, 0);
      case Form.Unsigned16:
      case Form.Signed16:
        return this.#pass(3, 0);
      case Form.Unsigned32:
      case Form.Signed32:
        return this.#pass(5, 0);
      case Form.Unsigned64:
      case Form.Signed64:
        return this.#pass(9, 0);
      case Form.Bin8:
      case Form.Str8:
        this.#need(2);
        return this.#pass(2, this.#bytes[this.at + 1]!);
      case Form.Bin16:
      case Form.Str16:
        this.#need(3);
        return this.#pass(3, read16(this.#bytes, this.at + 1));
      case Form.Bin32:
      case Form.Str32:
        this.#need(5);
        return this.#pass(5, read32(this.#bytes, this.at + 1));
      default:
        throw new ProtocolError(`Cannot join a value that begins with 0x${head.toString(16)}`);
    }
  }

  skipNested(): void {
    for (let left = 1; left > 0; left--) left += this.#enter();
  }

  /** Passes over the header of an array or a map, or over a whole value of another kind. Returns how many values are within. */
  #enter(): number {
    this.#need(1);
    const head = this.#bytes[this.at]!;
    if (head >= 0x80 && head <= 0x8f) {
      this.at += 1;
      return 2 * (head & 0x0f);
    }
    switch (head) {
      case Form.False:
      case Form.True:
        return this.#pass(1, 0);
      case Form.Float64:
        this.#pass(9, 0);
        return 0;
      case Form.Map16:
        this.#need(3);
        this.at += 3;
        return 2 * read16(this.#bytes, this.at - 2);
      case Form.Map32:
        this.#need(5);
        this.at += 5;
        return 2 * read32(this.#bytes, this.at - 4);
    }
    if ((head >= 0x90 && head <= 0x9f) || head === Form.Array16 || head === Form.Array32) return this.array();
    this.skip();
    return 0;
  }

  /** Of a reply that is one integer. */
  integer(): bigint {
    const value = decodeReply(this.#bytes, this.#start + FRAME_PREFIX_BYTES, this.end);
    if (typeof value !== "number" && typeof value !== "bigint") {
      throw new ProtocolError("Cannot add up a reply that is no integer");
    }
    this.at = this.end;
    return BigInt(value);
  }

  #pass(header: number, length: number): number {
    this.#need(header + length);
    this.contentStart = this.at + header;
    this.at = this.contentStart + length;
    return length;
  }

  #need(size: number): void {
    if (size > this.end - this.at) throw new ProtocolError("Cannot join a value that goes beyond its frame");
  }
}
