/**
 * The modules of more than {@linkcode LINES_MAX_COUNT} lines, each with the reason why it is one module.
 *
 * @module
 */

/** Longest module that needs no reason, in lines. */
export const LINES_MAX_COUNT = 500;

/** A sentence for each module that is longer, by its path. */
export const LONG_FILES: Readonly<Record<string, string>> = {};

/**
 * Returns a sentence for each module that is too long and not listed, and for each that is listed without need or
 * reason.
 *
 * @param lengths how many lines each module has, by its path
 */
export function longFileFaults(
  lengths: ReadonlyMap<string, number>,
  reasons: Readonly<Record<string, string>> = LONG_FILES,
): string[] {
  const faults: string[] = [];
  for (const [path, count] of lengths) {
    if (count > LINES_MAX_COUNT && reasons[path] === undefined) {
      faults.push(`${path} has ${count} lines, more than ${LINES_MAX_COUNT}: split it, or list it with a reason`);
    }
  }
  for (const [path, reason] of Object.entries(reasons)) {
    const count = lengths.get(path) ?? 0;
    if (count <= LINES_MAX_COUNT) faults.push(`${path} has ${count} lines: remove it from the list`);
    if (!/^[A-Z`].*[a-z].*\.$/.test(reason) || !reason.includes(" ")) faults.push(`${path}: the reason is no sentence`);
  }
  return faults;
}
