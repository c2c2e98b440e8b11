/**
 * A terminal's screen, as far as the line editor uses one. It obeys the control sequences that the editor writes, fails
 * at others, wraps and scrolls as terminals do, and can be read row by row.
 *
 * @module
 */

import { characterWidth } from "../../src/terminal/character_width.ts";

/** The content of a wide character's second column. */
const SECOND_HALF = "";

/** A screen of the given number of columns and rows. */
export class Screen {
  readonly columns: number;
  readonly rows: number;
  /** The cells with the text that each shows. Rows that were scrolled away come first. */
  #cells: string[][];
  /** The texts of the cells that have a colour, in the same arrangement; others are empty. */
  #coloured: string[][];
  #hasColour = false;
  /** The control sequence whose end has not arrived. */
  #begun = "";
  #row = 0;
  #column = 0;
  /** Whether the next character begins a new row, since the last one has filled this row. */
  #isWrapPending = false;
  #top = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.#cells = Array.from({ length: rows }, () => this.#blankRow());
    this.#coloured = Array.from({ length: rows }, () => this.#blankRow());
  }

  /** The position of the next character, counted from the top left of the screen. */
  get cursor(): { row: number; column: number } {
    return { row: this.#row, column: this.#column };
  }

  /** The rows on the screen, without trailing spaces. */
  get lines(): string[] {
    return this.#cells.slice(this.#top, this.#top + this.rows).map((row) => row.join("").trimEnd());
  }

  /** The rows on the screen with only the text that has a colour. */
  get colouredLines(): string[] {
    return this.#coloured.slice(this.#top, this.#top + this.rows).map((row) => row.join("").trimEnd());
  }

  /** The rows on the screen without the text that has a colour. */
  get plainLines(): string[] {
    return this.#cells.slice(this.#top, this.#top + this.rows).map((row, index) => {
      const coloured = this.#coloured[this.#top + index]!;
      return row.map((cell, column) => coloured[column] === " " ? cell : " ").join("").trimEnd();
    });
  }

  /** The whole text, including rows that were scrolled away, without empty rows at the end. */
  get text(): string {
    return this.#cells.map((row) => row.join("").trimEnd()).join("\n").trimEnd();
  }

  /** Processes the output of a program. A control sequence may be divided between two calls. */
  write(output: string): void {
    const all = this.#begun + output;
    // deno-lint-ignore no-control-regex
    this.#begun = /\x1b(\[\??[0-9;]*)?$/.exec(all)?.[0] ?? "";
    const text = all.slice(0, all.length - this.#begun.length);
    // deno-lint-ignore no-control-regex
    const parts = text.matchAll(/\x1b\[(\??[0-9;]*)([A-Za-z])|[^]/gu);
    for (const [part, parameters, letter] of parts) {
      if (letter !== undefined) this.#obey(parameters ?? "", letter);
      else this.#put(part);
    }
  }

  #obey(parameters: string, letter: string): void {
    const count = Number(parameters || "1");
    if (letter === "m") this.#hasColour = parameters !== "0";
    else if (letter === "A") this.#move(this.#row - count, this.#column);
    else if (letter === "B") this.#move(this.#row + count, this.#column);
    else if (letter === "C") this.#move(this.#row, this.#column + count);
    else if (letter === "H" && parameters === "") this.#move(0, 0);
    else if (letter === "K" && parameters === "") this.#eraseRow(this.#row, this.#column);
    else if (letter === "J" && parameters === "") {
      this.#eraseRow(this.#row, this.#column);
      for (let row = this.#row + 1; row < this.rows; row++) this.#eraseRow(row, 0);
    } else if (letter === "J") {
      for (let row = 0; row < this.rows; row++) this.#eraseRow(row, 0);
    } else if (!"hl".includes(letter) || parameters !== "?2004") {
      throw new Error(`The screen does not know ESC [ ${parameters} ${letter}`);
    }
  }

  #put(character: string): void {
    if (character === "\r") return this.#move(this.#row, 0);
    if (character === "\n") return this.#lineFeed();
    if (character === "\x07") return;
    if (character < " " || character === "\x7f") throw new Error(`The screen was sent ${JSON.stringify(character)}`);
    const width = characterWidth(character);
    const cells = this.#cellsOf(this.#row);
    if (width === 0) {
      const before = this.#isWrapPending ? this.#column : Math.max(0, this.#column - 1);
      const at = cells[before] === SECOND_HALF ? before - 1 : before;
      cells[at] += character;
      if (this.#hasColour) this.#coloured[this.#top + this.#row]![at] += character;
      return;
    }
    if (this.#isWrapPending || this.#column + width > this.columns) {
      this.#lineFeed();
      this.#move(this.#row, 0);
    }
    const target = this.#cellsOf(this.#row);
    target[this.#column] = character;
    if (width === 2) target[this.#column + 1] = SECOND_HALF;
    const coloured = this.#coloured[this.#top + this.#row]!;
    coloured.fill(" ", this.#column, this.#column + width);
    if (this.#hasColour) {
      coloured.splice(this.#column, width, ...(width === 2 ? [character, SECOND_HALF] : [character]));
    }
    this.#isWrapPending = this.#column + width >= this.columns;
    this.#column = Math.min(this.#column + width, this.columns - 1);
  }

  #lineFeed(): void {
    if (this.#row < this.rows - 1) return this.#move(this.#row + 1, this.#column);
    this.#cells.push(this.#blankRow());
    this.#coloured.push(this.#blankRow());
    this.#top++;
    this.#isWrapPending = false;
  }

  #move(row: number, column: number): void {
    this.#row = Math.max(0, Math.min(row, this.rows - 1));
    this.#column = Math.max(0, Math.min(column, this.columns - 1));
    this.#isWrapPending = false;
  }

  #eraseRow(row: number, from: number): void {
    this.#cellsOf(row).fill(" ", from);
    this.#coloured[this.#top + row]!.fill(" ", from);
  }

  #cellsOf(row: number): string[] {
    return this.#cells[this.#top + row]!;
  }

  #blankRow(): string[] {
    return new Array<string>(this.columns).fill(" ");
  }
}
