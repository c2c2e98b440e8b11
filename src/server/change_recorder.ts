/**
 * Records each change of the store: in the log, and in the snapshot under way where that has to know.
 *
 * ```text
 * change ─▶ log         always
 *        ─▶ snapshot    on a key that the walk has covered, or a new one:  the same record
 *                       on one that it has not:                            nothing, it is covered as it will be then
 *                       on the open one, covered up to `reached`:          what the record does to that part
 * ```
 *
 * `reached` is what the snapshot has of the open value: so many elements of a list from the head on, bytes of a string, or
 * fields of a hash, whichever they are. It is what the value is long when those records are replayed.
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

/** The journal of a store. */
export class ChangeRecorder implements Journal {
  /** Takes all records; `undefined` for a server without a log. */
  log: AppendLog | undefined;
  readonly #store: Store;
  readonly #cursor: SnapshotCursor;
  /** All keys and values of the store. */
  readonly #memory: Uint8Array;
  #snapshot: SnapshotWriter | undefined;

  constructor(store: Store) {
    this.#store = store;
    this.#cursor = store.snapshotCursor;
    this.#memory = store.memory;
  }

  /** The snapshot under way. The store's walk begins with it. */
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
      if (entry === this.#cursor.partial) this.#cursor.close();
      // A string stays the entry that it is; of another type, it is a new one, which the walk need not cover.
      else if (this.#store.type(entry) === EntryType.String && !this.#cursor.isCaptured(entry)) return;
    }
    snapshot.records.setString(key, keyStart, keyLength, deadlineMs, value, valueStart, valueLength, view);
    snapshot.cut();
  }

