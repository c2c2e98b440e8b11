/**
 * The requests of one pipeline, encoded once. Between two pipelines only the digits of keys and members change.
 *
 * ```text
 * *3 CRLF $3 CRLF set CRLF $29 CRLF inmem-bench:string:000001234 CRLF $32 CRLF 000001234xxx… CRLF
 *                                                      ▲ digits of the key     ▲ digits of the key
 * └──────────────────────────────── size ────────────────────────────────────────────────────────┘ × pipeline
 * ```
 *
 * All requests of a workload have the same size, since keys and members have nine digits.
 *
 * @module
 */

import { encodeText } from "../../bytes.ts";
import { NativeRequestWriter } from "../../wire/native/request_writer.ts";
import { RespRequestWriter } from "../../wire/resp/request_writer.ts";
import type { BulkProtocol } from "../bulk_stream.ts";
import type { Workload } from "./workloads.ts";

/** The number of digits of a key and a member. */
export const DIGITS_COUNT = 9;
/** The prefix of all keys of the benchmark. */
export const KEY_PREFIX = "inmem-bench";

const FILLING = 0x78;
const ZERO = 0x30;
// In the encoded request digits replace these runs of letters. No other word contains them.
const KEY_MARK = "K".repeat(DIGITS_COUNT);
const MEMBER_MARK = "M".repeat(DIGITS_COUNT);

/** One encoded request of a workload, and where the digits are in it. */
export interface RequestTemplate {
  readonly bytes: Uint8Array;
  /** Where the digits of the key are. */
  readonly keyPlaces: Int32Array;
  /** Where the last digits of the key are that begin a value which is shorter than them. */
  readonly shortPlaces: Int32Array;
  /** Where the digits of the member are. */
  readonly memberPlaces: Int32Array;
}

/** Encodes a request of a workload. */
export function requestTemplate(workload: Workload, protocol: BulkProtocol, valueSize: number): RequestTemplate {
  const value = encodeText(valueSize >= DIGITS_COUNT ? KEY_MARK : "V".repeat(valueSize));
  const filled = new Uint8Array(valueSize).fill(FILLING);
  filled.set(value);
  const words = workload.words.map((word) => {
    if (word === "VALUE") return filled;
    if (word === "member") return encodeText(`m:${MEMBER_MARK}`);
    return encodeText(word.replace(/^KEY/, `${KEY_PREFIX}:${workload.family}:${KEY_MARK}`));
  });
  const writer = protocol === "native" ? new NativeRequestWriter() : new RespRequestWriter();
  writer.add(words);
  const bytes = writer.buffer.slice(0, writer.length);
  const short = valueSize > 0 && valueSize < DIGITS_COUNT ? placesOf(bytes, "V".repeat(valueSize)) : new Int32Array(0);
  return {
    bytes,
    keyPlaces: placesOf(bytes, KEY_MARK),
    shortPlaces: short,
    memberPlaces: placesOf(bytes, MEMBER_MARK),
  };
}

function placesOf(bytes: Uint8Array, mark: string): Int32Array {
  const wanted = encodeText(mark);
  const places: number[] = [];
  for (let at = 0; at + wanted.length <= bytes.length; at++) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) places.push(at);
  }
  return Int32Array.from(places);
}

/** Writes the last `count` digits of a number from `at` on. */
export function writeDigits(value: number, target: Uint8Array, at: number, count = DIGITS_COUNT): void {
  for (let i = at + count - 1; i >= at; i--) {
    const quotient = (value / 10) | 0;
    target[i] = ZERO + value - quotient * 10;
    value = quotient;
  }
}

/** Returns whether `bytes` has the last `count` digits of a number from `at` on. */
export function hasDigits(bytes: Uint8Array, at: number, value: number, count = DIGITS_COUNT): boolean {
  for (let i = at + count - 1; i >= at; i--) {
    const quotient = (value / 10) | 0;
    if (bytes[i] !== ZERO + value - quotient * 10) return false;
    value = quotient;
  }
  return true;
}

/** Returns whether `length` bytes of `bytes` from `at` on are the value of a key. */
export function isValue(bytes: Uint8Array, at: number, length: number, key: number, filling: Uint8Array): boolean {
  if (length !== filling.length) return false;
  if (length < DIGITS_COUNT) return hasDigits(bytes, at, key, length);
  if (!hasDigits(bytes, at, key)) return false;
  const end = at + length;
  if (length > LONG_VALUE_BYTES) return hasLongFilling(bytes, at + DIGITS_COUNT, end, filling);
  for (let i = at + DIGITS_COUNT; i < end; i++) {
    if (bytes[i] !== FILLING) return false;
  }
  return true;
}

/** Returns the filling of values of a size. */
export function fillingOf(size: number): Uint8Array {
  return new Uint8Array(size).fill(FILLING);
}

const LONG_VALUE_BYTES = 512;

/** Compares eight bytes at a time as far as they are aligned, which takes an eighth of the time. */
function hasLongFilling(bytes: Uint8Array, start: number, end: number, filling: Uint8Array): boolean {
  const aligned = start + (-(bytes.byteOffset + start) & 7);
  const count = (end - aligned) >> 3;
  const doubles = new Float64Array(bytes.buffer, bytes.byteOffset + aligned, count);
  const expected = new Float64Array(filling.buffer, filling.byteOffset, 1)[0]!;
  for (let i = start; i < aligned; i++) if (bytes[i] !== FILLING) return false;
  for (let i = 0; i < count; i++) if (doubles[i] !== expected) return false;
  for (let i = aligned + count * 8; i < end; i++) if (bytes[i] !== FILLING) return false;
  return true;
}
