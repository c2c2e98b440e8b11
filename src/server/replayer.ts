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
import { type Effect, EFFECT_BY_NUMBER, type EffectNameOf, type EffectRow, Slot } from "../effects.ts";
import { assert, ProtocolError } from "../errors.ts";
import { SNAPSHOT_PART_BYTES, SNAPSHOT_PART_ITEMS } from "../limits.ts";
import type { RecordTarget } from "../log/record.ts";
import type { ValueTypeNumber } from "../store/block.ts";
import type { Store } from "../store/store.ts";
import { MISSING, TYPE_NAMES, type TypeName, type ValueType } from "../store/value/value_type.ts";

/** The bytes, and the items of a value, for which room is made at a time. */
const ROOM_BYTES = 4000;
const ROOM_ITEMS = 8;

/** The number of effects or parts of them at the start whose keys are all noted, and of which later one is noted. */
const NOTED_FIRST_COUNT = 1000;
const NOTED_INTERVAL_COUNT = 127;
/** The key of an effect with a value of this size is noted in any case. */
const NOTED_MIN_BYTES = 32 * 1024;

/** Notes that the value of the key in `bytes[start, start + length)` was loaded, or a part of it. */
export type NoteLoaded = (bytes: Uint8Array, start: number, length: number) => void;

/** Stands for an entry when an effect is skipped. */
const SKIPPED = -1;

/** A receiver of records that applies them to a store. */
export class Replayer implements RecordTarget {
  /** The number of keys that a repair has dropped, since records on them were missing. */
  dropped = 0;
  readonly #store: Store;
  readonly #isRepair: boolean;
  /** The types of the values that effects change, by the numbers of the effects. */
  readonly #types: readonly (ValueType | undefined)[];
  /** The entry to which the next part of an effect applies, 0 for an absent key, or SKIPPED. */
  #entry = 0;
  /** In a repair: the key of the last record that adds to a value, and the number and bytes of its items so far. */
  #partKey: Uint8Array | undefined;
  #partItems = 0;
  #partBytes = 0;
  /** In a repair: the key whose last part was full, so that more of it may follow. */
  #growing: Uint8Array | undefined;
  /** The bytes and items for which there is room. */
  #roomBytes = 0;
  #roomItems = 0;

  readonly #noteLoaded: NoteLoaded | undefined;
  /** The records until the key of one is noted, and those that were noted. */
  #untilNoted = 1;
  #notedCount = 0;

  /**
   * Creates a receiver.
   *
   * @param store an empty store; its `nowMs` is 0 while it is loaded
   * @param noteLoaded called for some of the records after they were applied, and for all large ones
   */
  constructor(store: Store, isRepair = false, noteLoaded?: NoteLoaded) {
    this.#store = store;
    this.#isRepair = isRepair;
    this.#noteLoaded = noteLoaded;
    const types = new Map<TypeName | "keyspace", ValueType>();
    for (const [number, type] of Object.entries(store.types)) {
      types.set(TYPE_NAMES[Number(number) as ValueTypeNumber], type);
    }
    // Rows name types that exist, or the keyspace: this does not compile otherwise.
    this.#types = EFFECT_BY_NUMBER.map((row) => row && types.get(row.subject));
  }

