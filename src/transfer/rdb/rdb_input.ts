/**
 * Reads the two building blocks of RDB files, lengths and strings, from a byte source.
 *
 * ```text
 * length   00nnnnnn                       string   length, data
 *          01nnnnnn nnnnnnnn                       11000000  an integer of 1 byte, which stands for its decimal form
 *          10000000 and 4 bytes                    11000001  an integer of 2 bytes, little-endian
 *          10000001 and 8 bytes                    11000010  an integer of 4 bytes, little-endian
 *          (big-endian)                            11000011  length compressed, length, data: compressed by LZF
 * ```
 *
 * All functions throw `SHORT` when the bytes are not there yet.
 *
 * @module
 */

import { read32 } from "../../bytes.ts";
import type { ByteSource } from "../byte_source.ts";
import type { Span } from "../span.ts";
import { decompressLzf } from "./lzf.ts";
import { littleSigned, MalformedError } from "./packed.ts";

/** A string is larger than its reader accepts. */
export class TooLargeError extends Error {
  override readonly name = "TooLargeError";
  constructor(readonly sizeBytes: number) {
    super(`a string has ${sizeBytes} bytes`);
  }
}

const COMPRESSED = 3;
/** LZF makes at most 264 bytes from 3. */
const LZF_RATIO_MAX = 88;

/** Reads lengths and strings. */
export class RdbInput {
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Reads one byte. */
  byte(): number {
    const source = this.#source;
    if (source.at === source.end) source.short(1);
    return source.bytes[source.at++]!;
  }

  /** Reads a signed little-endian integer of 1, 2, 4 or 8 bytes. */
  signed(size: number): number | bigint {
    const source = this.#source;
    source.need(size);
    source.at += size;
    return littleSigned(source.bytes, source.at - size, size);
  }

  /** Reads a length or a count. A number above 2^53 is rounded. */
  length(): number {
    const length = this.#lengthOrForm();
    if (length < 0) throw new MalformedError(`a length is expected, and byte ${~length | 0xc0} is none`);
    return length;
  }

  /**
   * Reads a string. The span points into the source if it is stored as it is.
   *
   * @throws {TooLargeError} when it is larger than that
   */
  string(target: Span, maxBytes: number): void {
    const length = this.#lengthOrForm();
    if (length < 0) return this.#encoded(target, ~length, maxBytes);
    if (length > maxBytes) throw new TooLargeError(length);
    const source = this.#source;
    source.need(length);
    target.point(source.bytes, source.at, length);
    source.at += length;
  }

  /**
   * Reads the header of a string, after which as many bytes of data follow.
   *
   * @returns the number of these bytes
   */
  stringSize(): number {
    const length = this.#lengthOrForm();
    if (length >= 0) return length;
    const form = ~length;
    if (form < COMPRESSED) return 1 << form;
    if (form > COMPRESSED) throw unknownForm(form);
    const size = this.length();
    this.length();
    return size;
  }

  #encoded(target: Span, form: number, maxBytes: number): void {
    if (form < COMPRESSED) return target.setInteger(this.signed(1 << form));
    if (form > COMPRESSED) throw unknownForm(form);
    const compressed = this.length();
    const size = this.length();
    if (size > maxBytes) throw new TooLargeError(size);
    if (compressed > size || size > LZF_RATIO_MAX * compressed) {
      throw new MalformedError(`${compressed} bytes cannot be the compressed form of ${size}`);
    }
    const source = this.#source;
    source.need(compressed);
    if (!decompressLzf(source.bytes, source.at, compressed, target.own(size), size)) {
      throw new MalformedError("a compressed string is damaged");
    }
    source.at += compressed;
  }

  /** Reads a length, or returns the complement of the form of a string that is not stored as it is. */
  #lengthOrForm(): number {
    const source = this.#source;
    if (source.at === source.end) source.short(1);
    const first = source.bytes[source.at++]!;
    if (first < 0x40) return first;
    if (first >= 0xc0) return ~(first & 0x3f);
    if (first < 0x80) return (first & 0x3f) << 8 | this.byte();
    const size = first === 0x80 ? 4 : first === 0x81 ? 8 : 0;
    if (size === 0) throw new MalformedError(`a length begins with byte ${first}, which has no meaning`);
    source.need(size);
    source.at += size;
    const last = read32(source.bytes, source.at - 4);
    return size === 4 ? last : read32(source.bytes, source.at - 8) * 2 ** 32 + last;
  }
}

function unknownForm(form: number): MalformedError {
  return new MalformedError(`a string has the unknown form ${form}`);
}
