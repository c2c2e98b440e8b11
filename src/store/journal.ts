/**
 * Who is told of each change of a store: what the log and a snapshot under way are made of.
 *
 * Everything that changes data goes through one of these: commands, evictions, and keys whose time has come. Each is an
 * effect: given the same store before it, it leaves the same store behind, whatever the time, the memory or chance say. What
 * follows from a change by itself is not told again (a list whose last element goes takes its key along).
 *
 * @module
 */

/**
 * All bytes are borrowed until return. `entry` is what the key holds before the change, 0 for nothing. Told before the
 * change, except where a method says otherwise.
 */
export interface Journal {
  /** The key becomes a string, whatever it was. `view` is of `value`, if it is at hand. */
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
  /** The key goes. `asked` is whether a command wants that; else it has expired or is evicted. */
  remove(entry: number, asked: boolean): void;
  /** All keys go. */
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
  /** Elements `[index, index + count)` go. */
  listRemove(entry: number, index: number, count: number): void;
  /** Up to `most` elements that are those bytes are about to go; `listRemovedEqual` says how many did. */
  listRemoveEqual(
    entry: number,
    fromTail: boolean,
    most: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): void;
  /** After the change: `count` elements went, of a list that had `before`. */
  listRemovedEqual(
    entry: number,
    before: number,
    fromTail: boolean,
    count: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): void;
  /** After the change: `entry` is the hash, which had `before` fields, 0 when it was absent. */
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
  /** After the change: a field went, of a hash that had `before`, and that has still its entry. */
  hashRemove(entry: number, before: number, field: Uint8Array, start: number, length: number): void;
}
