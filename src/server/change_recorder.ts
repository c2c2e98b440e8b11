/**
 * Records each change of the store in the log and, if necessary, in the snapshot being taken.
 *
 * ```text
 * change ─▶ log         always
 *        ─▶ snapshot    on a captured key, or a new one:   the same record
 *                       on a key not captured yet:         nothing; it is captured later, with the change
 *                       on the partial value:              what the record does to the part up to `capturedTo`
 * ```
 *
 * `capturedTo` is the size of the part of the partial value that the snapshot has: the first elements of a list, the
 * first bytes of a string, or any fields of a hash. When the snapshot's records are replayed, it is the length of the
 * value at that point.
 *
 * @module
 */

import type { AppendLog } from "../log/append_log.ts";
import type { RecordWriter } from "../log/record_writer.ts";
import type { SnapshotWriter } from "../log/snapshot.ts";
import type { Journal } from "../store/journal.ts";
import type { SnapshotCursor } from "../store/snapshot_cursor.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";

/** A store's journal that writes to the log and to a snapshot. */
export class ChangeRecorder implements Journal {
  /** The log that receives all effects; `undefined` for a server without one. */
  log: AppendLog | undefined;
  readonly #store: Store;
  readonly #cursor: SnapshotCursor;
  /** The store's arena, with all keys and values. */
  readonly #memory: Uint8Array;
  #snapshot: SnapshotWriter | undefined;

  constructor(store: Store) {
    this.#store = store;
    this.#cursor = store.snapshotCursor;
    this.#memory = store.memory;
  }

  /** The snapshot being taken. Setting it begins a snapshot of the store. */
  set snapshot(writer: SnapshotWriter | undefined) {
    this.#snapshot = writer;
    if (writer !== undefined) this.#cursor.begin();
  }

