/**
 * Passes each effect of a store to several journals.
 *
 * ```text
 * store ─┬▶ LogRecorder    while there is a log          server/log_recorder.ts
 *        ├▶ SnapshotScan   while a snapshot is taken     server/snapshot_scan.ts
 *        └▶ …              any other Journal             such as a replica, or the target of a slot
 * ```
 *
 * The store knows nothing of what they do. A journal is attached (`Store.attach`), receives every effect from then on,
 * and is detached. Journals receive an effect in the order in which they were attached, and borrow it: each writes or
 * copies what it needs before it returns, and leaves the effect as it is for the next one. While only one journal is
 * attached, the store calls it directly.
 *
 * A journal that needs the data from before it was attached captures the keys as SnapshotScan does: a few at a time,
 * while effects arrive. There is one cursor a store, so only one of them can capture at a time.
 *
 * @module
 */

import type { Effect } from "../effects.ts";
import type { Journal } from "./journal.ts";

/** Two or more journals, as one. */
export class Journals implements Journal {
  readonly #all: readonly Journal[];

  private constructor(all: readonly Journal[]) {
    this.#all = all;
  }

  /** Returns a journal that stands for all of these; `undefined` for none. */
  static join(all: readonly Journal[]): Journal | undefined {
    return all.length > 1 ? new Journals(all) : all[0];
  }

  record(effect: Effect): void {
    const all = this.#all;
    for (let i = 0; i < all.length; i++) all[i]!.record(effect);
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
    const all = this.#all;
    for (let i = 0; i < all.length; i++) {
      all[i]!.setString(
        entry,
        key,
        keyStart,
        keyLength,
        deadlineMs,
        value,
        valueStart,
        valueLength,
        view,
      );
    }
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
    const all = this.#all;
    for (let i = 0; i < all.length; i++) {
      all[i]!.listPush(entry, before, key, keyStart, keyLength, head, element, start, length, view);
    }
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
    const all = this.#all;
    for (let i = 0; i < all.length; i++) {
      all[i]!.hashSet(
        entry,
        before,
        key,
        keyStart,
        keyLength,
        field,
        fieldStart,
        fieldLength,
        value,
        valueStart,
        valueLength,
        view,
      );
    }
  }
}
