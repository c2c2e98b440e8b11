/**
 * Moves through the history with Up and Down.
 *
 * ```text
 * get b      ▲ Up     the newest line that begins with the text before the cursor, then older ones
 * get a
 * ge_        ▼ Down   back again, finally to the line that was being typed
 * ```
 *
 * Moving loses no typed text: the line being typed and changed lines keep their text and the position of the cursor
 * until a line is run.
 *
 * @module
 */

/** A text that is being edited. */
export interface Draft {
  readonly text: string;
  readonly cursor: number;
}

/** The position of the line being typed. Positions of the history count from 0, the newest. */
const TYPED = -1;

/** A walk through the history, from the line being typed. */
export class HistoryBrowser {
  readonly #lines: readonly string[];
  #position = TYPED;
  #prefix = "";
  /** The changed texts, by position. */
  readonly #changed = new Map<number, Draft>();
  /** The text that was shown at the position when it was reached. */
  #reached = "";

  /** @param lines the lines, the newest first */
  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  /** Returns the next older line that begins as `current` does before its cursor; `undefined` when there is none. */
  older(current: Draft): Draft | undefined {
    const isChanged = this.#position === TYPED || current.text !== this.#reached;
    const prefix = isChanged ? current.text.slice(0, current.cursor) : this.#prefix;
    for (let at = this.#position + 1; at < this.#lines.length; at++) {
      if (!this.#isStop(at, prefix, current)) continue;
      this.#prefix = prefix;
      return this.#move(at, current);
    }
    return undefined;
  }

  /** Returns the next newer line, finally the line being typed; `undefined` at that line. */
  newer(current: Draft): Draft | undefined {
    if (this.#position === TYPED) return undefined;
    let at = this.#position - 1;
    while (at > TYPED && !this.#isStop(at, this.#prefix, current)) at--;
    return this.#move(at, current);
  }

  /** Moves to a line that was found in another way. */
  jump(position: number, current: Draft): Draft {
    this.#prefix = "";
    return this.#move(position, current);
  }

  #isStop(at: number, prefix: string, current: Draft): boolean {
    if (this.#changed.has(at)) return true;
    const line = this.#lines[at]!;
    return line.startsWith(prefix) && line !== current.text;
  }

  #move(to: number, current: Draft): Draft {
    if (this.#position === TYPED || current.text !== this.#reached) this.#changed.set(this.#position, current);
    this.#position = to;
    const line = this.#lines[to] ?? "";
    const draft = this.#changed.get(to) ?? { text: line, cursor: line.length };
    this.#reached = draft.text;
    return draft;
  }
}
