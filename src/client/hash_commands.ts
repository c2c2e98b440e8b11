/**
 * The commands on hashes as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/request_writer.ts";
import { toBytes, toFlag, toFraction, toInteger, toItems, toNothing, toPairs, toText } from "./convert.ts";
import { scanArguments, Sender, withPairs } from "./sender.ts";
import type { FieldScanOptions, Key, Pairs } from "./sender.ts";

/** The commands on hashes. */
export abstract class HashCommands<Data> extends Sender<Data> {
  /** Sets fields. Returns how many of them are new. */
  async hset(key: Key, fields: Pairs): Promise<number> {
    const request = withPairs(["hset", key], fields);
    return request.length === 2 ? 0 : toInteger(await this.send(request));
  }

  /** Sets fields, without returning how many of them are new. */
  async hmset(key: Key, fields: Pairs): Promise<void> {
    const request = withPairs(["hmset", key], fields);
    if (request.length > 2) toNothing(await this.send(request));
  }

  /** Sets a field if it is absent. Returns whether it was. */
  async hsetnx(key: Key, field: Key, value: Argument): Promise<boolean> {
    return toFlag(await this.send(["hsetnx", key, field, value]));
  }

  /** Returns the value of a field, or `null`. */
  async hget(key: Key, field: Key): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["hget", key, field]));
  }

  /** Returns the values of several fields, in their order; `null` for absent ones. */
  async hmget(key: Key, ...fields: readonly Key[]): Promise<(Data | null)[]> {
    return fields.length === 0 ? [] : this.toDataOrNullArray(await this.send(["hmget", key, ...fields]));
  }

  /** Removes fields. Returns how many existed. */
  async hdel(key: Key, ...fields: readonly Key[]): Promise<number> {
    return fields.length === 0 ? 0 : toInteger(await this.send(["hdel", key, ...fields]));
  }

  /**
   * Returns all fields with their values; empty when the key is absent.
   *
   * @throws {TypeError} when a field's name is not UTF-8; `send(["hgetall", key])` returns any name
   */
  async hgetall(key: Key): Promise<Map<string, Data>> {
    const fields = new Map<string, Data>();
    for (const [field, value] of toPairs(await this.send(["hgetall", key]))) {
      fields.set(toText(toBytes(field)), this.toData(value));
    }
    return fields;
  }

  /** Returns the number of fields; 0 when the key is absent. */
  async hlen(key: Key): Promise<number> {
    return toInteger(await this.send(["hlen", key]));
  }

  /** Returns whether a field exists. */
  async hexists(key: Key, field: Key): Promise<boolean> {
    return toFlag(await this.send(["hexists", key, field]));
  }

  /** Returns the length of a field's value in bytes; 0 when it is absent. */
  async hstrlen(key: Key, field: Key): Promise<number> {
    return toInteger(await this.send(["hstrlen", key, field]));
  }

  /** Returns all fields. */
  async hkeys(key: Key): Promise<Data[]> {
    return this.toDataArray(await this.send(["hkeys", key]));
  }

  /** Returns all values. */
  async hvals(key: Key): Promise<Data[]> {
    return this.toDataArray(await this.send(["hvals", key]));
  }

  /** Adds an integer to the number in a field, which counts as 0 when absent. Returns the sum. */
  async hincrby(key: Key, field: Key, by: number | bigint): Promise<number> {
    return toInteger(await this.send(["hincrby", key, field, by]));
  }

  /**
   * Adds to the number in a field, which may have a fraction and counts as 0 when absent. Returns the sum.
   *
   * The server computes with more digits than a `number` has; `send(["hincrbyfloat", key, field, by])` returns all
   * digits.
   */
  async hincrbyfloat(key: Key, field: Key, by: number): Promise<number> {
    return toFraction(await this.send(["hincrbyfloat", key, field, by]));
  }

  /** Returns a random field, or `null` when the key is absent. */
  hrandfield(key: Key): Promise<Data | null>;
  /** Returns up to `count` different random fields. When negative, it returns that many fields with repetitions. */
  hrandfield(key: Key, count: number, options?: { withValues?: false }): Promise<Data[]>;
  /** Returns random fields with their values. */
  hrandfield(key: Key, count: number, options: { withValues: true }): Promise<[field: Data, value: Data][]>;
  async hrandfield(
    key: Key,
    count?: number,
    options: { withValues?: boolean } = {},
  ): Promise<Data | null | Data[] | [field: Data, value: Data][]> {
    if (count === undefined) return this.toDataOrNull(await this.send(["hrandfield", key]));
    if (!options.withValues) return this.toDataArray(await this.send(["hrandfield", key, count]));
    const pairs = toItems(await this.send(["hrandfield", key, count, "WITHVALUES"]));
    return pairs.flatMap((pair) => this.toDataPairs(pair));
  }

  /**
   * Yields all fields with their values in portions, while other requests run.
   *
   * A field that exists from the beginning to the end is yielded. One that is added or removed meanwhile may be. A
   * field can be yielded more than once.
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
