/**
 * The commands on the connection as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/native/frame.ts";
import { toFlag, toInteger, toNothing, toWord } from "./convert.ts";
import { Sender } from "./sender.ts";

/** Which connections {@linkcode Commands.client} lists. At most one of both. */
export interface ClientListOptions {
  /** Only those with these numbers. */
  ids?: readonly number[];
  /** Only those that listen to channels, or that do not. */
  type?: "normal" | "pubsub";
}

/** Which connections {@linkcode Commands.client} ends. */
export interface ClientKillOptions {
  /** The one with this number. */
  id?: number;
  /** The one that comes from this `host:port`. */
  address?: string;
  /** Those that came to this `host:port` of the server. */
  localAddress?: string;
  /** Those that listen to channels, or that do not. */
  type?: "normal" | "pubsub";
}

/** The options' names in the words of the protocol. */
const OPTION_WORDS = { ids: "ID", id: "ID", address: "ADDR", localAddress: "LADDR", type: "TYPE" } as const;

/** The commands on the connection. */
export abstract class ConnectionCommands<Data> extends Sender<Data> {
  /** Resolves when the server has answered. */
  async ping(): Promise<void> {
    await this.send(["ping"]);
  }

  /** What was sent. */
  async echo(text: Argument): Promise<Data> {
    return this.toData(await this.send(["echo", text]));
  }

  /** The number by which the server knows this connection; another one after reconnecting. */
  client(what: "id"): Promise<number>;
  /** The name that was given to this connection, or `null`. */
  client(what: "getname"): Promise<string | null>;
  /** Gives this connection a name, which others see in the list. It is gone after reconnecting. */
  client(what: "setname", name: string): Promise<void>;
  /** Facts about this connection, by their names. */
  client(what: "info"): Promise<Map<string, string>>;
  /** Facts about all connections, or about those of the options. */
  client(what: "list", options?: ClientListOptions): Promise<Map<string, string>[]>;
  /** Ends the connections that fit all of the options, this one excluded; answers how many. */
  client(what: "kill", options: ClientKillOptions): Promise<number>;
  /** Ends the wait of a connection, as if its time was up or with an error; answers whether it waited. */
  client(what: "unblock", id: number, reason?: "timeout" | "error"): Promise<boolean>;
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

/** `{ id: 7 }` as `ID 7`. */
function optionWords(options: ClientListOptions | ClientKillOptions): Argument[] {
  return Object.entries(options).flatMap(([name, value]) => {
    return value === undefined ? [] : [OPTION_WORDS[name as keyof typeof OPTION_WORDS], value].flat();
  });
}

/** A line of `name=value`, with spaces between. Values may contain `=`, but no spaces. */
function factsOf(line: string): Map<string, string> {
  return new Map(
    line.split(" ").map((fact) => {
      const end = fact.indexOf("=");
      return [fact.slice(0, end), fact.slice(end + 1)];
    }),
  );
}
