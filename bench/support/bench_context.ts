/**
 * A connection's view of a store, for running commands without a server.
 *
 * @module
 */

import type { CommandContext } from "../../src/command/table.ts";
import type { Store } from "../../src/store/store.ts";

/** May do everything, and never has to pause. */
export class BenchContext implements CommandContext {
  readonly store: Store;
  authenticated = true;
  readonly passwordRequired = false;
  readonly defaultTtlMs = 0;

  constructor(store: Store) {
    this.store = store;
  }

  authenticate(): boolean {
    return true;
  }

  info(): string {
    return "";
  }

  save(): Promise<void> {
    return Promise.resolve();
  }

  slice(step: () => boolean): boolean {
    while (!step());
    return true;
  }

  pause(): Promise<void> {
    return Promise.resolve();
  }

  reportBug(error: unknown): void {
    throw error;
  }
}
