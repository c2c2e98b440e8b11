/**
 * Several clients of one store, whose long commands pause at every opportunity and continue when the test says so.
 *
 * Everything runs in this process, step by step, so the result depends on the seed alone, unless snapshots are taken
 * too.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Random } from "../../bench/support/random.ts";
import { SharedState } from "../../src/command/shared_state.ts";
import type { AppendLog } from "../../src/log/append_log.ts";
import type { Store } from "../../src/store/store.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { MemoryClient, START_MS } from "./memory_client.ts";

/** The number of microtasks after which no work is left that waits for nothing else. */
const MICROTASKS_COUNT = 80;

/** Runs all work that waits only for its microtask. */
export async function drain(): Promise<void> {
  for (let i = 0; i < MICROTASKS_COUNT; i++) await undefined;
}

/** One request, or a transaction of several, from its beginning to its end. */
export interface Operation {
  readonly requests: readonly (readonly Argument[])[];
  readonly client: MemoryClient;
  /** The whole reply, when there is one. */
  frame: Uint8Array | undefined;
  /** Whether it has waited for an element of a list, and was served by the client that pushed it. */
  hasWaited: boolean;
}

/** The clients of one store, and the commands that wait. */
export class Interleaving {
  readonly shared: SharedState;
  readonly clock = { nowMs: START_MS };
  readonly clients: MemoryClient[] = [];
  /** The operations that have begun and not ended. */
  readonly running = new Set<Operation>();
  /** The operations that have ended since the caller last looked, in order. */
  readonly ended: Operation[] = [];
  readonly #store: Store;
  readonly #log: AppendLog | undefined;
  readonly #paused: (() => void)[] = [];

  constructor(store: Store, log?: AppendLog) {
    this.#store = store;
    this.#log = log;
    this.shared = new SharedState(store);
    this.shared.waiters.look = () => {};
    this.shared.waiters.later = (serve) => {
      this.#paused.push(() => {
        store.nowMs = this.clock.nowMs;
        serve();
      });
    };
  }

  /** Creates a client that takes this many steps at a time. */
  makeClient(stepsASlice: number): MemoryClient {
    const client = new MemoryClient({ store: this.#store, shared: this.shared, clock: this.clock, log: this.#log });
    client.stepsASlice = stepsASlice;
    client.pausing = async () => {
      await new Promise<void>((resolve) => void this.#paused.push(resolve));
      // A slice may be over before its first step, but not several slices in a row.
      client.stepsASlice = Math.max(1, client.stepsASlice);
    };
    this.clients.push(client);
    return client;
  }

  /** Returns an idle client, if there is one. */
  idle(random: Random): MemoryClient | undefined {
    const busy = new Set([...this.running].map(({ client }) => client));
    const idle = this.clients.filter((client) => !busy.has(client));
    return idle.length === 0 ? undefined : random.pick(idle);
  }

  /** Begins a request, or a transaction. */
  begin(client: MemoryClient, requests: readonly (readonly Argument[])[]): Operation {
    const operation: Operation = { requests, client, frame: undefined, hasWaited: false };
    const { waitsCount } = client;
    this.running.add(operation);
    if (requests.length > 1) {
      client.call("multi");
      for (const request of requests) client.run(request);
    }
    client.waitForFrame(requests.length > 1 ? ["exec"] : requests[0]!).then((frame) => {
      operation.frame = frame;
      operation.hasWaited = client.waitsCount > waitsCount;
      this.running.delete(operation);
      this.ended.push(operation);
    });
    return operation;
  }

  /** The number of paused commands and of clients to be served. */
  get pausedCount(): number {
    return this.#paused.length;
  }

  /** Lets one of them continue. */
  step(random: Random): void {
    this.#paused.splice(random.below(this.#paused.length), 1)[0]?.();
  }

  /** Lets all continue, one after another, until the rest waits for something else. `look` is called after each. */
  async finish(random: Random, look: () => Promise<unknown>): Promise<void> {
    for (let left = 1_000_000; this.#paused.length > 0; left--) {
      if (left === 0) throw new Error("commands pause for ever");
      this.step(random);
      await drain();
      await look();
    }
  }

  /** Asserts that no hold and no memory is left. */
  assertReleased(): void {
    for (const { bugs } of this.clients) for (const bug of bugs) throw bug;
    assertEquals(this.shared.holds.count, 0, "holds are left");
    assertEquals(this.#store.held, undefined);
    assertEquals(this.#store.room.keptPages, 0, "room is kept");
    assertEquals(this.#log?.openGroups ?? 0, 0, "groups are open");
  }
}
