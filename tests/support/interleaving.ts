/**
 * Several clients of one store whose long commands pause wherever they can, and go on when the test says so.
 *
 * All of it runs in this process and turn by turn, so what happens depends on the seed alone, unless snapshots are taken too.
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

/** Turns of microtasks after which nothing is left to do that waits for nothing else. */
const MICROTASKS_COUNT = 80;

/** Lets everything run that waits for nothing but its turn. */
export async function drain(): Promise<void> {
  for (let i = 0; i < MICROTASKS_COUNT; i++) await undefined;
}

/** One request, or a transaction of several, from its beginning to its end. */
export interface Operation {
  readonly requests: readonly (readonly Argument[])[];
  readonly client: MemoryClient;
  /** The whole reply, once there is one. */
  frame: Uint8Array | undefined;
  /** Whether it has waited for an element of a list, so that whoever pushed one has served it. */
  hasWaited: boolean;
}

/** The clients of one store, and what waits. */
export class Interleaving {
  readonly shared: SharedState;
  readonly clock = { nowMs: START_MS };
  readonly clients: MemoryClient[] = [];
  /** What has begun and not ended. */
  readonly running = new Set<Operation>();
  /** What has ended since the caller has looked, in the order in which it did. */
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

  /** Makes a client that takes so many steps at a time. */
  makeClient(stepsASlice: number): MemoryClient {
    const client = new MemoryClient({ store: this.#store, shared: this.shared, clock: this.clock, log: this.#log });
    client.stepsASlice = stepsASlice;
    client.pausing = async () => {
      await new Promise<void>((resolve) => void this.#paused.push(resolve));
      // A slice may be over before its first step, but not one after another.
      client.stepsASlice = Math.max(1, client.stepsASlice);
    };
    this.clients.push(client);
    return client;
  }

  /** A client that has nothing to do, if there is one. */
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

  /** How many commands are paused, and clients are to be served. */
  get pausedCount(): number {
    return this.#paused.length;
  }

  /** Lets one of those go on. */
  step(random: Random): void {
    this.#paused.splice(random.below(this.#paused.length), 1)[0]?.();
  }

  /** Lets all go on, one after another, until what is left waits for something else. `look` is called after each. */
  async finish(random: Random, look: () => Promise<unknown>): Promise<void> {
    for (let left = 1_000_000; this.#paused.length > 0; left--) {
      if (left === 0) throw new Error("commands pause for ever");
      this.step(random);
      await drain();
      await look();
    }
  }

  /** Nothing is held or kept any more. */
  assertReleased(): void {
    for (const { bugs } of this.clients) for (const bug of bugs) throw bug;
    assertEquals(this.shared.holds.count, 0, "holds are left");
    assertEquals(this.#store.held, undefined);
    assertEquals(this.#store.keptPages, 0, "room is kept");
    assertEquals(this.#log?.openGroups ?? 0, 0, "groups are open");
  }
}
