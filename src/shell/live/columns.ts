/**
 * Fits printable text to columns of a terminal.
 *
 * @module
 */

import { characterWidth } from "../../terminal/character_width.ts";

/** Matches text whose every character takes one column. */
const NARROW = /^[ -~]*$/;

/** The mark in the place of what was cut out. */
const CUT = "…";

/** Returns the number of columns that a terminal needs for printable text on one line. */
export function columnsOf(text: string): number {
  if (NARROW.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += characterWidth(character);
  return columns;
}

/** Returns the text, or its beginning with `…` after it if it needs more columns. */
export function cutEnd(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  if (columns < 1) return "";
  return takeColumns(text, columns - 1) + CUT;
}

/** Returns the text, or its beginning and its end with `…` in between if it needs more columns. */
export function cutMiddle(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  if (columns < 3) return cutEnd(text, columns);
  const tail = Math.floor((columns - 1) / 2);
  const reversed = [...text].reverse().join("");
  const end = [...takeColumns(reversed, tail)].reverse().join("");
  return takeColumns(text, columns - 1 - tail) + CUT + end;
}

/** Returns the beginning of the text that fits into the columns. */
function takeColumns(text: string, columns: number): string {
  let taken = "";
  let left = columns;
  for (const character of text) {
    left -= characterWidth(character);
    if (left < 0) break;
    taken += character;
  }
  return taken;
}
