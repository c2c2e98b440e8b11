/**
 * The servers in use and who owns which slot, kept up with the list of members.
 *
 * Slots are the unit of ownership: a command finds its server by `pools[owners[slot]]`, two array reads. A change of
 * the list replaces both arrays at once, between two commands. A server that stays keeps its pool, and with it its
 * connections and what is in flight; one that leaves takes no new request from then on, and its pool ends when the
 * requests in flight are answered. One that comes back before that goes on with the same pool: another one would let a
 * client's next request overtake those in flight.
 *
 * @module
 */

import { ConnectionError, ReplyError } from "../errors.ts";
import type { DedicatedLane } from "../route/dedicated.ts";
import type { Framing } from "../route/framing.ts";
import { Pool } from "../route/pool.ts";
import type { PoolOptions } from "../route/pool.ts";
import { countSlots, ownersOf, slotOf } from "../route/slots.ts";
import type { Member } from "../route/slots.ts";
import { codeOf } from "./refusal.ts";
import { makeTags } from "./scan_cursor.ts";

/** A server's place in the order that `scan` visits. */
export interface Stop {
  /** See {@linkcode makeTags}. */
  readonly tag: number;
  readonly pool: Pool;
}

/** The servers and the routes to them. */
export class Cluster {
  /** The servers, in the order of the list. Replaced with {@linkcode owners}, never changed. */
  pools: readonly Pool[] = [];
  /** The owner of each slot, as a position in {@linkcode pools}. */
  owners: Uint16Array = new Uint16Array(0);
  #members: readonly Member[] = [];
  #stops: readonly Stop[] = [];
  #draining: Pool[] = [];
  readonly #followers: (() => void)[] = [];
  readonly #options: PoolOptions;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** The list that rules now. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** Servers that were removed and have requests in flight. */
  get draining(): readonly Pool[] {
    return this.#draining;
  }

  /** Has `follow` called whenever slots have got other owners, while those that leave still take requests. */
  onChange(follow: () => void): void {
    this.#followers.push(follow);
  }

  /** Routes by another list from now on. */
  apply(members: readonly Member[]): void {
    const known = new Map([...this.pools, ...this.#draining].map((pool) => [pool.address, pool]));
    const owners = ownersOf(members);
    this.pools = members.map(({ address }) => known.get(address) ?? new Pool(address, this.#options));
    this.owners = owners;
    this.#members = members;
    const tags = makeTags(members.map((member) => member.address));
    this.#stops = this.pools.map((pool) => ({ tag: tags.get(pool.address)!, pool })).sort((a, b) => a.tag - b.tag);
    for (const pool of this.pools) {
      known.delete(pool.address);
      pool.restore();
    }
    for (const follow of this.#followers) follow();
    this.#draining = [...known.values()];
    for (const pool of this.#draining) pool.retire();
    this.#forgetDrained();
  }

  /** The server that owns the key `bytes[start, start + length)`. */
  ownerOf(bytes: Uint8Array, start: number, length: number): Pool {
    return this.pools[this.owners[slotOf(bytes, start, length)]!]!;
  }

  /** The server that owns a slot. */
  ownerOfSlot(slot: number): Pool {
    return this.pools[this.owners[slot]!]!;
  }

  /**
   * Lends a connection to a server that nobody else uses.
   *
   * @throws {ReplyError} when there is none
   */
  dedicate(pool: Pool, framing: Framing): DedicatedLane {
    try {
      return pool.dedicate(framing);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      throw new ReplyError(codeOf(error, true), error.message);
    }
  }

  /** How many slots each server has, in the order of {@linkcode pools}. */
  countSlots(): Uint32Array {
    return countSlots(this.owners, this.pools.length);
  }

  /** The first server in the order of `scan` whose tag is at least `tag`. */
  stopFrom(tag: number): Stop | undefined {
    return this.#stops.find((stop) => stop.tag >= tag);
  }

  /** Ends what has waited too long, on servers that were removed too. To be called several times a second. */
  sweep(): void {
    for (const pool of this.pools) pool.sweep();
    for (const pool of this.#draining) pool.sweep();
    if (this.#draining.length > 0) this.#forgetDrained();
  }

  #forgetDrained(): void {
    this.#draining = this.#draining.filter((pool) => !pool.closed);
  }

  /** Closes all connections; what is in flight fails. */
  close(): void {
    for (const pool of [...this.pools, ...this.#draining]) pool.close();
    this.#draining = [];
  }
}
