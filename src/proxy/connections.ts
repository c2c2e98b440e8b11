/**
 * The clients of one proxy, for commands that concern other clients, such as `client list` and `client kill`.
 *
 * @module
 */

import type { Channels } from "../connection/channels.ts";
import type { ClientState } from "../connection/client_state.ts";
import type { Configuration } from "../connection/configuration.ts";
import { Pause } from "../connection/pause.ts";
import { ReplyError } from "../errors.ts";
import type { Instruments } from "../metrics/instruments.ts";
import type { ClientLink, LinkedConnections } from "./client/client_link.ts";

/** The connections of one proxy. */
export class Connections implements LinkedConnections {
  readonly configuration: Configuration;
  readonly channels: Channels;
  readonly instruments: Instruments;
  /** The clients that are served, by id. */
  readonly clients = new Map<number, ClientState>();
  /** Holds back the requests of all clients for a time. */
  readonly pause: Pause = new Pause(this.clients);
  readonly #links = new Map<number, ClientLink>();
  #ids = 0;

  constructor(configuration: Configuration, channels: Channels, instruments: Instruments) {
    this.configuration = configuration;
    this.instruments = instruments;
    this.channels = channels;
  }

  nextId(): number {
    return ++this.#ids;
  }

  /** Adds a connection to the list. */
  add(link: ClientLink): void {
    this.clients.set(link.client.id, link.client);
    this.#links.set(link.client.id, link);
    this.pause.admit(link.client);
  }

  remove(client: ClientState): void {
    this.clients.delete(client.id);
    this.#links.delete(client.id);
  }

  /** Ends the connection of a client that may have missed messages, after the replies in flight. */
  end(client: ClientState): void {
    this.#links.get(client.id)?.stop(new ReplyError("ERR", "messages of a server may have been missed"));
  }

  reset(client: ClientState): void {
    this.#links.get(client.id)?.reset();
  }
}
