/**
 * What the benchmark knows about its keys on one server: how often each was written. From that it knows each reply.
 *
 * @module
 */

import type { Family } from "./workloads.ts";

/** The number of writes to each key, for each kind of data. */
export class KeyStates {
  readonly keysCount: number;
  readonly #counts = new Map<Family, Int32Array<ArrayBuffer>>();

  constructor(keysCount: number) {
    this.keysCount = keysCount;
  }

  /** Returns the counts of a kind of data. They are shared by all connections. */
  counts(family: Family): Int32Array<ArrayBuffer> {
    let counts = this.#counts.get(family);
    if (counts === undefined) {
      counts = new Int32Array(this.keysCount);
      this.#counts.set(family, counts);
    }
    return counts;
  }
}
