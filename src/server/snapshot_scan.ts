/**
 * Writes all keys to a snapshot, a few at a time, from the least to the most recently used one, so that loading them in
 * this order restores the order of use. Commands run between two steps; change_recorder.ts records what they change.
 *
 * @module
 */

import { Effect, type EffectRow, EFFECTS } from "../effects.ts";
import { SNAPSHOT_PART_BYTES, SNAPSHOT_PART_ITEMS } from "../limits.ts";
import type { RecordWriter } from "../log/record_writer.ts";
import type { SnapshotWriter } from "../log/snapshot.ts";
import type { SnapshotCursor } from "../store/snapshot_cursor.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";

/** The number of keys that are visited in one step. */
const STEP_KEYS = 16;

/** A scan of the store for one snapshot, which must have begun. */
export class SnapshotScan {
  /** The number of keys captured so far, including the partial one. */
  keys = 0;
  readonly #store: Store;
  readonly #cursor: SnapshotCursor;
  readonly #memory: Uint8Array;
  readonly #snapshot: SnapshotWriter;
  readonly #records: RecordWriter;
  readonly #effect = new Effect();

  constructor(store: Store, snapshot: SnapshotWriter) {
    this.#store = store;
    this.#cursor = store.snapshotCursor;
    this.#memory = store.memory;
    this.#snapshot = snapshot;
    this.#records = snapshot.records;
  }

  /**
   * Captures a few keys, or a part of a large value, which takes about 10 µs. Returns whether all keys are captured.
   */
  step(): boolean {
    for (let i = 0; i < STEP_KEYS; i++) {
      if (this.#cursor.partial !== 0) {
        this.#capturePart();
        this.#cursor.visited += SNAPSHOT_PART_ITEMS;
        this.#snapshot.cut();
        return false;
      }
      const entry = this.#cursor.next(STEP_KEYS);
      if (entry <= 0) return entry === 0;
      this.#capture(entry);
      this.#snapshot.cut();
    }
    return false;
  }

  #capture(entry: number): void {
    const store = this.#store;
    const type = store.type(entry);
    this.keys++;
    if (type === EntryType.String) {
      const length = store.strings.length(entry);
      if (length <= SNAPSHOT_PART_BYTES) this.#captureString(entry, length);
      else this.#cursor.partial = entry;
    } else if (type === EntryType.List) {
      if (store.isPacked(entry)) {
        this.#captureElements(entry, 0);
        this.#captureDeadline(entry);
      } else {
        this.#cursor.partial = entry;
      }
    } else if (store.hashes.isLarge(entry)) {
      this.#cursor.beginHash(entry);
    } else {
      this.#capturePackedHash(entry);
      this.#captureDeadline(entry);
    }
  }

  /** Captures the next part of the partial value, and closes the value after the last part. */
  #capturePart(): void {
    const store = this.#store;
    const cursor = this.#cursor;
    const entry = cursor.partial;
    const type = store.type(entry);
    let isDone: boolean;
    if (type === EntryType.String) {
      const length = store.strings.length(entry);
      const part = Math.min(SNAPSHOT_PART_BYTES, length - cursor.capturedTo);
      const effect = this.#begin(EFFECTS.appendString, entry, cursor.capturedTo);
      effect.valueLength = part;
      const at = this.#records.writeRoom(effect);
      store.strings.copy(entry, cursor.capturedTo, this.#records.buffer, at, part);
      cursor.capturedTo += part;
      isDone = cursor.capturedTo >= length;
    } else if (type === EntryType.List) {
      cursor.capturedTo += this.#captureElements(entry, cursor.capturedTo);
      isDone = cursor.capturedTo === store.lists.length(entry);
    } else {
      isDone = !this.#captureFields(entry);
    }
    if (!isDone) return;
    cursor.endPartial();
    this.#captureDeadline(entry);
  }

  #captureString(entry: number, length: number): void {
    const store = this.#store;
    const records = this.#records;
    const effect = this.#begin(EFFECTS.setString, entry);
    effect.deadlineMs = store.deadline(entry);
    effect.valueLength = length;
    const at = records.writeRoom(effect);
    store.strings.copy(entry, 0, records.buffer, at, length);
  }

  /** Captures some elements from `index` on. Returns their number. */
  #captureElements(entry: number, index: number): number {
    const store = this.#store;
    const records = this.#records;
    let count = 0;
    let bytes = 0;
    for (let found = store.lists.seek(entry, index); found; found = store.lists.next()) {
      if (count === SNAPSHOT_PART_ITEMS || bytes >= SNAPSHOT_PART_BYTES) break;
      if (count === 0) records.beginParts(this.#begin(EFFECTS.listPushTail, entry, index));
      const length = store.lists.elementLength();
      const at = records.room(length);
      store.lists.copyElement(records.buffer, at);
      bytes += length;
      count++;
    }
    if (count > 0) records.finish();
    return count;
  }

  /** Captures some fields of the partial hash. Returns whether there may be more. */
  #captureFields(entry: number): boolean {
    const store = this.#store;
    const cursor = this.#cursor;
    let field = cursor.nextField();
    if (field === 0) return false;
    this.#records.beginParts(this.#begin(EFFECTS.hashSet, entry, cursor.capturedTo));
    let bytes = 0;
    for (let count = 1; field !== 0; count++) {
      store.hashes.seekField(entry, field);
      bytes += this.#addField();
      cursor.capturedTo++;
      if (count === SNAPSHOT_PART_ITEMS || bytes >= SNAPSHOT_PART_BYTES) break;
      field = cursor.nextField();
    }
    this.#records.finish();
    return field !== 0;
  }

  #capturePackedHash(entry: number): void {
    const store = this.#store;
    this.#records.beginParts(this.#begin(EFFECTS.hashSet, entry));
    for (let found = store.hashes.first(entry); found; found = store.hashes.next()) this.#addField();
    this.#records.finish();
  }

  /** Adds the field at the cursor. Returns the bytes of the field and its value. */
  #addField(): number {
    const store = this.#store;
    const records = this.#records;
    const [fieldLength, valueLength] = [store.hashes.fieldLength(), store.hashes.valueLength()];
    const fieldAt = records.room(fieldLength);
    store.hashes.copyField(records.buffer, fieldAt);
    const valueAt = records.room(valueLength);
    store.hashes.copyValue(records.buffer, valueAt);
    return fieldLength + valueLength;
  }

  #captureDeadline(entry: number): void {
    const deadlineMs = this.#store.deadline(entry);
    if (deadlineMs === 0) return;
    const effect = this.#begin(EFFECTS.setDeadline, entry);
    effect.deadlineMs = deadlineMs;
    this.#records.write(effect);
  }

  /** Begins an effect on the key of an entry, of whose value the snapshot has the length `before`. */
  #begin(row: EffectRow, entry: number, before = 0): Effect {
    const effect = this.#effect;
    const store = this.#store;
    effect.begin(row, entry);
    effect.setKey(this.#memory, store.keyStart(entry), store.keyLength(entry));
    effect.before = before;
    return effect;
  }
}
