/**
 * Writes records (record.ts) into a buffer, after room for the header of the block that they become.
 *
 * All keys and values are copied, so nothing is borrowed beyond a call, and nothing is allocated unless the buffer has
 * to grow. A few bytes are copied faster if the source has a view.
 *
 * @module
 */

import { copyBytes, copyViewed, enlarge, write32 } from "../bytes.ts";
import { LOG_BUFFER_KEEP_MAX_BYTES } from "../limits.ts";
import { Form, HEADER_MAX_BYTES, writeArrayHeader, writeBinHeader, writeInteger } from "../wire/native/message_pack.ts";
import { BLOCK_HEADER_BYTES } from "./block.ts";
import { RecordType } from "./record.ts";

const INITIAL_BYTES = 4096;

/** A buffer of records. */
export class RecordWriter {
  /** The buffer with the records in `[BLOCK_HEADER_BYTES, length)`. It is replaced when it grows. */
  buffer: Uint8Array<ArrayBuffer>;
  length = BLOCK_HEADER_BYTES;
  #view: DataView;
  /** The position of the item count of the record that was begun; 0 when there is none. */
  #itemsAt = 0;
  #items = 0;

  /** @param initialBytes the initial size; it doubles as needed */
  constructor(initialBytes = INITIAL_BYTES) {
    this.buffer = new Uint8Array(Math.max(initialBytes, INITIAL_BYTES));
    this.#view = new DataView(this.buffer.buffer);
  }

  /** Whether there are no records. */
  get isEmpty(): boolean {
    return this.length === BLOCK_HEADER_BYTES;
  }

  /** Forgets all records, and frees the memory that one large value needed. */
  reset(): void {
    this.length = BLOCK_HEADER_BYTES;
    if (this.buffer.length > LOG_BUFFER_KEEP_MAX_BYTES) this.#replace(new Uint8Array(INITIAL_BYTES));
  }

