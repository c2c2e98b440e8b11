/**
 * Searches the history while typing, as Ctrl-R of bash does.
 *
 * The newest line that contains the typed text is shown; Ctrl-R continues to older ones, Ctrl-S to newer ones. If no
 * line contains it, the last match stays and the search is marked as failed.
 *
 * @module
 */

/** A line that was found. */
export interface Match {
  /** The position of the line in the history; the newest has 0. */
  readonly position: number;
  readonly line: string;
  /** The position of the match in the line. */
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

  /** @param lines the lines, the newest first */
  constructor(lines: readonly string[], direction: Direction) {
    this.#lines = lines;
    this.#direction = direction;
  }

  /** The text that is searched for. */
  get query(): string {
    return this.#query;
  }

  /** The line that was found; `undefined` before the first match. */
  get match(): Match | undefined {
    return this.#match;
  }

  /** The text that replaces the prompt during the search. */
  get prompt(): string {
    const name = this.#direction === 1 ? "reverse-search" : "forward-search";
    return `(${this.#hasFailed ? "failed " : ""}${name} \`${this.#query}\`) `;
  }

  /** Extends the query, and searches from the present match. */
  extend(text: string): void {
    this.#query += text;
    this.#find(this.#match?.position ?? this.#first);
  }

  /** Replaces the query, and searches from the newest line. */
  replace(query: string): void {
    this.#query = query;
    this.#match = undefined;
    this.#hasFailed = false;
    if (query !== "") this.#find(this.#first);
  }

  /** Searches for the next line in a direction. */
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
      // Moving to an equal line would look as if nothing had happened.
      if (at < 0 || (position !== this.#match?.position && line === this.#match?.line)) continue;
      this.#match = { position, line, at };
      this.#hasFailed = false;
      return;
    }
    this.#hasFailed = true;
  }
}
