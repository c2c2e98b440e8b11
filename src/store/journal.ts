/**
 * The receiver of each change of a store, as an effect (effects.ts): the source of the log and of the snapshot being
 * taken.
 *
 * Everything that changes data reports it: commands, evictions, and expiries. What follows from a change by itself is
 * not reported again (removing the last element of a list removes its key as well).
 *
 * @module
 */

import type { Effect } from "../effects.ts";

/**
 * A receiver of effects. `entry` is the key's entry, 0 for an absent key, and `before` is the length of its value
 * before the effect. The call may come before or after the change of the value, as its type prefers. All bytes, and the
 * effect itself, are borrowed until return. The receiver changes neither the store nor the effect.
 *
 * The three most frequent effects have their own methods, without an object. `view` is a view of the value's bytes, if
 * there is one.
 */
export interface Journal {
  /** Receives any effect but those that have their own method. */
  record(effect: Effect): void;
  /** Receives `setString`. The entry may be of any type. */
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
  /** Receives `listPushHead` or `listPushTail`, with one element. */
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
  ): void;
  /** Receives `hashSet`, with one field. A hash that was absent has its entry already. */
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
  ): void;
}
