/**
 * Updates what a terminal shows of one edited text, with as few bytes as possible.
 *
 * The rows on the screen are remembered. The next picture is compared with them and written from the first difference;
 * then the cursor is moved. If a text has more rows than the screen, only the rows around the cursor are shown. The
 * work for a picture therefore depends on the size of the screen, not of the text.
 *
 * Rows that the terminal wraps are written without a line break, so that it wraps them again when its width changes.
 * Where terminals disagree on the width of a character, the cursor is moved by writing the text before it again.
 *
 * A hint after the text is part of the last row. It is cut to the room in that row, so it never changes the rows. It
 * has a colour.
 *
 * This module does not write: each method returns the text to write.
 *
 * @module
 */

import { type Colours, NO_COLOURS } from "../terminal/colours.ts";
import type { ScreenSize } from "../terminal/terminal.ts";
import { columnsOf, cutToColumns } from "../terminal/typed_text.ts";
import { LineLayout } from "./line_layout.ts";

interface ShownRow {
  readonly text: string;
  readonly columns: number;
  readonly isHard: boolean;
  /** The position in the text at which the hint begins; its length if there is none. */
  readonly hintAt: number;
}

/** The least room for a part of a hint. */
const HINT_COLUMNS_MIN = 6;
const LINE_FEED = "\r\n";
const ERASE_TO_END_OF_ROW = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

/** The part of a terminal that shows one text. */
export class LineDisplay {
  readonly #layout = new LineLayout();
  /** The rows on the screen; empty before the first picture. */
  #rows: ShownRow[] = [];
  /** The row of the text that is the first on the screen. */
  #top = 0;
  /** The row of the cursor, counted from the first on the screen, and its column. */
  #cursorRow = 0;
  #cursorColumn = 0;
  #columns = 0;
  readonly #colours: Colours;

  /** @param colours the colours of hints */
  constructor(colours = NO_COLOURS) {
    this.#colours = colours;
  }

