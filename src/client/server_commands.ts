/**
 * The commands on the server as typed methods.
 *
 * @module
 */

import { toFraction, toInteger, toItems, toNothing, toWord, toWords } from "./convert.ts";
import { Sender } from "./sender.ts";

/** The commands on the server. */
export abstract class ServerCommands<Data> extends Sender<Data> {
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
}
