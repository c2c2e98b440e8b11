/**
 * The commands on lists as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/request_writer.ts";
import { toInteger, toIntegerOrNull, toItems, toNothing } from "./convert.ts";
import { Sender } from "./sender.ts";
import type { Key } from "./sender.ts";

/** The element before or after which {@linkcode Commands.linsert} inserts. */
export type InsertPlace = { before: Argument; after?: undefined } | { after: Argument; before?: undefined };

/** The matches that {@linkcode Commands.lpos} returns. */
export interface PositionOptions {
  /** The first match that is returned: 1 is the first, -1 the last, from which the search goes backward. */
  rank?: number;
  /** The most matches that are returned; 0 for all. */
  count?: number;
  /** The most elements that are compared; 0 for all. */
  maxLength?: number;
}

/** The ends of two lists between which an element moves. */
export interface MoveEnds {
  /** The end from which the element is removed. */
  from: "head" | "tail";
  /** The end to which the element is added. */
  to: "head" | "tail";
}

/** The commands on lists. */
export abstract class ListCommands<Data> extends Sender<Data> {
  /**
   * Adds elements at the head, one after another, so that the last one given comes first. Returns the length of the
   * list.
   */
  async lpush(key: Key, ...elements: readonly Argument[]): Promise<number> {
    return toInteger(await this.send(["lpush", key, ...elements]));
  }

  /** Adds elements at the tail. Returns the length of the list. */
  async rpush(key: Key, ...elements: readonly Argument[]): Promise<number> {
    return toInteger(await this.send(["rpush", key, ...elements]));
  }

  /** Adds elements at the head like {@linkcode lpush}, if the list exists; otherwise returns 0. */
  async lpushx(key: Key, ...elements: readonly Argument[]): Promise<number> {
    return toInteger(await this.send(["lpushx", key, ...elements]));
  }

  /** Adds elements at the tail like {@linkcode rpush}, if the list exists; otherwise returns 0. */
  async rpushx(key: Key, ...elements: readonly Argument[]): Promise<number> {
    return toInteger(await this.send(["rpushx", key, ...elements]));
  }

  /** Removes one element from the head and returns it, or `null` when the key is absent. */
  lpop(key: Key): Promise<Data | null>;
  /** Removes up to `count` elements from the head and returns them. */
  lpop(key: Key, count: number): Promise<Data[]>;
  async lpop(key: Key, count?: number): Promise<Data | null | Data[]> {
    if (count === undefined) return this.toDataOrNull(await this.send(["lpop", key]));
    return this.toDataArray(await this.send(["lpop", key, count]));
  }

  /** Removes one element from the tail and returns it, or `null` when the key is absent. */
  rpop(key: Key): Promise<Data | null>;
  /** Removes up to `count` elements from the tail and returns them, the last one first. */
  rpop(key: Key, count: number): Promise<Data[]>;
  async rpop(key: Key, count?: number): Promise<Data | null | Data[]> {
    if (count === undefined) return this.toDataOrNull(await this.send(["rpop", key]));
    return this.toDataArray(await this.send(["rpop", key, count]));
  }

  /** Replaces the element at an index; -1 is the last. */
  async lset(key: Key, index: number, element: Argument): Promise<void> {
    toNothing(await this.send(["lset", key, index, element]));
  }

