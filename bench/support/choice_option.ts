/**
 * Options of the scripts that choose some of what there is.
 *
 * @module
 */

import { UsageError } from "../../src/errors.ts";

/**
 * The words of an option, separated by commas, in the order of those it may have.
 *
 * @throws {UsageError} when it says another
 */
export function parseChoice<T extends string>(option: string, text: string, from: readonly T[]): readonly T[] {
  const words = new Set(text.split(","));
  const unknown = [...words].find((word) => !from.some((each) => each === word));
  if (unknown !== undefined) {
    throw new UsageError(`Cannot use "${unknown}" in ${option}: expected some of ${from.join(", ")}`);
  }
  return from.filter((word) => words.has(word));
}
