/**
 * The commands on the connection as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/request_writer.ts";
import { toFlag, toInteger, toNothing, toWord } from "./convert.ts";
import { Sender } from "./sender.ts";

/** The properties by which {@linkcode Commands.client} chooses connections. They must have all of them. */
export interface ClientFilter {
  /** The number of the connection. */
  id?: number;
  /** The numbers of the connections. */
  ids?: readonly number[];
  /** The `host:port` from which the connection comes. */
  address?: string;
  /** The `host:port` of the server on which the connections arrived. */
  localAddress?: string;
  /** The host from which the connections come. */
  ip?: string;
  /** The name that the connections were given. */
  name?: string;
  /** The name of the client's library. */
  libraryName?: string;
  /** Whether the connections have subscriptions (`pubsub`) or not (`normal`). */
  type?: "normal" | "pubsub";
  /** The letters of the state that the connections must have, as the list shows them. */
  flags?: string;
  /** The least age of the connections, in seconds. */
  minAgeS?: number;
  /** The least time since the last request, in seconds. */
  minIdleS?: number;
}

/** The connections that {@linkcode Commands.client} lists. */
export type ClientListOptions = ClientFilter;

/** The connections that {@linkcode Commands.client} ends. */
export type ClientKillOptions = ClientFilter;

/** The options' names in the protocol. */
const OPTION_WORDS: Readonly<Record<keyof ClientFilter, string>> = {
  id: "ID",
  ids: "ID",
  address: "ADDR",
  localAddress: "LADDR",
  ip: "IP",
  name: "NAME",
  libraryName: "LIB-NAME",
  type: "TYPE",
  flags: "FLAGS",
  minAgeS: "MAXAGE",
  minIdleS: "IDLE",
};

/** The commands on the connection. */
export abstract class ConnectionCommands<Data> extends Sender<Data> {
  /** Resolves when the server has replied. */
  async ping(): Promise<void> {
    await this.send(["ping"]);
  }

  /** Returns the text that was sent. */
  async echo(text: Argument): Promise<Data> {
    return this.toData(await this.send(["echo", text]));
  }

  /** Returns the server's number of this connection. It changes with each reconnect. */
  client(what: "id"): Promise<number>;
  /** Returns the name of this connection, or `null`. */
  client(what: "getname"): Promise<string | null>;
  /** Gives this connection a name, which is shown in the list. Reconnecting drops it. */
  client(what: "setname", name: string): Promise<void>;
  /** Returns the facts about this connection, by name. */
  client(what: "info"): Promise<Map<string, string>>;
  /** Returns the facts about all connections, or about those that match the options. */
  client(what: "list", options?: ClientListOptions): Promise<Map<string, string>[]>;
  /** Ends the connections that match all options, except for this one. Returns how many there were. */
  client(what: "kill", options: ClientKillOptions): Promise<number>;
  /** Ends the wait of a connection, with a timeout or an error. Returns whether it was waiting. */
  client(what: "unblock", id: number, reason?: "timeout" | "error"): Promise<boolean>;
  /**
   * Holds back the requests of all clients for some ms, or only those that write. Another call may lengthen that, but
   * not shorten it.
   */
  client(what: "pause", durationMs: number, kind?: "write" | "all"): Promise<void>;
  /** Ends the pause. */
  client(what: "unpause"): Promise<void>;
  async client(
    what: string,
    first?: string | number | ClientListOptions | ClientKillOptions,
    reason?: string,
  ) {
    const options = typeof first === "object" ? optionWords(first) : [first, reason];
    const words = options.filter((word) => word !== undefined);
    const value = await this.send(["client", what, ...words]);
    switch (what) {
      case "id":
      case "kill":
        return toInteger(value);
      case "unblock":
        return toFlag(value);
      case "setname":
      case "pause":
      case "unpause":
        return toNothing(value);
      case "getname":
        return value === null ? null : toWord(value);
      case "info":
        return factsOf(toWord(value).trimEnd());
      default:
        return toWord(value).split("\n").filter((line) => line !== "").map(factsOf);
    }
  }
}

/** Returns `{ id: 7 }` as `ID 7`. */
function optionWords(options: ClientListOptions | ClientKillOptions): Argument[] {
  return Object.entries(options).flatMap(([name, value]) => {
    return value === undefined ? [] : [OPTION_WORDS[name as keyof ClientFilter], value].flat();
  });
}

/** Parses a line of `name=value`, separated by spaces. Values may contain `=`, but no spaces. */
function factsOf(line: string): Map<string, string> {
  return new Map(
    line.split(" ").map((fact) => {
      const end = fact.indexOf("=");
      return [fact.slice(0, end), fact.slice(end + 1)];
    }),
  );
}
