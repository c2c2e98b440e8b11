/**
 * The commands on lists as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/native/frame.ts";
import { toInteger, toIntegerOrNull, toItems, toNothing } from "./convert.ts";
import { Sender } from "./sender.ts";
import type { Key } from "./sender.ts";

/** Beside which element {@linkcode Commands.linsert} inserts. */
export type InsertPlace = { before: Argument; after?: undefined } | { after: Argument; before?: undefined };

/** Where {@linkcode Commands.lpos} looks. */
export interface PositionOptions {
  /** Which of the matches is the first that counts: 1 is the first, -1 the last, from where it goes backward. */
  rank?: number;
  /** How many matches at most; 0 for all. */
  count?: number;
  /** How many elements to look at, at most; 0 for all. */
  maxLength?: number;
}

/** From which end of a list to which end of another an element moves. */
export interface MoveEnds {
  /** Where it is taken. */
  from: "head" | "tail";
  /** Where it is put. */
  to: "head" | "tail";
}

/** The commands on lists. */
export abstract class ListCommands<Data> extends Sender<Data> {
  /** Puts elements at the head, one after another, so that the last one given comes first; answers the length. */
  async lpush(key: Key, ...elements: readonly Argument[]): Promise<number> {
    return toInteger(await this.send(["lpush", key, ...elements]));
  }

  /** Puts elements at the tail; answers the length. */
  async rpush(key: Key, ...elements: readonly Argument[]): Promise<number> {
    return toInteger(await this.send(["rpush", key, ...elements]));
  }

  /** As {@linkcode lpush}, if the list is there; else answers 0. */
  async lpushx(key: Key, ...elements: readonly Argument[]): Promise<number> {
    return toInteger(await this.send(["lpushx", key, ...elements]));
  }

  /** As {@linkcode rpush}, if the list is there; else answers 0. */
  async rpushx(key: Key, ...elements: readonly Argument[]): Promise<number> {
    return toInteger(await this.send(["rpushx", key, ...elements]));
  }

  /** Takes one element from the head, or answers `null` when the key is absent. */
  lpop(key: Key): Promise<Data | null>;
  /** Takes up to `count` elements from the head. */
  lpop(key: Key, count: number): Promise<Data[]>;
  async lpop(key: Key, count?: number): Promise<Data | null | Data[]> {
    if (count === undefined) return this.toDataOrNull(await this.send(["lpop", key]));
    return this.toDatas(await this.send(["lpop", key, count]));
  }

  /** Takes one element from the tail, or answers `null` when the key is absent. */
  rpop(key: Key): Promise<Data | null>;
  /** Takes up to `count` elements from the tail, the last one first. */
  rpop(key: Key, count: number): Promise<Data[]>;
  async rpop(key: Key, count?: number): Promise<Data | null | Data[]> {
    if (count === undefined) return this.toDataOrNull(await this.send(["rpop", key]));
    return this.toDatas(await this.send(["rpop", key, count]));
  }

  /** Replaces the element at an index; -1 is the last. */
  async lset(key: Key, index: number, element: Argument): Promise<void> {
    toNothing(await this.send(["lset", key, index, element]));
  }

