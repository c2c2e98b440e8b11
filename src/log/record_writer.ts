/**
 * Writes records (record.ts, effects.ts) into a buffer, after room for the header of the block that they become.
 *
 * All keys and values are copied, so nothing is borrowed beyond a call, and nothing is allocated unless the buffer has
 * to grow. A few bytes are copied faster if the source has a view.
 *
 * @module
 */

import { copyBytes, copyViewed, enlarge, write32 } from "../bytes.ts";
import { type Effect, type EffectRow, EFFECTS, type EffectWriter, Slot } from "../effects.ts";
import { LOG_BUFFER_KEEP_MAX_BYTES } from "../limits.ts";
import { Form, HEADER_MAX_BYTES, writeBinHeader, writeInteger } from "../wire/native/message_pack.ts";
import { BLOCK_HEADER_BYTES } from "./block.ts";
import { END_NUMBER } from "./record.ts";

// V8 folds a constant of the same module into the code, but loads an imported one each time.
const { DEADLINE, KEY, NEW_DEADLINE, BEFORE, TAIL, INDEX, COUNT, FIELD, VALUE } = Slot;
const RARE = NEW_DEADLINE | TAIL | INDEX | COUNT;
const NUMBER_SET_STRING = EFFECTS.setString.number;
const NUMBER_LIST_PUSH_TAIL = EFFECTS.listPushTail.number;
const NUMBER_LIST_PUSH_HEAD = EFFECTS.listPushHead.number;
const NUMBER_HASH_SET = EFFECTS.hashSet.number;
/** The first byte of a short array, plus its number of items. */
const ARRAY = 0x90;
const HEAD_SET_STRING = ARRAY + EFFECTS.setString.itemsCount;
const HEAD_LIST_PUSH = ARRAY + EFFECTS.listPushTail.itemsCount;
const HEAD_HASH_SET = ARRAY + EFFECTS.hashSet.itemsCount;

const INITIAL_BYTES = 4096;

/** A buffer of records. */
export class RecordWriter implements EffectWriter {
  /** The buffer with the records in `[BLOCK_HEADER_BYTES, length)`. It is replaced when it grows. */
  buffer: Uint8Array<ArrayBuffer>;
  length = BLOCK_HEADER_BYTES;
  #view: DataView;
  /** The position of the item count of the record that was begun; 0 when there is none. */
  #itemsAt = 0;
  #itemsCount = 0;

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

  /**
   * Adds an effect with one part. {@linkcode setString}, {@linkcode listPush} and {@linkcode hashSet} do the same for
   * the three most frequent effects, without an object.
   */
  write(effect: Effect): void {
    const { row } = effect;
    this.#head(effect, row);
    this.#items(effect, row.slots);
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
    this.#begin(HEAD_SET_STRING, NUMBER_SET_STRING);
    this.#integer(deadlineMs);
    this.#bytes(key, keyStart, keyLength, undefined);
    this.#bytes(value, valueStart, valueLength, view);
  }

  listPush(
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
    this.#need(keyLength + length + 4 * HEADER_MAX_BYTES);
    this.#begin(HEAD_LIST_PUSH, head ? NUMBER_LIST_PUSH_HEAD : NUMBER_LIST_PUSH_TAIL);
    this.#bytes(key, keyStart, keyLength, undefined);
    this.#integer(before);
    this.#bytes(source, start, length, view);
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
    this.#need(keyLength + fieldLength + valueLength + 5 * HEADER_MAX_BYTES);
    this.#begin(HEAD_HASH_SET, NUMBER_HASH_SET);
    this.#bytes(key, keyStart, keyLength, undefined);
    this.#integer(before);
    this.#bytes(field, fieldStart, fieldLength, undefined);
    this.#bytes(value, valueStart, valueLength, view);
  }

  /**
   * Adds an effect whose last item is its value, without the bytes of the value. Returns where in {@linkcode buffer}
   * the caller copies `effect.valueLength` bytes to.
   */
  writeRoom(effect: Effect): number {
    const { row } = effect;
    this.#head(effect, row);
    this.#items(effect, row.slots & ~VALUE);
    return this.#room(effect.valueLength);
  }

  /** Adds the closing record of a snapshot. */
  end(keys: number, batch: number, takenMs: number): void {
    this.#need(5 * HEADER_MAX_BYTES);
    this.#begin(ARRAY + 4, END_NUMBER);
    this.#integer(keys);
    this.#integer(batch);
    this.#integer(takenMs);
  }

  /**
   * Begins a record of many parts: all items before the first part. {@linkcode room} adds each item of a part, and
   * {@linkcode finish} ends the record.
   */
  beginParts(effect: Effect): void {
    const { number, items, slots, partSlots } = effect.row;
    this.#need(effect.keyLength + 8 * HEADER_MAX_BYTES);
    this.buffer[this.length] = Form.Array32;
    this.#itemsAt = this.length + 1;
    this.buffer[this.length + 5] = number;
    this.length += 6;
    this.#itemsCount = 1 + items.length;
    this.#items(effect, slots & ~partSlots);
  }

  /** Adds an item of `length` bytes. Returns where in {@linkcode buffer} the caller copies the item to. */
  room(length: number): number {
    this.#need(length + HEADER_MAX_BYTES);
    this.#itemsCount++;
    return this.#room(length);
  }

  /** Ends the record that was begun. */
  finish(): void {
    write32(this.buffer, this.#itemsAt, this.#itemsCount);
  }

  /** Begins a record with one part, and makes room for all of it. */
  #head(effect: Effect, { slots, itemsCount, number }: EffectRow): void {
    let size = 8 * HEADER_MAX_BYTES;
    if ((slots & KEY) !== 0) size += effect.keyLength;
    if ((slots & FIELD) !== 0) size += effect.fieldLength;
    if ((slots & VALUE) !== 0) size += effect.valueLength;
    this.#need(size);
    this.#begin(ARRAY + itemsCount, number);
  }

  #begin(head: number, number: number): void {
    const { buffer, length } = this;
    buffer[length] = head;
    buffer[length + 1] = number;
    this.length = length + 2;
  }

  /** Adds the items in some slots. There is room for them. */
  #items(effect: Effect, slots: number): void {
    if ((slots & DEADLINE) !== 0) this.#integer(effect.deadlineMs);
    if ((slots & KEY) !== 0) this.#bytes(effect.key, effect.keyStart, effect.keyLength, effect.keyView);
    if ((slots & BEFORE) !== 0) this.#integer(effect.before);
    if ((slots & RARE) !== 0) this.#rare(effect, slots);
    if ((slots & FIELD) !== 0) this.#bytes(effect.field, effect.fieldStart, effect.fieldLength, undefined);
    if ((slots & VALUE) !== 0) this.#bytes(effect.value, effect.valueStart, effect.valueLength, effect.valueView);
  }

  #rare(effect: Effect, slots: number): void {
    if ((slots & NEW_DEADLINE) !== 0) this.#integer(effect.deadlineMs);
    if ((slots & TAIL) !== 0) this.#integer(effect.tail);
    if ((slots & INDEX) !== 0) this.#integer(effect.index);
    if ((slots & COUNT) !== 0) this.#integer(effect.count);
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
