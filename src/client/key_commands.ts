/**
 * The commands on keys, whatever they hold, as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/native/frame.ts";
import { toFlag, toFraction, toInteger, toIntegerOrNull, toNothing, toWord, toWords } from "./convert.ts";
import { scanArguments, Sender } from "./sender.ts";
import type { FieldScanOptions, Key } from "./sender.ts";

/** Which keys {@linkcode Commands.scan} yields, and in what portions. */
export interface ScanOptions extends FieldScanOptions {
  /** Only keys that hold this. */
  type?: "string" | "list" | "hash";
}

/** What a key holds, as {@linkcode Commands.type} answers. */
export type KeyType = "string" | "list" | "hash" | "none";

/** When {@linkcode Commands.expire} and its like do something. */
export interface ExpireOptions {
  /**
   * Only if the key has no time to live (`absent`), or has one (`present`), or would end later or earlier than it does
   * now. A key without a time to live ends later than any other.
   */
  onlyIf?: "absent" | "present" | "later" | "earlier";
}

/** {@linkcode ExpireOptions.onlyIf} in the words of the protocol. */
const EXPIRE_CONDITIONS = { absent: "NX", present: "XX", later: "GT", earlier: "LT" } as const;

/** The commands on keys. */
export abstract class KeyCommands<Data> extends Sender<Data> {
  /** Removes keys; answers how many there were. */
  async remove(...keys: readonly Key[]): Promise<number> {
    return keys.length === 0 ? 0 : toInteger(await this.send(["remove", ...keys]));
  }

  /** How many of the keys are there; one named twice counts twice. */
  async exists(...keys: readonly Key[]): Promise<number> {
    return keys.length === 0 ? 0 : toInteger(await this.send(["exists", ...keys]));
  }

  /** As {@linkcode exists}, and makes the keys the most recently used. */
  async touch(...keys: readonly Key[]): Promise<number> {
    return keys.length === 0 ? 0 : toInteger(await this.send(["touch", ...keys]));
  }

  /** Gives a value another key, whatever that held. Rejects with `ReplyError` when there is no value. */
  async rename(key: Key, newKey: Key): Promise<void> {
    toNothing(await this.send(["rename", key, newKey]));
  }

  /** As {@linkcode rename}, if the other key is absent; answers whether it was. */
  async renamenx(key: Key, newKey: Key): Promise<boolean> {
    return toFlag(await this.send(["renamenx", key, newKey]));
  }

  /**
   * Copies a value with its time to live; answers whether it did.
   *
   * @param options with `replace` also when the destination holds something
   */
  async copy(source: Key, destination: Key, options: { replace?: boolean } = {}): Promise<boolean> {
    const request: Argument[] = ["copy", source, destination];
    if (options.replace) request.push("REPLACE");
    return toFlag(await this.send(request));
  }

  /** What a key holds. */
  async type(key: Key): Promise<KeyType> {
    return toWord(await this.send(["type", key])) as KeyType;
  }

  /** The seconds that a key has left; -1: it has no time to live, -2: there is no such key. */
  async ttl(key: Key): Promise<number> {
    return toInteger(await this.send(["ttl", key]));
  }

  /** The milliseconds that a key has left; -1: it has no time to live, -2: there is no such key. */
  async pttl(key: Key): Promise<number> {
    return toInteger(await this.send(["pttl", key]));
  }

  /** Lets a key end after a time in seconds; answers whether it is there and `onlyIf` holds. */
  async expire(key: Key, seconds: number, options: ExpireOptions = {}): Promise<boolean> {
    return toFlag(await this.send(["expire", key, seconds, ...conditions(options)]));
  }

  /** Lets a key end after a time in milliseconds; answers whether it is there and `onlyIf` holds. */
  async pexpire(key: Key, ms: number, options: ExpireOptions = {}): Promise<boolean> {
    return toFlag(await this.send(["pexpire", key, ms, ...conditions(options)]));
  }

  /** Lets a key end at a moment, in seconds since 1970; answers as {@linkcode expire}. */
  async expireat(key: Key, unixSeconds: number, options: ExpireOptions = {}): Promise<boolean> {
    return toFlag(await this.send(["expireat", key, unixSeconds, ...conditions(options)]));
  }

