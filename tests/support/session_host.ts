/**
 * A server without a listener, as far as sessions need one, for tests that create sessions themselves.
 *
 * @module
 */

import { PlainRole } from "../../bench/support/plain_context.ts";
import { ClientMemory } from "../../src/memory/client_memory.ts";
import type { Instruments } from "../../src/metrics/instruments.ts";
import { ReadAhead } from "../../src/net/read_ahead.ts";
import { DeliveryQueue } from "../../src/role/delivery_queue.ts";
import { Disconnections } from "../../src/role/disconnections.ts";
import { FailedLogins, type GuessingClient } from "../../src/role/failed_logins.ts";
import { Slices } from "../../src/role/slices.ts";
import { Session } from "../../src/server/session.ts";
import type { SessionHost } from "../../src/server/session.ts";
import { serveInTurns } from "../../src/server/waiting.ts";
import { makeStore } from "./memory_client.ts";
import { RawClient } from "./raw_client.ts";

/** A host of sessions. The password is `secret`, if there is one. */
export class TestHost extends PlainRole implements SessionHost {
  readonly clientMemory = new ClientMemory({ limitBytes: Infinity });
  readonly slices: Slices;
  readonly peerEnds = undefined;
  readAhead: ReadAhead = new ReadAhead();
  readonly deliveries: DeliveryQueue;
  readonly disconnections = new Disconnections({ info() {}, warn() {}, error() {} });
  readonly failedLogins = new FailedLogins({ info() {}, warn() {}, error() {} });
  readonly log = undefined;
  override readonly passwordRequired: boolean;
  /** The exceptions that were reported as bugs. */
  readonly bugs: unknown[] = [];
  commands = 0;
  /** Resolves when `save` is done. */
  saving: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(passwordRequired = false, slices: Slices = new Slices()) {
    super(makeStore());
    this.passwordRequired = passwordRequired;
    this.slices = slices;
    this.deliveries = new DeliveryQueue(slices);
    serveInTurns(this.shared.waiters, this);
    // Without this, no client would be served immediately.
    this.shared.waiters.look = () => {};
  }

  override authenticate(_client: unknown, _user: string, password: string): boolean {
    return password === "secret";
  }

  override failedLogin(client: GuessingClient): number {
    return this.failedLogins.note(client);
  }

  override save(): Promise<void> {
    return this.saving.promise;
  }

  override reportBug(error: unknown): void {
    this.bugs.push(error);
  }

  get instruments(): Instruments {
    return this.shared.instruments;
  }

  /** Creates a connection on loopback with its session, which runs until either side ends it. */
  async connect(
    listener: Deno.TcpListener,
  ): Promise<{ readonly client: RawClient; readonly session: Session; readonly running: Promise<void> }> {
    const connecting = RawClient.connect(listener.addr);
    const session = new Session(await listener.accept(), this);
    const running = session.run();
    return { client: await connecting, session, running };
  }
}
