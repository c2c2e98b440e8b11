/**
 * The commands as typed methods, over anything that sends a request.
 *
 * Data comes back as `Data`: bytes in {@linkcode Client}, text in its view `client.text`. There is one method for each
 * command of the table in `catalog/specification.ts`, with the command's own name, but for those that make no sense on
 * a connection that is shared; a test holds that. Each group has a class of its own, which extends that of the group
 * before, so that `this` has all of them:
 *
 * ```text
 * Sender → StringCommands → ListCommands → HashCommands → KeyCommands → Commands (server, connection, channels)
 *                                                                       ├── Client         Data is bytes
 *                                                                       └── client.text    Data is text
 * ```
 *
 * @module
 */

import type { Argument } from "../wire/native/frame.ts";
import { toFlag, toFraction, toInteger, toItems, toNothing, toPairs, toWord, toWords } from "./convert.ts";
import { KeyCommands } from "./key_commands.ts";
import type { Key } from "./sender.ts";

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

/**
 * Every command of inmem as a method. `Data` is what the bytes of replies come back as.
 *
 * All reject with `ReplyError` when the server refuses the command, with `ConnectionError` when there is no connection
 * or it is lost, and with `RangeError` when an integer of the reply exceeds 2^53.
 *
 * What has no method belongs to a connection that nobody shares: transactions (`multi`, `exec`, `watch`), `subscribe`
 * and its like, `reset`, `quit`. Any Redis client has them, on the same port.
 */
export abstract class Commands<Data> extends KeyCommands<Data> {
  /** Resolves when the server has answered. */
  async ping(): Promise<void> {
    await this.send(["ping"]);
  }

  /** What was sent. */
  async echo(text: Argument): Promise<Data> {
    return this.toData(await this.send(["echo", text]));
  }

  /** Facts about the server: lines of `name:value` under headings of `# Section`. */
  async info(...sections: readonly string[]): Promise<string> {
    return toWord(await this.send(["info", ...sections]));
  }

  /**
   * Writes a snapshot to disk; resolves when it is there.
   *
   * @param path a file of its own on the server's machine, below the data folder unless it is absolute, which must not be
   *   there yet
   */
  async save(path?: string): Promise<void> {
    toNothing(await this.send(path === undefined ? ["save"] : ["save", path]));
  }

  /** Begins a snapshot, which goes on beside commands; `info` tells how far it has come. */
  async bgsave(): Promise<void> {
    await this.send(["bgsave"]);
  }

  /** When the last snapshot was taken, in whole seconds as milliseconds since 1970; 0 for never. */
  async lastsave(): Promise<number> {
    return toInteger(await this.send(["lastsave"])) * 1000;
  }

  /** The server's time in milliseconds since 1970, as `Date.now()` tells that of this machine. */
  async time(): Promise<number> {
    const [seconds, microseconds] = toItems(await this.send(["time"])).map(toFraction);
    return seconds! * 1000 + microseconds! / 1000;
  }

  /** The settings whose names match one of these glob patterns, with their values. */
  config(what: "get", ...patterns: readonly string[]): Promise<Map<string, string>>;
  /** Changes settings, all or none: `ReplyError` says which of them cannot be so. */
  config(what: "set", settings: Readonly<Record<string, string | number>>): Promise<void>;
  /** Lets what `info` counts begin at 0 again. */
  config(what: "resetstat"): Promise<void>;
  async config(what: string, ...rest: readonly (string | Readonly<Record<string, string | number>>)[]) {
    const words = rest.flatMap((item) => typeof item === "string" ? [item] : Object.entries(item).flat());
    if (what !== "resetstat" && words.length === 0) return what === "get" ? new Map<string, string>() : undefined;
    const value = await this.send(["config", what, ...words]);
    return what === "get" ? toWords(value, toWord) : toNothing(value);
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

  /** Sends a message to all who listen to a channel; answers how many they are. */
  async publish(channel: Key, message: Argument): Promise<number> {
    return toInteger(await this.send(["publish", channel, message]));
  }

  /** The channels that somebody listens to, those that match a glob pattern, or all. */
  pubsub(what: "channels", pattern?: Key): Promise<Data[]>;
  /** How many listen to each of these channels, in the order asked. */
  pubsub(what: "numsub", ...channels: readonly Key[]): Promise<number[]>;
  /** How many patterns are listened to. */
  pubsub(what: "numpat"): Promise<number>;
  async pubsub(what: string, ...rest: readonly (Key | undefined)[]): Promise<Data[] | number[] | number> {
    const value = await this.send(["pubsub", what, ...rest.filter((item) => item !== undefined)]);
    if (what === "numpat") return toInteger(value);
    return what === "channels" ? this.toDatas(value) : toPairs(value).map(([, count]) => toInteger(count));
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