  appendString(entry: number, source: Uint8Array, start: number, length: number): void {
    const key = this.#memory;
    const [keyStart, keyLength] = [this.#store.keyStart(entry), this.#store.keyLength(entry)];
    const before = this.#store.stringLength(entry);
    this.#logged()?.append(key, keyStart, keyLength, before, source, start, length);
    // What comes behind the open value is not covered yet.
    if (entry !== this.#cursor.partial) {
      this.#followed(entry)?.append(key, keyStart, keyLength, before, source, start, length);
    }
    this.#snapshot?.cut();
  }

  overwriteString(entry: number, from: number, source: Uint8Array, start: number, length: number): void {
    const key = this.#memory;
    const [keyStart, keyLength] = [this.#store.keyStart(entry), this.#store.keyLength(entry)];
    const before = this.#store.stringLength(entry);
    this.#logged()?.overwrite(key, keyStart, keyLength, before, from, source, start, length);
    const records = this.#followed(entry);
    if (records === undefined) return;
    const isOpen = entry === this.#cursor.partial;
    const has = isOpen ? this.#cursor.capturedTo : before;
    const part = isOpen ? Math.min(length, has - from) : length;
    if (part > 0 || !isOpen) records.overwrite(key, keyStart, keyLength, has, from, source, start, part);
    this.#snapshot?.cut();
  }

  setDeadline(entry: number, deadlineMs: number): void {
    const key = this.#memory;
    const keyStart = this.#store.keyStart(entry);
    const keyLength = this.#store.keyLength(entry);
    this.#logged()?.setDeadline(key, keyStart, keyLength, deadlineMs);
    // That of the open value is recorded when all of it is covered.
    if (entry !== this.#cursor.partial) this.#followed(entry)?.setDeadline(key, keyStart, keyLength, deadlineMs);
    this.#snapshot?.cut();
  }

  remove(entry: number, asked: boolean): void {
    const key = this.#memory;
    const keyStart = this.#store.keyStart(entry);
    const keyLength = this.#store.keyLength(entry);
    const { log } = this;
    if (log !== undefined) {
      // Nobody is told of a key that goes by itself, so nobody waits for that.
      if (asked) log.writes++;
      // What a step of a long command makes room for is not part of that command.
      const records = asked || this.#store.isHeld(entry) ? log.records : log.main;
      records.remove(key, keyStart, keyLength);
      if (!asked) {
        log.unasked++;
        log.unaskedEnd = log.main.length;
        log.unaskedWrites = log.writes;
      }
    }
    if (this.#has(entry)) this.#followed(entry)?.remove(key, keyStart, keyLength);
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
    this.#logged()?.rename(memory, oldStart, oldLength, key, start, length);
    if (this.#has(entry)) this.#followed(entry)?.rename(memory, oldStart, oldLength, key, start, length);
    this.#snapshot?.cut();
  }

  copy(entry: number, key: Uint8Array, start: number, length: number): void {
    const memory = this.#memory;
    const [oldStart, oldLength] = [this.#store.keyStart(entry), this.#store.keyLength(entry)];
    this.#logged()?.copyKey(memory, oldStart, oldLength, key, start, length);
    // The walk comes to a copy of what it has not covered, or not all of it.
    if (entry !== this.#cursor.partial) {
      this.#followed(entry)?.copyKey(memory, oldStart, oldLength, key, start, length);
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
    const before = entry === 0 ? 0 : this.#store.listLength(entry);
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
    const before = this.#store.listLength(entry);
    const at = index < 0 ? index + before : index;
    this.#logged()?.listSet(key, keyStart, keyLength, before, at, source, start, length);
    const has = this.#lengthOf(entry, before);
    if (at < has) this.#followed(entry)?.listSet(key, keyStart, keyLength, has, at, source, start, length);
    this.#snapshot?.cut();
  }

  listInsert(entry: number, index: number, source: Uint8Array, start: number, length: number): void {
    const key = this.#memory;
    const [keyStart, keyLength] = [this.#store.keyStart(entry), this.#store.keyLength(entry)];
    const before = this.#store.listLength(entry);
    this.#logged()?.listInsert(key, keyStart, keyLength, before, index, source, start, length);
    const records = this.#followed(entry);
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
    const before = this.#store.listLength(entry);
    this.#logged()?.listRemove(key, keyStart, keyLength, before, index, count);
    const records = this.#followed(entry);
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
    // Which of them stand in the part that is covered has to be known before they are gone.
    const store = this.#store;
    const reached = this.#cursor.capturedTo;
    let [covered, ahead] = [0, 0];
    let index = 0;
    for (let found = store.listSeek(entry, 0); found; found = store.listNext(), index++) {
      if (!store.elementEquals(other, start, length)) continue;
      if (index < reached) covered++;
      else ahead++;
    }
    const part = Math.min(covered, fromTail ? Math.max(0, most - ahead) : most);
    if (part === 0) return;
    const [keyStart, keyLength] = [store.keyStart(entry), store.keyLength(entry)];
    snapshot.records.listRemoveEqual(
      this.#memory,
      keyStart,
      keyLength,
      reached,
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
    this.#logged()?.listRemoveEqual(key, keyStart, keyLength, before, fromTail, count, other, start, length);
    // Of the open list, this was recorded before.
    if (entry !== this.#cursor.partial) {
      this.#followed(entry)?.listRemoveEqual(
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
      if (!store.isFieldCaptured) return;
      has = this.#cursor.capturedTo;
      if (store.added) this.#cursor.capturedTo++;
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
    this.#logged()?.hashRemove(key, keyStart, keyLength, before, field, start, length);
    const records = this.#followed(entry);
    if (records === undefined) return;
    if (entry !== this.#cursor.partial) records.hashRemove(key, keyStart, keyLength, before, field, start, length);
    else if (this.#store.isFieldCaptured) {
      records.hashRemove(key, keyStart, keyLength, this.#cursor.capturedTo--, field, start, length);
    }
    this.#snapshot?.cut();
  }

  /** The log's records, for an effect of a command. */
  #logged(): RecordWriter | undefined {
    const { log } = this;
    if (log === undefined) return undefined;
    log.writes++;
    return log.records;
  }

  /** The snapshot's records, where it has to know of a change of what `entry` holds: all of it, or a part. */
  #followed(entry: number): RecordWriter | undefined {
    const snapshot = this.#snapshot;
    return snapshot !== undefined && this.#cursor.isCaptured(entry) ? snapshot.records : undefined;
  }

  /** Whether there is a key in the snapshot for a covered entry: not yet for the open one, perhaps. */
  #has(entry: number): boolean {
    return entry !== this.#cursor.partial || this.#cursor.capturedTo > 0;
  }

  /** How long the snapshot has a value that is `length` long. */
  #lengthOf(entry: number, length: number): number {
    return entry === this.#cursor.partial ? this.#cursor.capturedTo : length;
  }
}
