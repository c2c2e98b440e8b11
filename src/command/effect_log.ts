/**
 * The interface of the log of effects (log/append_log.ts) for commands that take several slices.
 *
 * @module
 */

/** The effects of one command (log/record_group.ts), which it writes in several steps. */
export interface EffectGroup {
  /**
   * Directs the effects of the next step to this group. {@linkcode leave} must be called before any other command runs.
   */
  enter(): void;
  /** Directs effects to the log again. */
  leave(): void;
  /** Passes all effects to the log, as one batch or a part of one. Safe to call twice. */
  close(): void;
}

/** The log to which the effects of commands are written. */
export interface EffectLog {
  /** The position of the next effect in the current batch. */
  readonly position: number;
  /** The number of effects that commands have caused. */
  readonly writes: number;
  /** The number of effects that no command has caused: evictions and expiries. */
  readonly unasked: number;
  /** The position in the current batch at which the last of the {@linkcode unasked} effects ends. */
  readonly unaskedEnd: number;
  /** The value of {@linkcode writes} at the last of the {@linkcode unasked} effects. */
  readonly unaskedWrites: number;
  /** Whether a snapshot waits for a moment without open groups. Until then, no long command begins. */
  readonly isMarkAwaited: boolean;
  /** Resolves when that snapshot has begun. */
  readonly marked: Promise<void> | undefined;
  /** Moves the effects from position `from` on into a separate group, with room for `expectedBytes`. */
  openGroup(from: number, expectedBytes: number): EffectGroup;
}
