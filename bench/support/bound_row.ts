/**
 * Measured figures, next to the promised bounds.
 *
 * @module
 */

import { formatTable } from "../../src/role/text_table.ts";
import type { Hold } from "./holds.ts";

/** The unit of a figure. */
export type Unit = "ms" | "µs" | "ns" | "%" | "×" | "MB";

/** One figure. */
export interface BoundRow {
  readonly group: string;
  readonly what: string;
  readonly measured: number;
  readonly unit: Unit;
  /** The bound, such as `≤ 5`; absent if the figure is for information. */
  readonly bound?: Bound | undefined;
  readonly met?: boolean | undefined;
  /** Additional information. */
  readonly note: string;
}

/** A bound of a figure. */
export interface Bound {
  readonly relation: "≤" | "≥";
  readonly value: number;
}

/** Returns a bound for a figure that must not be above `value`. */
export function atMost(value: number): Bound {
  return { relation: "≤", value };
}

/** Returns a bound for a figure that must not be below `value`. */
export function atLeast(value: number): Bound {
  return { relation: "≥", value };
}

/** The rows of one group. */
export class Rows {
  readonly rows: BoundRow[] = [];
  readonly #group: string;

  constructor(group: string) {
    this.#group = group;
  }

  /** Adds a row with a figure, or with the median of several rounds' figures. */
  add(what: string, measured: number | readonly number[], unit: Unit, bound?: Bound, note = ""): void {
    const figure = typeof measured === "number" ? measured : median(measured);
    this.rows.push({ group: this.#group, what, measured: figure, unit, bound, met: isMet(figure, bound), note });
  }

  /** Adds a row for the longest hold of each round: the median of them, with the time by the clock beside it. */
  addHold(what: string, holds: readonly Hold[], bound?: Bound, note = ""): void {
    const figure = (of: (hold: Hold) => number) => formatFigure(median(holds.map(of)), "ms");
    const beside = `running ${figure((hold) => hold.ranMs)}, by the clock ${figure((hold) => hold.clockMs)}`;
    this.add(what, holds.map((hold) => hold.heldMs), "ms", bound, note === "" ? beside : `${beside}, ${note}`);
  }
}

function isMet(measured: number, bound: Bound | undefined): boolean | undefined {
  if (bound === undefined) return undefined;
  return bound.relation === "≤" ? measured <= bound.value : measured >= bound.value;
}

/** Returns the median of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

/** Formats a figure for people: three digits, or the integer. */
export function formatFigure(figure: number, unit: Unit): string {
  const digits = figure === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(figure))));
  return `${figure.toFixed(Math.min(3, digits))} ${unit}`;
}

/** Formats a count for people. */
export function formatCount(count: number): string {
  return count.toLocaleString("en");
}

/** Formats the rows as text. */
export function formatRows(rows: readonly BoundRow[]): string {
  // Notes are padded to the length of the longest, so that they align: a table aligns figures to the right.
  const noteLength = Math.max(...rows.map(({ note }) => note.length));
  return formatTable([
    ["what", "measured", "bound", "met", "".padEnd(noteLength)],
    ...rows.map(({ group, what, measured, unit, bound, met, note }) => [
      `${group}: ${what}`,
      formatFigure(measured, unit),
      bound === undefined ? "" : `${bound.relation} ${bound.value} ${unit}`,
      met === undefined ? "" : met ? "yes" : "NO",
      note.padEnd(noteLength),
    ]),
  ]);
}
