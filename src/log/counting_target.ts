/**
 * Counts records by their effect, and discards them.
 *
 * @module
 */

import type { RecordTarget } from "./record.ts";

/** A target of records that counts them. */
export class CountingTarget implements RecordTarget {
  readonly #counts = new Map<string, number>();

  /** The number of records of each effect; effects without a record are left out. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => a < b ? -1 : 1));
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  setString(): void {
    this.#count("strings set");
  }

  append(): void {
    this.#count("appends");
  }

  overwrite(): void {
    this.#count("ranges set");
  }

  beginPush(): void {
    this.#count("pushes");
  }

  push(): void {
    this.#count("elements pushed");
  }

  listRemove(): void {
    this.#count("elements removed");
  }

  listSet(): void {
    this.#count("elements set");
  }

  listInsert(): void {
    this.#count("elements inserted");
  }

  listRemoveEqual(): void {
    this.#count("equal elements removed");
  }

  beginFields(): void {
    this.#count("hashes set");
  }

  setField(): void {
    this.#count("fields set");
  }

  hashRemove(): void {
    this.#count("fields removed");
  }

  setDeadline(): void {
    this.#count("deadlines set");
  }

  remove(): void {
    this.#count("keys removed");
  }

  clear(): void {
    this.#count("flushes");
  }

  rename(): void {
    this.#count("renames");
  }

  copy(): void {
    this.#count("copies");
  }

  end(): void {}

  gap(): void {}
}
