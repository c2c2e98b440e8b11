/**
 * Records: one key with its value, as a MessagePack array inside a block of a snapshot.
 *
 * ```text
 * [1, deadline, key, value]                        a string
 * [2, deadline, key, count, element, …]            a list of `count` elements begins
 * [3, deadline, key, count, field, value, …]       a hash of `count` fields begins
 * [4, element, …]  or  [4, field, value, …]        the list or hash begun last goes on
 * [0, keys, offset]                                the end: how many keys, and where the last block begins
 * ```
 *
 * Numbers are unsigned integers, everything else is bin. A deadline is in ms since 1970, 0 for none. A list or hash
 * is spread over as many records as its size needs, so that neither writer nor reader holds all of it at once; its
 * records follow one another with nothing between them. FORMAT.md in this folder draws all bytes.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";
import {
  DEADLINE_MAX_MS,
  ELEMENTS_MAX_COUNT,
  FIELD_SIZE_MAX_BYTES,
  KEY_SIZE_MAX_BYTES,
  VALUE_SIZE_MAX_BYTES,
} from "../limits.ts";
import { Form, read16, read32 } from "../wire/message_pack.ts";

/** First item of a record: what follows. */
export const enum RecordType {
  End = 0,
  String = 1,
  List = 2,
  Hash = 3,
  More = 4,
}

/**
 * Takes what records hold, in the order they stand in. All bytes are borrowed until return.
 *
 * `beginList` is followed by as many `element` as it announced, `beginHash` by as many `field`, then `endAggregate`.
 */
export interface RecordTarget {
  /** A string with its key and its deadline in ms since 1970; 0 for none. */
  string(
    bytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    deadlineMs: number,
    valueStart: number,
    valueLength: number,
  ): void;
  /** A list of `count` elements, at least one. */
  beginList(bytes: Uint8Array, keyStart: number, keyLength: number, deadlineMs: number, count: number): void;
  /** A hash of `count` fields, at least one. */
  beginHash(bytes: Uint8Array, keyStart: number, keyLength: number, deadlineMs: number, count: number): void;
  /** The next element of the list, from head to tail. */
  element(bytes: Uint8Array, start: number, length: number): void;
  /** A field of the hash. */
  field(bytes: Uint8Array, fieldStart: number, fieldLength: number, valueStart: number, valueLength: number): void;
  /** The list or hash is complete. */
  endAggregate(): void;
}

/** What the closing record says. */
export interface RecordEnd {
  readonly keys: number;
  /** Where the block that holds the closing record begins in the file. */
  readonly offset: number;
}

/** Reads the records of one block after another. Checks structure and sizes, so that a target need not. */
export class RecordDecoder {
  /** Keys seen so far. */
  keys = 0;
  /** The closing record, once it was seen. */
  ended: RecordEnd | undefined;
  readonly #target: RecordTarget;
  /** Type of the list or hash that is being read; `End` when none is. */
  #open: RecordType = RecordType.End;
  /** Elements or fields that it still lacks. */
  #missing = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  /** Length of the bin that {@linkcode #bin} found last. */
  #length = 0;

  constructor(target: RecordTarget) {
    this.#target = target;
  }

  /**
   * Gives all records in `bytes[start, end)` to the target.
   *
   * @throws {ProtocolError} when those bytes are not whole records in a possible order
   */
  decode(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    while (this.#at < end) this.#record();
  }

  #record(): void {
    if (this.ended) throw new ProtocolError("Cannot read a record behind the closing one");
    const items = this.#arrayHeader();
    const type = this.#integer(0xff);
    if (type !== RecordType.More && this.#open !== RecordType.End) {
      throw new ProtocolError(
        `Cannot read a record of type ${type}: ${this.#missing} items of the last one are missing`,
      );
    }
    if (type === RecordType.String) {
      this.#expect(items === 4, items);
      this.#string();
    } else if (type === RecordType.List || type === RecordType.Hash) {
      this.#expect(items >= 4, items);
      this.#begin(type);
      this.#items(items - 4);
    } else if (type === RecordType.More) {
      this.#expect(this.#open !== RecordType.End, items);
      this.#items(items - 1);
    } else if (type === RecordType.End) {
      this.#expect(items === 3, items);
      this.ended = { keys: this.#integer(Number.MAX_SAFE_INTEGER), offset: this.#integer(Number.MAX_SAFE_INTEGER) };
    } else {
      throw new ProtocolError(`Cannot read a record of type ${type}: expected 0 to 4`);
    }
  }

  #string(): void {
    const deadlineMs = this.#integer(DEADLINE_MAX_MS);
    const keyStart = this.#bin(KEY_SIZE_MAX_BYTES);
    const keyLength = this.#length;
    const valueStart = this.#bin(VALUE_SIZE_MAX_BYTES);
    this.keys++;
    this.#target.string(this.#bytes, keyStart, keyLength, deadlineMs, valueStart, this.#length);
  }

