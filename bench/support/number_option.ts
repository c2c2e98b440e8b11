/**
 * Options of the scripts that are numbers.
 *
 * @module
 */

import { UsageError } from "../../src/errors.ts";

/** What a number has to be. */
export interface NumberLimits {
  readonly min: number;
  readonly max: number;
  /** Whether it has to be an integer. */
  readonly integer?: boolean;
}

/**
 * Reads the number that an option says.
 *
 * @throws {UsageError} when it is none, or not within the limits
 */
export function parseNumber(option: string, text: string, { min, max, integer = false }: NumberLimits): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (value >= min && value <= max && (!integer || Number.isInteger(value))) return value;
  const kind = integer ? "an integer" : "a number";
  throw new UsageError(`Cannot use "${text}" as ${option}: expected ${kind} from ${min} to ${max}`);
}

/** For `parseArgs`: refuses an option or argument that no script has. */
export function refuseUnknown(argument: string): never {
  throw new UsageError(`Cannot understand "${argument}": --help lists the options`);
}
