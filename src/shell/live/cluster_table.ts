/**
 * The servers behind a proxy as a table for people, fitted to the width of the terminal.
 *
 * @module
 */

import { SLOTS_COUNT } from "../../limits.ts";
import { formatSize } from "../../role/quantities.ts";
import type { Colours, Style } from "../../terminal/colours.ts";
import { printableLine } from "../../terminal/printable_text.ts";
import type { ServerRow } from "./cluster_facts.ts";
import { cutEnd } from "./columns.ts";
import { type Cell, type Column, fittedTable } from "./fitted_table.ts";

/** A column, and how it shows a server and all servers together. */
interface ServerColumn extends Column {
  readonly cell: (row: ServerRow) => Cell;
  readonly total: (rows: readonly ServerRow[]) => Cell;
}

const STATE_STYLES: Readonly<Record<string, Style>> = { up: "good", down: "error" };

/** The columns in the order in which they are shown. */
const COLUMNS: readonly ServerColumn[] = [
  {
    heading: "server",
    importance: 11,
    align: "left",
    elastic: true,
    cell: ({ address }) => ({ text: printableLine(address) }),
    total: () => ({ text: "total" }),
  },
  {
    heading: "state",
    importance: 10,
    align: "right",
    cell: ({ state }) => ({ text: printableLine(state), style: STATE_STYLES[state] ?? "warning" }),
    total: (rows) => {
      const upCount = rows.filter(({ state }) => state === "up").length;
      return { text: `${upCount}/${rows.length} up`, style: upCount === rows.length ? "good" : "error" };
    },
  },
  numbers("weight", 0, ({ weight }) => weight, String),
  numbers("slots", 6, ({ slots }) => slots, (slots) => `${(slots * 100 / SLOTS_COUNT).toFixed(2)} %`),
  {
    ...numbers("lent", 4, ({ slotsLent }) => slotsLent, String),
    cell: ({ slotsLent }) => ({ text: show(slotsLent, String), style: slotsLent ? "warning" : undefined }),
  },
  numbers("keys", 9, ({ keys }) => keys, String),
  numbers("memory", 8, ({ usedMemory }) => usedMemory, formatSize),
  numbers("ops/s", 7, ({ opsPerSecond }) => opsPerSecond, String),
  durations("p50", 2, ({ p50Ms }) => p50Ms),
  durations("p99", 5, ({ p99Ms }) => p99Ms),
  {
    ...numbers("errors", 3, ({ errors }) => errors, String),
    cell: ({ errors }) => ({ text: `${errors}`, style: errors > 0 ? "error" : undefined }),
  },
  numbers("connections", 1, ({ connections }) => connections, String),
];

/**
 * Returns the lines of the table, with a row for all servers if there are several, and with the reasons why servers are
 * down.
 *
 * @param width the columns of the terminal; `Infinity` for all columns and whole reasons
 */
export function clusterLines(rows: readonly ServerRow[], width: number, colours: Colours): string[] {
  const cells = rows.map((row) => COLUMNS.map(({ cell }) => cell(row)));
  if (rows.length > 1) cells.push(COLUMNS.map(({ total }) => total(rows)));
  const lines = fittedTable(COLUMNS, cells, width, colours);
  const reasons = rows.filter(({ reason }) => reason !== null).map(({ address, reason }) => {
    return colours.paint("error", cutEnd(printableLine(`${address} is down: ${reason}`), width));
  });
  return reasons.length === 0 ? lines : [...lines, "", ...reasons];
}

/** Returns a column whose total is the sum. */
function numbers(
  heading: string,
  importance: number,
  read: (row: ServerRow) => number | null,
  format: (number: number) => string,
): ServerColumn {
  return {
    heading,
    importance,
    align: "right",
    cell: (row) => ({ text: show(read(row), format) }),
    total: (rows) => {
      const known = rows.map(read).filter((number) => number !== null);
      return { text: known.length === 0 ? "-" : format(known.reduce((sum, number) => sum + number, 0)) };
    },
  };
}

/** Returns a column of latencies. They have no total: the quantile of all requests does not follow from the others. */
function durations(heading: string, importance: number, read: (row: ServerRow) => number | null): ServerColumn {
  return {
    heading,
    importance,
    align: "right",
    least: "99.99 ms".length,
    cell: (row) => ({ text: show(read(row), (durationMs) => `${durationMs.toFixed(2)} ms`) }),
    total: () => ({ text: "" }),
  };
}

function show(number: number | null, format: (number: number) => string): string {
  return number === null ? "-" : format(number);
}
