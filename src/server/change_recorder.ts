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

import { Effect, type EffectRow, EFFECTS } from "../effects.ts";
import type { AppendLog } from "../log/append_log.ts";
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
  readonly #effect = new Effect();
  /** The number of elements that `listRemoveEqual` will remove from the captured part of the partial list. */
  #capturedEqual = 0;

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
    const effect = this.#begin(EFFECTS.appendString, entry, this.#store.strings.length(entry));
    effect.setValue(source, start, length);
    this.record(effect);
  }

  overwriteString(entry: number, from: number, source: Uint8Array, start: number, length: number): void {
    const effect = this.#begin(EFFECTS.overwriteString, entry, this.#store.strings.length(entry));
    effect.index = from;
    effect.setValue(source, start, length);
    this.record(effect);
  }

  setDeadline(entry: number, deadlineMs: number): void {
    const effect = this.#begin(EFFECTS.setDeadline, entry);
    effect.deadlineMs = deadlineMs;
    this.record(effect);
  }

  remove(entry: number, asked: boolean): void {
    const effect = this.#begin(EFFECTS.remove, entry);
    effect.isAsked = asked;
    this.record(effect);
  }

  clear(): void {
    this.#effect.begin(EFFECTS.clear);
    this.record(this.#effect);
  }

  rename(entry: number, key: Uint8Array, start: number, length: number): void {
    const effect = this.#begin(EFFECTS.rename, entry);
    effect.setValue(key, start, length);
    this.record(effect);
  }

  copy(entry: number, key: Uint8Array, start: number, length: number): void {
    const effect = this.#begin(EFFECTS.copy, entry);
    effect.setValue(key, start, length);
    this.record(effect);
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
      log.records.listPush(key, keyStart, keyLength, before, head, source, start, length, view);
    }
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    if (entry === 0 || (entry !== this.#cursor.partial && this.#cursor.isCaptured(entry))) {
      snapshot.records.listPush(key, keyStart, keyLength, before, head, source, start, length, view);
    } else if (entry === this.#cursor.partial && head) {
      snapshot.records.listPush(key, keyStart, keyLength, this.#cursor.capturedTo++, head, source, start, length, view);
    }
    snapshot.cut();
  }

  listSet(entry: number, index: number, source: Uint8Array, start: number, length: number): void {
    const before = this.#store.lists.length(entry);
    const effect = this.#begin(EFFECTS.listSet, entry, before);
    effect.index = index < 0 ? index + before : index;
    effect.setValue(source, start, length);
    this.record(effect);
  }

  listInsert(entry: number, index: number, source: Uint8Array, start: number, length: number): void {
    const effect = this.#begin(EFFECTS.listInsert, entry, this.#store.lists.length(entry));
    effect.index = index;
    effect.setValue(source, start, length);
    this.record(effect);
  }

  listRemove(entry: number, index: number, count: number): void {
    const effect = this.#begin(EFFECTS.listRemove, entry, this.#store.lists.length(entry));
    effect.index = index;
    effect.count = count;
    this.record(effect);
  }

  listRemoveEqual(
    entry: number,
    fromTail: boolean,
    most: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.#capturedEqual = 0;
    if (this.#snapshot === undefined || entry !== this.#cursor.partial) return;
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
    this.#capturedEqual = Math.min(captured, fromTail ? Math.max(0, most - ahead) : most);
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
    const effect = this.#begin(EFFECTS.listRemoveEqual, entry, before);
    effect.tail = fromTail ? 1 : 0;
    effect.count = count;
    effect.setValue(other, start, length);
    this.record(effect);
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
    const effect = this.#begin(EFFECTS.hashRemove, entry, before);
    effect.setField(field, start, length);
    this.record(effect);
  }

  /** Records any effect but `setString`, `listPush…` and `hashSet`. */
  record(effect: Effect): void {
    const { log } = this;
    if (log !== undefined) this.#log(log, effect);
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    const { entry } = effect;
    if (entry !== 0 && !this.#cursor.isCaptured(entry)) return;
    if (entry === 0 || entry !== this.#cursor.partial || this.#changesPart(effect)) snapshot.records.write(effect);
    snapshot.cut();
  }

  #log(log: AppendLog, effect: Effect): void {
    if (effect.isAsked) {
      log.writes++;
      log.records.write(effect);
      return;
    }
    // No client is notified of a key that expires or is evicted, so none waits for its record. An eviction that makes
    // room for a step of a long command is not part of that command.
    (this.#store.isHeld(effect.entry) ? log.records : log.main).write(effect);
    log.unasked++;
    log.unaskedEnd = log.main.length;
    log.unaskedWrites = log.writes;
  }

  /**
   * Makes an effect on the partial value one on the part that the snapshot has. Returns whether it changes that part.
   */
  #changesPart(effect: Effect): boolean {
    const cursor = this.#cursor;
    const has = cursor.capturedTo;
    const { name } = effect.row;
    effect.before = has;
    switch (name) {
      case "overwriteString":
        effect.valueLength = Math.min(effect.valueLength, has - effect.index);
        return effect.valueLength > 0;
      case "listSet":
        return effect.index < has;
      case "listInsert":
        if (effect.index >= has) return false;
        cursor.capturedTo++;
        return true;
      case "listRemove":
        effect.count = Math.min(effect.count, has - effect.index);
        if (effect.count <= 0) return false;
        cursor.capturedTo -= effect.count;
        return true;
      case "listRemoveEqual":
        effect.count = this.#capturedEqual;
        cursor.capturedTo -= effect.count;
        return effect.count > 0;
      case "hashRemove":
        if (!this.#store.hashes.isFieldCaptured) return false;
        cursor.capturedTo--;
        return true;
      // The snapshot may not have the key yet.
      case "remove":
      case "rename":
        return has > 0;
      // What is appended, the deadline, and the copy are captured later.
      default:
        return false;
    }
  }

  /** Begins an effect on the key of an entry, whose value has the length `before`. */
  #begin(row: EffectRow, entry: number, before = 0): Effect {
    const effect = this.#effect;
    const store = this.#store;
    effect.begin(row, entry);
    effect.setKey(this.#memory, store.keyStart(entry), store.keyLength(entry));
    effect.before = before;
    return effect;
  }
}