  /** The element at an index, or `null` when there is none; -1 is the last. */
  async lget(key: Key, index: number): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["lget", key, index]));
  }

  /** The elements from `start` to `stop`, both included; -1 is the last. All without them. */
  async lrange(key: Key, start = 0, stop = -1): Promise<Data[]> {
    return this.toDatas(await this.send(["lrange", key, start, stop]));
  }

  /** The number of elements; 0 when absent. */
  async llen(key: Key): Promise<number> {
    return toInteger(await this.send(["llen", key]));
  }

  /**
   * Puts an element before or behind the first one that is equal to another.
   *
   * @returns the length then; 0 when the list is absent, -1 when it has no such element
   */
  async linsert(key: Key, element: Argument, place: InsertPlace): Promise<number> {
    const [side, pivot] = place.before !== undefined ? ["BEFORE", place.before] : ["AFTER", place.after];
    return toInteger(await this.send(["linsert", key, side, pivot, element]));
  }

  /**
   * Removes elements that are equal to one; answers how many.
   *
   * @param count how many at most, from the head on, or from the tail on when negative; 0 for all
   */
  async lrem(key: Key, count: number, element: Argument): Promise<number> {
    return toInteger(await this.send(["lrem", key, count, element]));
  }

  /** Removes all but the elements from `start` to `stop`, both included; -1 is the last. */
  async ltrim(key: Key, start: number, stop: number): Promise<void> {
    toNothing(await this.send(["ltrim", key, start, stop]));
  }

  /** The indexes of the elements that are equal to one, `count` of them at most; 0 for all. */
  lpos(key: Key, element: Argument, options: PositionOptions & { count: number }): Promise<number[]>;
  /** The index of the first element that is equal to one, or `null` when there is none. */
  lpos(key: Key, element: Argument, options?: PositionOptions & { count?: undefined }): Promise<number | null>;
  async lpos(key: Key, element: Argument, options: PositionOptions = {}): Promise<number | null | number[]> {
    const { rank, count, maxLength } = options;
    const request: Argument[] = ["lpos", key, element];
    if (rank !== undefined) request.push("RANK", rank);
    if (maxLength !== undefined) request.push("MAXLEN", maxLength);
    if (count === undefined) return toIntegerOrNull(await this.send(request));
    return toItems(await this.send([...request, "COUNT", count])).map(toInteger);
  }

  /** Moves an element from one end of a list to one end of another, and answers it; `null` when there is none. */
  async lmove(source: Key, destination: Key, ends: MoveEnds): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["lmove", source, destination, ...sides(ends)]));
  }

  /** Moves the last element of a list to the head of another, and answers it; `null` when there is none. */
  async rpoplpush(source: Key, destination: Key): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["rpoplpush", source, destination]));
  }

  /**
   * Takes one element from the head of the first of these lists that has one, and waits for one if none has.
   *
   * Replies come in the order of the requests: all that is sent behind this one on the same client, `client.text`
   * included, waits until it is answered. So use a client of its own to wait with. The client's own `timeoutMs` is added
   * to the wait.
   *
   * @param timeoutMs how long to wait, in ms; 0 is for ever
   * @returns the key and its element, or `null` when the time was up
   * @throws {RangeError} when `timeoutMs` is negative, infinite or no number
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
   * As {@linkcode blpop}, from the tail. Requests behind it wait: use a client of its own.
   *
   * @returns the key and its element, or `null` when the time was up
   * @throws {RangeError} when `timeoutMs` is negative, infinite or no number
   */
  async brpop(keys: Key | readonly Key[], timeoutMs: number): Promise<[key: Data, element: Data] | null> {
    return this.toDataPairOrNull(await this.send(["brpop", ...[keys].flat(), seconds(timeoutMs)]));
  }

  /**
   * As {@linkcode lmove}, and waits for an element. Requests behind it wait as well, as {@linkcode blpop} says: use a
   * client of its own.
   *
   * @returns the element, or `null` when the time was up
   * @throws {RangeError} when `timeoutMs` is negative, infinite or no number
   */
  async blmove(source: Key, destination: Key, options: MoveEnds & { timeoutMs: number }): Promise<Data | null> {
    const request = ["blmove", source, destination, ...sides(options), seconds(options.timeoutMs)];
    return this.toDataOrNull(await this.send(request));
  }

  /**
   * As {@linkcode rpoplpush}, and waits for an element. Requests behind it wait as well, as {@linkcode blpop} says: use
   * a client of its own.
   *
   * @returns the element, or `null` when the time was up
   * @throws {RangeError} when `timeoutMs` is negative, infinite or no number
   */
  async brpoplpush(source: Key, destination: Key, timeoutMs: number): Promise<Data | null> {
    return this.toDataOrNull(await this.send(["brpoplpush", source, destination, seconds(timeoutMs)]));
  }
}

function sides({ from, to }: MoveEnds): string[] {
  return [from, to].map((end) => end === "head" ? "LEFT" : "RIGHT");
}

/** A time to wait in seconds, as the server takes it. */
function seconds(timeoutMs: number): number {
  if (timeoutMs >= 0 && timeoutMs < Infinity) return timeoutMs / 1000;
  throw new RangeError(`Cannot wait for ${timeoutMs} as "timeoutMs": expected 0 for ever, or a time`);
}
