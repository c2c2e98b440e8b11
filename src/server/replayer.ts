/**
 * Puts records into a store: what a snapshot and a log say.
 *
 * Each record says what it expects to find, so that a store which is not what the records were made for is noticed at the
 * next one on the same key. Keys are found whatever their deadline: while records are replayed no time passes
 * (`nowMs` is 0), since when a key went is a record of its own. What is over goes afterwards, at once.
 *
 * Where the store is smaller than the one that the records come from, the least recently used keys go, and later records on
 * them are passed over. A repair passes over what does not fit, and drops the key.
 *
 * @module
 */

import { equalBytes } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { SNAPSHOT_PART_BYTES, SNAPSHOT_PART_ITEMS } from "../limits.ts";
import type { RecordTarget } from "../log/record.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";

/** Room is made for as many bytes and items of a list or hash at a time. */
const ROOM_BYTES = 4000;
const ROOM_ITEMS = 8;

/** Takes records into a store. */
export class Replayer implements RecordTarget {
  /** Keys that a repair has dropped, since records on them were missing. */
  dropped = 0;
  readonly #store: Store;
  readonly #isRepair: boolean;
  // The list or hash whose items follow: its key, its entry, where the next items go.
  #bytes: Uint8Array = new Uint8Array(0);
  #keyAt = 0;
  #keyLength = 0;
  #entry = 0;
  #isHead = false;
  /** Whether items follow that are passed over. */
  #skips = false;
  /** In a repair: the key of the last record that adds to a value, its items so far, and bytes of them. */
  #partKey: Uint8Array | undefined;
  #partItems = 0;
  #partBytes = 0;
  /** In a repair: the key of which a part came last that was full, so that more of it has to follow, perhaps. */
  #growing: Uint8Array | undefined;
  /** Bytes and items for which there is room. */
  #roomBytes = 0;
  #roomItems = 0;

