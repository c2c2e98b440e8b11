/**
 * Shows a long text one screen at a time.
 *
 * ```text
 *   21) "key:1020"
 *   22) "key:1021"
 *   -- 4 % -- Space: next page, Enter: next line, a: all, q: quit
 * ```
 *
 * The text stays on the terminal, so that people scroll back with the terminal's own means. A separate program such as
 * `less` would need the permission to run programs.
 *
 * The text is divided into rows only as far as it is shown, so its length costs nothing.
 *
 * @module
 */

import type { Colours } from "../terminal/colours.ts";
import type { ScreenSize } from "../terminal/terminal.ts";
import { columnsOf, cutToColumns, visitClusters } from "../terminal/typed_text.ts";
import type { Key } from "./keys.ts";

/** The functions that the pager uses. */
export interface PagerOptions {
  readonly colours: Colours;
  write(text: string): void;
  size(): ScreenSize;
  /** Called on Ctrl-Z. */
  suspend(): void;
  /** Called when all is shown, or the user has seen enough. */
  end(): void;
}

/** The letters and names of keys of each action. */
const END_KEYS: readonly string[] = ["q", "Q", "ctrl-c", "ctrl-d", "escape"];
const ALL_KEYS: readonly string[] = ["a", "G", "end"];
const LINE_KEYS: readonly string[] = ["enter", "down", "j"];
const PAGE_KEYS: readonly string[] = [" ", "f", "page-down"];

const ERASE_ROW = "\r\x1b[K";

/** Shows one text. Its control sequences may only be colours. */
export class Pager {
  readonly #options: PagerOptions;
  readonly #text: string;
  #at = 0;
  /** The rows that are left of the line that is shown in part, its length and the number of all its rows. */
  #rows: string[] = [];
  #lineLength = 0;
  #rowsCount = 1;
  /** The columns of the line at the bottom. */
  #statusColumns = 0;
  #isActive = true;

  /** @param text the text, whose last line ends with a newline */
  constructor(text: string, options: PagerOptions) {
    this.#text = text;
    this.#options = options;
  }

  /** Shows the first page. */
  start(): void {
    this.#advance(this.#pageRows());
  }

  /** Applies keys until the pager ends. Returns the index of the first key that was not applied. */
  take(keys: readonly Key[], from: number): number {
    let at = from;
    while (at < keys.length && this.#isActive) this.#apply(keys[at++]!);
    return at;
  }

  /** Shows the line at the bottom again, after another program has used the screen. */
  resume(): void {
    if (this.#isActive) this.#options.write(ERASE_ROW + this.#status());
  }

  /** Shows the line at the bottom again, after the terminal has wrapped it for another width. */
  resize(): void {
    if (!this.#isActive) return;
    const above = Math.ceil(this.#statusColumns / this.#options.size().columns) - 1;
    this.#options.write((above > 0 ? `\x1b[${above}A` : "") + "\r\x1b[J" + this.#status());
  }

  #apply({ name, text }: Key): void {
    if (name === "ctrl-z") return this.#options.suspend();
    // One read of the terminal may have several letters.
    for (const action of name === "text" ? text : [name]) {
      if (!this.#isActive) return;
      if (END_KEYS.includes(action)) this.#end();
      else if (ALL_KEYS.includes(action)) this.#advance(Infinity);
      else if (LINE_KEYS.includes(action)) this.#advance(1);
      else if (PAGE_KEYS.includes(action)) this.#advance(this.#pageRows());
    }
  }

  #pageRows(): number {
    return Math.max(1, this.#options.size().rows - 1);
  }

  #advance(count: number): void {
    const { columns } = this.#options.size();
    const parts: string[] = [];
    for (let shown = 0; shown < count; shown++) {
      if (this.#rows.length === 0) this.#rows = this.#nextLine(columns);
      const row = this.#rows.shift();
      if (row === undefined) break;
      parts.push(row);
    }
    this.#options.write(ERASE_ROW + parts.map((row) => row + "\r\n").join(""));
    if (this.#at >= this.#text.length && this.#rows.length === 0) this.#end();
    else this.#options.write(this.#status());
  }

  #nextLine(columns: number): string[] {
    if (this.#at >= this.#text.length) return [];
    const end = this.#text.indexOf("\n", this.#at);
    const line = this.#text.slice(this.#at, end < 0 ? this.#text.length : end);
    this.#at = end < 0 ? this.#text.length : end + 1;
    const rows = rowsOf(line, columns);
    this.#lineLength = line.length;
    this.#rowsCount = rows.length;
    return rows;
  }

  #status(): string {
    const waiting = this.#rows.length / this.#rowsCount * this.#lineLength;
    const percent = Math.floor((this.#at - waiting) / this.#text.length * 100);
    const text = `-- ${percent} % -- Space: next page, Enter: next line, a: all, q: quit`;
    const shown = cutToColumns(text, this.#options.size().columns - 1);
    this.#statusColumns = columnsOf(shown);
    return this.#options.colours.paint("faint", shown);
  }

  #end(): void {
    this.#isActive = false;
    this.#options.write(ERASE_ROW);
    this.#options.end();
  }
}

// deno-lint-ignore no-control-regex
const COLOUR = /(\x1b\[[0-9;]*m)/;
const COLOUR_END = "\x1b[0m";

/** Divides a line into rows, each of which begins and ends its own colours. */
export function rowsOf(line: string, columns: number): string[] {
  const rows: string[] = [];
  let row = "";
  let used = 0;
  let colour = "";
  for (const part of line.split(COLOUR)) {
    if (COLOUR.test(part)) {
      colour = part === COLOUR_END ? "" : part;
      row += part;
      continue;
    }
    visitClusters(part, 0, part.length, (cluster) => {
      if (used + cluster.columns > columns && used > 0) {
        rows.push(colour === "" ? row : row + COLOUR_END);
        row = colour;
        used = 0;
      }
      row += cluster.shown;
      used += cluster.columns;
    });
  }
  rows.push(row);
  return rows;
}

/** Returns whether a text has more rows than a screen. */
export function exceedsScreen(text: string, { columns, rows }: ScreenSize): boolean {
  let count = 0;
  for (let at = 0; at < text.length && count <= rows;) {
    const end = text.indexOf("\n", at);
    const line = text.slice(at, end < 0 ? text.length : end);
    // A line without wide characters is its own measure, and a longer one than the screen needs no exact one.
    count += line.length <= columns ? 1 : rowsOf(line.slice(0, columns * rows * 2), columns).length;
    at = end < 0 ? text.length : end + 1;
  }
  return count >= rows;
}
