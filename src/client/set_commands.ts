/**
 * The commands on sets as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/request_writer.ts";
import { toFlag, toInteger, toItems } from "./convert.ts";
import { positive, scanArguments, Sender } from "./sender.ts";
import type { FieldScanOptions, Key } from "./sender.ts";

/** The commands on sets. The order of members is not defined. */
export abstract class SetCommands<Data> extends Sender<Data> {
  /**
   * Adds members. Returns how many of them are new.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect } from "@inmem/inmem";
   *
   * await using client = await connect();
   * await client.sadd("tags:1", "red", "round", "small");
   * await client.sadd("tags:2", "red", "large");
   * assertEquals(await client.text.sinter("tags:1", "tags:2"), ["red"]);
   * ```
   */
  async sadd(key: Key, ...members: readonly Argument[]): Promise<number> {
    return members.length === 0 ? 0 : toInteger(await this.send(["sadd", key, ...members]));
  }

  /** Removes members. Returns how many existed. */
  async srem(key: Key, ...members: readonly Argument[]): Promise<number> {
    return members.length === 0 ? 0 : toInteger(await this.send(["srem", key, ...members]));
  }

  /** Returns all members; empty when the key is absent. */
  async smembers(key: Key): Promise<Data[]> {
    return this.toDataArray(await this.send(["smembers", key]));
  }

  /** Returns whether the set has a member. */
  async sismember(key: Key, member: Argument): Promise<boolean> {
    return toFlag(await this.send(["sismember", key, member]));
  }

  /** Returns for each of several members, in their order, whether the set has it. */
  async smismember(key: Key, ...members: readonly Argument[]): Promise<boolean[]> {
    if (members.length === 0) return [];
    return toItems(await this.send(["smismember", key, ...members])).map(toFlag);
  }

  /** Returns the number of members; 0 when the key is absent. */
  async scard(key: Key): Promise<number> {
    return toInteger(await this.send(["scard", key]));
  }

  /** Removes a random member and returns it, or `null` when the key is absent. */
  spop(key: Key): Promise<Data | null>;
  /** Removes up to `count` random members and returns them. */
  spop(key: Key, count: number): Promise<Data[]>;
  async spop(key: Key, count?: number): Promise<Data | null | Data[]> {
    if (count === undefined) return this.toDataOrNull(await this.send(["spop", key]));
    return this.toDataArray(await this.send(["spop", key, count]));
  }

  /** Returns a random member, or `null` when the key is absent. */
  srandmember(key: Key): Promise<Data | null>;
  /** Returns up to `count` different random members. When negative, it returns that many members with repetitions. */
  srandmember(key: Key, count: number): Promise<Data[]>;
  async srandmember(key: Key, count?: number): Promise<Data | null | Data[]> {
    if (count === undefined) return this.toDataOrNull(await this.send(["srandmember", key]));
    return this.toDataArray(await this.send(["srandmember", key, count]));
  }

  /** Moves a member from one set to another. Returns whether the first set had it. */
  async smove(source: Key, destination: Key, member: Argument): Promise<boolean> {
    return toFlag(await this.send(["smove", source, destination, member]));
  }

  /**
   * Yields all members in portions, while other requests run.
   *
   * A member that exists from the beginning to the end is yielded. One that is added or removed meanwhile may be. A
   * member can be yielded more than once.
   *
   * @throws {RangeError} when `count` is not an integer above 0
   */
  async *sscan(key: Key, options: FieldScanOptions = {}): AsyncGenerator<Data, void> {
    for await (const portion of this.portions(["sscan", key], scanArguments(options))) {
      yield* this.toDataArray(portion);
    }
  }

  /** Returns the members that all sets have. */
  async sinter(...keys: readonly Key[]): Promise<Data[]> {
    return this.toDataArray(await this.send(["sinter", ...keys]));
  }

  /** Stores the members that all sets have, instead of what the destination holds. Returns their number. */
  async sinterstore(destination: Key, ...keys: readonly Key[]): Promise<number> {
    return toInteger(await this.send(["sinterstore", destination, ...keys]));
  }

  /**
   * Returns the number of members that all sets have.
   *
   * @param options the number at which the server stops counting
   * @throws {RangeError} when `limit` is not an integer above 0
   */
  async sintercard(keys: readonly Key[], options: { limit?: number } = {}): Promise<number> {
    const { limit } = options;
    const words = limit === undefined ? [] : ["LIMIT", positive("limit", limit)];
    return toInteger(await this.send(["sintercard", keys.length, ...keys, ...words]));
  }

  /** Returns the members that any of the sets has. */
  async sunion(...keys: readonly Key[]): Promise<Data[]> {
    return this.toDataArray(await this.send(["sunion", ...keys]));
  }

  /** Stores the members that any of the sets has, instead of what the destination holds. Returns their number. */
  async sunionstore(destination: Key, ...keys: readonly Key[]): Promise<number> {
    return toInteger(await this.send(["sunionstore", destination, ...keys]));
  }

  /** Returns the members that the first set has and none of the others. */
  async sdiff(...keys: readonly Key[]): Promise<Data[]> {
    return this.toDataArray(await this.send(["sdiff", ...keys]));
  }

  /** Stores the members that only the first set has, instead of what the destination holds. Returns their number. */
  async sdiffstore(destination: Key, ...keys: readonly Key[]): Promise<number> {
    return toInteger(await this.send(["sdiffstore", destination, ...keys]));
  }
}
