/**
 * The filters of `client list` and `client kill`, which choose clients by their properties.
 *
 * ```text
 * client list TYPE pubsub                 the clients that listen to channels
 * client list NAME job NOT-ADDR a:1       those with this name that do not come from a:1
 * client kill ID 3 4 5 MAXAGE 60          these, if they have been connected for at least a minute
 * ```
 *
 * A client must match all filters. Of two filters with the same name, the last one counts. Most filters have an
 * opposite, whose name begins with `NOT-`. Redis 7.0 knows some of the filters, and Redis 8 and Valkey 9 know more.
 *
 * @module
 */

import { parseInteger64 } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import type { Request } from "../wire/request.ts";
import { type ClientType, FLAGS, flagsOf, typeNamed, typeOf } from "./client_facts.ts";
import type { ClientState } from "./client_state.ts";
import { notInteger, syntaxError } from "./integer_argument.ts";

/** Returns whether a client has a property. */
type Test = (client: ClientState, nowMs: number) => boolean;

/** Makes a test from the value of a filter. */
type Parse = (value: string) => Test;

/** The filters that have one value and an opposite, by name in lower case. */
const OPPOSABLE: Readonly<Record<string, Parse>> = {
  addr: (value) => (client) => client.address === value,
  laddr: (value) => (client) => client.localAddress === value,
  ip: (value) => (client) => hostOf(client.address) === value,
  name: (value) => (client) => client.name === value,
  "lib-name": (value) => (client) => client.libraryName === value,
  "lib-ver": (value) => (client) => client.libraryVersion === value,
  type: (value) => ofType(typeNamed(value)),
  flags: ofFlags,
  db: (value) => {
    if (!/^\d+$/.test(value)) throw notInteger();
    // All clients use database 0, which is the only one.
    return () => Number(value) === 0;
  },
};

/** The filters that have one value and no opposite, by name in lower case. */
const PLAIN: Readonly<Record<string, Parse>> = {
  maxage: (value) => {
    const ageMs = positiveSeconds("maxage", value);
    return (client, nowMs) => nowMs - client.createdMs >= ageMs;
  },
  idle: (value) => {
    const idleMs = positiveSeconds("idle", value);
    return (client, nowMs) => nowMs - client.lastMs >= idleMs;
  },
};

/** The messages for a wrong number of a client, which differ between the commands as in Redis. */
export type WrongId = "Invalid client ID" | "client-id should be greater than 0";

/** Chooses clients. */
export class ClientFilter {
  /** The numbers of the clients to choose from, in the order of the request; `undefined` if all may match. */
  ids: readonly number[] | undefined;
  readonly #tests = new Map<string, Test>();
  readonly #wrongId: WrongId;
  #skipsMe: boolean;

  /** @param skipsMe whether the client that asks is left out, unless SKIPME says otherwise */
  constructor(wrongId: WrongId, skipsMe: boolean) {
    this.#wrongId = wrongId;
    this.#skipsMe = skipsMe;
  }

  /**
   * Reads the filters from argument `first` to the end.
   *
   * @throws {ReplyError} when one of them is unknown, or its value is wrong
   */
  read(request: Request, first: number): this {
    for (let i = first; i < request.count;) {
      if (i + 1 === request.count) throw syntaxError();
      const name = request.text(i).toLowerCase();
      i = this.#readOne(request, name, i + 1);
    }
    return this;
  }

  /** Reads the value of the filter `name` from argument `at` on. Returns the position of the next filter. */
  #readOne(request: Request, name: string, at: number): number {
    const isOpposite = name.startsWith("not-");
    const plainName = isOpposite ? name.slice("not-".length) : name;
    if (plainName === "id") return this.#readIds(request, name, at, isOpposite);
    const value = request.text(at);
    if (plainName === "user") this.#add(name, ofUser(value, isOpposite), isOpposite);
    else if (Object.hasOwn(OPPOSABLE, plainName)) this.#add(name, OPPOSABLE[plainName]!(value), isOpposite);
    else if (Object.hasOwn(PLAIN, name)) this.#add(name, PLAIN[name]!(value), false);
    else if (name === "skipme" && /^(yes|no)$/i.test(value)) this.#skipsMe = value.toLowerCase() === "yes";
    else throw syntaxError();
    return at + 1;
  }

  /** Reads the numbers of clients, of which there is at least one, up to the next filter. */
  #readIds(request: Request, name: string, at: number, isOpposite: boolean): number {
    const ids: number[] = [];
    const refusesZero = this.#wrongId !== "Invalid client ID";
    let next = at;
    for (; next < request.count; next++) {
      const id = parseInteger64(request.bytes, request.start(next), request.length(next));
      if (id === undefined && next > at && (refusesZero || isName(request.text(next).toLowerCase()))) break;
      if (id === undefined || refusesZero && id <= 0n) throw new ReplyError("ERR", this.#wrongId);
      ids.push(Number(id));
    }
    const wanted = new Set(ids);
    this.#add(name, (client) => wanted.has(client.id), isOpposite);
    if (!isOpposite) this.ids = ids;
    return next;
  }

  #add(name: string, test: Test, isOpposite: boolean): void {
    this.#tests.set(name, isOpposite ? (client, nowMs) => !test(client, nowMs) : test);
  }

  /**
   * Returns whether a client matches all filters.
   *
   * @param own the client that asks
   * @param nowMs the present by `performance.now()`
   */
  matches(client: ClientState, own: ClientState, nowMs: number): boolean {
    if (this.#skipsMe && client === own) return false;
    for (const test of this.#tests.values()) if (!test(client, nowMs)) return false;
    return true;
  }
}

function isName(name: string): boolean {
  const plainName = name.replace(/^not-/, "");
  return ["id", "user", "skipme"].includes(plainName) || Object.hasOwn(OPPOSABLE, plainName) ||
    Object.hasOwn(PLAIN, name);
}

/** Returns the test for a user, of whom there is only one. */
function ofUser(user: string, isOpposite: boolean): Test {
  if (user !== "default" && !isOpposite) throw new ReplyError("ERR", `No such user '${user}'`);
  return () => user === "default";
}

function ofType(type: ClientType): Test {
  return (client) => typeOf(client) === type;
}

/** Returns the test for clients that have all of these flags of `client list`. */
function ofFlags(value: string): Test {
  const flags = [...value];
  if (flags.length === 0 || flags.some((flag) => !FLAGS.includes(flag))) {
    throw new ReplyError("ERR", `Unknown flags found in the provided filter: ${value}`);
  }
  return (client) => {
    const own = flagsOf(client);
    return flags.every((flag) => own.includes(flag));
  };
}

function positiveSeconds(name: string, value: string): number {
  if (!/^-?\d{1,15}$/.test(value)) throw new ReplyError("ERR", `${name} is not an integer or out of range`);
  const seconds = Number(value);
  if (seconds <= 0) throw new ReplyError("ERR", `${name} should be greater than 0`);
  return seconds * 1000;
}

/** Returns the host of `host:port`, without the brackets of an IPv6 address. */
function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}
