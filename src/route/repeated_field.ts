/**
 * Finds a field that an object of a JSON text has twice. `JSON.parse` silently uses the last one, although either may
 * have been meant.
 *
 * @module
 */

/** Matches a string, with the colon that makes it the name of a field; or a bracket; or the comma between two items. */
const TOKEN = /"((?:[^"\\]|\\.)*)"(\s*:)?|[[\]{},]/g;

/** The place where a field was found for the second time. */
export interface RepeatedField {
  readonly field: string;
  /** The item of the outermost array, from 1. */
  readonly item: number;
}

/**
 * Finds the first field that one object contains twice.
 *
 * @param text valid JSON, an array at the top
 */
export function findRepeatedField(text: string): RepeatedField | undefined {
  /** The names seen so far in each array or object that is open. */
  const open: Set<string>[] = [];
  let item = 1;
  for (const [token, name, colon] of text.matchAll(TOKEN)) {
    if (token === "[" || token === "{") open.push(new Set());
    else if (token === "]" || token === "}") open.pop();
    else if (token === ",") item += open.length === 1 ? 1 : 0;
    else if (colon !== undefined) {
      const field = JSON.parse(`"${name}"`) as string;
      const names = open.at(-1)!;
      if (names.has(field)) return { field, item };
      names.add(field);
    }
  }
  return undefined;
}
