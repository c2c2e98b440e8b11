/**
 * Between the store and the records of a snapshot, in both directions.
 *
 * @module
 */

import { copyBytes } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { KEY_SIZE_MAX_BYTES } from "../limits.ts";
import type { RecordTarget } from "../log/record.ts";
import type { SnapshotSummary, SnapshotWriter } from "../log/snapshot.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";

/** Room is made for as many bytes and items of a list or hash at a time. */
const ROOM_BYTES = 4000;
const ROOM_ITEMS = 8;

/** Puts records into a store. */
export class StoreLoader implements RecordTarget {
  /** Keys left out since their deadline had passed. */
  expired = 0;
  readonly #store: Store;
  /** Key of the list or hash being loaded, since the record that named it may be gone. */
  readonly #key = new Uint8Array(KEY_SIZE_MAX_BYTES);
  #keyLength = 0;
  #entry = 0;
  #deadlineMs = 0;
  /** Bytes and items for which there is room. */
  #roomBytes = 0;
  #roomItems = 0;
  /** Whether the list or hash being loaded is left out. */
  #skips = false;

  /** @param store empty; its `nowMs` decides which deadlines have passed */
  constructor(store: Store) {
    this.#store = store;
  }

  string(
    bytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    deadlineMs: number,
    valueStart: number,
    valueLength: number,
  ): void {
    if (this.#isOver(deadlineMs)) return;
    this.#store.makeRoom(keyLength + valueLength, 2);
    this.#expectAbsent(bytes, keyStart, keyLength);
    this.#store.setString(bytes, keyStart, keyLength, 0, bytes, valueStart, valueLength, deadlineMs);
  }

  beginList(bytes: Uint8Array, keyStart: number, keyLength: number, deadlineMs: number): void {
    this.#begin(bytes, keyStart, keyLength, deadlineMs);
  }

  beginHash(bytes: Uint8Array, keyStart: number, keyLength: number, deadlineMs: number): void {
    this.#begin(bytes, keyStart, keyLength, deadlineMs);
  }

  element(bytes: Uint8Array, start: number, length: number): void {
    this.#makeRoom(length);
    if (this.#skips) return;
    this.#touch(this.#store.listPush(this.#key, 0, this.#keyLength, this.#entry, false, bytes, start, length));
  }

  field(bytes: Uint8Array, fieldStart: number, fieldLength: number, valueStart: number, valueLength: number): void {
    this.#makeRoom(fieldLength + valueLength);
    if (this.#skips) return;
    this.#touch(
      this.#store.hashSet(
        this.#key,
        0,
        this.#keyLength,
        this.#entry,
        bytes,
        fieldStart,
        fieldLength,
        bytes,
        valueStart,
        valueLength,
      ),
    );
    if (!this.#store.added) throw new ProtocolError("Cannot read a field that the hash has already: expected it once");
  }

  endAggregate(): void {
    this.#entry = 0;
  }

  #begin(bytes: Uint8Array, keyStart: number, keyLength: number, deadlineMs: number): void {
    copyBytes(bytes, keyStart, this.#key, 0, keyLength);
    this.#keyLength = keyLength;
    this.#deadlineMs = deadlineMs;
    this.#entry = 0;
    this.#roomBytes = this.#roomItems = 0;
    this.#skips = this.#isOver(deadlineMs);
    if (!this.#skips) this.#expectAbsent(bytes, keyStart, keyLength);
  }

  /** Makes room for the next item, with the same few bytes at a time as a client's writes: what fitted fits again. */
  #makeRoom(bytes: number): void {
    this.#roomBytes -= bytes;
    this.#roomItems--;
    if ((this.#roomBytes >= 0 && this.#roomItems >= 0) || this.#skips) return;
    this.#roomBytes = Math.max(0, ROOM_BYTES - bytes);
    this.#roomItems = ROOM_ITEMS - 1;
    this.#store.makeRoom(Math.max(bytes, ROOM_BYTES), ROOM_ITEMS);
    if (this.#entry === 0) return;
    // Room was made by moving others or evicting them, in the worst case the beginning of this very one.
    this.#entry = this.#store.find(this.#key, 0, this.#keyLength);
    this.#skips = this.#entry === 0;
  }

  #touch(entry: number): void {
    const isNew = this.#entry === 0;
    this.#entry = isNew && this.#deadlineMs !== 0 ? this.#store.setDeadline(entry, this.#deadlineMs) : entry;
  }

  #isOver(deadlineMs: number): boolean {
    if (deadlineMs === 0 || deadlineMs > this.#store.nowMs) return false;
    this.expired++;
    return true;
  }

  #expectAbsent(bytes: Uint8Array, keyStart: number, keyLength: number): void {
    if (this.#store.peek(bytes, keyStart, keyLength) !== 0) {
      throw new ProtocolError("Cannot read a key that was there already: expected each key once");
    }
  }
}

/** Writes all keys, the least recently used first, so that loading them in order restores the order of use. */
export function writeStore(store: Store, writer: SnapshotWriter): SnapshotSummary {
  for (let entry = store.oldest(); entry !== 0; entry = store.newer(entry)) {
    const type = store.type(entry);
    if (type === EntryType.String) {
      const length = store.stringLength(entry);
      writer.string(store.deadline(entry), store.keyLength(entry), length);
      store.copyKey(entry, writer.buffer, writer.keyAt);
      store.copyString(entry, 0, writer.buffer, writer.valueAt, length);
    } else if (type === EntryType.List) {
      writeList(store, writer, entry);
    } else {
      writeHash(store, writer, entry);
    }
  }
  return writer.finish();
}

function writeList(store: Store, writer: SnapshotWriter, entry: number): void {
  writer.beginList(store.deadline(entry), store.keyLength(entry), store.listLength(entry));
  store.copyKey(entry, writer.buffer, writer.keyAt);
  for (let found = store.listSeek(entry, 0); found; found = store.listNext()) {
    writer.element(store.elementLength());
    store.copyElement(writer.buffer, writer.valueAt);
  }
}

function writeHash(store: Store, writer: SnapshotWriter, entry: number): void {
  writer.beginHash(store.deadline(entry), store.keyLength(entry), store.hashLength(entry));
  store.copyKey(entry, writer.buffer, writer.keyAt);
  for (let found = store.hashFirst(entry); found; found = store.hashNext()) {
    writer.field(store.fieldLength(), store.valueLength());
    store.copyField(writer.buffer, writer.keyAt);
    store.copyValue(writer.buffer, writer.valueAt);
  }
}