  /** @param store empty; its `nowMs` is 0 while it is loaded */
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
    store.makeRoom(keyLength + valueLength, 2);
    const entry = store.find(bytes, key, keyLength);
    store.setString(bytes, key, keyLength, entry, bytes, value, valueLength, deadlineMs);
  }

  append(bytes: Uint8Array, key: number, keyLength: number, before: number, value: number, length: number): void {
    const store = this.#store;
    store.makeRoom(keyLength + length, 2);
    let entry = store.find(bytes, key, keyLength);
    if (!this.#isAs(entry, EntryType.String, before)) return;
    // A repair may have dropped what does not fit.
    if (this.#isRepair) entry = store.find(bytes, key, keyLength);
    if (this.#isRepair) {
      this.#beginPart(bytes, key, keyLength);
      this.#partItems = 1;
      this.#partBytes = length;
    }
    if (entry !== 0) store.appendString(entry, bytes, value, length);
    else store.setString(bytes, key, keyLength, 0, bytes, value, length, 0);
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
    store.makeRoom(keyLength + Math.max(0, from + length - before), 2);
    const entry = store.find(bytes, key, keyLength);
    if (!this.#isThere(entry, EntryType.String, before)) return;
    store.overwriteString(entry, from, bytes, value, length);
  }

  beginPush(bytes: Uint8Array, key: number, keyLength: number, before: number, head: boolean): void {
    this.#begin(bytes, key, keyLength, EntryType.List, before);
    this.#isHead = head;
  }

  push(bytes: Uint8Array, element: number, length: number): void {
    this.#makeRoom(length);
    if (this.#skips) return;
    const store = this.#store;
    this.#entry = store.listPush(
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
    if (!this.#isThere(entry, EntryType.List, before)) return;
    this.#expect(count > 0 && index + count <= before);
    if (count > 1) store.listRemove(entry, index, count);
    else if (index === 0 || index === before - 1) store.listPop(entry, index === 0);
    else store.listRemove(entry, index, count);
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
    store.makeRoom(keyLength + length, 2);
    const entry = store.find(bytes, key, keyLength);
    if (!this.#isThere(entry, EntryType.List, before)) return;
    this.#expect(index < before);
    store.listSet(entry, index, bytes, element, length);
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
    store.makeRoom(keyLength + length, 2);
    const entry = store.find(bytes, key, keyLength);
    if (!this.#isThere(entry, EntryType.List, before)) return;
    this.#expect(index <= before);
    store.listInsert(entry, index, bytes, element, length);
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
    if (!this.#isThere(entry, EntryType.List, before)) return;
    const left = store.listRemoveEqual(entry, fromTail, most, bytes, element, length);
    this.#expect((left === 0 ? 0 : store.listLength(left)) === before - most);
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
    this.#entry = this.#store.hashSet(key, at, length, entry, bytes, field, fieldLength, bytes, value, valueLength);
  }

  hashRemove(bytes: Uint8Array, key: number, keyLength: number, before: number, field: number, length: number): void {
    const store = this.#store;
    const entry = store.find(bytes, key, keyLength);
    if (!this.#isThere(entry, EntryType.Hash, before)) return;
    store.hashRemove(entry, bytes, field, length);
    this.#expect(store.removed);
  }

  setDeadline(bytes: Uint8Array, key: number, keyLength: number, deadlineMs: number): void {
    const store = this.#store;
    store.makeRoom(keyLength, 2);
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
    store.makeRoom(keyLength + newLength, 2);
    this.#expectAbsent(bytes, newKey, newLength);
    const entry = store.find(bytes, key, keyLength);
    if (entry !== 0) store.rename(entry, bytes, newKey, newLength);
    else this.#isAbsent();
  }

  copy(bytes: Uint8Array, key: number, keyLength: number, newKey: number, newLength: number): void {
    const store = this.#store;
    this.#expectAbsent(bytes, newKey, newLength);
    const entry = store.find(bytes, key, keyLength);
    if (entry !== 0) store.copyEntry(store.makeRoomForCopy(entry), bytes, newKey, newLength);
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
    // It may be whole, but a value that is cut short is a wrong one.
    this.#store.remove(entry);
    this.dropped++;
  }

  /** In a repair: a record adds to a value. */
  #beginPart(bytes: Uint8Array, key: number, keyLength: number): void {
    this.#endPart();
    this.#partKey = bytes.slice(key, key + keyLength);
    this.#partBytes = 0;
  }

  /** In a repair: the last record that added to a value is over. */
  #endPart(): void {
    const key = this.#partKey;
    if (this.#partItems === 0 || key === undefined) return;
    // Snapshots cover large values in parts, of which all but the last are full.
    if (this.#partItems >= SNAPSHOT_PART_ITEMS || this.#partBytes >= SNAPSHOT_PART_BYTES) this.#growing = key;
    else if (this.#growing?.length === key.length && equalBytes(key, 0, this.#growing, 0, key.length)) {
      this.#growing = undefined;
    }
    this.#partItems = 0;
  }

  /** Whether keys had to go for want of room. */
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
    this.#skips = !this.#isAs(this.#entry, type, before);
    if (before === 0) this.#entry = 0;
  }

  /** Makes room for the next item, with the same few bytes at a time as a client's writes: what fitted fits again. */
  #makeRoom(bytes: number): void {
    this.#partItems++;
    this.#partBytes += bytes;
    this.#roomBytes -= bytes;
    this.#roomItems--;
    if ((this.#roomBytes >= 0 && this.#roomItems >= 0) || this.#skips) return;
    this.#roomBytes = Math.max(0, ROOM_BYTES - bytes);
    this.#roomItems = ROOM_ITEMS - 1;
    this.#store.makeRoom(Math.max(bytes, ROOM_BYTES), ROOM_ITEMS);
    if (this.#entry === 0) return;
    // Room was made by moving others or evicting them, in the worst case the beginning of this very one.
    this.#entry = this.#store.find(this.#bytes, this.#keyAt, this.#keyLength);
    this.#skips = this.#entry === 0;
  }

  /** As {@linkcode #isAs}, for what must be there, and is still. */
  #isThere(entry: number, type: EntryType, before: number): boolean {
    if (entry === 0) return this.#isAbsent();
    const { dropped } = this;
    return this.#isAs(entry, type, before) && this.dropped === dropped;
  }

  /** The key of a record is absent. Answers false, where that can be. */
  #isAbsent(): false {
    if (this.#isRepair) this.dropped++;
    else if (!this.#hasEvicted) throw new ProtocolError("Cannot apply a record: its key is not there");
    return false;
  }

  /**
   * Whether a key holds what a record expects: a value of that type and length, or nothing where `before` is 0. If it was
   * evicted, or in a repair, the record may have to be passed over. A repair drops what is not as expected, and the record
   * can be applied where it expects nothing.
   */
  #isAs(entry: number, type: EntryType, before: number): boolean {
    const store = this.#store;
    if (entry === 0) return before === 0 || this.#isAbsent();
    const isOfType = store.type(entry) === type;
    const length = isOfType ? this.#length(entry, type) : 0;
    // An empty string is there, and is nothing all the same.
    if (isOfType && length === before) return true;
    if (!this.#isRepair) {
      const held = isOfType ? `holds ${length}` : "is of another type";
      throw new ProtocolError(`Cannot apply a record: its key ${held} where it expects ${before}`);
    }
    store.remove(entry);
    this.dropped++;
    return before === 0;
  }

  #length(entry: number, type: EntryType): number {
    const store = this.#store;
    if (type === EntryType.String) return store.stringLength(entry);
    return type === EntryType.List ? store.listLength(entry) : store.hashLength(entry);
  }

  #expectAbsent(bytes: Uint8Array, key: number, length: number): void {
    const entry = this.#store.find(bytes, key, length);
    if (entry === 0) return;
    if (!this.#isRepair) throw new ProtocolError("Cannot apply a record: its new key is there already");
    this.#store.remove(entry);
    this.dropped++;
  }

  #expect(condition: boolean): void {
    if (!condition && !this.#isRepair) throw new ProtocolError("Cannot apply a record: it names what is not there");
  }
}
