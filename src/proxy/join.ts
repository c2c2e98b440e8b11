/**
 * Makes one reply of several servers' replies, without decoding what the clients stored.
 *
 * A reply frame that grants its request is `length:u32 92 00 value`; see PROTOCOL.md. Arrays are joined by copying
 * their items as they stand.
 *
 * @module
 */

import { copyBytes } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { decodeReply, FRAME_PREFIX_BYTES } from "../wire/frame.ts";
import { Form, read16, read32 } from "../wire/message_pack.ts";
import { NativeReply } from "../wire/reply.ts";

/** Where the value begins in a reply frame that grants its request. */
const VALUE_OFFSET = FRAME_PREFIX_BYTES + 2;

/** A reply that can take over what stands encoded in another one. It stays in one piece, as the replies of servers do. */
export class JoinedReply extends NativeReply {
  constructor() {
    super(Infinity);
  }

  /** Appends `length` bytes that are whole values already. */
  raw(bytes: Uint8Array, start: number, length: number): void {
    this.grow(length);
    copyBytes(bytes, start, this.buffer, this.length, length);
    this.length += length;
  }
}

/** Whether the reply frame at `start` grants its request. */
export function grants(bytes: Uint8Array, start: number): boolean {
  return bytes[start + FRAME_PREFIX_BYTES] === 0x92 && bytes[start + FRAME_PREFIX_BYTES + 1] === 0;
}

/** Reads one value after another out of a reply frame. */
export class ValueReader {
  readonly #bytes: Uint8Array;
  /** Where the next value begins. */
  at: number;
  /** Behind the last byte of the frame. */
  readonly end: number;

  /** @param bytes whose `[start, end)` is one reply frame that {@linkcode grants} its request; borrowed */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.at = start + VALUE_OFFSET;
    this.end = end;
  }

  /**
   * Reads the header of an array.
   *
   * @returns how many items follow
   * @throws {ProtocolError} when something else stands there
   */
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

  /**
   * Passes over one nil, integer, str or bin.
   *
   * @returns the length of its content: 0 but for str and bin, whose content ends where the reader is then
   * @throws {ProtocolError} when something else stands there
   */
  skip(): number {
    const head = this.#bytes[this.at]!;
    this.#need(1);
    if (head < 0x80 || head >= 0xe0 || head === Form.Nil) {
      this.at += 1;
      return 0;
    }
    if (head >= 0xa0 && head <= 0xbf) return this.#pass(1, head & 0x1f);
    switch (head) {
      case Form.Unsigned8:
      case Form.Signed8:
        this.#pass(2, 0);
        return 0;
      case Form.Unsigned16:
      case Form.Signed16:
        this.#pass(3, 0);
        return 0;
      case Form.Unsigned32:
      case Form.Signed32:
        this.#pass(5, 0);
        return 0;
      case Form.Unsigned64:
      case Form.Signed64:
        this.#pass(9, 0);
        return 0;
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

  #pass(header: number, length: number): number {
    this.#need(header + length);
    this.at += header + length;
    return length;
  }

  #need(size: number): void {
    if (size > this.end - this.at) throw new ProtocolError("Cannot join a value that goes beyond its frame");
  }
}

/** Answers the sum of integers. */
export function joinSums(frames: readonly Uint8Array[], reply: JoinedReply): void {
  let sum = 0n;
  for (const frame of frames) {
    const value = decodeReply(frame, FRAME_PREFIX_BYTES, frame.length);
    if (typeof value !== "number" && typeof value !== "bigint") {
      throw new ProtocolError("Cannot add up a reply that is no integer");
    }
    sum += BigInt(value);
  }
  reply.integer64(sum);
}

/** Answers all items of several arrays, one array behind another. */
export function joinArrays(frames: readonly Uint8Array[], reply: JoinedReply): void {
  const readers = frames.map((frame) => new ValueReader(frame));
  let count = 0;
  for (const reader of readers) count += reader.array();
  reply.array(count);
  frames.forEach((frame, index) => {
    const { at, end } = readers[index]!;
    reply.raw(frame, at, end - at);
  });
}

/**
 * Answers the items of several arrays in the order asked.
 *
 * @param partOf for each item which array it is the next item of
 */
export function joinValues(frames: readonly Uint8Array[], partOf: Uint16Array, reply: JoinedReply): void {
  const readers = frames.map((frame) => new ValueReader(frame));
  for (const reader of readers) reader.array();
  reply.array(partOf.length);
  for (const part of partOf) {
    const reader = readers[part]!;
    const start = reader.at;
    reader.skip();
    reply.raw(frames[part]!, start, reader.at - start);
  }
}

/** Answers `OK`, as every server did. */
export function joinStatuses(_frames: readonly Uint8Array[], reply: JoinedReply): void {
  reply.ok();
}
