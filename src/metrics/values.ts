/**
 * The values of the rows of one table at one moment. A derived row is computed from the values of the rows before it.
 *
 * @module
 */

import type { Derived, Scalar, Value } from "./metric.ts";

/** The values of rows, by field. The rows are read in the order of the table. */
export class Values<Facts> {
  readonly #facts: Facts;
  readonly #numbers = new Map<string, number>();
  readonly #of = (field: string) => this.#numbers.get(field) ?? 0;

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  /** Returns the value of the next row. */
  read(row: Scalar<Facts> | Derived): Value {
    const value = "derive" in row ? row.derive(this.#of) : row.read(this.#facts);
    if (row.field !== undefined && typeof value === "number") this.#numbers.set(row.field, value);
    return value;
  }
}
