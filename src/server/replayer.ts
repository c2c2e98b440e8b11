/**
 * Applies the records of a snapshot and a log to a store.
 *
 * Each record says what it expects, so that a store that differs from the one recorded is noticed at the next record on
 * the same key. Keys are found even after their deadline: no time passes while records are replayed (`nowMs` is 0),
 * since the removal of an expired key has its own record. Keys that have expired are removed afterwards, all together.
 *
 * If the store is smaller than the one recorded, the least recently used keys are evicted, and later records on them
 * are skipped. A repair also skips a record that does not match, and drops its key.
 *
 * @module
 */

import { equalBytes } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { SNAPSHOT_PART_BYTES, SNAPSHOT_PART_ITEMS } from "../limits.ts";
import type { RecordTarget } from "../log/record.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";

/** The bytes, and the items of a list or hash, for which room is made at a time. */
const ROOM_BYTES = 4000;
const ROOM_ITEMS = 8;

/** A receiver of records that applies them to a store. */
export class Replayer implements RecordTarget {
  /** The number of keys that a repair has dropped, since records on them were missing. */
  dropped = 0;
  readonly #store: Store;
  readonly #isRepair: boolean;
  // The list or hash whose items follow: its key, its entry, where the next items are added.
  #bytes: Uint8Array = new Uint8Array(0);
  #keyAt = 0;
  #keyLength = 0;
  #entry = 0;
  #isHead = false;
  /** Whether the items that follow are skipped. */
  #skips = false;
  /** In a repair: the key of the last record that adds to a value, and the number and bytes of its items so far. */
  #partKey: Uint8Array | undefined;
  #partItems = 0;
  #partBytes = 0;
  /** In a repair: the key whose last part was full, so that more of it may follow. */
  #growing: Uint8Array | undefined;
  /** The bytes and items for which there is room. */
  #roomBytes = 0;
  #roomItems = 0;

  /** @param store an empty store; its `nowMs` is 0 while it is loaded */
  constructor(store: Store, isRepair = false) {
    this.#store = store;
    this.#isRepair = isRepair;
  }

  setString(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    deadlineMs: number,
    value: number,
    valueLength: number,
  ): void {
    const store = this.#store;
    store.room.make(keyLength + valueLength, 2);
    const entry = store.find(bytes, key, keyLength);
    store.strings.set(bytes, key, keyLength, entry, bytes, value, valueLength, deadlineMs);
  }

