/**
 * The clients of one proxy, as far as the commands of one concern others: `client list`, `client kill`.
 *
 * @module
 */

import type { Channels } from "../connection/channels.ts";
import type { ClientState } from "../connection/client_state.ts";
import type { Configuration } from "../connection/configuration.ts";
import type { SharedConnections } from "../connection/context.ts";

/** A client whose connection can be made what it was at first, or ended. */
export interface Resettable {
  /** Ends what it has begun: its transaction, its watches, all that it listens to. */
  resetState(): void;
  /** Ends the connection in order, once what it was sent is written. */
  end(): void;
}

/** All of them. One a proxy. */
export class Connections implements SharedConnections {
  readonly configuration: Configuration;
  readonly channels: Channels;
  /** The connections being served, by id. */
  readonly clients = new Map<number, ClientState>();
  readonly #owners = new Map<number, Resettable>();
  #ids = 0;

  constructor(configuration: Configuration, channels: Channels) {
    this.configuration = configuration;
    this.channels = channels;
  }

  /** A number that no other connection had. */
  nextId(): number {
    return ++this.#ids;
  }

  /** Takes a connection into the list. */
  add(client: ClientState, owner: Resettable): void {
    this.clients.set(client.id, client);
    this.#owners.set(client.id, owner);
  }

  /** Takes it out again. */
  remove(client: ClientState): void {
    this.clients.delete(client.id);
    this.#owners.delete(client.id);
  }

  /** Ends the connection of a client in order, once what it was sent is written. */
  end(client: ClientState): void {
    this.#owners.get(client.id)?.end();
  }

  reset(client: ClientState): void {
    this.#owners.get(client.id)?.resetState();
  }
}