  setString(
    entry: number,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    deadlineMs: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    view: DataView | undefined,
  ): void {
    const { log } = this;
    if (log !== undefined) {
      log.writes++;
      log.records.setString(key, keyStart, keyLength, deadlineMs, value, valueStart, valueLength, view);
    }
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    if (entry !== 0) {
      if (entry === this.#cursor.partial) this.#cursor.endPartial();
      // A string keeps its entry. A value of another type gets a new entry, which need not be captured again.
      else if (this.#store.type(entry) === EntryType.String && !this.#cursor.isCaptured(entry)) return;
    }
    snapshot.records.setString(key, keyStart, keyLength, deadlineMs, value, valueStart, valueLength, view);
    snapshot.cut();
  }

  appendString(entry: number, source: Uint8Array, start: number, length: number): void {
    const key = this.#memory;
    const [keyStart, keyLength] = [this.#store.keyStart(entry), this.#store.keyLength(entry)];
    const before = this.#store.strings.length(entry);
    this.#logRecords()?.append(key, keyStart, keyLength, before, source, start, length);
    // Bytes after the captured part of the partial value are captured later.
    if (entry !== this.#cursor.partial) {
      this.#snapshotRecords(entry)?.append(key, keyStart, keyLength, before, source, start, length);
    }
    this.#snapshot?.cut();
  }

  overwriteString(entry: number, from: number, source: Uint8Array, start: number, length: number): void {
    const key = this.#memory;
    const [keyStart, keyLength] = [this.#store.keyStart(entry), this.#store.keyLength(entry)];
    const before = this.#store.strings.length(entry);
    this.#logRecords()?.overwrite(key, keyStart, keyLength, before, from, source, start, length);
    const records = this.#snapshotRecords(entry);
    if (records === undefined) return;
    const isPartial = entry === this.#cursor.partial;
    const has = isPartial ? this.#cursor.capturedTo : before;
    const part = isPartial ? Math.min(length, has - from) : length;
    if (part > 0 || !isPartial) records.overwrite(key, keyStart, keyLength, has, from, source, start, part);
    this.#snapshot?.cut();
  }

  setDeadline(entry: number, deadlineMs: number): void {
    const key = this.#memory;
    const keyStart = this.#store.keyStart(entry);
    const keyLength = this.#store.keyLength(entry);
    this.#logRecords()?.setDeadline(key, keyStart, keyLength, deadlineMs);
    // The deadline of the partial value is recorded after all of the value is captured.
    if (entry !== this.#cursor.partial) this.#snapshotRecords(entry)?.setDeadline(key, keyStart, keyLength, deadlineMs);
    this.#snapshot?.cut();
  }

  remove(entry: number, asked: boolean): void {
    const key = this.#memory;
    const keyStart = this.#store.keyStart(entry);
    const keyLength = this.#store.keyLength(entry);
    const { log } = this;
    if (log !== undefined) {
      // No client is notified of a key that expires or is evicted, so none waits for its record.
      if (asked) log.writes++;
      // An eviction that makes room for a step of a long command is not part of that command.
      const records = asked || this.#store.isHeld(entry) ? log.records : log.main;
      records.remove(key, keyStart, keyLength);
      if (!asked) {
        log.unasked++;
        log.unaskedEnd = log.main.length;
        log.unaskedWrites = log.writes;
      }
    }
    if (this.#has(entry)) this.#snapshotRecords(entry)?.remove(key, keyStart, keyLength);
    this.#snapshot?.cut();
  }

  clear(): void {
    const { log } = this;
    if (log !== undefined) {
      log.writes++;
      log.records.clear();
    }
    this.#snapshot?.records.clear();
    this.#snapshot?.cut();
  }

  rename(entry: number, key: Uint8Array, start: number, length: number): void {
    const memory = this.#memory;
    const [oldStart, oldLength] = [this.#store.keyStart(entry), this.#store.keyLength(entry)];
    this.#logRecords()?.rename(memory, oldStart, oldLength, key, start, length);
    if (this.#has(entry)) this.#snapshotRecords(entry)?.rename(memory, oldStart, oldLength, key, start, length);
    this.#snapshot?.cut();
  }

  copy(entry: number, key: Uint8Array, start: number, length: number): void {
    const memory = this.#memory;
    const [oldStart, oldLength] = [this.#store.keyStart(entry), this.#store.keyLength(entry)];
    this.#logRecords()?.copyKey(memory, oldStart, oldLength, key, start, length);
    // The copy of an entry that is partial or not captured is captured later.
    if (entry !== this.#cursor.partial) {
      this.#snapshotRecords(entry)?.copyKey(memory, oldStart, oldLength, key, start, length);
    }
    this.#snapshot?.cut();
  }

  listPush(
    entry: number,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    head: boolean,
    source: Uint8Array,
    start: number,
    length: number,
    view: DataView | undefined,
  ): void {
    const { log } = this;
    const before = entry === 0 ? 0 : this.#store.lists.length(entry);
    if (log !== undefined) {
      log.writes++;
      log.records.push(key, keyStart, keyLength, before, head, source, start, length, view);
    }
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    if (entry === 0 || (entry !== this.#cursor.partial && this.#cursor.isCaptured(entry))) {
      snapshot.records.push(key, keyStart, keyLength, before, head, source, start, length, view);
    } else if (entry === this.#cursor.partial && head) {
      snapshot.records.push(key, keyStart, keyLength, this.#cursor.capturedTo++, head, source, start, length, view);
    }
    snapshot.cut();
  }

  listSet(entry: number, index: number, source: Uint8Array, start: number, length: number): void {
    const key = this.#memory;
    const [keyStart, keyLength] = [this.#store.keyStart(entry), this.#store.keyLength(entry)];
    const before = this.#store.lists.length(entry);
    const at = index < 0 ? index + before : index;
    this.#logRecords()?.listSet(key, keyStart, keyLength, before, at, source, start, length);
    const has = this.#lengthOf(entry, before);
    if (at < has) this.#snapshotRecords(entry)?.listSet(key, keyStart, keyLength, has, at, source, start, length);
    this.#snapshot?.cut();
  }

  listInsert(entry: number, index: number, source: Uint8Array, start: number, length: number): void {
    const key = this.#memory;
    const [keyStart, keyLength] = [this.#store.keyStart(entry), this.#store.keyLength(entry)];
    const before = this.#store.lists.length(entry);
    this.#logRecords()?.listInsert(key, keyStart, keyLength, before, index, source, start, length);
    const records = this.#snapshotRecords(entry);
    if (records === undefined) return;
    if (entry !== this.#cursor.partial) {
      records.listInsert(key, keyStart, keyLength, before, index, source, start, length);
    } else if (index < this.#cursor.capturedTo) {
      records.listInsert(key, keyStart, keyLength, this.#cursor.capturedTo++, index, source, start, length);
    }
    this.#snapshot?.cut();
  }

  listRemove(entry: number, index: number, count: number): void {
    const key = this.#memory;
    const keyStart = this.#store.keyStart(entry);
    const keyLength = this.#store.keyLength(entry);
    const before = this.#store.lists.length(entry);
    this.#logRecords()?.listRemove(key, keyStart, keyLength, before, index, count);
    const records = this.#snapshotRecords(entry);
    if (records === undefined) return;
    const has = this.#lengthOf(entry, before);
    const part = Math.min(count, has - index);
    if (part > 0) {
      records.listRemove(key, keyStart, keyLength, has, index, part);
      if (entry === this.#cursor.partial) this.#cursor.capturedTo -= part;
    }
    this.#snapshot?.cut();
  }

  listRemoveEqual(
    entry: number,
    fromTail: boolean,
    most: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): void {
    const snapshot = this.#snapshot;
    if (snapshot === undefined || entry !== this.#cursor.partial) return;
    // The number of elements in the captured part has to be known before they are removed.
    const store = this.#store;
    const capturedTo = this.#cursor.capturedTo;
    let [captured, ahead] = [0, 0];
    let index = 0;
    for (let found = store.lists.seek(entry, 0); found; found = store.lists.next(), index++) {
      if (!store.lists.elementEquals(other, start, length)) continue;
      if (index < capturedTo) captured++;
      else ahead++;
    }
    const part = Math.min(captured, fromTail ? Math.max(0, most - ahead) : most);
    if (part === 0) return;
    const [keyStart, keyLength] = [store.keyStart(entry), store.keyLength(entry)];
    snapshot.records.listRemoveEqual(
      this.#memory,
      keyStart,
      keyLength,
      capturedTo,
      fromTail,
      part,
      other,
      start,
      length,
    );
    this.#cursor.capturedTo -= part;
    snapshot.cut();
  }

  listRemovedEqual(
    entry: number,
    before: number,
    fromTail: boolean,
    count: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): void {
    const key = this.#memory;
    const [keyStart, keyLength] = [this.#store.keyStart(entry), this.#store.keyLength(entry)];
    this.#logRecords()?.listRemoveEqual(key, keyStart, keyLength, before, fromTail, count, other, start, length);
    // The removal from the partial list was recorded before.
    if (entry !== this.#cursor.partial) {
      this.#snapshotRecords(entry)?.listRemoveEqual(
        key,
        keyStart,
        keyLength,
        before,
        fromTail,
        count,
        other,
        start,
        length,
      );
    }
    this.#snapshot?.cut();
  }

  hashSet(
    entry: number,
    before: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    view: DataView | undefined,
  ): void {
    const store = this.#store;
    const key = this.#memory;
    const keyStart = store.keyStart(entry);
    const keyLength = store.keyLength(entry);
    const { log } = this;
    if (log !== undefined) {
      log.writes++;
      log.records.hashSet(
        key,
        keyStart,
        keyLength,
        before,
        field,
        fieldStart,
        fieldLength,
        value,
        valueStart,
        valueLength,
        view,
      );
    }
    const snapshot = this.#snapshot;
    if (snapshot === undefined || !this.#cursor.isCaptured(entry)) return;
    let has = before;
    if (entry === this.#cursor.partial) {
      if (!store.hashes.isFieldCaptured) return;
      has = this.#cursor.capturedTo;
      if (store.hashes.added) this.#cursor.capturedTo++;
    }
    snapshot.records.hashSet(
      key,
      keyStart,
      keyLength,
      has,
      field,
      fieldStart,
      fieldLength,
      value,
      valueStart,
      valueLength,
      view,
    );
    snapshot.cut();
  }

  hashRemove(entry: number, before: number, field: Uint8Array, start: number, length: number): void {
    const key = this.#memory;
    const keyStart = this.#store.keyStart(entry);
    const keyLength = this.#store.keyLength(entry);
    this.#logRecords()?.hashRemove(key, keyStart, keyLength, before, field, start, length);
    const records = this.#snapshotRecords(entry);
    if (records === undefined) return;
    if (entry !== this.#cursor.partial) records.hashRemove(key, keyStart, keyLength, before, field, start, length);
    else if (this.#store.hashes.isFieldCaptured) {
      records.hashRemove(key, keyStart, keyLength, this.#cursor.capturedTo--, field, start, length);
    }
    this.#snapshot?.cut();
  }

  /** Returns the log's records for an effect of a command, and counts it. */
  #logRecords(): RecordWriter | undefined {
    const { log } = this;
    if (log === undefined) return undefined;
    log.writes++;
    return log.records;
  }

  /** Returns the snapshot's records if it has to record a change of `entry`, which is captured or partial. */
  #snapshotRecords(entry: number): RecordWriter | undefined {
    const snapshot = this.#snapshot;
    return snapshot !== undefined && this.#cursor.isCaptured(entry) ? snapshot.records : undefined;
  }

  /** Returns whether the snapshot has the key of a captured entry. It may not have that of the partial one yet. */
  #has(entry: number): boolean {
    return entry !== this.#cursor.partial || this.#cursor.capturedTo > 0;
  }

  /** Returns the length that the snapshot has of a value of `length`. */
  #lengthOf(entry: number, length: number): number {
    return entry === this.#cursor.partial ? this.#cursor.capturedTo : length;
  }
}
