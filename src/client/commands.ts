/**
 * The commands as typed methods, over anything that sends a request.
 *
 * Data comes back as `Data`: bytes in {@linkcode Client}, text in its view `client.text`. There is one method for each
 * command of the table in `command/specification.ts`, with the command's own name; a test holds that.
 *
 * @module
 */

import type { Argument, Value } from "../wire/frame.ts";
import { toBytes, toFlag, toInteger, toItems, toNothing, toPairs, toText, toWord } from "./convert.ts";

/** What may be a key, a field or a pattern. Text stands for its UTF-8. */
export type Key = string | Uint8Array;

/** How {@linkcode Commands.set} sets. */
export interface SetOptions {
  /** The key ends after this many milliseconds. Without it, it stays. */
  ttlMs?: number;
  /** Keeps the time that the key has left. Not together with `ttlMs`. */
  keepTtl?: boolean;
  /** Sets only if the key is absent, or only if it is present. */
  onlyIf?: "absent" | "present";
  /** Answers the old value instead of whether it was set. */
  get?: boolean;
}

/** Which keys {@linkcode Commands.scan} yields, and in what portions. */
export interface ScanOptions {
  /** A glob pattern: `*`, `?`, `[a-z]`, and `\` before what is meant literally. All keys without it. */
  match?: Key;
  /** About how many keys the server looks at in one request. */
  count?: number;
  /** Only keys that hold this. */
  type?: "string" | "list" | "hash";
}

/** A hash's fields with their values, or keys with their values. */
export type Pairs = Readonly<Record<string, Argument>> | Iterable<readonly [Key, Argument]>;

/** What a key holds, as {@linkcode Commands.type} answers. */
export type KeyType = "string" | "list" | "hash" | "none";

/**
 * Every command of inmem as a method. `Data` is what the bytes of replies come back as.
 *
 * All reject with `ReplyError` when the server refuses the command, with `ConnectionError` when there is no connection
 * or it is lost, and with `RangeError` when an integer of the reply exceeds 2^53.
 */
export abstract class Commands<Data> {
  /** Sends any command, and answers its reply as it came. */
  abstract send(request: readonly Argument[]): Promise<Value>;

  /** Turns bytes of a reply, which it owns, into what the methods answer. */
  protected abstract data(bytes: Uint8Array<ArrayBuffer>): Data;

  // Strings.

  /** The value of a string, or `null` when the key is absent. */
  async get(key: Key): Promise<Data | null> {
    return this.#dataOrNull(await this.send(["get", key]));
  }

  /**
   * Sets a string, whatever the key held, and takes a time to live away unless the options say otherwise.
   *
   * @returns whether it was set, which only `onlyIf` can prevent; with `get: true` the old value, or `null`
   * @throws {RangeError} when `ttlMs` is not an integer above 0
   * @throws {TypeError} when both `ttlMs` and `keepTtl` are given
   *
   * @example
   * ```ts
   * import { connect } from "@inmem/inmem";
   * await using client = await connect();
   * await client.set("session:7", "Ada", { ttlMs: 60_000 });
   * const first = await client.set("lock", "me", { onlyIf: "absent", ttlMs: 5_000 });
   * const old = await client.set("session:7", "Grace", { get: true, keepTtl: true });
   * console.log(first, old);
   * ```
   */
  set(key: Key, value: Argument, options: SetOptions & { get: true }): Promise<Data | null>;
  /** As above; answers whether it was set. */
  set(key: Key, value: Argument, options?: SetOptions & { get?: false }): Promise<boolean>;
  async set(key: Key, value: Argument, options: SetOptions = {}): Promise<boolean | Data | null> {
    const request: Argument[] = ["set", key, value];
    if (options.ttlMs !== undefined) {
      if (options.keepTtl) throw new TypeError('Cannot set with both "ttlMs" and "keepTtl": expected one of them');
      request.push("PX", positive("ttlMs", options.ttlMs));
    } else if (options.keepTtl) {
      request.push("KEEPTTL");
    }
    if (options.onlyIf !== undefined) request.push(options.onlyIf === "absent" ? "NX" : "XX");
    if (options.get) {
      request.push("GET");
      return this.#dataOrNull(await this.send(request));
    }
    return await this.send(request) !== null;
  }

  /** The values of several strings, in the order asked; `null` for what is absent or no string. */
  async mget(...keys: readonly Key[]): Promise<(Data | null)[]> {
    return keys.length === 0 ? [] : this.#dataOrNulls(await this.send(["mget", ...keys]));
  }

  /** Sets several strings. */
  async mset(values: Pairs): Promise<void> {
    const request = withPairs(["mset"], values);
    if (request.length > 1) toNothing(await this.send(request));
  }

