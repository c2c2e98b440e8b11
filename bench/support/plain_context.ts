/**
 * A role and a connection without a network, for benches and tests that run commands in their own process. It contains
 * everything that both require; a test's own client or host extends it by the parts that it observes.
 *
 * @module
 */

import type { EffectLog } from "../../src/command/effect_log.ts";
import type { CommandContext, GoesOn, ServerRole, Transaction } from "../../src/command/context.ts";
import { SharedState } from "../../src/command/shared_state.ts";
import { ClientState, type ProtocolVersion } from "../../src/connection/client_state.ts";
import type { Problem } from "../../src/metrics/overview.ts";
import type { Store } from "../../src/store/store.ts";

/** What all connections of a server share. Everybody may do everything, and nothing is kept on disk. */
export class PlainRole implements ServerRole {
  readonly store: Store;
  readonly shared: SharedState;
  readonly defaultTtlMs: number = 0;
  readonly passwordRequired: boolean = false;
  readonly lastSaveMs: number = 0;

  constructor(store: Store, shared: SharedState = new SharedState(store)) {
    this.store = store;
    this.shared = shared;
  }

  authenticate(_client: unknown, _user: string, _password: string): boolean {
    return true;
  }

  failedLogin(_client: unknown): number {
    return 0;
  }

  noteAdmin(): void {}

  info(_sections: readonly string[]): string {
    return "";
  }

  problems(): readonly Problem[] {
    return [];
  }

  save(): Promise<void> {
    return Promise.resolve();
  }

  beginSave(): boolean {
    return true;
  }

  resetStatistics(): void {}

  reportBug(error: unknown): void {
    throw error;
  }
}

/** One connection, which speaks the native protocol. It never has to pause, and nothing on it waits. */
export class PlainContext extends PlainRole implements CommandContext {
  readonly client: ClientState<Transaction>;
  /** The connection is its own server. */
  readonly role: ServerRole = this;
  readonly log: EffectLog | undefined = undefined;
  untilClock = 0;

  constructor(
    store: Store,
    shared?: SharedState,
    client: ClientState<Transaction> = new ClientState(1, "", "", { kill: () => {}, deliver: () => {} }, true),
  ) {
    super(store, shared);
    this.client = client;
  }

  slice(step: () => boolean): boolean {
    while (!step());
    return true;
  }

  pause(_goesOn?: GoesOn): Promise<void> {
    return Promise.resolve();
  }

  resume(): void {}

  block(_begin: () => Promise<void> | undefined): Promise<void> {
    throw new Error("Cannot wait: nothing would end it");
  }

  hasInput(): boolean {
    return false;
  }

  speak(version: ProtocolVersion): void {
    this.client.version = version;
  }
}
