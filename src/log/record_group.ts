/**
 * The effects of one command that takes several turns of the event loop. They become one batch, regardless of what
 * other commands write meanwhile.
 *
 * ```text
 * command in steps   e1 ─ pause ─ e2 ─ pause ─ e3
 * other commands           a            b
 * log                [ a ] [ b ] [ e1 e2 e3 ]          a crash leaves all of the command, or nothing
 * ```
 *
 * The order in the log differs from the order in time. That is harmless only if no other command changes, evicts or
 * expires the keys of the command, which `command/holds.ts` ensures. No snapshot may end between two steps. So a
 * snapshot that is ready to end waits for the open groups (`AppendLog.openGroups`), and no group begins while it waits.
 *
 * @module
 */

import { RecordWriter } from "./record_writer.ts";

/** The parts of the log that a group uses: the current destination of the effects of commands. */
export interface GroupLog {
  /** The records that receive the next effects. */
  records: RecordWriter;
  /** Makes effects go to the log's own records again. */
  leaveGroup(): void;
  /** Adds the effects of a group that has ended to the log. */
  closeGroup(group: RecordGroup): void;
}

/** A group of effects, from the first pause of its command to its end. `AppendLog.openGroup` creates it. */
export class RecordGroup {
  /** The effects so far. */
  readonly records: RecordWriter;
  readonly #log: GroupLog;
  #isOpen = true;

  /** Creates a group. Call `AppendLog.openGroup` instead. */
  constructor(log: GroupLog, initialBytes: number) {
    this.#log = log;
    this.records = new RecordWriter(initialBytes);
  }

  /**
   * Makes the effects of the next step go to this group. {@linkcode leave} must be called before any other code runs.
   */
  enter(): void {
    this.#log.records = this.records;
  }

  /** Makes effects go to the log again. */
  leave(): void {
    this.#log.leaveGroup();
  }

  /** Adds all effects to the log, as one batch or a part of one. Safe to call twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#log.closeGroup(this);
  }
}
