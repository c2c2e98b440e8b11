/**
 * Records: the contents of the log and of snapshots. Each is one effect on the store, as a MessagePack array.
 *
 * ```text
 * [1, deadline, key, value]                 the key becomes a string
 * [2, key, before, bytes]                   bytes are appended to a string of `before` bytes; 0: it is created
 * [3, key, before, from, bytes]             bytes of a string are overwritten, from `from` on
 * [4, key, before, element, …]              elements are appended to the tail of a list of `before`; 0: it is created
 * [5, key, before, element, …]              elements are added to its head, one after another
 * [6, key, before, index, count]            elements `[index, index + count)` are removed
 * [7, key, before, index, element]          an element is replaced
 * [8, key, before, index, element]          an element is inserted before that one
 * [9, key, before, tail, most, element]     up to `most` equal elements are removed, from the head (`tail` 0) or tail (1)
 * [10, key, before, field, value, …]        fields of a hash of `before` are set; 0: it is created
 * [11, key, before, field]                  a field is removed
 * [12, key, deadline]                       the key's deadline is changed
 * [13, key]                                 the key is removed
 * [14]                                      all keys are removed
 * [15, key, key]                            the first key is renamed to the second, which is absent
 * [16, key, key]                            the first key is copied to the second, which is absent
 * [0, keys, batch, time]                    the end of a snapshot: see snapshot.ts
 * ```
 *
 * Numbers are unsigned integers, everything else is bin. Deadlines and times are in ms since 1970, 0 for no deadline. A
 * list or hash that becomes empty is removed with its key, without another record.
 *
 * `before` is the length of the value before the effect. It is redundant, so that a missing record shows in the next
 * one on the same key.
 *
 * Replaying is deterministic: no effect depends on time, memory or chance. A snapshot consists of records that create
 * its keys and, between them, the effects of commands that ran while it was taken.
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
import { Form } from "../wire/native/message_pack.ts";
import { read16, read32 } from "../bytes.ts";

/** The first item of a record: the kind of its effect. */
export const enum RecordType {
  End = 0,
  SetString = 1,
  Append = 2,
  Overwrite = 3,
  PushTail = 4,
  PushHead = 5,
  ListRemove = 6,
  ListSet = 7,
  ListInsert = 8,
  ListRemoveEqual = 9,
  HashSet = 10,
  HashRemove = 11,
  Deadline = 12,
  Remove = 13,
  Clear = 14,
  Rename = 15,
  Copy = 16,
}

/**
 * A receiver of records, in their order. The key is `bytes[key, key + keyLength)`, and other byte strings likewise; all
 * are borrowed until return.
 *
 * @throws {ProtocolError} when a record cannot follow those before it
 */
export interface RecordTarget {
  setString(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    deadlineMs: number,
    value: number,
    valueLength: number,
  ): void;
  append(bytes: Uint8Array, key: number, keyLength: number, before: number, value: number, valueLength: number): void;
  overwrite(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    from: number,
    value: number,
    valueLength: number,
  ): void;
  /** Begins adding elements to a list. They follow one by one, with {@linkcode push}. */
  beginPush(bytes: Uint8Array, key: number, keyLength: number, before: number, head: boolean): void;
  push(bytes: Uint8Array, element: number, length: number): void;
  listRemove(bytes: Uint8Array, key: number, keyLength: number, before: number, index: number, count: number): void;
  listSet(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    index: number,
    element: number,
    length: number,
  ): void;
  listInsert(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    index: number,
    element: number,
    length: number,
  ): void;
  listRemoveEqual(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    fromTail: boolean,
    most: number,
    element: number,
    length: number,
  ): void;
  /** Begins setting fields of a hash. They follow one by one, with {@linkcode setField}. */
  beginFields(bytes: Uint8Array, key: number, keyLength: number, before: number): void;
  setField(bytes: Uint8Array, field: number, fieldLength: number, value: number, valueLength: number): void;
  hashRemove(bytes: Uint8Array, key: number, keyLength: number, before: number, field: number, length: number): void;
  setDeadline(bytes: Uint8Array, key: number, keyLength: number, deadlineMs: number): void;
  remove(bytes: Uint8Array, key: number, keyLength: number): void;
  clear(): void;
  rename(bytes: Uint8Array, key: number, keyLength: number, newKey: number, newLength: number): void;
  copy(bytes: Uint8Array, key: number, keyLength: number, newKey: number, newLength: number): void;
  /** Ends a snapshot of `keys` keys. */
  end(keys: number): void;
  /** Reports, in a repair, that records are missing here, perhaps the rest of the value that was last added to. */
  gap(): void;
}

