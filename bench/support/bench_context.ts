/**
 * A connection's view of a store, for running commands without a server.
 *
 * @module
 */

import type { ServerRole, Transaction } from "../../src/command/context.ts";
import type { CommandContext } from "../../src/command/dispatch.ts";
import { SharedState } from "../../src/command/shared_state.ts";
import { ClientState } from "../../src/connection/client_state.ts";
import type { Store } from "../../src/store/store.ts";

/** May do everything, and never has to pause. */
export class BenchContext implements CommandContext, ServerRole {
  readonly store: Store;
  readonly shared: SharedState;
  readonly client: ClientState<Transaction> = new ClientState(1, "", "", { kill: () => {}, deliver: () => {} }, true);
  readonly passwordRequired = false;
  readonly defaultTtlMs = 0;

  constructor(store: Store) {
    this.store = store;
    this.shared = new SharedState(store);
  }

  readonly role: ServerRole = this;

  authenticate(): boolean {
    return true;
  }

  failedLogin(): number {
    return 0;
  }

  noteAdmin(): void {}

  info(): string {
    return "";
  }

  save(): Promise<void> {
    return Promise.resolve();
  }

  beginSave(): boolean {
    return true;
  }

  readonly lastSaveMs: number = 0;

  slice(step: () => boolean): boolean {
    while (!step());
    return true;
  }

  pause(): Promise<void> {
    return Promise.resolve();
  }

  resume(): void {}

  readonly log = undefined;
  untilClock = 0;

  hasInput(): boolean {
    return false;
  }

  block(): Promise<void> {
    throw new Error("nothing waits in a bench");
  }

  speak(): void {}

  resetStatistics(): void {}

  reportBug(error: unknown): void {
    throw error;
  }
}
