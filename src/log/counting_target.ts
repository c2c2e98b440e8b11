/**
 * Counts records by their effect, and discards them.
 *
 * @module
 */

import type { Effect } from "../effects.ts";
import type { RecordTarget } from "./record.ts";

/** A target of records that counts them. */
export class CountingTarget implements RecordTarget {
  readonly #counts = new Map<string, number>();

  /**
   * The number of records, and of parts such as elements, of each effect. What does not occur is left out.
   */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => a < b ? -1 : 1));
  }

  apply({ row, part }: Effect): void {
    if (part === 0) this.#count(row.label);
    if (row.partLabel !== undefined) this.#count(row.partLabel);
  }

  end(): void {}

  gap(): void {}

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }
}
