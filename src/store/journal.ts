/**
 * The receiver of each change of a store: the source of the log and of the snapshot being taken.
 *
 * Everything that changes data calls one of these methods: commands, evictions, and expiries. Each call is an effect:
 * applied to the same store, it always has the same result, regardless of time, memory and chance. What follows from a
 * change by itself is not reported again (removing the last element of a list removes its key as well).
 *
 * @module
 */

/**
 * A receiver of effects. All bytes are borrowed until return. `entry` is the key's entry before the change, 0 for an
 * absent key. Each method is called before the change, unless it says otherwise.
 */
export interface Journal {
  /**
   * Reports that the key becomes a string, regardless of its type before. `view` is a view of `value`, if there is one.
   */
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
  ): void;
  appendString(entry: number, source: Uint8Array, start: number, length: number): void;
  overwriteString(entry: number, from: number, source: Uint8Array, start: number, length: number): void;
  setDeadline(entry: number, deadlineMs: number): void;
  /**
   * Reports that the key is removed. `asked` is whether a command removes it; otherwise it has expired or is evicted.
   */
  remove(entry: number, asked: boolean): void;
  /** Reports that all keys are removed. */
  clear(): void;
  rename(entry: number, key: Uint8Array, start: number, length: number): void;
  copy(entry: number, key: Uint8Array, start: number, length: number): void;
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
  ): void;
  listSet(entry: number, index: number, source: Uint8Array, start: number, length: number): void;
  listInsert(entry: number, index: number, source: Uint8Array, start: number, length: number): void;
  /** Reports that elements `[index, index + count)` are removed. */
  listRemove(entry: number, index: number, count: number): void;
  /**
   * Reports that up to `most` elements that equal these bytes are about to be removed; `listRemovedEqual` follows with
   * their number.
   */
  listRemoveEqual(
    entry: number,
    fromTail: boolean,
    most: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): void;
  /** Reports, after the change, that `count` elements were removed from a list that had `before`. */
  listRemovedEqual(
    entry: number,
    before: number,
    fromTail: boolean,
    count: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): void;
  /**
   * Reports, after the change, that a field was set. `entry` is the hash, which had `before` fields: 0 when it was
   * absent.
   */
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
  ): void;
  /**
   * Reports, after the change, that a field was removed from a hash that had `before`. The hash still has its entry.
   */
  hashRemove(entry: number, before: number, field: Uint8Array, start: number, length: number): void;
}
