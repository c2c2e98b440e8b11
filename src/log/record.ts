/**
 * Decoding records: the contents of the log and of snapshots. Each is one effect on the store (effects.ts), as a
 * MessagePack array, except for the last one of a snapshot.
 *
 * ```text
 * [number, item, …]                 an effect: the number of its row, and the items of that row
 * [number, item, …, part, …]        an effect with several parts, such as the elements that are pushed to a list
 * [0, keys, batch, time]            the end of a snapshot: see snapshot.ts
 * ```
 *
 * Numbers are unsigned integers, everything else is bin. Deadlines and times are in ms since 1970, 0 for no deadline. A
 * value without items is removed with its key, without another record.
 *
 * Replaying is deterministic: no effect depends on time, memory or chance. A snapshot consists of records that create
 * its keys and, between them, the effects of commands that ran while it was taken.
 *
 * @module
 */

import { Effect, EFFECT_BY_NUMBER, type EffectRow, recordForm, Slot } from "../effects.ts";
import { ProtocolError } from "../errors.ts";
import { DEADLINE_MAX_MS, ELEMENTS_MAX_COUNT, FIELD_SIZE_MAX_BYTES, KEY_SIZE_MAX_BYTES } from "../limits.ts";
import { Form } from "../wire/native/message_pack.ts";
import { read16, read32 } from "../bytes.ts";

// V8 folds a constant of the same module into the code, but loads an imported one each time.
const { DEADLINE, KEY, NEW_DEADLINE, BEFORE, TAIL, INDEX, COUNT, FIELD, VALUE } = Slot;
const RARE = NEW_DEADLINE | TAIL | INDEX | COUNT;
const PART = FIELD | VALUE;
const ROWS = EFFECT_BY_NUMBER;
const KEY_MAX_BYTES = KEY_SIZE_MAX_BYTES;
const COUNT_MAX = ELEMENTS_MAX_COUNT;

/** The number of the closing record of a snapshot. */
export const END_NUMBER = 0;
/** The number of items of that record. */
const END_ITEMS = 4;

/**
 * A receiver of records, in their order.
 *
 * @throws {ProtocolError} when a record cannot follow those before it
 */
export interface RecordTarget {
  /**
   * Receives an effect. An effect with several parts arrives once for each of them: only the slots of the part differ,
   * and `part` counts from 0. It is borrowed until return, like its bytes.
   */
  apply(effect: Effect): void;
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
  readonly #effect = new Effect();
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
    const effect = this.#effect;
    effect.key = effect.field = effect.value = bytes;
    while (this.#at < end) this.#record(effect);
  }

  #record(effect: Effect): void {
    if (this.ended) throw new ProtocolError("Cannot read a record after the closing one");
    const items = this.#arrayHeader();
    const number = this.#integer(0xff);
    const row = ROWS[number];
    if (row === undefined) return this.#closing(number, items);
    const { slots } = row;
    let further = items - row.itemsCount;
    if (further !== 0 && (further < 0 || further % row.partItems !== 0)) throw wrongItems(items, row);
    this.count++;
    effect.row = row;
    effect.part = 0;
    if ((slots & DEADLINE) !== 0) effect.deadlineMs = this.#integer(DEADLINE_MAX_MS);
    if ((slots & KEY) !== 0) {
      effect.keyStart = this.#bin(KEY_MAX_BYTES);
      effect.keyLength = this.#length;
    }
    if ((slots & BEFORE) !== 0) effect.before = this.#integer(COUNT_MAX);
    if ((slots & RARE) !== 0) this.#rareNumbers(effect, row);
    if ((slots & PART) !== 0) this.#part(effect, row);
    this.#target.apply(effect);
    for (; further > 0; further -= row.partItems) {
      effect.part++;
      this.#part(effect, row);
      this.#target.apply(effect);
    }
  }

  /** Decodes the numbers that few effects have. */
  #rareNumbers(effect: Effect, { slots, indexMax }: EffectRow): void {
    if ((slots & NEW_DEADLINE) !== 0) effect.deadlineMs = this.#integer(DEADLINE_MAX_MS);
    if ((slots & TAIL) !== 0) effect.tail = this.#integer(1);
    if ((slots & INDEX) !== 0) effect.index = this.#integer(indexMax);
    if ((slots & COUNT) !== 0) effect.count = this.#integer(COUNT_MAX);
  }

  /** Decodes the items that can be repeated. */
  #part(effect: Effect, { slots, valueMax }: EffectRow): void {
    if ((slots & FIELD) !== 0) {
      effect.fieldStart = this.#bin(FIELD_SIZE_MAX_BYTES);
      effect.fieldLength = this.#length;
    }
    if ((slots & VALUE) !== 0) {
      effect.valueStart = this.#bin(valueMax);
      effect.valueLength = this.#length;
    }
  }

  /** Decodes the closing record of a snapshot, which is not an effect. */
  #closing(number: number, items: number): void {
    if (number !== END_NUMBER) {
      const most = EFFECT_BY_NUMBER.length - 1;
      throw new ProtocolError(`Cannot read a record of type ${number}: expected 0 to ${most}`);
    }
    if (items !== END_ITEMS) throw new ProtocolError(`Cannot read a record of type 0 with ${items} items`);
    this.count++;
    const keys = this.#integer(Number.MAX_SAFE_INTEGER);
    const batch = this.#integer(Number.MAX_SAFE_INTEGER);
    this.ended = { keys, batch, takenMs: this.#integer(Number.MAX_SAFE_INTEGER) };
    this.#target.end(keys);
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

function wrongItems(items: number, row: EffectRow): ProtocolError {
  return new ProtocolError(
    `Cannot read a record of type ${row.number} with ${items} items: expected ${recordForm(row)}`,
  );
}

/** Returns the number of bytes after `first` of the unsigned integer that begins with it. */
function sizeOf(first: number): 1 | 2 | 4 | 8 {
  if (first === Form.Unsigned8) return 1;
  if (first === Form.Unsigned16) return 2;
  if (first === Form.Unsigned32) return 4;
  if (first === Form.Unsigned64) return 8;
  throw new ProtocolError(`Cannot read a number that begins with ${first}: expected an unsigned integer`);
}
