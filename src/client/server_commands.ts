/**
 * The commands on the server as typed methods.
 *
 * @module
 */

import { toFraction, toInteger, toItems, toNothing, toWord, toWords } from "./convert.ts";
import { Sender } from "./sender.ts";

/** The commands on the server. */
export abstract class ServerCommands<Data> extends Sender<Data> {
  /** Returns facts about the server: lines of `name:value` under headings of `# Section`. */
  async info(...sections: readonly string[]): Promise<string> {
    return toWord(await this.send(["info", ...sections]));
  }

  /**
   * Writes a snapshot to disk, and resolves when it is complete.
   *
   * @param path a new file on the server's machine, relative to the data folder or absolute; it must not exist yet
   */
  async save(path?: string): Promise<void> {
    toNothing(await this.send(path === undefined ? ["save"] : ["save", path]));
  }

  /** Begins a snapshot, which runs beside other commands. `info` shows its progress. */
  async bgsave(): Promise<void> {
    await this.send(["bgsave"]);
  }

  /** Returns when the last snapshot was taken, in whole seconds as milliseconds since 1970; 0 for never. */
  async lastsave(): Promise<number> {
    return toInteger(await this.send(["lastsave"])) * 1000;
  }

  /** Returns the server's time in milliseconds since 1970, like `Date.now()` on this machine. */
  async time(): Promise<number> {
    const [seconds, microseconds] = toItems(await this.send(["time"])).map(toFraction);
    return seconds! * 1000 + microseconds! / 1000;
  }

  /** Returns the settings whose names match one of these glob patterns, with their values. */
  config(what: "get", ...patterns: readonly string[]): Promise<Map<string, string>>;
  /** Changes all of the settings, or none. `ReplyError` names the setting that is refused. */
  config(what: "set", settings: Readonly<Record<string, string | number>>): Promise<void>;
  /** Resets the counts of `info` to 0. */
  config(what: "resetstat"): Promise<void>;
  async config(what: string, ...rest: readonly (string | Readonly<Record<string, string | number>>)[]) {
    const words = rest.flatMap((item) => typeof item === "string" ? [item] : Object.entries(item).flat());
    if (what !== "resetstat" && words.length === 0) return what === "get" ? new Map<string, string>() : undefined;
    const value = await this.send(["config", what, ...words]);
    return what === "get" ? toWords(value, toWord) : toNothing(value);
  }
}
