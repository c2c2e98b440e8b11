/**
 * The commands on keys with values of any type, as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/request_writer.ts";
import { toFlag, toFraction, toInteger, toIntegerOrNull, toNothing, toWord, toWords } from "./convert.ts";
import { scanArguments, Sender } from "./sender.ts";
import type { FieldScanOptions, Key } from "./sender.ts";

/** The keys that {@linkcode Commands.scan} yields, and its portions. */
export interface ScanOptions extends FieldScanOptions {
  /** The type of the keys' values. Without it, keys of any type are yielded. */
  type?: "string" | "list" | "hash" | "set";
}

/** The type of a key's value, as {@linkcode Commands.type} returns it. */
export type KeyType = "string" | "list" | "hash" | "set" | "none";

/** The condition under which {@linkcode Commands.expire} and similar methods change a key. */
export interface ExpireOptions {
  /**
   * The method changes a key only if it has no time to live (`absent`), has one (`present`), or would expire later or
   * earlier than it does now. A key without a time to live expires later than any other.
   */
  onlyIf?: "absent" | "present" | "later" | "earlier";
}

/** The values of {@linkcode ExpireOptions.onlyIf} in the protocol. */
const EXPIRE_CONDITIONS = { absent: "NX", present: "XX", later: "GT", earlier: "LT" } as const;

/** The commands on keys. */
export abstract class KeyCommands<Data> extends Sender<Data> {
  /** Removes keys. Returns how many existed. */
  async remove(...keys: readonly Key[]): Promise<number> {
    return keys.length === 0 ? 0 : toInteger(await this.send(["remove", ...keys]));
  }

  /** Returns how many of the keys exist. A key that is given twice counts twice. */
  async exists(...keys: readonly Key[]): Promise<number> {
    return keys.length === 0 ? 0 : toInteger(await this.send(["exists", ...keys]));
  }

  /** Marks keys as the most recently used. Returns how many of them exist. */
  async touch(...keys: readonly Key[]): Promise<number> {
    return keys.length === 0 ? 0 : toInteger(await this.send(["touch", ...keys]));
  }

  /** Renames a key, and replaces the value of the other key. Rejects with `ReplyError` when the key is absent. */
  async rename(key: Key, newKey: Key): Promise<void> {
    toNothing(await this.send(["rename", key, newKey]));
  }

  /** Renames a key if the other key is absent. Returns whether it was. */
  async renamenx(key: Key, newKey: Key): Promise<boolean> {
    return toFlag(await this.send(["renamenx", key, newKey]));
  }

  /**
   * Copies a value with its time to live. Returns whether it did.
   *
   * @param options `replace` also copies when the destination exists
   */
  async copy(source: Key, destination: Key, options: { replace?: boolean } = {}): Promise<boolean> {
    const request: Argument[] = ["copy", source, destination];
    if (options.replace) request.push("REPLACE");
    return toFlag(await this.send(request));
  }

  /** Returns the type of a key's value. */
  async type(key: Key): Promise<KeyType> {
    return toWord(await this.send(["type", key])) as KeyType;
  }

  /** Returns the time to live of a key in seconds; -1 when it has none, -2 when the key is absent. */
  async ttl(key: Key): Promise<number> {
    return toInteger(await this.send(["ttl", key]));
  }

  /** Returns the time to live of a key in milliseconds; -1 when it has none, -2 when the key is absent. */
  async pttl(key: Key): Promise<number> {
    return toInteger(await this.send(["pttl", key]));
  }

  /** Sets the time to live of a key in seconds. Returns whether the key exists and `onlyIf` holds. */
  async expire(key: Key, seconds: number, options: ExpireOptions = {}): Promise<boolean> {
    return toFlag(await this.send(["expire", key, seconds, ...conditions(options)]));
  }

  /** Sets the time to live of a key in milliseconds. Returns whether the key exists and `onlyIf` holds. */
  async pexpire(key: Key, ms: number, options: ExpireOptions = {}): Promise<boolean> {
    return toFlag(await this.send(["pexpire", key, ms, ...conditions(options)]));
  }

  /** Sets when a key expires, in seconds since 1970. Returns whether the key exists and `onlyIf` holds. */
  async expireat(key: Key, unixSeconds: number, options: ExpireOptions = {}): Promise<boolean> {
    return toFlag(await this.send(["expireat", key, unixSeconds, ...conditions(options)]));
  }

  /** Sets when a key expires, in milliseconds since 1970. Returns whether the key exists and `onlyIf` holds. */
  async pexpireat(key: Key, unixMs: number, options: ExpireOptions = {}): Promise<boolean> {
    return toFlag(await this.send(["pexpireat", key, unixMs, ...conditions(options)]));
  }

  /** Returns when a key expires, in seconds since 1970; -1 when it has no time to live, -2 when it is absent. */
  async expiretime(key: Key): Promise<number> {
    return toInteger(await this.send(["expiretime", key]));
  }

  /** Returns when a key expires, in milliseconds since 1970; -1 when it has no time to live, -2 when it is absent. */
  async pexpiretime(key: Key): Promise<number> {
    return toInteger(await this.send(["pexpiretime", key]));
  }

  /** Removes a key's time to live. Returns whether it had one. */
  async persist(key: Key): Promise<boolean> {
    return toFlag(await this.send(["persist", key]));
  }

  /** Returns all keys that match a glob pattern, in one reply. {@linkcode scan} returns them in portions. */
  async keys(pattern: Key = "*"): Promise<Data[]> {
    return this.toDataArray(await this.send(["keys", pattern]));
  }

  /**
   * Yields all keys in portions, while other requests run.
   *
   * A key that exists from the beginning to the end is yielded. One that is added or removed meanwhile may be. A key
   * can be yielded more than once.
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
    for await (const portion of this.portions(["scan"], rest)) yield* this.toDataArray(portion);
  }

  /** Returns the number of keys. */
  async size(): Promise<number> {
    return toInteger(await this.send(["size"]));
  }

  /** Returns a random key, or `null` when there is none. */
  async randomkey(): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["randomkey"]));
  }

  /** Returns the encoding of a value in the words of Redis, such as `listpack`; `null` when the key is absent. */
  object(what: "encoding", key: Key): Promise<string | null>;
  /**
   * Returns how many keys share a value: 1, or `null` when the key is absent. The server refuses facts that it does not
   * keep.
   */
  object(what: "refcount" | "idletime" | "freq", key: Key): Promise<number | null>;
  async object(what: string, key: Key): Promise<string | number | null> {
    const value = await this.send(["object", what, key]);
    if (what !== "encoding") return toIntegerOrNull(value);
    return value === null ? null : toWord(value);
  }

  /**
   * Returns the bytes that a key and its value take, or `null`. It is estimated from `samples` elements or fields, 0
   * for all.
   */
  memory(what: "usage", key: Key, options?: { samples?: number }): Promise<number | null>;
  /** Returns the memory that all values take: numbers by name, such as `total.allocated`. */
  memory(what: "stats"): Promise<Map<string, number>>;
  /** Returns a report about memory, for people. */
  memory(what: "doctor" | "malloc-stats"): Promise<string>;
  /** Does nothing, since free memory is reused as it is. */
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

/** Returns the option as an argument. */
function conditions({ onlyIf }: ExpireOptions): string[] {
  return onlyIf === undefined ? [] : [EXPIRE_CONDITIONS[onlyIf]];
}
