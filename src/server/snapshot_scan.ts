/**
 * Writes all keys to a snapshot, a few at a time, from the least to the most recently used one, so that loading them in
 * this order restores the order of use. Commands run between two steps, and their effects arrive here as well:
 *
 * ```text
 * effect on a captured key, or on a new one   the same record
 *        on a key not captured yet            nothing; it is captured later, with the change
 *        on the partial value                 what the effect does to the part up to `capturedTo`
 * ```
 *
 * `capturedTo` is the size of the part of the partial value that the snapshot has. When the snapshot's records are
 * replayed, it is the length of the value at that point. How a value is captured, and what an effect does to a part of
 * it, depends on its type (`ValueType.capture`, `capturePart` and `changesPart`).
 *
 * @module
 */

import { Effect, EFFECTS } from "../effects.ts";
import { SNAPSHOT_PART_ITEMS } from "../limits.ts";
import type { RecordWriter } from "../log/record_writer.ts";
import type { SnapshotWriter } from "../log/snapshot.ts";
import type { Journal } from "../store/journal.ts";
import type { SnapshotCursor } from "../store/snapshot_cursor.ts";
import type { Store } from "../store/store.ts";

/** The number of keys that are visited in one step. */
const STEP_KEYS = 16;

/** A scan of the store for one snapshot. It must be attached to the store from its creation on. */
export class SnapshotScan implements Journal {
  /** The number of keys captured so far, including the partial one. */
  keys = 0;
  readonly #store: Store;
  readonly #cursor: SnapshotCursor;
  readonly #snapshot: SnapshotWriter;
  readonly #records: RecordWriter;
  /** The effect on the part of the partial value. */
  readonly #effect = new Effect();

  /** Begins a snapshot of all keys that exist now. */
  constructor(store: Store, snapshot: SnapshotWriter) {
    this.#store = store;
    this.#cursor = store.snapshotCursor;
    this.#snapshot = snapshot;
    this.#records = snapshot.records;
    this.#cursor.begin();
  }

  /**
   * Captures a few keys, or a part of a large value, which takes about 10 µs. Returns whether all keys are captured.
   */
  step(): boolean {
    const cursor = this.#cursor;
    for (let i = 0; i < STEP_KEYS; i++) {
      const { partial } = cursor;
      if (partial !== 0) {
        this.#store.typeOf(partial).capturePart(partial, this.#records);
        cursor.visited += SNAPSHOT_PART_ITEMS;
        this.#snapshot.cut();
        return false;
      }
      const entry = cursor.next(STEP_KEYS);
      if (entry <= 0) return entry === 0;
      this.keys++;
      this.#store.typeOf(entry).capture(entry, this.#records);
      this.#snapshot.cut();
    }
    return false;
  }

  record(effect: Effect): void {
    const { entry } = effect;
    if (entry !== 0 && !this.#cursor.isCaptured(entry)) return;
    if (entry !== 0 && entry === this.#cursor.partial) {
      this.#effect.copyFrom(effect);
      this.#recordOnPart();
      return;
    }
    this.#records.write(effect);
    this.#snapshot.cut();
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
    if (entry !== 0) {
      const store = this.#store;
      if (entry === this.#cursor.partial) this.#cursor.endPartial();
      // A string keeps its entry. A value of another type gets a new entry, which need not be captured again.
      else if (store.typeOf(entry) === store.strings && !this.#cursor.isCaptured(entry)) return;
    }
    this.#records.setString(key, keyStart, keyLength, deadlineMs, value, valueStart, valueLength, view);
    this.#snapshot.cut();
  }

  listPush(
    entry: number,
    before: number,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    head: boolean,
    element: Uint8Array,
    start: number,
    length: number,
    view: DataView | undefined,
  ): void {
    if (entry !== 0 && !this.#cursor.isCaptured(entry)) return;
    if (entry !== 0 && entry === this.#cursor.partial) {
      const effect = this.#effect;
      effect.begin(head ? EFFECTS.listPushHead : EFFECTS.listPushTail, entry);
      effect.setKey(key, keyStart, keyLength);
      effect.setValue(element, start, length);
      this.#recordOnPart();
      return;
    }
    this.#records.listPush(key, keyStart, keyLength, before, head, element, start, length, view);
    this.#snapshot.cut();
  }

  hashSet(
    entry: number,
    before: number,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    view: DataView | undefined,
  ): void {
    if (!this.#cursor.isCaptured(entry)) return;
    if (entry === this.#cursor.partial) {
      const effect = this.#effect;
      effect.begin(EFFECTS.hashSet, entry);
      effect.setKey(key, keyStart, keyLength);
      effect.setField(field, fieldStart, fieldLength);
      effect.setValue(value, valueStart, valueLength);
      this.#recordOnPart();
      return;
    }
    this.#records.hashSet(
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
    this.#snapshot.cut();
  }

  /** Records what `#effect`, which is on the partial value, does to the part that the snapshot has. */
  #recordOnPart(): void {
    const effect = this.#effect;
    const { capturedTo } = this.#cursor;
    effect.before = capturedTo;
    const { row, entry } = effect;
    const isChange = row.subject === "keyspace"
      // The snapshot may not have the key yet. The deadline, and a copy, are captured later.
      ? (row === EFFECTS.remove || row === EFFECTS.rename) && capturedTo > 0
      : this.#store.typeOf(entry).changesPart(effect);
    if (isChange) this.#records.write(effect);
    effect.release();
    this.#snapshot.cut();
  }
}
