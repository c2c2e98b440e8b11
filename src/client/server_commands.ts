/**
 * The commands on the server as typed methods.
 *
 * @module
 */

import { toFraction, toInteger, toItems, toNothing, toWord, toWords } from "./convert.ts";
import { Sender } from "./sender.ts";

/** A key that is used often. */
export interface HotKeyFacts<Data> {
  /** The name of the key. */
  readonly key: Data;
  /** The requests a second that use the key at present, estimated from a sample. */
  readonly requestsPerSecond: number;
}

/** A key with a large value. */
export interface BigKeyFacts<Data> {
  /** The name of the key. */
  readonly key: Data;
  /** The bytes that the key and its value take. For a large value this is an estimate. */
  readonly bytes: number;
  /** The elements of a list, fields of a hash, or members of a set; 1 for a string. */
  readonly elements: number;
  /** The name of the value's type. */
  readonly type: string;
}

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

  /** Returns the keys that are used most at present, the hottest first, with the requests a second that use each. */
  async hotkeys(count?: number): Promise<HotKeyFacts<Data>[]> {
    const rows = toItems(await this.send(count === undefined ? ["hotkeys"] : ["hotkeys", count]));
    return rows.map((row) => {
      const [key, requestsPerSecond] = toItems(row);
      return { key: this.toData(key ?? null), requestsPerSecond: toInteger(requestsPerSecond ?? null) };
    });
  }

  /**
   * Returns the keys with the largest values, the largest first.
   *
   * @param count the most keys; 10 unless it is given
   * @param by the measure of size; bytes unless it is given
   */
  async bigkeys(count?: number, by?: "bytes" | "elements"): Promise<BigKeyFacts<Data>[]> {
    const words = by === undefined ? count === undefined ? [] : [count] : [count ?? 10, by];
    return toItems(await this.send(["bigkeys", ...words])).map((row) => {
      const [key, bytes, elements, type] = toItems(row);
      return {
        key: this.toData(key ?? null),
        bytes: toInteger(bytes ?? null),
        elements: toInteger(elements ?? null),
        type: toWord(type ?? null),
      };
    });
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
