/**
 * Formats a table as text, for people.
 *
 * @module
 */

/**
 * Aligns cells in columns: the first column to the left, the others, which are numbers, to the right.
 *
 * @param rows the heading first; all of the same length
 */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => {
    const cells = row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!));
    return cells.join("  ").trimEnd();
  }).join("\n");
}