  /**
   * Shows `text` with the cursor at `cursor`.
   *
   * @param hint a printable text to show after `text`, as far as there is room
   */
  show(text: string, cursor: number, size: ScreenSize, hint = ""): string {
    const { columns } = size;
    // The size may have changed before the signal about it.
    const erased = columns === this.#columns ? "" : this.eraseAfterResize(size);
    const layout = this.#layout;
    layout.update(text, columns);
    const row = layout.rowAt(cursor);
    this.#scroll(row, layout.rows.length, size.rows);
    const visible = layout.rows.slice(this.#top, this.#top + size.rows);
    const rows = visible.map(({ start, end, columns, isHard }): ShownRow => {
      const { text } = layout.shown(start, end);
      return { text, columns, isHard, hintAt: text.length };
    });
    if (hint !== "" && this.#top + rows.length === layout.rows.length) rows.push(withHint(rows.pop()!, hint, columns));
    const written = this.#write(rows, columns);
    this.#rows = rows;
    this.#columns = columns;
    const before = layout.shown(visible[row - this.#top]!.start, cursor);
    return erased + written + this.#moveTo(row - this.#top, before);
  }

  /** Moves the cursor to the row below the text. The next picture begins there. */
  leave(): string {
    if (this.#rows.length === 0) return "";
    const down = this.#rows.length - 1 - this.#cursorRow;
    this.forget();
    return vertical(down) + LINE_FEED;
  }

  /** Forgets the rows on the screen. The next picture begins at the cursor. */
  forget(): void {
    this.#rows = [];
    this.#top = 0;
    this.#cursorRow = 0;
    this.#cursorColumn = 0;
  }

  /** Erases the text after the terminal has wrapped it for another number of columns. */
  eraseAfterResize({ columns }: ScreenSize): string {
    let above = 0;
    let joined = 0;
    for (const [index, row] of this.#rows.entries()) {
      if (index === this.#cursorRow) {
        above += Math.floor((joined + this.#cursorColumn) / columns);
        break;
      }
      joined += row.columns;
      if (!row.isHard && row.columns >= this.#columns) continue;
      above += Math.max(1, Math.ceil(joined / columns));
      joined = 0;
    }
    const isEmpty = this.#rows.length === 0;
    this.forget();
    return isEmpty ? "" : vertical(-above) + "\r" + ERASE_BELOW;
  }

  #scroll(row: number, count: number, height: number): void {
    if (row < this.#top) this.#top = row;
    if (row >= this.#top + height) this.#top = row - height + 1;
    this.#top = Math.max(0, Math.min(this.#top, count - height));
  }

  /** Writes the rows that differ, with the cursor at the end of the last one. */
  #write(rows: readonly ShownRow[], columns: number): string {
    const first = this.#firstDifference(rows);
    if (first === rows.length) return "";
    const old = this.#rows;
    const parts: string[] = [];
    let kept = 0;
    if (old.length > 0) {
      kept = commonPlainLength(old[first]!, rows[first]!);
      const isThere = first === this.#cursorRow && kept === this.#cursorColumn;
      // A cursor cannot be moved after a full row, and writing one more character is harmless.
      if (!isThere) kept = Math.max(0, kept - 1);
      if (!isThere) parts.push(vertical(first - this.#cursorRow), "\r", right(kept));
    }
    for (let i = first; i < rows.length; i++) {
      const row = rows[i]!;
      parts.push(this.#painted(row, i === first ? kept : 0));
      const isLast = i === rows.length - 1;
      const isLonger = old[i] === undefined || old[i]!.columns > row.columns || old[i]!.text.length > row.text.length;
      const isMore = isLast && old.length > rows.length;
      if (row.columns < columns && (isLonger || isMore)) parts.push(isLast ? ERASE_BELOW : ERASE_TO_END_OF_ROW);
      const wrapsByItself = !row.isHard && row.columns >= columns && rows[i + 1]?.text !== "";
      if (!isLast && !wrapsByItself) parts.push(LINE_FEED);
    }
    this.#cursorRow = rows.length - 1;
    // A cursor after a full row has no reliable column.
    this.#cursorColumn = rows.at(-1)!.columns < columns ? rows.at(-1)!.columns : -1;
    return parts.join("");
  }

  /** Returns the text of a row from a position on, with the colour of its hint. */
  #painted({ text, hintAt }: ShownRow, from: number): string {
    return text.slice(from, hintAt) + this.#colours.paint("faint", text.slice(Math.max(from, hintAt)));
  }

  /** Returns the first row to write; `rows.length` when the screen shows exactly these rows. */
  #firstDifference(rows: readonly ShownRow[]): number {
    const old = this.#rows;
    let first = 0;
    while (first < rows.length && first < old.length && isSame(rows[first]!, old[first]!)) first++;
    if (first === rows.length && first === old.length) return first;
    // Rows after the last common one are added, or removed, by writing that one once more.
    const isAtEnd = first === rows.length || first === old.length;
    return isAtEnd && first > 0 ? first - 1 : first;
  }

  #moveTo(row: number, before: { text: string; columns: number; isPlain: boolean }): string {
    const { text, columns, isPlain } = before;
    if (row === this.#cursorRow && columns === this.#cursorColumn) return "";
    const moves = vertical(row - this.#cursorRow) + "\r" + (isPlain ? right(columns) : text);
    this.#cursorRow = row;
    this.#cursorColumn = columns;
    return moves;
  }
}

function isSame(row: ShownRow, other: ShownRow): boolean {
  return row.text === other.text && row.isHard === other.isHard && row.hintAt === other.hintAt;
}

/** Returns the last row with as much of the hint as fits it. A full row would move the cursor. */
function withHint(row: ShownRow, hint: string, columns: number): ShownRow {
  const room = columns - row.columns - 1;
  const shown = room < HINT_COLUMNS_MIN && columnsOf(hint) > room ? "" : cutToColumns(hint, room).trimEnd();
  return { ...row, text: row.text + shown, columns: row.columns + columnsOf(shown) };
}

/**
 * Returns how many characters at the beginning are equal, of the same colour, printable ASCII, and followed by such a
 * character or nothing.
 */
function commonPlainLength(old: ShownRow, row: ShownRow): number {
  const end = old.hintAt === row.hintAt ? old.text.length : Math.min(old.hintAt, row.hintAt);
  let at = 0;
  while (
    at < end && old.text[at] === row.text[at] && isPlain(row.text[at]) && isPlain(row.text[at + 1] ?? " ")
  ) at++;
  return at;
}

function isPlain(character: string | undefined): boolean {
  return character !== undefined && character >= " " && character <= "~";
}

function vertical(count: number): string {
  return count === 0 ? "" : count < 0 ? `\x1b[${-count}A` : `\x1b[${count}B`;
}

function right(count: number): string {
  return count === 0 ? "" : `\x1b[${count}C`;
}