  /** The value of a string, which is removed; `null` when the key is absent. */
  async getdel(key: Key): Promise<Data | null> {
    return this.#dataOrNull(await this.send(["getdel", key]));
  }

  /** The length of a string in bytes; 0 when absent. */
  async strlen(key: Key): Promise<number> {
    return toInteger(await this.send(["strlen", key]));
  }

  /** Appends to a string, or sets it; answers its length in bytes then. */
  async append(key: Key, value: Argument): Promise<number> {
    return toInteger(await this.send(["append", key, value]));
  }

  /** Adds 1 to the number in a string, which counts as 0 when absent; answers the sum. */
  async incr(key: Key): Promise<number> {
    return toInteger(await this.send(["incr", key]));
  }

  /** Subtracts 1 from the number in a string, which counts as 0 when absent; answers the difference. */
  async decr(key: Key): Promise<number> {
    return toInteger(await this.send(["decr", key]));
  }

  /** Adds an integer to the number in a string, which counts as 0 when absent; answers the sum. */
  async incrby(key: Key, by: number | bigint): Promise<number> {
    return toInteger(await this.send(["incrby", key, by]));
  }

  // Lists.

  /** Puts elements at the head, one after another, so that the last one given comes first; answers the length. */
  async lpush(key: Key, ...elements: readonly Argument[]): Promise<number> {
    return toInteger(await this.send(["lpush", key, ...elements]));
  }

  /** Puts elements at the tail; answers the length. */
  async rpush(key: Key, ...elements: readonly Argument[]): Promise<number> {
    return toInteger(await this.send(["rpush", key, ...elements]));
  }

  /** Takes one element from the head, or answers `null` when the key is absent. */
  lpop(key: Key): Promise<Data | null>;
  /** Takes up to `count` elements from the head. */
  lpop(key: Key, count: number): Promise<Data[]>;
  async lpop(key: Key, count?: number): Promise<Data | null | Data[]> {
    if (count === undefined) return this.#dataOrNull(await this.send(["lpop", key]));
    return this.#datas(await this.send(["lpop", key, count]));
  }

  /** Takes one element from the tail, or answers `null` when the key is absent. */
  rpop(key: Key): Promise<Data | null>;
  /** Takes up to `count` elements from the tail, the last one first. */
  rpop(key: Key, count: number): Promise<Data[]>;
  async rpop(key: Key, count?: number): Promise<Data | null | Data[]> {
    if (count === undefined) return this.#dataOrNull(await this.send(["rpop", key]));
    return this.#datas(await this.send(["rpop", key, count]));
  }

  /** Replaces the element at an index; -1 is the last. */
  async lset(key: Key, index: number, element: Argument): Promise<void> {
    toNothing(await this.send(["lset", key, index, element]));
  }

  /** The element at an index, or `null` when there is none; -1 is the last. */
  async lget(key: Key, index: number): Promise<Data | null> {
    return this.#dataOrNull(await this.send(["lget", key, index]));
  }

  /** The elements from `start` to `stop`, both included; -1 is the last. All without them. */
  async lrange(key: Key, start = 0, stop = -1): Promise<Data[]> {
    return this.#datas(await this.send(["lrange", key, start, stop]));
  }

  /** The number of elements; 0 when absent. */
  async llen(key: Key): Promise<number> {
    return toInteger(await this.send(["llen", key]));
  }

  // Hashes.

  /** Sets fields; answers how many of them are new. */
  async hset(key: Key, fields: Pairs): Promise<number> {
    const request = withPairs(["hset", key], fields);
    return request.length === 2 ? 0 : toInteger(await this.send(request));
  }

  /** The value of a field, or `null`. */
  async hget(key: Key, field: Key): Promise<Data | null> {
    return this.#dataOrNull(await this.send(["hget", key, field]));
  }

  /** The values of several fields, in the order asked; `null` for what is absent. */
  async hmget(key: Key, ...fields: readonly Key[]): Promise<(Data | null)[]> {
    return fields.length === 0 ? [] : this.#dataOrNulls(await this.send(["hmget", key, ...fields]));
  }

  /** Removes fields; answers how many there were. */
  async hdel(key: Key, ...fields: readonly Key[]): Promise<number> {
    return fields.length === 0 ? 0 : toInteger(await this.send(["hdel", key, ...fields]));
  }

  /**
   * All fields with their values; empty when the key is absent.
   *
   * @throws {TypeError} when a field's name is not UTF-8: `send(["hgetall", key])` answers any
   */
  async hgetall(key: Key): Promise<Map<string, Data>> {
    const fields = new Map<string, Data>();
    for (const [field, value] of toPairs(await this.send(["hgetall", key]))) {
      fields.set(toText(toBytes(field)), this.data(toBytes(value)));
    }
    return fields;
  }

