/**
 * A table that fits the width of a terminal: where it is too narrow, the least important columns are left out.
 *
 * ```text
 * 80 columns    server           state    slots  keys  memory  ops/s       p99
 *               127.0.0.1:9445      up  33.29 %     2  64.1kb      1  44.38 ms
 *
 * 20 columns    server          state
 *               127.0.0.…:9445     up
 * ```
 *
 * One column may be elastic: its texts are cut in the middle before further columns are left out.
 *
 * @module
 */

import type { Colours, Style } from "../../terminal/colours.ts";
import { columnsOf, cutMiddle } from "./columns.ts";

/** A column of the table. The order of the columns is that in which they are shown. */
export interface Column {
  readonly heading: string;
  /** A column with a smaller number is left out before the others. */
  readonly importance: number;
  /** The side on which the texts are aligned: left for names, right for numbers. */
  readonly align: "left" | "right";
  /** Whether texts may be cut. */
  readonly elastic?: true;
  /** The least width, so that a table that is shown again and again keeps its columns while numbers grow. */
  readonly least?: number;
}

/** The text of one cell, in the colour of a style. The text is printable, and on one line. */
export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

const GAP = "  ";
/** An elastic column keeps this many columns, or this part of the width. */
const ELASTIC_MIN_COLUMNS = 12;
const ELASTIC_MIN_SHARE = 0.4;

/**
 * Returns the lines of a table, the heading first.
 *
 * @param rows the cells, as many in each row as there are columns
 * @param width the columns of the terminal; `Infinity` for all columns
 */
export function fittedTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number,
  colours: Colours,
): string[] {
  const natural = columns.map(({ heading, least = 0 }, index) => {
    return Math.max(least, columnsOf(heading), ...rows.map((row) => columnsOf(row[index]!.text)));
  });
  const widths = fit(columns, natural, width);
  const shown = [...columns.keys()].filter((index) => widths[index]! > 0);
  const lineOf = (cells: readonly Cell[]): string => {
    const padded = shown.map((index, place) => {
      const { text, style } = cells[index]!;
      const { align } = columns[index]!;
      const cut = cutMiddle(text, widths[index]!);
      // Nothing follows the last column, so that it needs no spaces after it.
      const isLast = place === shown.length - 1 && align === "left";
      const spaces = isLast ? "" : " ".repeat(widths[index]! - columnsOf(cut));
      const painted = style === undefined ? cut : colours.paint(style, cut);
      return align === "left" ? painted + spaces : spaces + painted;
    });
    return padded.join(GAP);
  };
  const heading = columns.map(({ heading }): Cell => ({ text: heading, style: "strong" }));
  return [heading, ...rows].map(lineOf);
}

/** Returns the width of each column, 0 for one that is left out. */
function fit(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const widths = new Array<number>(columns.length).fill(0);
  let left = width + GAP.length;
  const byImportance = [...columns.keys()].sort((a, b) => columns[b]!.importance - columns[a]!.importance);
  for (const [place, index] of byImportance.entries()) {
    const least = columns[index]!.elastic
      ? Math.min(natural[index]!, Math.max(ELASTIC_MIN_COLUMNS, Math.floor(width * ELASTIC_MIN_SHARE)))
      : natural[index]!;
    // The most important column is shown in any case, and cut if necessary.
    const taken = place === 0 ? Math.max(1, Math.min(least, width)) : least;
    if (taken + GAP.length > left && place > 0) break;
    widths[index] = taken;
    left -= taken + GAP.length;
  }
  const elastic = columns.findIndex(({ elastic }, index) => elastic && widths[index]! > 0);
  if (elastic >= 0 && left > 0) widths[elastic] = Math.min(natural[elastic]!, widths[elastic]! + left);
  return widths;
}
