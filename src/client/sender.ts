/**
 * The base of the typed methods of all groups: sending, and converting replies into data.
 *
 * @module
 */

import type { Argument } from "../wire/request_writer.ts";
import type { Value } from "../wire/native/reply_reader.ts";
import { toBytes, toItems, toPairs, toWord } from "./convert.ts";

/** A key, a field or a pattern. Text means its UTF-8 encoding. */
export type Key = string | Uint8Array;

/** A hash's fields with their values, or keys with their values. */
export type Pairs = Readonly<Record<string, Argument>> | Iterable<readonly [Key, Argument]>;

/** The options of `hscan` and `sscan`: which fields or members they yield, and in what portions. */
export interface FieldScanOptions {
  /** A glob pattern: `*`, `?`, `[a-z]`, and `\` before a literal character. Without it, all match. */
  match?: Key;
  /** About how many fields or members the server visits in one request. */
  count?: number;
}

/** Sends commands. `Data` is the type of bytes in replies. */
export abstract class Sender<Data> {
  /** Sends any command, and returns its reply unchanged. */
  abstract send(request: readonly Argument[]): Promise<Value>;

  /** Converts bytes of a reply, which it owns, into the type that the methods return. */
  protected abstract data(bytes: Uint8Array<ArrayBuffer>): Data;

  /** Converts a reply that is data. */
  protected toData(value: Value): Data {
    return this.data(toBytes(value));
  }

  /** Converts a reply that is data or nil. */
  protected toDataOrNull(value: Value): Data | null {
    return value === null ? null : this.toData(value);
  }

  /** Converts a reply that is an array of data and nil. */
  protected toDataOrNullArray(value: Value): (Data | null)[] {
    return toItems(value).map((item) => this.toDataOrNull(item));
  }

  /** Converts a reply that is an array of data. */
  protected toDataArray(value: Value): Data[] {
    return toItems(value).map((item) => this.toData(item));
  }

  /** Converts a reply that is two items of data, or nil. */
  protected toDataPairOrNull(value: Value): [Data, Data] | null {
    if (value === null) return null;
    const [first, second] = toItems(value);
    return [this.toData(first ?? null), this.toData(second ?? null)];
  }

  /** Converts a reply that is a map of data, or an array of keys and values in turn. */
  protected toDataPairs(value: Value): [Data, Data][] {
    return toPairs(value).map(([first, second]) => [this.toData(first), this.toData(second)]);
  }

  /**
   * Follows a cursor to its end, and yields the portion of each reply.
   *
   * @param request the arguments before the cursor
   * @param rest the arguments after the cursor
   */
  protected async *portions(request: readonly Argument[], rest: readonly Argument[]): AsyncGenerator<Value, void> {
    let cursor = "0";
    do {
      const [next, portion] = toItems(await this.send([...request, cursor, ...rest]));
      cursor = typeof next === "number" || typeof next === "bigint" ? String(next) : toWord(next ?? null);
      yield portion ?? null;
    } while (cursor !== "0");
  }
}

/** Returns the options as arguments. */
export function scanArguments({ match, count }: FieldScanOptions): Argument[] {
  const words: Argument[] = [];
  if (match !== undefined) words.push("MATCH", match);
  if (count !== undefined) words.push("COUNT", positive("count", count));
  return words;
}

/**
 * Returns the value of an option that has to be an integer above 0.
 *
 * @throws {RangeError} when it is not
 */
export function positive(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value <= 0) {
    throw new RangeError(`Cannot use ${value} as "${name}": expected an integer above 0`);
  }
  return value;
}

/** Appends names and values in turn to a request, and returns the request. */
export function withPairs(request: Argument[], pairs: Pairs): Argument[] {
  if (Symbol.iterator in pairs) {
    for (const [name, value] of pairs as Iterable<readonly [Key, Argument]>) request.push(name, value);
  } else {
    for (const [name, value] of Object.entries(pairs)) request.push(name, value);
  }
  return request;
}