  #begin(type: RecordType.List | RecordType.Hash): void {
    const deadlineMs = this.#integer(DEADLINE_MAX_MS);
    const keyStart = this.#bin(KEY_SIZE_MAX_BYTES);
    const keyLength = this.#length;
    const count = this.#integer(ELEMENTS_MAX_COUNT);
    if (count === 0) throw new ProtocolError("Cannot read a list or hash of no elements: expected one at least");
    this.keys++;
    this.#open = type;
    this.#missing = count;
    if (type === RecordType.List) this.#target.beginList(this.#bytes, keyStart, keyLength, deadlineMs, count);
    else this.#target.beginHash(this.#bytes, keyStart, keyLength, deadlineMs, count);
  }

  #items(items: number): void {
    const count = this.#open === RecordType.Hash ? items / 2 : items;
    this.#expect(Number.isInteger(count) && count <= this.#missing && items <= this.#end - this.#at, items);
    const target = this.#target;
    if (this.#open === RecordType.Hash) {
      for (let i = 0; i < count; i++) {
        const fieldStart = this.#bin(FIELD_SIZE_MAX_BYTES);
        const fieldLength = this.#length;
        const valueStart = this.#bin(VALUE_SIZE_MAX_BYTES);
        target.field(this.#bytes, fieldStart, fieldLength, valueStart, this.#length);
      }
    } else {
      for (let i = 0; i < count; i++) {
        const start = this.#bin(VALUE_SIZE_MAX_BYTES);
        target.element(this.#bytes, start, this.#length);
      }
    }
    this.#missing -= count;
    if (this.#missing === 0) {
      this.#open = RecordType.End;
      target.endAggregate();
    }
  }

  #expect(condition: boolean, items: number): void {
    if (!condition) {
      throw new ProtocolError(`Cannot read a record of ${items} items: its type does not allow that here`);
    }
  }

  #need(size: number): void {
    if (size > this.#end - this.#at) throw new ProtocolError("Cannot read a record: it goes beyond its block");
  }

  #arrayHeader(): number {
    this.#need(1);
    const first = this.#bytes[this.#at++]!;
    if (first >= 0x90 && first <= 0x9f) return first & 0x0f;
    if (first !== Form.Array32) {
      throw new ProtocolError(`Cannot read a record that begins with ${first}: expected an array`);
    }
    this.#need(4);
    this.#at += 4;
    return read32(this.#bytes, this.#at - 4);
  }

  /** Finds the next bin, whose length is `#length` then, and returns where its bytes begin. */
  #bin(lengthMax: number): number {
    this.#need(2);
    const bytes = this.#bytes;
    const first = bytes[this.#at]!;
    let length: number;
    if (first === Form.Bin8) {
      length = bytes[this.#at + 1]!;
      this.#at += 2;
    } else if (first === Form.Bin16) {
      this.#need(3);
      length = read16(bytes, this.#at + 1);
      this.#at += 3;
    } else if (first === Form.Bin32) {
      this.#need(5);
      length = read32(bytes, this.#at + 1);
      this.#at += 5;
    } else {
      throw new ProtocolError(`Cannot read a record's item that begins with ${first}: expected bin`);
    }
    this.#need(length);
    if (length > lengthMax) throw new ProtocolError(`Cannot read ${length} bytes: expected at most ${lengthMax}`);
    const start = this.#at;
    this.#at += length;
    this.#length = length;
    return start;
  }

  #integer(max: number): number {
    this.#need(1);
    const bytes = this.#bytes;
    const first = bytes[this.#at++]!;
    const size = first < 0x80 ? 0 : first === Form.Unsigned8 ? 1 : first === Form.Unsigned16 ? 2 : wideSize(first);
    this.#need(size);
    const at = this.#at;
    this.#at += size;
    let value = first;
    if (size === 1) value = bytes[at]!;
    else if (size === 2) value = read16(bytes, at);
    else if (size === 4) value = read32(bytes, at);
    else if (size === 8) value = read32(bytes, at) * 0x100000000 + read32(bytes, at + 4);
    if (value > max) throw new ProtocolError(`Cannot read the number ${value}: expected at most ${max}`);
    return value;
  }
}

function wideSize(first: number): 4 | 8 {
  if (first === Form.Unsigned32) return 4;
  if (first === Form.Unsigned64) return 8;
  throw new ProtocolError(`Cannot read a number that begins with ${first}: expected an unsigned integer`);
}
