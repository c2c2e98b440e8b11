/**
 * The commands whose reply is the rows with the largest numbers, such as `hotkeys [count]`: which rows a request asks
 * for. A server takes them from its tables, and a proxy takes them from the rows of its servers.
 *
 * ```text
 * bigkeys 20 ELEMENTS     →  count 20, column 2: key · bytes · elements · type
 * ```
 *
 * @module
 */

import type { CommandSpecification } from "../catalog/specification.ts";
import { ReplyError } from "../errors.ts";
import { TOP_ROWS_DEFAULT_COUNT } from "../limits.ts";
import type { Request } from "../wire/request.ts";
import { roundedInteger, syntaxError } from "./integer_argument.ts";

/** The rows that a request asks for. */
export interface TopRows {
  /** The most rows of the reply. */
  readonly count: number;
  /** The index of the column by which rows are ordered, the largest number first. */
  readonly column: number;
}

/**
 * Returns which rows a request asks for. The word after the count is the name of a column; without it, column 1 counts.
 *
 * @throws {ReplyError} when the request does not have this form
 */
export function topRowsOf({ columns, options }: CommandSpecification, request: Request): TopRows {
  if (request.count > 3) throw syntaxError();
  const count = request.count > 1 ? roundedInteger(request, 1) : TOP_ROWS_DEFAULT_COUNT;
  if (count < 0) throw new ReplyError("ERR", "value is out of range, must be positive");
  if (request.count < 3) return { count, column: 1 };
  const word = options.find((option) => request.is(2, option.toLowerCase()));
  if (word === undefined) throw syntaxError();
  return { count, column: columns.indexOf(word.toLowerCase()) };
}