  /** Lets a key end at a moment, in milliseconds since 1970; answers as {@linkcode expire}. */
  async pexpireat(key: Key, unixMs: number, options: ExpireOptions = {}): Promise<boolean> {
    return toFlag(await this.send(["pexpireat", key, unixMs, ...conditions(options)]));
  }

  /** The moment at which a key ends, in seconds since 1970; -1: it has no time to live, -2: there is no such key. */
  async expiretime(key: Key): Promise<number> {
    return toInteger(await this.send(["expiretime", key]));
  }

  /** The moment at which a key ends, in milliseconds since 1970; -1 and -2 as in {@linkcode expiretime}. */
  async pexpiretime(key: Key): Promise<number> {
    return toInteger(await this.send(["pexpiretime", key]));
  }

  /** Takes a key's time to live away; answers whether it had one. */
  async persist(key: Key): Promise<boolean> {
    return toFlag(await this.send(["persist", key]));
  }

  /** All keys that match a glob pattern, in one reply. {@linkcode scan} does it in portions. */
  async keys(pattern: Key = "*"): Promise<Data[]> {
    return this.toDatas(await this.send(["keys", pattern]));
  }

  /**
   * Goes through all keys in portions, beside other requests.
   *
   * A key that is there from the beginning to the end is yielded; one that comes or goes meanwhile may be. A key can be
   * yielded more than once.
   *
   * @throws {RangeError} when `count` is not an integer above 0
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect } from "@inmem/inmem";
   *
   * await using client = await connect();
   * await client.mset({ "session:1": "Ada", "session:2": "Grace", counter: 1 });
   * const keys = await Array.fromAsync(client.text.scan({ match: "session:*" }));
   * assertEquals(keys.sort(), ["session:1", "session:2"]);
   * ```
   */
  async *scan(options: ScanOptions = {}): AsyncGenerator<Data, void> {
    const rest = scanArguments(options);
    if (options.type !== undefined) rest.push("TYPE", options.type);
    for await (const portion of this.portions(["scan"], rest)) yield* this.toDatas(portion);
  }

  /** The number of keys. */
  async size(): Promise<number> {
    return toInteger(await this.send(["size"]));
  }

  /** Some key by chance, or `null` when there is none. */
  async randomkey(): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["randomkey"]));
  }

  /** How a value is kept, in the words of Redis, such as `listpack`; `null` when the key is absent. */
  object(what: "encoding", key: Key): Promise<string | null>;
  /** How many keys share a value: 1, or `null` when the key is absent. The server refuses what it does not keep. */
  object(what: "refcount" | "idletime" | "freq", key: Key): Promise<number | null>;
  async object(what: string, key: Key): Promise<string | number | null> {
    const value = await this.send(["object", what, key]);
    if (what !== "encoding") return toIntegerOrNull(value);
    return value === null ? null : toWord(value);
  }

  /** The bytes that a key and its value take, or `null`; estimated from `samples` elements or fields, 0 for all. */
  memory(what: "usage", key: Key, options?: { samples?: number }): Promise<number | null>;
  /** What all values take: numbers by their names, such as `total.allocated`. */
  memory(what: "stats"): Promise<Map<string, number>>;
  /** What the server says of itself to people. */
  memory(what: "doctor" | "malloc-stats"): Promise<string>;
  /** Does nothing: free memory is used again as it is. */
  memory(what: "purge"): Promise<void>;
  async memory(
    what: string,
    key?: Key,
    { samples }: { samples?: number } = {},
  ): Promise<number | null | Map<string, number> | string | void> {
    const request: Argument[] = ["memory", what];
    if (key !== undefined) request.push(key);
    if (samples !== undefined) request.push("SAMPLES", samples);
    const value = await this.send(request);
    if (what === "usage") return toIntegerOrNull(value);
    if (what === "stats") return toWords(value, toFraction);
    return what === "purge" ? toNothing(value) : toWord(value);
  }

  /** Removes all keys. */
  async flush(): Promise<void> {
    toNothing(await this.send(["flush"]));
  }
}

/** The option as an argument. */
function conditions({ onlyIf }: ExpireOptions): string[] {
  return onlyIf === undefined ? [] : [EXPIRE_CONDITIONS[onlyIf]];
}