/** The contents of the closing record of a snapshot. */
export interface RecordEnd {
  /** The number of keys in the snapshot, expired ones included. */
  readonly keys: number;
  /** The last batch of the log whose effects the snapshot has. */
  readonly batch: number;
  /** The moment whose data the snapshot contains, in ms since 1970. */
  readonly takenMs: number;
}

/** The number of items of a record, by its type; -1 - n for a type with at least n items. */
const ITEMS = [4, 4, 4, 5, -5, -5, 5, 5, 5, 6, -6, 4, 3, 2, 1, 3, 3];

/**
 * A decoder of records. It checks their structure and sizes, so that a target need not.
 *
 * It accepts only the forms that `RecordWriter` writes, and reads their headers itself: with the functions of
 * `wire/native/message_pack.ts`, reading takes a quarter longer.
 */
export class RecordDecoder {
  /** The number of records decoded so far. */
  count = 0;
  /** The closing record, after it was decoded. */
  ended: RecordEnd | undefined;
  readonly #target: RecordTarget;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  /** The length of the bin that {@linkcode #bin} found last. */
  #length = 0;

  constructor(target: RecordTarget) {
    this.#target = target;
  }

  /**
   * Passes all records in `bytes[start, end)` to the target.
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
    if (this.ended) throw new ProtocolError("Cannot read a record after the closing one");
    const items = this.#arrayHeader();
    const type = this.#integer(0xff);
    const expected = ITEMS[type];
    if (expected === undefined) throw new ProtocolError(`Cannot read a record of type ${type}: expected 0 to 16`);
    if (expected >= 0 ? items !== expected : items < -1 - expected) {
      throw new ProtocolError(`Cannot read a record of type ${type} with ${items} items`);
    }
    this.count++;
    if (type === RecordType.End) {
      const keys = this.#integer(Number.MAX_SAFE_INTEGER);
      const batch = this.#integer(Number.MAX_SAFE_INTEGER);
      this.ended = { keys, batch, takenMs: this.#integer(Number.MAX_SAFE_INTEGER) };
      this.#target.end(keys);
    } else if (type === RecordType.Clear) {
      this.#target.clear();
    } else if (type === RecordType.SetString) {
      this.#setString();
    } else {
      const key = this.#bin(KEY_SIZE_MAX_BYTES);
      this.#onKey(type, items, key, this.#length);
    }
  }

  #setString(): void {
    const deadlineMs = this.#integer(DEADLINE_MAX_MS);
    const key = this.#bin(KEY_SIZE_MAX_BYTES);
    const keyLength = this.#length;
    const value = this.#bin(VALUE_SIZE_MAX_BYTES);
    this.#target.setString(this.#bytes, key, keyLength, deadlineMs, value, this.#length);
  }

  /** Decodes the rest of a record that begins with its key. */
  #onKey(type: RecordType, items: number, key: number, keyLength: number): void {
    const bytes = this.#bytes;
    const target = this.#target;
    switch (type) {
      case RecordType.Deadline:
        return target.setDeadline(bytes, key, keyLength, this.#integer(DEADLINE_MAX_MS));
      case RecordType.Remove:
        return target.remove(bytes, key, keyLength);
      case RecordType.Rename:
      case RecordType.Copy: {
        const other = this.#bin(KEY_SIZE_MAX_BYTES);
        if (type === RecordType.Rename) return target.rename(bytes, key, keyLength, other, this.#length);
        return target.copy(bytes, key, keyLength, other, this.#length);
      }
    }
    const before = this.#integer(ELEMENTS_MAX_COUNT);
    switch (type) {
      case RecordType.Append: {
        const value = this.#bin(VALUE_SIZE_MAX_BYTES);
        return target.append(bytes, key, keyLength, before, value, this.#length);
      }
      case RecordType.Overwrite: {
        const from = this.#integer(VALUE_SIZE_MAX_BYTES);
        const value = this.#bin(VALUE_SIZE_MAX_BYTES);
        return target.overwrite(bytes, key, keyLength, before, from, value, this.#length);
      }
      case RecordType.PushTail:
      case RecordType.PushHead:
        target.beginPush(bytes, key, keyLength, before, type === RecordType.PushHead);
        for (let i = 3; i < items; i++) {
          const element = this.#bin(VALUE_SIZE_MAX_BYTES);
          target.push(bytes, element, this.#length);
        }
        return;
      case RecordType.ListRemove: {
        const index = this.#integer(ELEMENTS_MAX_COUNT);
        return target.listRemove(bytes, key, keyLength, before, index, this.#integer(ELEMENTS_MAX_COUNT));
      }
      case RecordType.ListSet:
      case RecordType.ListInsert: {
        const index = this.#integer(ELEMENTS_MAX_COUNT);
        const element = this.#bin(VALUE_SIZE_MAX_BYTES);
        if (type === RecordType.ListSet) {
          return target.listSet(bytes, key, keyLength, before, index, element, this.#length);
        }
        return target.listInsert(bytes, key, keyLength, before, index, element, this.#length);
      }
      case RecordType.ListRemoveEqual: {
        const fromTail = this.#integer(1) === 1;
        const most = this.#integer(ELEMENTS_MAX_COUNT);
        const element = this.#bin(VALUE_SIZE_MAX_BYTES);
        return target.listRemoveEqual(bytes, key, keyLength, before, fromTail, most, element, this.#length);
      }
      case RecordType.HashSet:
        if (items % 2 === 0) throw new ProtocolError("Cannot read fields: the last one has no value");
        target.beginFields(bytes, key, keyLength, before);
        for (let i = 3; i < items; i += 2) {
          const field = this.#bin(FIELD_SIZE_MAX_BYTES);
          const fieldLength = this.#length;
          const value = this.#bin(VALUE_SIZE_MAX_BYTES);
          target.setField(bytes, field, fieldLength, value, this.#length);
        }
        return;
      case RecordType.HashRemove: {
        const field = this.#bin(FIELD_SIZE_MAX_BYTES);
        return target.hashRemove(bytes, key, keyLength, before, field, this.#length);
      }
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
    const items = read32(this.#bytes, this.#at - 4);
    this.#need(items);
    return items;
  }

  /** Decodes the header of the next bin, sets `#length`, and returns where its bytes begin. */
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
    if (first < 0x80) return this.#bounded(first, max);
    const size = sizeOf(first);
    this.#need(size);
    const at = this.#at;
    this.#at += size;
    if (size === 1) return this.#bounded(bytes[at]!, max);
    if (size === 2) return this.#bounded(read16(bytes, at), max);
    if (size === 4) return this.#bounded(read32(bytes, at), max);
    return this.#bounded(read32(bytes, at) * 0x100000000 + read32(bytes, at + 4), max);
  }

  #bounded(value: number, max: number): number {
    if (value > max) throw new ProtocolError(`Cannot read the number ${value}: expected at most ${max}`);
    return value;
  }
}

/** Returns the number of bytes after `first` of the unsigned integer that begins with it. */
function sizeOf(first: number): 1 | 2 | 4 | 8 {
  if (first === Form.Unsigned8) return 1;
  if (first === Form.Unsigned16) return 2;
  if (first === Form.Unsigned32) return 4;
  if (first === Form.Unsigned64) return 8;
  throw new ProtocolError(`Cannot read a number that begins with ${first}: expected an unsigned integer`);
}
