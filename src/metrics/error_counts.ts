/**
 * The number of error replies, by code.
 *
 * @module
 */

import { ERROR_CODES_MAX_COUNT } from "../limits.ts";

/** The code under which the errors count whose code is beyond {@linkcode ERROR_CODES_MAX_COUNT}. */
const OTHER = "OTHER";

/** The number of error replies of one role. */
export class ErrorCounts {
  readonly #counts = new Map<string, number>();
  #total = 0;

  /** The number of error replies. */
  get total(): number {
    return this.#total;
  }

  /** The number of error replies with each code, such as `ERR` or `WRONGTYPE`, in the order of their first ones. */
  get byCode(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Counts an error reply. A proxy passes on codes of its servers, so their number is bounded. */
  note(code: string): void {
    this.#total++;
    const known = this.#counts.has(code) || this.#counts.size < ERROR_CODES_MAX_COUNT ? code : OTHER;
    this.#counts.set(known, (this.#counts.get(known) ?? 0) + 1);
  }

  /** Sets all counts to zero. */
  reset(): void {
    this.#counts.clear();
    this.#total = 0;
  }
}
