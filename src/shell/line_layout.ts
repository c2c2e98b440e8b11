/**
 * Divides a long text into the rows of a terminal.
 *
 * ```text
 * text     127.0.0.1:9443> set key "a value that is longer than the row"⏎get key
 * rows     127.0.0.1:9443> set key "a value    soft: the terminal wraps here
 *           that is longer than the row"       hard: a line break of the text
 *          get key
 * ```
 *
 * If a text has only grown at its end, as while it is typed or pasted, the layout begins at its last row.
 *
 * @module
 */

import { visitClusters } from "../terminal/typed_text.ts";

/** A part of the text that fits one row. */
export interface Row {
  readonly start: number;
  /** The end of the row, without the line break of a hard row. */
  readonly end: number;
  readonly columns: number;
  /** Whether the next row begins because of a line break. */
  readonly isHard: boolean;
}

/** The rows of one text. There is at least one row, and every position of the cursor has room in a row. */
export class LineLayout {
  #text = "";
  #columns = 0;
  #rows: Row[] = [];

  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Divides `text` into rows of `columns`. */
  update(text: string, columns: number): void {
    const isGrown = columns === this.#columns && text.startsWith(this.#text);
    // The added text may join the last cluster, so the last row is laid out again, and the one before an empty last row
    // too.
    const keptCount = isGrown ? this.#rows.findLastIndex(({ start, end }) => end > start) : 0;
    this.#rows.length = Math.max(0, keptCount);
    this.#text = text;
    this.#columns = columns;
    const before = this.#rows.at(-1);
    this.#append(before === undefined ? 0 : before.end + (before.isHard ? 1 : 0));
  }

  #append(from: number): void {
    const text = this.#text;
    let start = from;
    let columns = 0;
    visitClusters(text, from, text.length, (cluster) => {
      if (text[cluster.start] === "\n") {
        if (columns >= this.#columns) {
          this.#rows.push({ start, end: cluster.start, columns, isHard: false });
          start = cluster.start;
          columns = 0;
        }
        this.#rows.push({ start, end: cluster.start, columns, isHard: true });
        start = cluster.end;
        columns = 0;
        return;
      }
      if (columns + cluster.columns > this.#columns && columns > 0) {
        this.#rows.push({ start, end: cluster.start, columns, isHard: false });
        start = cluster.start;
        columns = 0;
      }
      columns += cluster.columns;
    });
    this.#rows.push({ start, end: text.length, columns, isHard: false });
    // As above, the cursor after a full row is on an empty row.
    if (columns >= this.#columns) {
      this.#rows.push({ start: text.length, end: text.length, columns: 0, isHard: false });
    }
  }

  /** Returns the row of the cursor when it is at `index` of the text. */
  rowAt(index: number): number {
    let low = 0;
    let high = this.#rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#rows[middle]!.start <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Returns the part of one row between two positions as it is shown, with its columns. */
  shown(start: number, end: number): { text: string; columns: number; isPlain: boolean } {
    let text = "";
    let columns = 0;
    let isPlain = true;
    visitClusters(this.#text, start, end, (cluster) => {
      text += cluster.shown;
      columns += cluster.columns;
      isPlain &&= cluster.isPlain;
    });
    return { text, columns, isPlain };
  }
}
