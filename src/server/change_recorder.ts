/**
 * Passes each effect of a store to its consumers. It is the store's journal, and knows nothing of what they do.
 *
 * ```text
 * store ─▶ ChangeRecorder ─┬▶ LogRecorder    while there is a log            log_recorder.ts
 *                          ├▶ SnapshotScan   while a snapshot is taken       snapshot_scan.ts
 *                          └▶ …              any other Journal that is attached
 * ```
 *
 * A consumer is a `Journal` (store/journal.ts): it is attached, receives every effect from then on, and is detached.
 * The effects arrive in their order, and consumers in the order in which they were attached. A consumer borrows an
 * effect: it writes or copies it before it returns, and leaves it as it is for the next one.
 *
 * A consumer that needs the data from before it was attached, such as a copy of the store elsewhere, captures the keys
 * as SnapshotScan does: a few at a time, while effects arrive. There is one cursor a store, so only one consumer can
 * capture at a time.
 *
 * @module
 */

import type { Effect } from "../effects.ts";
import type { Journal } from "../store/journal.ts";

/** The journal of a store, with any number of consumers. */
export class ChangeRecorder implements Journal {
  #consumers: readonly Journal[] = [];

  /** Adds a consumer, which receives the effects from now on. */
  attach(consumer: Journal): void {
    this.#consumers = [...this.#consumers, consumer];
  }

  /** Removes a consumer, if it is attached. */
  detach(consumer: Journal): void {
    this.#consumers = this.#consumers.filter((each) => each !== consumer);
  }

  record(effect: Effect): void {
    const consumers = this.#consumers;
    for (let i = 0; i < consumers.length; i++) consumers[i]!.record(effect);
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
    const consumers = this.#consumers;
    for (let i = 0; i < consumers.length; i++) {
      consumers[i]!.setString(
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
    const consumers = this.#consumers;
    for (let i = 0; i < consumers.length; i++) {
      consumers[i]!.listPush(entry, before, key, keyStart, keyLength, head, element, start, length, view);
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
    const consumers = this.#consumers;
    for (let i = 0; i < consumers.length; i++) {
      consumers[i]!.hashSet(
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