  append(bytes: Uint8Array, key: number, keyLength: number, before: number, value: number, length: number): void {
    const store = this.#store;
    store.room.make(keyLength + length, 2);
    let entry = store.find(bytes, key, keyLength);
    if (!this.#matches(entry, EntryType.String, before)) return;
    // A repair may have dropped a key that does not match.
    if (this.#isRepair) entry = store.find(bytes, key, keyLength);
    if (this.#isRepair) {
      this.#beginPart(bytes, key, keyLength);
      this.#partItems = 1;
      this.#partBytes = length;
    }
    if (entry !== 0) store.strings.append(entry, bytes, value, length);
    else store.strings.set(bytes, key, keyLength, 0, bytes, value, length, 0);
  }

  overwrite(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    from: number,
    value: number,
    length: number,
  ): void {
    const store = this.#store;
    store.room.make(keyLength + Math.max(0, from + length - before), 2);
    const entry = store.find(bytes, key, keyLength);
    if (!this.#isPresent(entry, EntryType.String, before)) return;
    store.strings.overwrite(entry, from, bytes, value, length);
  }

  beginPush(bytes: Uint8Array, key: number, keyLength: number, before: number, head: boolean): void {
    this.#begin(bytes, key, keyLength, EntryType.List, before);
    this.#isHead = head;
  }

  push(bytes: Uint8Array, element: number, length: number): void {
    this.#makeRoom(length);
    if (this.#skips) return;
    const store = this.#store;
    this.#entry = store.lists.push(
      this.#bytes,
      this.#keyAt,
      this.#keyLength,
      this.#entry,
      this.#isHead,
      bytes,
      element,
      length,
    );
  }

  listRemove(bytes: Uint8Array, key: number, keyLength: number, before: number, index: number, count: number): void {
    const store = this.#store;
    const entry = store.find(bytes, key, keyLength);
    if (!this.#isPresent(entry, EntryType.List, before)) return;
    this.#expect(count > 0 && index + count <= before);
    if (count > 1) store.lists.remove(entry, index, count);
    else if (index === 0 || index === before - 1) store.lists.pop(entry, index === 0);
    else store.lists.remove(entry, index, count);
  }

  listSet(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    index: number,
    element: number,
    length: number,
  ): void {
    const store = this.#store;
    store.room.make(keyLength + length, 2);
    const entry = store.find(bytes, key, keyLength);
    if (!this.#isPresent(entry, EntryType.List, before)) return;
    this.#expect(index < before);
    store.lists.set(entry, index, bytes, element, length);
  }

  listInsert(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    index: number,
    element: number,
    length: number,
  ): void {
    const store = this.#store;
    store.room.make(keyLength + length, 2);
    const entry = store.find(bytes, key, keyLength);
    if (!this.#isPresent(entry, EntryType.List, before)) return;
    this.#expect(index <= before);
    store.lists.insert(entry, index, bytes, element, length);
  }

  listRemoveEqual(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    fromTail: boolean,
    most: number,
    element: number,
    length: number,
  ): void {
    const store = this.#store;
    const entry = store.find(bytes, key, keyLength);
    if (!this.#isPresent(entry, EntryType.List, before)) return;
    const left = store.lists.removeEqual(entry, fromTail, most, bytes, element, length);
    this.#expect((left === 0 ? 0 : store.lists.length(left)) === before - most);
  }

  beginFields(bytes: Uint8Array, key: number, keyLength: number, before: number): void {
    this.#begin(bytes, key, keyLength, EntryType.Hash, before);
  }

  setField(bytes: Uint8Array, field: number, fieldLength: number, value: number, valueLength: number): void {
    this.#makeRoom(fieldLength + valueLength);
    if (this.#skips) return;
    const key = this.#bytes;
    const [at, length] = [this.#keyAt, this.#keyLength];
    const entry = this.#entry;
    this.#entry = this.#store.hashes.set(key, at, length, entry, bytes, field, fieldLength, bytes, value, valueLength);
  }

  hashRemove(bytes: Uint8Array, key: number, keyLength: number, before: number, field: number, length: number): void {
    const store = this.#store;
    const entry = store.find(bytes, key, keyLength);
    if (!this.#isPresent(entry, EntryType.Hash, before)) return;
    store.hashes.remove(entry, bytes, field, length);
    this.#expect(store.hashes.removed);
  }

  setDeadline(bytes: Uint8Array, key: number, keyLength: number, deadlineMs: number): void {
    const store = this.#store;
    store.room.make(keyLength, 2);
    const entry = store.find(bytes, key, keyLength);
    if (entry !== 0) store.setDeadline(entry, deadlineMs);
    else this.#isAbsent();
  }

  remove(bytes: Uint8Array, key: number, keyLength: number): void {
    const entry = this.#store.find(bytes, key, keyLength);
    if (entry !== 0) this.#store.remove(entry);
    else this.#isAbsent();
  }

  clear(): void {
    this.#store.clear();
  }

  rename(bytes: Uint8Array, key: number, keyLength: number, newKey: number, newLength: number): void {
    const store = this.#store;
    store.room.make(keyLength + newLength, 2);
    this.#expectAbsent(bytes, newKey, newLength);
    const entry = store.find(bytes, key, keyLength);
    if (entry !== 0) store.rename(entry, bytes, newKey, newLength);
    else this.#isAbsent();
  }

  copy(bytes: Uint8Array, key: number, keyLength: number, newKey: number, newLength: number): void {
    const store = this.#store;
    this.#expectAbsent(bytes, newKey, newLength);
    const entry = store.find(bytes, key, keyLength);
    if (entry !== 0) store.copyEntry(store.room.makeForCopy(entry), bytes, newKey, newLength);
    else this.#isAbsent();
  }

  end(keys: number): void {
    if (this.#store.size === keys || this.#isRepair || this.#hasEvicted) return;
    throw new ProtocolError(`Cannot accept ${this.#store.size} keys: the closing block says ${keys}`);
  }

  gap(): void {
    this.#endPart();
    const growing = this.#growing;
    const entry = growing === undefined ? 0 : this.#store.find(growing, 0, growing.length);
    if (entry === 0) return;
    // The value may be complete, but a truncated value would be wrong.
    this.#store.remove(entry);
    this.dropped++;
  }

  /** Begins a record that adds to a value, in a repair. */
  #beginPart(bytes: Uint8Array, key: number, keyLength: number): void {
    this.#endPart();
    this.#partKey = bytes.slice(key, key + keyLength);
    this.#partBytes = 0;
  }

  /** Ends the last record that added to a value, in a repair. */
  #endPart(): void {
    const key = this.#partKey;
    if (this.#partItems === 0 || key === undefined) return;
    // Snapshots write large values in parts, all of which but the last are full.
    if (this.#partItems >= SNAPSHOT_PART_ITEMS || this.#partBytes >= SNAPSHOT_PART_BYTES) this.#growing = key;
    else if (this.#growing?.length === key.length && equalBytes(key, 0, this.#growing, 0, key.length)) {
      this.#growing = undefined;
    }
    this.#partItems = 0;
  }

  /** Whether keys were evicted because there was no room. */
  get #hasEvicted(): boolean {
    return this.#store.statistics.evictedKeys > 0;
  }

  #begin(bytes: Uint8Array, key: number, keyLength: number, type: EntryType, before: number): void {
    if (this.#isRepair) this.#beginPart(bytes, key, keyLength);
    this.#bytes = bytes;
    this.#keyAt = key;
    this.#keyLength = keyLength;
    this.#roomBytes = this.#roomItems = 0;
    this.#entry = this.#store.find(bytes, key, keyLength);
    this.#skips = !this.#matches(this.#entry, type, before);
    if (before === 0) this.#entry = 0;
  }

  /**
   * Makes room for the next item, in the same small steps as a client's writes, so that data that fitted before fits
   * again.
   */
  #makeRoom(bytes: number): void {
    this.#partItems++;
    this.#partBytes += bytes;
    this.#roomBytes -= bytes;
    this.#roomItems--;
    if ((this.#roomBytes >= 0 && this.#roomItems >= 0) || this.#skips) return;
    this.#roomBytes = Math.max(0, ROOM_BYTES - bytes);
    this.#roomItems = ROOM_ITEMS - 1;
    this.#store.room.make(Math.max(bytes, ROOM_BYTES), ROOM_ITEMS);
    if (this.#entry === 0) return;
    // Making room moves and evicts other keys, and in the worst case the beginning of this one.
    this.#entry = this.#store.find(this.#bytes, this.#keyAt, this.#keyLength);
    this.#skips = this.#entry === 0;
  }

  /** Returns whether a key exists and has the value that a record expects. */
  #isPresent(entry: number, type: EntryType, before: number): boolean {
    if (entry === 0) return this.#isAbsent();
    const { dropped } = this;
    return this.#matches(entry, type, before) && this.dropped === dropped;
  }

  /**
   * Returns false when the key of a record may be absent, because it was evicted or in a repair.
   *
   * @throws {ProtocolError} when it must exist
   */
  #isAbsent(): false {
    if (this.#isRepair) this.dropped++;
    else if (!this.#hasEvicted) throw new ProtocolError("Cannot apply a record: its key is absent");
    return false;
  }

  /**
   * Returns whether the record on a key can be applied: the key has a value of this type and length, or is absent and
   * `before` is 0. The record is skipped if its key was evicted, or in a repair. A repair drops a key that does not
   * match, and then applies a record that expects nothing.
   */
  #matches(entry: number, type: EntryType, before: number): boolean {
    const store = this.#store;
    if (entry === 0) return before === 0 || this.#isAbsent();
    const isOfType = store.type(entry) === type;
    const length = isOfType ? this.#length(entry, type) : 0;
    // An empty string exists, but has the length of an absent one.
    if (isOfType && length === before) return true;
    if (!this.#isRepair) {
      const found = isOfType ? `has length ${length}` : "has another type";
      throw new ProtocolError(`Cannot apply a record: its key ${found}: expected length ${before}`);
    }
    store.remove(entry);
    this.dropped++;
    return before === 0;
  }

  #length(entry: number, type: EntryType): number {
    const store = this.#store;
    if (type === EntryType.String) return store.strings.length(entry);
    return type === EntryType.List ? store.lists.length(entry) : store.hashes.length(entry);
  }

  #expectAbsent(bytes: Uint8Array, key: number, length: number): void {
    const entry = this.#store.find(bytes, key, length);
    if (entry === 0) return;
    if (!this.#isRepair) throw new ProtocolError("Cannot apply a record: its new key exists already");
    this.#store.remove(entry);
    this.dropped++;
  }

  #expect(condition: boolean): void {
    if (!condition && !this.#isRepair) throw new ProtocolError("Cannot apply a record: it names something absent");
  }
}
