/**
 * How much of the memory limit is of use, whatever is stored.
 *
 * @module
 */

import { atLeast, atMost, formatCount, formatFigure, median, type Rows } from "./bound_row.ts";
import { type Hold, Stopwatch } from "./holds.ts";
import { ShiftingSizes, SIZE_PHASES, type SizeFigures } from "./shifting_sizes.ts";
import type { StoreSettings } from "./store_bounds.ts";

const LIMIT_BYTES = 256 * 1024 ** 2;
/** Below it the free pages that a store keeps for the next commands are what is measured. */
const LIMIT_MIN_BYTES = 16 * 1024 ** 2;
const SEED = 11;
/** Nobody is held up for longer. */
const HOLD_MAX_MS = 5;

/** The groups of rows. */
export const CAPACITY_CASES: Readonly<Record<string, (settings: StoreSettings, rows: Rows) => void>> = {
  capacity: measureCapacity,
};

/** Phases of different sizes, one behind another in the same store. The rounds differ in their seeds. */
function measureCapacity({ scale, rounds }: StoreSettings, rows: Rows): void {
  const limit = Math.max(LIMIT_MIN_BYTES, Math.ceil(LIMIT_BYTES * scale));
  const figures = SIZE_PHASES.map((): SizeFigures[] => []);
  const longest = SIZE_PHASES.map((): Hold[] => []);
  for (let round = 0; round < rounds; round++) {
    const sizes = new ShiftingSizes(limit, SEED + round);
    for (const [index, phase] of SIZE_PHASES.entries()) {
      const stopwatch = new Stopwatch();
      figures[index]!.push(sizes.run(phase, stopwatch));
      longest[index]!.push(stopwatch);
    }
  }
  for (const [index, { name }] of SIZE_PHASES.entries()) {
    const shares = (share: (figures: SizeFigures) => number) => figures[index]!.map((each) => share(each) * 100);
    const keys = formatCount(median(figures[index]!.map((each) => each.keys)));
    const least = formatFigure(median(shares((each) => each.leastUsedShare)), "%");
    const payload = formatFigure(median(shares((each) => each.payloadShare)), "%");
    const note = `never below ${least}; payload ${payload}; ${keys} keys`;
    rows.add(`${name}: used ÷ limit`, shares((each) => each.usedShare), "%", atLeast(90), note);
    rows.add(`${name}: most of the arena in use ÷ limit`, shares((each) => each.committedShare), "%", atMost(101));
    rows.addHold(`${name}: longest write`, longest[index]!, atMost(HOLD_MAX_MS));
  }
}
