/**
 * The commands on strings as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/native/frame.ts";
import { toFlag, toFraction, toInteger, toNothing } from "./convert.ts";
import { positive, Sender, withPairs } from "./sender.ts";
import type { Key, Pairs } from "./sender.ts";

/** When a key ends. At most one of both. */
export interface DeadlineOptions {
  /** The key ends after this many milliseconds. */
  ttlMs?: number;
  /** The key ends at this moment, in milliseconds since 1970, as `Date.now()` counts; at once when it has passed. */
  deadlineMs?: number;
}

/** How {@linkcode Commands.set} sets. Without a time in them, the key stays. */
export interface SetOptions extends DeadlineOptions {
  /** Keeps the time that the key has left. Not together with `ttlMs` or `deadlineMs`. */
  keepTtl?: boolean;
  /** Sets only if the key is absent, or only if it is present. */
  onlyIf?: "absent" | "present";
  /** Answers the old value instead of whether it was set. */
  get?: boolean;
}

/** What {@linkcode Commands.getex} changes. Without any of it, the time that the key has left stays. */
export interface GetexOptions extends DeadlineOptions {
  /** Takes the key's time to live away. Not together with `ttlMs` or `deadlineMs`. */
  persist?: boolean;
}

/** The commands on strings. */
export abstract class StringCommands<Data> extends Sender<Data> {
  /** The value of a string, or `null` when the key is absent. */
  async get(key: Key): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["get", key]));
  }

  /**
   * Sets a string, whatever the key held, and takes a time to live away unless the options say otherwise.
   *
   * @returns whether it was set, which only `onlyIf` can prevent; with `get: true` the old value, or `null`
   * @throws {RangeError} when `ttlMs` or `deadlineMs` is not an integer above 0
   * @throws {TypeError} when more than one of `ttlMs`, `deadlineMs` and `keepTtl` is given
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect } from "@inmem/inmem";
   *
   * await using client = await connect();
   * assertEquals(await client.set("session:7", "Ada", { ttlMs: 60_000 }), true);
   * assertEquals(await client.set("session:7", "Eve", { onlyIf: "absent" }), false);
   * assertEquals(await client.text.set("session:7", "Grace", { get: true, keepTtl: true }), "Ada");
   * ```
   */
  set(key: Key, value: Argument, options: SetOptions & { get: true }): Promise<Data | null>;
  /** As above; answers whether it was set. */
  set(key: Key, value: Argument, options?: SetOptions & { get?: false }): Promise<boolean>;
  async set(key: Key, value: Argument, options: SetOptions = {}): Promise<boolean | Data | null> {
    const request = withDeadline(["set", key, value], options, "keepTtl");
    if (options.onlyIf !== undefined) request.push(options.onlyIf === "absent" ? "NX" : "XX");
    if (options.get) {
      request.push("GET");
      return this.toDataOrNull(await this.send(request));
    }
    return await this.send(request) !== null;
  }

  /** Sets a string if the key is absent; answers whether it was. */
  async setnx(key: Key, value: Argument): Promise<boolean> {
    return toFlag(await this.send(["setnx", key, value]));
  }

  /** Sets a string that ends after a time in seconds. */
  async setex(key: Key, seconds: number, value: Argument): Promise<void> {
    toNothing(await this.send(["setex", key, seconds, value]));
  }

  /** Sets a string that ends after a time in milliseconds. */
  async psetex(key: Key, ms: number, value: Argument): Promise<void> {
    toNothing(await this.send(["psetex", key, ms, value]));
  }

  /** Sets a string, and takes a time to live away; answers the old value, or `null` when the key was absent. */
  async getset(key: Key, value: Argument): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["getset", key, value]));
  }

  /**
   * The value of a string, or `null` when the key is absent; the options say when the key ends from now on.
   *
   * @throws {RangeError} when `ttlMs` or `deadlineMs` is not an integer above 0
   * @throws {TypeError} when more than one of the options is given
   */
  async getex(key: Key, options: GetexOptions = {}): Promise<Data | null> {
    return this.toDataOrNull(await this.send(withDeadline(["getex", key], options, "persist")));
  }

  /** The values of several strings, in the order asked; `null` for what is absent or no string. */
  async mget(...keys: readonly Key[]): Promise<(Data | null)[]> {
    return keys.length === 0 ? [] : this.toDataOrNulls(await this.send(["mget", ...keys]));
  }

  /** Sets several strings. */
  async mset(values: Pairs): Promise<void> {
    const request = withPairs(["mset"], values);
    if (request.length > 1) toNothing(await this.send(request));
  }

  /** Sets several strings if none of their keys is there; answers whether none was. */
  async msetnx(values: Pairs): Promise<boolean> {
    const request = withPairs(["msetnx"], values);
    return request.length === 1 || toFlag(await this.send(request));
  }

  /** The value of a string, which is removed; `null` when the key is absent. */
  async getdel(key: Key): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["getdel", key]));
  }

  /** The length of a string in bytes; 0 when absent. */
  async strlen(key: Key): Promise<number> {
    return toInteger(await this.send(["strlen", key]));
  }

  /** The bytes of a string from `start` to `end`, both included; -1 is the last. All without them. */
  async getrange(key: Key, start = 0, end = -1): Promise<Data> {
    return this.toData(await this.send(["getrange", key, start, end]));
  }

  /** Overwrites a string from a byte on, behind zeros where there is nothing; answers its length in bytes then. */
  async setrange(key: Key, offset: number, value: Argument): Promise<number> {
    return toInteger(await this.send(["setrange", key, offset, value]));
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

  /** Subtracts an integer from the number in a string, which counts as 0 when absent; answers the difference. */
  async decrby(key: Key, by: number | bigint): Promise<number> {
    return toInteger(await this.send(["decrby", key, by]));
  }

  /**
   * Adds to the number in a string, which may have a fraction and counts as 0 when absent; answers the sum.
   *
   * The server counts with more digits than a `number` holds; `send(["incrbyfloat", key, by])` answers all of them.
   */
  async incrbyfloat(key: Key, by: number): Promise<number> {
    return toFraction(await this.send(["incrbyfloat", key, by]));
  }
}

/**
 * Appends to a request when the key is to end, and answers the request.
 *
 * @param other the option that excludes a time
 */
function withDeadline(
  request: Argument[],
  options: GetexOptions & SetOptions,
  other: "keepTtl" | "persist",
): Argument[] {
  const { ttlMs, deadlineMs } = options;
  const count = (ttlMs === undefined ? 0 : 1) + (deadlineMs === undefined ? 0 : 1) + (options[other] ? 1 : 0);
  if (count > 1) {
    throw new TypeError(`Cannot use several of "ttlMs", "deadlineMs" and "${other}": expected one of them`);
  }
  if (ttlMs !== undefined) request.push("PX", positive("ttlMs", ttlMs));
  else if (deadlineMs !== undefined) request.push("PXAT", positive("deadlineMs", deadlineMs));
  else if (options[other]) request.push(other.toUpperCase());
  return request;
}
