/**
 * The log of effects, as far as commands that take many turns need to know it (log/append_log.ts).
 *
 * @module
 */

/** The effects of one command between two of its steps: see log/record_group.ts. */
export interface EffectGroup {
  /** Lets the effects of the next step come here. {@linkcode leave} follows before anything else runs. */
  enter(): void;
  /** Lets effects go to the log again. */
  leave(): void;
  /** Hands all effects over to the log, as one batch or a part of one. Safe to call twice. */
  close(): void;
}

/** Where the effects of commands go. */
export interface EffectLog {
  /** Where the next effect will stand in the batch under way. */
  readonly position: number;
  /** Effects that commands asked for. */
  readonly writes: number;
  /** Counts the effects that no command asked for: keys evicted or expired. */
  readonly unasked: number;
  /** Where the last of those ends in the batch under way, and what {@linkcode writes} was then. */
  readonly unaskedEnd: number;
  readonly unaskedWrites: number;
  /** Whether a snapshot waits for a moment without open groups; then no long command begins. */
  readonly isMarkAwaited: boolean;
  /** Resolves when that snapshot has its moment. */
  readonly marked: Promise<void> | undefined;
  /** Moves the effects from `position` `from` on into a group of their own, with room for `expectedBytes`. */
  openGroup(from: number, expectedBytes: number): EffectGroup;
}
