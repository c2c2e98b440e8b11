/**
 * Searching the history while typing, as Ctrl-R of bash does.
 *
 * The line shown is the newest one that contains what was typed; Ctrl-R goes on to older ones, Ctrl-S to newer ones. When
 * no line contains it, the last one that did stays, and what is typed is marked as failed.
 *
 * @module
 */

/** A line that was found. */
export interface Match {
  /** Its place in the history, the newest being 0. */
  readonly position: number;
  readonly line: string;
  /** Where in it the text sought begins. */
  readonly at: number;
}

/** The direction of a search: 1 to older lines, -1 to newer ones. */
export type Direction = 1 | -1;

/** One search, from its first key to its last. */
export class HistorySearch {
  readonly #lines: readonly string[];
  #query = "";
  #direction: Direction;
  #match: Match | undefined;
  #hasFailed = false;

  /** @param lines the newest first */
  constructor(lines: readonly string[], direction: Direction) {
    this.#lines = lines;
    this.#direction = direction;
  }

  /** What is sought. */
  get query(): string {
    return this.#query;
  }

  /** The line found; `undefined` while there was none yet. */
  get match(): Match | undefined {
    return this.#match;
  }

  /** What stands in place of the prompt. */
  get prompt(): string {
    const name = this.#direction === 1 ? "reverse-search" : "forward-search";
    return `(${this.#hasFailed ? "failed " : ""}${name} \`${this.#query}\`) `;
  }

  /** Seeks more text, from the line found on. */
  extend(text: string): void {
    this.#query += text;
    this.#find(this.#match?.position ?? this.#first);
  }

  /** Seeks other text, from the newest line on. */
  replace(query: string): void {
    this.#query = query;
    this.#match = undefined;
    this.#hasFailed = false;
    if (query !== "") this.#find(this.#first);
  }

  /** Seeks the next line in that direction. */
  next(direction: Direction): void {
    this.#direction = direction;
    if (this.#query === "") return;
    this.#find(this.#match === undefined ? this.#first : this.#match.position + direction);
  }

  get #first(): number {
    return this.#direction === 1 ? 0 : this.#lines.length - 1;
  }

  #find(from: number): void {
    for (let position = from; position >= 0 && position < this.#lines.length; position += this.#direction) {
      const line = this.#lines[position]!;
      const at = line.indexOf(this.#query);
      // Going on to the same text once more would look as if nothing happened.
      if (at < 0 || (position !== this.#match?.position && line === this.#match?.line)) continue;
      this.#match = { position, line, at };
      this.#hasFailed = false;
      return;
    }
    this.#hasFailed = true;
  }
}
