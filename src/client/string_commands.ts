/**
 * The commands on strings as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/request_writer.ts";
import { toFlag, toFraction, toInteger, toNothing } from "./convert.ts";
import { positive, Sender, withPairs } from "./sender.ts";
import type { Key, Pairs } from "./sender.ts";

/** When a key expires. At most one of the options may be given. */
export interface DeadlineOptions {
  /** The key expires after this many milliseconds. */
  ttlMs?: number;
  /**
   * The key expires at this moment, in milliseconds since 1970 like `Date.now()`. A past moment removes it immediately.
   */
  deadlineMs?: number;
}

/** How {@linkcode Commands.set} sets a string. Without a time the key does not expire. */
export interface SetOptions extends DeadlineOptions {
  /** Keeps the key's present time to live. It cannot be combined with `ttlMs` or `deadlineMs`. */
  keepTtl?: boolean;
  /** Sets the string only if the key is absent, or only if it is present. */
  onlyIf?: "absent" | "present";
  /** Returns the old value instead of whether the string was set. */
  get?: boolean;
}

/** How {@linkcode Commands.getex} changes a key. Without any option, its time to live stays. */
export interface GetexOptions extends DeadlineOptions {
  /** Removes the key's time to live. It cannot be combined with `ttlMs` or `deadlineMs`. */
  persist?: boolean;
}

/** The commands on strings. */
export abstract class StringCommands<Data> extends Sender<Data> {
  /** Returns the value of a string, or `null` when the key is absent. */
  async get(key: Key): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["get", key]));
  }

  /**
   * Sets a string, and replaces a value of any type. The key's time to live is removed unless the options say
   * otherwise.
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
  /** Sets a string. Returns whether it was set. */
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

  /** Sets a string if the key is absent. Returns whether it was. */
  async setnx(key: Key, value: Argument): Promise<boolean> {
    return toFlag(await this.send(["setnx", key, value]));
  }

  /** Sets a string that expires after a time in seconds. */
  async setex(key: Key, seconds: number, value: Argument): Promise<void> {
    toNothing(await this.send(["setex", key, seconds, value]));
  }

  /** Sets a string that expires after a time in milliseconds. */
  async psetex(key: Key, ms: number, value: Argument): Promise<void> {
    toNothing(await this.send(["psetex", key, ms, value]));
  }

  /** Sets a string, and removes the key's time to live. Returns the old value, or `null` when the key was absent. */
  async getset(key: Key, value: Argument): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["getset", key, value]));
  }

  /**
   * Returns the value of a string, or `null` when the key is absent. The options change when the key expires.
   *
   * @throws {RangeError} when `ttlMs` or `deadlineMs` is not an integer above 0
   * @throws {TypeError} when more than one of the options is given
   */
  async getex(key: Key, options: GetexOptions = {}): Promise<Data | null> {
    return this.toDataOrNull(await this.send(withDeadline(["getex", key], options, "persist")));
  }

  /** Returns the values of several strings, in their order; `null` for absent keys and other types. */
  async mget(...keys: readonly Key[]): Promise<(Data | null)[]> {
    return keys.length === 0 ? [] : this.toDataOrNullArray(await this.send(["mget", ...keys]));
  }

  /** Sets several strings. */
  async mset(values: Pairs): Promise<void> {
    const request = withPairs(["mset"], values);
    if (request.length > 1) toNothing(await this.send(request));
  }

  /** Sets several strings if none of their keys exists. Returns whether none did. */
  async msetnx(values: Pairs): Promise<boolean> {
    const request = withPairs(["msetnx"], values);
    return request.length === 1 || toFlag(await this.send(request));
  }

  /** Removes a string and returns its value; `null` when the key is absent. */
  async getdel(key: Key): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["getdel", key]));
  }

  /** Returns the length of a string in bytes; 0 when the key is absent. */
  async strlen(key: Key): Promise<number> {
    return toInteger(await this.send(["strlen", key]));
  }

  /**
   * Returns the bytes of a string from `start` to `end`, both included; -1 is the last. Without them it returns all.
   */
  async getrange(key: Key, start = 0, end = -1): Promise<Data> {
    return this.toData(await this.send(["getrange", key, start, end]));
  }

  /** Overwrites a string from an offset, after zeros if it is shorter. Returns its new length in bytes. */
  async setrange(key: Key, offset: number, value: Argument): Promise<number> {
    return toInteger(await this.send(["setrange", key, offset, value]));
  }

  /** Appends to a string, or sets it. Returns its new length in bytes. */
  async append(key: Key, value: Argument): Promise<number> {
    return toInteger(await this.send(["append", key, value]));
  }

  /** Adds 1 to the number in a string, which counts as 0 when absent. Returns the sum. */
  async incr(key: Key): Promise<number> {
    return toInteger(await this.send(["incr", key]));
  }

  /** Subtracts 1 from the number in a string, which counts as 0 when absent. Returns the difference. */
  async decr(key: Key): Promise<number> {
    return toInteger(await this.send(["decr", key]));
  }

  /** Adds an integer to the number in a string, which counts as 0 when absent. Returns the sum. */
  async incrby(key: Key, by: number | bigint): Promise<number> {
    return toInteger(await this.send(["incrby", key, by]));
  }

  /** Subtracts an integer from the number in a string, which counts as 0 when absent. Returns the difference. */
  async decrby(key: Key, by: number | bigint): Promise<number> {
    return toInteger(await this.send(["decrby", key, by]));
  }

  /**
   * Adds to the number in a string, which may have a fraction and counts as 0 when absent. Returns the sum.
   *
   * The server computes with more digits than a `number` has; `send(["incrbyfloat", key, by])` returns all digits.
   */
  async incrbyfloat(key: Key, by: number): Promise<number> {
    return toFraction(await this.send(["incrbyfloat", key, by]));
  }
}

/**
 * Appends the time at which the key expires to a request, and returns the request.
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