  /** The number of fields; 0 when absent. */
  async hlen(key: Key): Promise<number> {
    return toInteger(await this.send(["hlen", key]));
  }

  /** Whether a field is there. */
  async hexists(key: Key, field: Key): Promise<boolean> {
    return toFlag(await this.send(["hexists", key, field]));
  }

  /** All fields. */
  async hkeys(key: Key): Promise<Data[]> {
    return this.#datas(await this.send(["hkeys", key]));
  }

  /** All values. */
  async hvals(key: Key): Promise<Data[]> {
    return this.#datas(await this.send(["hvals", key]));
  }

  /** Adds an integer to the number in a field, which counts as 0 when absent; answers the sum. */
  async hincrby(key: Key, field: Key, by: number | bigint): Promise<number> {
    return toInteger(await this.send(["hincrby", key, field, by]));
  }

  // Keys.

  /** Removes keys; answers how many there were. */
  async remove(...keys: readonly Key[]): Promise<number> {
    return keys.length === 0 ? 0 : toInteger(await this.send(["remove", ...keys]));
  }

  /** How many of the keys are there; one named twice counts twice. */
  async exists(...keys: readonly Key[]): Promise<number> {
    return keys.length === 0 ? 0 : toInteger(await this.send(["exists", ...keys]));
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

  /** Lets a key end after a time in seconds; answers whether it is there. */
  async expire(key: Key, seconds: number): Promise<boolean> {
    return toFlag(await this.send(["expire", key, seconds]));
  }

  /** Lets a key end after a time in milliseconds; answers whether it is there. */
  async pexpire(key: Key, ms: number): Promise<boolean> {
    return toFlag(await this.send(["pexpire", key, ms]));
  }

  /** Takes a key's time to live away; answers whether it had one. */
  async persist(key: Key): Promise<boolean> {
    return toFlag(await this.send(["persist", key]));
  }

  /** All keys that match a glob pattern, in one reply. {@linkcode Commands.scan} does it in portions. */
  async keys(pattern: Key = "*"): Promise<Data[]> {
    return this.#datas(await this.send(["keys", pattern]));
  }

  /**
   * Goes through all keys in portions, beside other requests.
   *
   * A key that is there from the beginning to the end is yielded; one that comes or goes meanwhile may be. A key can be
   * yielded more than once.
   *
   * @example
   * ```ts
   * import { connect } from "@inmem/inmem";
   * await using client = await connect();
   * for await (const key of client.text.scan({ match: "session:*" })) console.log(key);
   * ```
   */
  async *scan(options: ScanOptions = {}): AsyncGenerator<Data, void> {
    const rest: Argument[] = [];
    if (options.match !== undefined) rest.push("MATCH", options.match);
    if (options.count !== undefined) rest.push("COUNT", positive("count", options.count));
    if (options.type !== undefined) rest.push("TYPE", options.type);
    let cursor = "0";
    do {
      const [next, keys] = toItems(await this.send(["scan", cursor, ...rest]));
      cursor = typeof next === "number" || typeof next === "bigint" ? String(next) : toWord(next ?? null);
      yield* this.#datas(keys ?? null);
    } while (cursor !== "0");
  }

  /** The number of keys. */
  async size(): Promise<number> {
    return toInteger(await this.send(["size"]));
  }

  /** Removes all keys. */
  async flush(): Promise<void> {
    toNothing(await this.send(["flush"]));
  }

  // The server.

  /** Resolves when the server has answered. */
  async ping(): Promise<void> {
    await this.send(["ping"]);
  }

  /** What was sent. */
  async echo(text: Argument): Promise<Data> {
    return this.data(toBytes(await this.send(["echo", text])));
  }

  /** Facts about the server: lines of `name:value` under headings of `# Section`. */
  async info(...sections: readonly string[]): Promise<string> {
    return toWord(await this.send(["info", ...sections]));
  }

  /** Writes a snapshot to disk; resolves when it is there. */
  async save(): Promise<void> {
    toNothing(await this.send(["save"]));
  }

  #dataOrNull(value: Value): Data | null {
    return value === null ? null : this.data(toBytes(value));
  }

  #dataOrNulls(value: Value): (Data | null)[] {
    return toItems(value).map((item) => this.#dataOrNull(item));
  }

  #datas(value: Value): Data[] {
    return toItems(value).map((item) => this.data(toBytes(item)));
  }
}

function positive(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value <= 0) {
    throw new RangeError(`Cannot use ${value} as "${name}": expected an integer above 0`);
  }
  return value;
}

function withPairs(request: Argument[], pairs: Pairs): Argument[] {
  if (Symbol.iterator in pairs) {
    for (const [name, value] of pairs as Iterable<readonly [Key, Argument]>) request.push(name, value);
  } else {
    for (const [name, value] of Object.entries(pairs)) request.push(name, value);
  }
  return request;
}
