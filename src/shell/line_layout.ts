/**
 * Where each part of a long text stands on a terminal of so many columns.
 *
 * ```text
 * text     127.0.0.1:9443> set key "a value that is longer than the row"⏎get key
 * rows     127.0.0.1:9443> set key "a value    soft: the terminal wraps here by itself
 *           that is longer than the row"       hard: a line break of the text
 *          get key
 * ```
 *
 * A text that only grew at its end, as it does while it is typed or pasted, is laid out from its last row on.
 *
 * @module
 */

import { visitClusters } from "./typed_text.ts";

/** A part of the text that fits one row. */
export interface Row {
  readonly start: number;
  /** The line break after a hard row is not part of it. */
  readonly end: number;
  readonly columns: number;
  /** Whether the next row begins because of a line break. */
  readonly isHard: boolean;
}

/** The rows of one text. There is always at least one, and wherever the cursor may be there is room for it. */
export class LineLayout {
  #text = "";
  #columns = 0;
  #rows: Row[] = [];

  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Lays out `text` for rows of `columns`. */
  update(text: string, columns: number): void {
    const isGrown = columns === this.#columns && text.startsWith(this.#text);
    // What follows may join the last cluster, so the last row is laid out again; where it is empty, the one before it, too.
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
    // As above: the cursor after a full row stands on an empty one.
    if (columns >= this.#columns) {
      this.#rows.push({ start: text.length, end: text.length, columns: 0, isHard: false });
    }
  }

  /** The row that the cursor stands on when it is at `index` of the text. */
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

  /** The text between two places of one row as it is shown, and its columns. */
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