  /** Returns the buffer with its records, and continues with another one, which is empty or may be overwritten. */
  take(next: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES)): Uint8Array<ArrayBuffer> {
    const taken = this.buffer.subarray(0, this.length);
    this.#replace(next);
    this.length = BLOCK_HEADER_BYTES;
    return taken;
  }

  /** Appends the records of another writer from byte `from` on, where a record begins. */
  addAll(other: RecordWriter, from = BLOCK_HEADER_BYTES): void {
    const size = other.length - from;
    this.#need(size);
    copyBytes(other.buffer, from, this.buffer, this.length, size);
    this.length += size;
  }

  /** Forgets the records from byte `from` on, where a record begins. */
  cut(from: number): void {
    this.length = from;
  }

  setString(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    deadlineMs: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    view: DataView | undefined,
  ): void {
    this.#need(keyLength + valueLength + 4 * HEADER_MAX_BYTES);
    this.#head(4, RecordType.SetString);
    this.#integer(deadlineMs);
    this.#bytes(key, keyStart, keyLength, undefined);
    this.#bytes(value, valueStart, valueLength, view);
  }

  /**
   * Adds the record of {@linkcode setString} without the value. Returns where in {@linkcode buffer} the caller copies
   * the value to.
   */
  setStringRoom(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    deadlineMs: number,
    valueLength: number,
  ): number {
    this.#need(keyLength + valueLength + 4 * HEADER_MAX_BYTES);
    this.#head(4, RecordType.SetString);
    this.#integer(deadlineMs);
    this.#bytes(key, keyStart, keyLength, undefined);
    return this.#room(valueLength);
  }

  append(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    before: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.#begin(4, RecordType.Append, key, keyStart, keyLength, length);
    this.#integer(before);
    this.#bytes(source, start, length, undefined);
  }

  /**
   * Adds the record of `append` without its bytes. Returns where in {@linkcode buffer} the caller copies the bytes to.
   */
  appendRoom(key: Uint8Array, keyStart: number, keyLength: number, before: number, length: number): number {
    this.#begin(4, RecordType.Append, key, keyStart, keyLength, length);
    this.#integer(before);
    return this.#room(length);
  }

  overwrite(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    before: number,
    from: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.#begin(5, RecordType.Overwrite, key, keyStart, keyLength, length);
    this.#integer(before);
    this.#integer(from);
    this.#bytes(source, start, length, undefined);
  }

  push(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    before: number,
    head: boolean,
    source: Uint8Array,
    start: number,
    length: number,
    view: DataView | undefined,
  ): void {
    this.#begin(4, head ? RecordType.PushHead : RecordType.PushTail, key, keyStart, keyLength, length);
    this.#integer(before);
    this.#bytes(source, start, length, view);
  }

  listRemove(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    before: number,
    index: number,
    count: number,
  ): void {
    this.#begin(5, RecordType.ListRemove, key, keyStart, keyLength, 0);
    this.#integer(before);
    this.#integer(index);
    this.#integer(count);
  }

  listSet(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    before: number,
    index: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.#begin(5, RecordType.ListSet, key, keyStart, keyLength, length);
    this.#integer(before);
    this.#integer(index);
    this.#bytes(source, start, length, undefined);
  }

  listInsert(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    before: number,
    index: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.#begin(5, RecordType.ListInsert, key, keyStart, keyLength, length);
    this.#integer(before);
    this.#integer(index);
    this.#bytes(source, start, length, undefined);
  }

  listRemoveEqual(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    before: number,
    fromTail: boolean,
    most: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.#begin(6, RecordType.ListRemoveEqual, key, keyStart, keyLength, length);
    this.#integer(before);
    this.#integer(fromTail ? 1 : 0);
    this.#integer(most);
    this.#bytes(source, start, length, undefined);
  }

  hashSet(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    before: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    view: DataView | undefined,
  ): void {
    this.#begin(5, RecordType.HashSet, key, keyStart, keyLength, fieldLength + valueLength);
    this.#integer(before);
    this.#bytes(field, fieldStart, fieldLength, undefined);
    this.#bytes(value, valueStart, valueLength, view);
  }

  hashRemove(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    before: number,
    field: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.#begin(4, RecordType.HashRemove, key, keyStart, keyLength, length);
    this.#integer(before);
    this.#bytes(field, start, length, undefined);
  }

  setDeadline(key: Uint8Array, keyStart: number, keyLength: number, deadlineMs: number): void {
    this.#begin(3, RecordType.Deadline, key, keyStart, keyLength, 0);
    this.#integer(deadlineMs);
  }

  remove(key: Uint8Array, keyStart: number, keyLength: number): void {
    this.#begin(2, RecordType.Remove, key, keyStart, keyLength, 0);
  }

  clear(): void {
    this.#need(2 * HEADER_MAX_BYTES);
    this.#head(1, RecordType.Clear);
  }

  rename(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.#begin(3, RecordType.Rename, key, keyStart, keyLength, length);
    this.#bytes(other, start, length, undefined);
  }

  copyKey(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.#begin(3, RecordType.Copy, key, keyStart, keyLength, length);
    this.#bytes(other, start, length, undefined);
  }

  /** Adds the closing record of a snapshot. */
  end(keys: number, batch: number, takenMs: number): void {
    this.#need(5 * HEADER_MAX_BYTES);
    this.#head(4, RecordType.End);
    this.#integer(keys);
    this.#integer(batch);
    this.#integer(takenMs);
  }

  /** Begins a record of many elements, or fields, which {@linkcode room} adds; {@linkcode finish} ends it. */
  begin(
    type: RecordType.PushTail | RecordType.HashSet,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    before: number,
  ): void {
    this.#need(keyLength + 5 * HEADER_MAX_BYTES);
    this.#itemsAt = this.length + 1;
    this.#items = 3;
    this.buffer[this.length] = Form.Array32;
    this.length += 5;
    this.#integer(type);
    this.#bytes(key, keyStart, keyLength, undefined);
    this.#integer(before);
  }

  /** Adds an item of `length` bytes. Returns where in {@linkcode buffer} the caller copies the item to. */
  room(length: number): number {
    this.#need(length + HEADER_MAX_BYTES);
    this.#items++;
    return this.#room(length);
  }

  /** Ends the record that was begun. */
  finish(): void {
    write32(this.buffer, this.#itemsAt, this.#items);
  }

  #begin(
    items: number,
    type: RecordType,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    size: number,
  ): void {
    this.#need(keyLength + size + 7 * HEADER_MAX_BYTES);
    this.#head(items, type);
    this.#bytes(key, keyStart, keyLength, undefined);
  }

  #head(items: number, type: RecordType): void {
    this.length = writeArrayHeader(this.buffer, this.length, items);
    this.buffer[this.length++] = type;
  }

  #integer(value: number): void {
    this.length = writeInteger(this.buffer, this.length, value);
  }

  #room(length: number): number {
    const at = writeBinHeader(this.buffer, this.length, length);
    this.length = at + length;
    return at;
  }

  #bytes(source: Uint8Array, start: number, length: number, view: DataView | undefined): void {
    const at = this.#room(length);
    if (view === undefined) copyBytes(source, start, this.buffer, at, length);
    else copyViewed(source, view, start, this.buffer, this.#view, at, length);
  }

  #need(size: number): void {
    const needed = this.length + size;
    if (needed > this.buffer.length) this.#replace(enlarge(this.buffer, this.length, needed));
  }

  #replace(buffer: Uint8Array<ArrayBuffer>): void {
    this.buffer = buffer;
    this.#view = new DataView(buffer.buffer);
  }
}
