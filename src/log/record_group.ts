/**
 * The effects of one command that takes many turns of the event loop: they become one batch, whatever others write meanwhile.
 *
 * ```text
 * command in steps   e1 ─ pause ─ e2 ─ pause ─ e3
 * other commands           a            b
 * log                [ a ] [ b ] [ e1 e2 e3 ]          a crash leaves all of the command, or nothing
 * ```
 *
 * The order in the log differs from the order in time. That is harmless only while nobody else changes, evicts or expires
 * the keys of the command: `command/holds.ts` sees to it. No snapshot may be of a moment between two steps, so one that is
 * ready waits for the groups that are open (`AppendLog.openGroups`), and no group begins while it waits.
 *
 * @module
 */

import { RecordWriter } from "./record_writer.ts";

/** The log, as far as a group needs it: where the effects of commands go at present. */
export interface GroupLog {
  /** The records that take the next effects. */
  records: RecordWriter;
  /** Makes effects go to the log's own records again. */
  leaveGroup(): void;
  /** Takes over the effects of a group that has ended. */
  closeGroup(group: RecordGroup): void;
}

/** One group, from the first pause of its command to its end. Made by `AppendLog.openGroup`. */
export class RecordGroup {
  /** The effects so far. */
  readonly records: RecordWriter;
  readonly #log: GroupLog;
  #isOpen = true;

  /** Use `AppendLog.openGroup`. */
  constructor(log: GroupLog, initialBytes: number) {
    this.#log = log;
    this.records = new RecordWriter(initialBytes);
  }

  /** Lets the effects of the next step come here. {@linkcode leave} follows before anything else runs. */
  enter(): void {
    this.#log.records = this.records;
  }

  /** Lets effects go to the log again. */
  leave(): void {
    this.#log.leaveGroup();
  }

  /** Hands all effects over to the log, as one batch or a part of one. Safe to call twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#log.closeGroup(this);
  }
}
