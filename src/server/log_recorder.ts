/**
 * Writes each effect of a store to the log (log/append_log.ts).
 *
 * @module
 */

import type { Effect } from "../effects.ts";
import type { AppendLog } from "../log/append_log.ts";
import type { Journal } from "../store/journal.ts";
import type { Keyspace } from "../store/keyspace.ts";

/** A consumer of effects that writes them to the log. */
export class LogRecorder implements Journal {
  readonly log: AppendLog;
  readonly #keyspace: Pick<Keyspace, "isHeld">;

  constructor(log: AppendLog, keyspace: Pick<Keyspace, "isHeld">) {
    this.log = log;
    this.#keyspace = keyspace;
  }

  record(effect: Effect): void {
    const log = this.log;
    if (effect.isAsked) {
      log.writes++;
      log.records.write(effect);
      return;
    }
    // No client is notified of a key that expires or is evicted, so none waits for its record. An eviction that makes
    // room for a step of a long command is not part of that command.
    (this.#keyspace.isHeld(effect.entry) ? log.records : log.main).write(effect);
    log.unasked++;
    log.unaskedEnd = log.main.length;
    log.unaskedWrites = log.writes;
  }

  setString(
    _entry: number,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    deadlineMs: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    view: DataView | undefined,
  ): void {
    this.log.writes++;
    this.log.records.setString(key, keyStart, keyLength, deadlineMs, value, valueStart, valueLength, view);
  }

  listPush(
    _entry: number,
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
    this.log.writes++;
    this.log.records.listPush(key, keyStart, keyLength, before, head, element, start, length, view);
  }

  hashSet(
    _entry: number,
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
    this.log.writes++;
    this.log.records.hashSet(
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
}
