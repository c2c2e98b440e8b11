/**
 * The state that the connections of one server share, for commands that concern other connections.
 *
 * @module
 */

import { secretsOf } from "../catalog/secrets.ts";
import { COMMANDS } from "../catalog/specification.ts";
import { Channels } from "../connection/channels.ts";
import type { ClientState } from "../connection/client_state.ts";
import type { Configuration } from "../connection/configuration.ts";
import { Instruments } from "../metrics/instruments.ts";
import { Pause } from "../connection/pause.ts";
import type { Store } from "../store/store.ts";
import { Holds } from "./holds.ts";
import { ObservedKeys } from "./observed_keys.ts";
import { Waiters } from "./waiters.ts";
import { Watches } from "./watches.ts";

/** The shared state of one server. */
export class SharedState {
  /** The keys that long commands hold. */
  readonly holds: Holds;
  readonly waiters: Waiters;
  readonly watches: Watches = new Watches();
  readonly channels: Channels = new Channels();
  /** The open connections, by id. */
  readonly clients: Map<number, ClientState> = new Map();
  readonly configuration: Configuration;
  readonly instruments: Instruments;
  /** The countdowns of {@linkcode instruments}, which each command reads. */
  readonly untilTimed: Int32Array;
  /** The hot and the big keys. */
  readonly keys: ObservedKeys;
  /** Holds back the commands of all clients for a time. */
  readonly pause: Pause;
  /** Whether local clients may run `debug`. */
  enablesDebug = false;
  /** The reason why no command may write at present: the log cannot be written. */
  refusal: string | undefined;
  #ids = 0;

  constructor(
    store: Store,
    configuration: Configuration = {},
    instruments: Instruments = new Instruments(COMMANDS.length, performance.now(), secretsOf),
    keys: ObservedKeys = new ObservedKeys(store, store.nowMs),
  ) {
    this.keys = keys;
    this.holds = new Holds(store);
    this.waiters = new Waiters(this.holds);
    this.configuration = configuration;
    this.instruments = instruments;
    this.untilTimed = instruments.commands.untilTimed;
    this.pause = new Pause(this.clients);
  }

  /** Returns an id that no other connection has had. */
  nextId(): number {
    return ++this.#ids;
  }

  /** Adds a connection to the list. */
  add(client: ClientState): void {
    this.clients.set(client.id, client);
    this.pause.admit(client);
  }

  /** Ends a connection's transaction and its watches. */
  endTransaction(client: ClientState): void {
    client.transaction?.free();
    client.transaction = undefined;
    this.watches.forget(client);
  }

  /** Ends a connection's transaction, its watches, and its subscriptions. */
  reset(client: ClientState): void {
    this.endTransaction(client);
    this.instruments.endMonitor(client);
    this.channels.forget(client);
  }

  /** Removes a connection that has ended from all lists. */
  forget(client: ClientState): void {
    this.clients.delete(client.id);
    this.reset(client);
    client.account.close();
  }
}