  /** Returns the element at an index, or `null` when there is none; -1 is the last. */
  async lget(key: Key, index: number): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["lget", key, index]));
  }

  /** Returns the elements from `start` to `stop`, both included; -1 is the last. Without them it returns all. */
  async lrange(key: Key, start = 0, stop = -1): Promise<Data[]> {
    return this.toDataArray(await this.send(["lrange", key, start, stop]));
  }

  /** Returns the number of elements; 0 when the key is absent. */
  async llen(key: Key): Promise<number> {
    return toInteger(await this.send(["llen", key]));
  }

  /**
   * Inserts an element before or after the first one that is equal to another.
   *
   * @returns the new length; 0 when the list is absent, -1 when it has no such element
   */
  async linsert(key: Key, element: Argument, place: InsertPlace): Promise<number> {
    const [side, pivot] = place.before !== undefined ? ["BEFORE", place.before] : ["AFTER", place.after];
    return toInteger(await this.send(["linsert", key, side, pivot, element]));
  }

  /**
   * Removes elements that are equal to one. Returns how many.
   *
   * @param count how many at most, from the head, or from the tail when negative; 0 for all
   */
  async lrem(key: Key, count: number, element: Argument): Promise<number> {
    return toInteger(await this.send(["lrem", key, count, element]));
  }

  /** Removes all elements except those from `start` to `stop`, both included; -1 is the last. */
  async ltrim(key: Key, start: number, stop: number): Promise<void> {
    toNothing(await this.send(["ltrim", key, start, stop]));
  }

  /** Returns the indexes of the elements that are equal to one, at most `count` of them; 0 for all. */
  lpos(key: Key, element: Argument, options: PositionOptions & { count: number }): Promise<number[]>;
  /** Returns the index of the first element that is equal to one, or `null` when there is none. */
  lpos(key: Key, element: Argument, options?: PositionOptions & { count?: undefined }): Promise<number | null>;
  async lpos(key: Key, element: Argument, options: PositionOptions = {}): Promise<number | null | number[]> {
    const { rank, count, maxLength } = options;
    const request: Argument[] = ["lpos", key, element];
    if (rank !== undefined) request.push("RANK", rank);
    if (maxLength !== undefined) request.push("MAXLEN", maxLength);
    if (count === undefined) return toIntegerOrNull(await this.send(request));
    return toItems(await this.send([...request, "COUNT", count])).map(toInteger);
  }

  /** Moves an element from one end of a list to one end of another. Returns it, or `null` when there is none. */
  async lmove(source: Key, destination: Key, ends: MoveEnds): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["lmove", source, destination, ...sides(ends)]));
  }

  /** Moves the last element of a list to the head of another. Returns it, or `null` when there is none. */
  async rpoplpush(source: Key, destination: Key): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["rpoplpush", source, destination]));
  }

  /**
   * Removes one element from the head of the first of these lists that has one, and waits for one if none has.
   *
   * Replies arrive in the order of the requests: all later requests of the same client, including `client.text`, wait
   * for the reply to this one. Use a separate client to wait. The client's own `timeoutMs` is added to the wait.
   *
   * @param timeoutMs how long to wait, in ms; 0 waits without a limit
   * @returns the key and its element, or `null` when the time is over
   * @throws {RangeError} when `timeoutMs` is negative, infinite or not a number
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect } from "@inmem/inmem";
   *
   * await using client = await connect();
   * await using worker = await connect();
   * const job = worker.text.blpop(["urgent", "normal"], 5_000);
   * await client.rpush("normal", "sweep");
   * assertEquals(await job, ["normal", "sweep"]);
   * ```
   */
  async blpop(keys: Key | readonly Key[], timeoutMs: number): Promise<[key: Data, element: Data] | null> {
    return this.toDataPairOrNull(await this.send(["blpop", ...[keys].flat(), seconds(timeoutMs)]));
  }

  /**
   * Removes one element from the tail like {@linkcode blpop} from the head. Later requests wait: use a separate client.
   *
   * @returns the key and its element, or `null` when the time is over
   * @throws {RangeError} when `timeoutMs` is negative, infinite or not a number
   */
  async brpop(keys: Key | readonly Key[], timeoutMs: number): Promise<[key: Data, element: Data] | null> {
    return this.toDataPairOrNull(await this.send(["brpop", ...[keys].flat(), seconds(timeoutMs)]));
  }

  /**
   * Moves an element like {@linkcode lmove}, and waits for one. Later requests wait as with {@linkcode blpop}: use a
   * separate client.
   *
   * @returns the element, or `null` when the time is over
   * @throws {RangeError} when `timeoutMs` is negative, infinite or not a number
   */
  async blmove(source: Key, destination: Key, options: MoveEnds & { timeoutMs: number }): Promise<Data | null> {
    const request = ["blmove", source, destination, ...sides(options), seconds(options.timeoutMs)];
    return this.toDataOrNull(await this.send(request));
  }

  /**
   * Moves an element like {@linkcode rpoplpush}, and waits for one. Later requests wait as with {@linkcode blpop}: use
   * a separate client.
   *
   * @returns the element, or `null` when the time is over
   * @throws {RangeError} when `timeoutMs` is negative, infinite or not a number
   */
  async brpoplpush(source: Key, destination: Key, timeoutMs: number): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["brpoplpush", source, destination, seconds(timeoutMs)]));
  }
}

function sides({ from, to }: MoveEnds): string[] {
  return [from, to].map((end) => end === "head" ? "LEFT" : "RIGHT");
}

/** Returns a time to wait in seconds, as the server expects it. */
function seconds(timeoutMs: number): number {
  if (timeoutMs >= 0 && timeoutMs < Infinity) return timeoutMs / 1000;
  throw new RangeError(`Cannot wait for ${timeoutMs} as "timeoutMs": expected 0 for no limit, or a time`);
}