  apply(effect: Effect): void {
    const { row } = effect;
    if (row.subject === "keyspace") this.#applyToKey(effect);
    else if (row.partItems > 0) this.#applyPart(effect);
    else this.#applyToValue(effect);
    if (--this.#untilNoted === 0 || effect.valueLength >= NOTED_MIN_BYTES) this.#note(effect);
  }

  /** Notes the key of an effect. While there are few, all are noted. */
  #note({ key, keyStart, keyLength }: Effect): void {
    if (this.#untilNoted === 0) this.#untilNoted = ++this.#notedCount < NOTED_FIRST_COUNT ? 1 : NOTED_INTERVAL_COUNT;
    this.#noteLoaded?.(key, keyStart, keyLength);
  }

  /** Applies an effect with one part to a value. */
  #applyToValue(effect: Effect): void {
    const store = this.#store;
    const { row } = effect;
    if (row.growth !== undefined) store.room.make(effect.keyLength + row.growth(effect), 2);
    const entry = this.#entryOf(effect);
    if (entry < 0) return;
    if (this.#isRepair && row.creates && (row.slots & Slot.BEFORE) !== 0) this.#notePart(effect);
    this.#expect(this.#typeOf(row).apply(effect, entry) !== MISSING);
  }

  /** Applies one part of an effect that can have several, after making room for it. */
  #applyPart(effect: Effect): void {
    if (effect.part === 0) {
      this.#roomBytes = this.#roomItems = 0;
      this.#entry = this.#entryOf(effect);
    }
    const { creates, growth } = effect.row;
    if (this.#isRepair && creates) this.#notePart(effect);
    if (this.#entry < 0) return;
    if (growth !== undefined) this.#makeRoom(effect, growth(effect));
    if (this.#entry < 0) return;
    this.#entry = this.#typeOf(effect.row).apply(effect, this.#entry);
    this.#expect(this.#entry !== MISSING);
  }

  /** Applies an effect that does not depend on the type of value. */
  #applyToKey(effect: Effect): void {
    const store = this.#store;
    const { row, key, keyStart, keyLength, value, valueStart, valueLength } = effect;
    const name = row.name as EffectNameOf<"keyspace">;
    if (name === "clear") return store.clear();
    if (row.growth !== undefined) store.room.make(keyLength + row.growth(effect), 2);
    if (name === "rename" || name === "copy") this.#expectAbsent(value, valueStart, valueLength);
    const entry = store.find(key, keyStart, keyLength);
    if (entry === 0) {
      this.#isAbsent();
      return;
    }
    switch (name) {
      case "setDeadline":
        store.setDeadline(entry, effect.deadlineMs);
        return;
      case "remove":
        return store.remove(entry);
      case "rename":
        store.rename(entry, value, valueStart, valueLength);
        this.#noteLoaded?.(value, valueStart, valueLength);
        return;
      case "copy":
        store.copyEntry(store.room.makeForCopy(entry), value, valueStart, valueLength);
        this.#noteLoaded?.(value, valueStart, valueLength);
        return;
      default:
        name satisfies never;
    }
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

  /** Notes, in a repair, an effect or a part of one that adds to a value. */
  #notePart({ row, part, key, keyStart, keyLength, fieldLength, valueLength }: Effect): void {
    if (part === 0) {
      this.#endPart();
      this.#partKey = key.slice(keyStart, keyStart + keyLength);
      this.#partBytes = 0;
    }
    this.#partItems++;
    this.#partBytes += row.name === "hashSet" ? fieldLength + valueLength : valueLength;
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

  /**
   * Makes room for the next part, in the same small steps as a client's writes, so that data that fitted before fits
   * again.
   */
  #makeRoom(effect: Effect, bytes: number): void {
    this.#roomBytes -= bytes;
    this.#roomItems--;
    if (this.#roomBytes >= 0 && this.#roomItems >= 0) return;
    this.#roomBytes = Math.max(0, ROOM_BYTES - bytes);
    this.#roomItems = ROOM_ITEMS - 1;
    this.#store.room.make(Math.max(bytes, ROOM_BYTES), ROOM_ITEMS);
    if (this.#entry === 0) return;
    // Making room moves and evicts other keys, and in the worst case the beginning of this one.
    this.#entry = this.#store.find(effect.key, effect.keyStart, effect.keyLength) || SKIPPED;
  }

  /**
   * Returns the entry to whose value an effect applies: 0 when it creates its key, SKIPPED when it is skipped because
   * its key was evicted, or in a repair. A repair drops a key that does not match, and then applies an effect that
   * expects nothing.
   *
   * @throws {ProtocolError} when the value is not of the type and length that the effect expects
   */
  #entryOf({ row, key, keyStart, keyLength, before }: Effect): number {
    const store = this.#store;
    const entry = store.find(key, keyStart, keyLength);
    if ((row.slots & Slot.BEFORE) === 0) return entry;
    const canCreate = row.creates && before === 0;
    if (entry === 0) {
      if (!canCreate) this.#isAbsent();
      return canCreate ? 0 : SKIPPED;
    }
    const type = this.#typeOf(row);
    const isOfType = store.typeOf(entry) === type;
    const length = isOfType ? type.length(entry) : 0;
    // An empty string exists, but has the length of an absent one.
    if (isOfType && length === before) return entry;
    if (!this.#isRepair) {
      const found = isOfType ? `has length ${length}` : "has another type";
      throw new ProtocolError(`Cannot apply a record: its key ${found}: expected length ${before}`);
    }
    store.remove(entry);
    this.dropped++;
    return canCreate ? 0 : SKIPPED;
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

  /** Returns the type of the values that an effect changes. */
  #typeOf({ number }: EffectRow): ValueType {
    const type = this.#types[number];
    assert(type !== undefined, "an effect is on values of a type that does not exist");
    return type;
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
