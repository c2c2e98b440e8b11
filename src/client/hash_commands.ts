/**
 * The commands on hashes as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/native/frame.ts";
import { toBytes, toFlag, toFraction, toInteger, toItems, toNothing, toPairs, toText } from "./convert.ts";
import { scanArguments, Sender, withPairs } from "./sender.ts";
import type { FieldScanOptions, Key, Pairs } from "./sender.ts";

/** The commands on hashes. */
export abstract class HashCommands<Data> extends Sender<Data> {
  /** Sets fields; answers how many of them are new. */
  async hset(key: Key, fields: Pairs): Promise<number> {
    const request = withPairs(["hset", key], fields);
    return request.length === 2 ? 0 : toInteger(await this.send(request));
  }

  /** Sets fields, without a word about how many of them are new. */
  async hmset(key: Key, fields: Pairs): Promise<void> {
    const request = withPairs(["hmset", key], fields);
    if (request.length > 2) toNothing(await this.send(request));
  }

  /** Sets a field if it is absent; answers whether it was. */
  async hsetnx(key: Key, field: Key, value: Argument): Promise<boolean> {
    return toFlag(await this.send(["hsetnx", key, field, value]));
  }

  /** The value of a field, or `null`. */
  async hget(key: Key, field: Key): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["hget", key, field]));
  }

  /** The values of several fields, in the order asked; `null` for what is absent. */
  async hmget(key: Key, ...fields: readonly Key[]): Promise<(Data | null)[]> {
    return fields.length === 0 ? [] : this.toDataOrNulls(await this.send(["hmget", key, ...fields]));
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
      fields.set(toText(toBytes(field)), this.toData(value));
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

  /** The length of a field's value in bytes; 0 when absent. */
  async hstrlen(key: Key, field: Key): Promise<number> {
    return toInteger(await this.send(["hstrlen", key, field]));
  }

  /** All fields. */
  async hkeys(key: Key): Promise<Data[]> {
    return this.toDatas(await this.send(["hkeys", key]));
  }

  /** All values. */
  async hvals(key: Key): Promise<Data[]> {
    return this.toDatas(await this.send(["hvals", key]));
  }

  /** Adds an integer to the number in a field, which counts as 0 when absent; answers the sum. */
  async hincrby(key: Key, field: Key, by: number | bigint): Promise<number> {
    return toInteger(await this.send(["hincrby", key, field, by]));
  }

  /**
   * Adds to the number in a field, which may have a fraction and counts as 0 when absent; answers the sum.
   *
   * The server counts with more digits than a `number` holds; `send(["hincrbyfloat", key, field, by])` answers all.
   */
  async hincrbyfloat(key: Key, field: Key, by: number): Promise<number> {
    return toFraction(await this.send(["hincrbyfloat", key, field, by]));
  }

  /** A field at random, or `null` when the key is absent. */
  hrandfield(key: Key): Promise<Data | null>;
  /** Up to `count` different fields at random; when negative, that many of any, with repetitions. */
  hrandfield(key: Key, count: number, options?: { withValues?: false }): Promise<Data[]>;
  /** As above, with their values. */
  hrandfield(key: Key, count: number, options: { withValues: true }): Promise<[field: Data, value: Data][]>;
  async hrandfield(
    key: Key,
    count?: number,
    options: { withValues?: boolean } = {},
  ): Promise<Data | null | Data[] | [field: Data, value: Data][]> {
    if (count === undefined) return this.toDataOrNull(await this.send(["hrandfield", key]));
    if (!options.withValues) return this.toDatas(await this.send(["hrandfield", key, count]));
    const pairs = toItems(await this.send(["hrandfield", key, count, "WITHVALUES"]));
    return pairs.flatMap((pair) => this.toDataPairs(pair));
  }

  /**
   * Goes through all fields with their values in portions, beside other requests.
   *
   * A field that is there from the beginning to the end is yielded; one that comes or goes meanwhile may be. A field
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
   * await client.hset("user:1", { name: "Ada", born: 1815 });
   * for await (const [field, value] of client.text.hscan("user:1", { match: "b*" })) {
   *   assertEquals([field, value], ["born", "1815"]);
   * }
   * ```
   */
  async *hscan(key: Key, options: FieldScanOptions = {}): AsyncGenerator<[field: Data, value: Data], void> {
    for await (const portion of this.portions(["hscan", key], scanArguments(options))) {
      yield* this.toDataPairs(portion);
    }
  }
}
