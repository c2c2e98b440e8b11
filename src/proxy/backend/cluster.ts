/**
 * The servers in use and the owner of each slot, which follow the list of members.
 *
 * Ownership is by slot: a command finds its server by `pools[owners[slot]]`, two array reads. A change of the list
 * replaces both arrays together, between two commands. A server that stays keeps its pool, with its connections and the
 * requests in flight. A server that leaves gets no new requests, and its pool ends when the requests in flight have
 * replies. A server that returns before that keeps the same pool: with another one, a client's next request could
 * overtake those in flight.
 *
 * The home of a slot is the server that the list assigns to it. With `--on-down remap` another server may own it, while
 * the first is down or until it is ready (remap.ts). Routing uses the owner.
 *
 * @module
 */

import { ConnectionError, ReplyError } from "../../errors.ts";
import { slotOf } from "../../key_slot.ts";
import type { DedicatedStream } from "../../route/dedicated.ts";
import type { Framing } from "../../route/framing.ts";
import { Pool } from "../../route/pool.ts";
import type { PoolOptions } from "../../route/pool.ts";
import { countSlots, ownersOf } from "../../route/slots.ts";
import type { Member } from "../../route/slots.ts";
import { codeOf } from "./errors.ts";
import { Loans } from "./loans.ts";
import { makeTags } from "./scan_cursor.ts";

/** A server's position in the order in which `scan` visits servers. */
export interface Stop {
  /** The tag of the server, from {@linkcode makeTags}. */
  readonly tag: number;
  readonly pool: Pool;
}

/** The servers and the routes to them. */
export class Cluster {
  /**
   * The servers in the order of the list, followed by those that have left it and still own slots. Replaced together
   * with {@linkcode owners}, never changed.
   */
  pools: readonly Pool[] = [];
  /** The owner of each slot, as an index in {@linkcode pools}. Replaced, never changed. */
  owners: Uint16Array = new Uint16Array(0);
  /** The server that the list assigns to each slot. */
  home: Uint16Array = this.owners;
  /** The servers that own slots. A request for all servers is sent to these. */
  holders: readonly Pool[] = [];
  /** The lent slots without a write. */
  readonly loans: Loans = new Loans();
  #members: readonly Member[] = [];
  #stops: readonly Stop[] = [];
  #draining: Pool[] = [];
  readonly #followers: (() => void)[] = [];
  readonly #options: PoolOptions;
  readonly #keepsOwners: boolean;

  /**
   * Creates a cluster without servers.
   *
   * @param keepsOwners whether a slot keeps its owner, regardless of the list, until {@linkcode assign}
   */
  constructor(options: PoolOptions, keepsOwners = false) {
    this.#options = options;
    this.#keepsOwners = keepsOwners;
  }

  /** The current list. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** The servers that were removed and have requests in flight. */
  get draining(): readonly Pool[] {
    return this.#draining;
  }

  /** Calls `follow` whenever slots have changed their owners, while leaving servers still accept requests. */
  onChange(follow: () => void): void {
    this.#followers.push(follow);
  }

  /** Routes by another list. If owners are kept, it applies when they are assigned. */
  apply(members: readonly Member[]): void {
    const { pools, owners } = this;
    const known = new Map([...pools, ...this.#draining].map((pool) => [pool.address, pool]));
    const listed = members.map(({ address }) => known.get(address) ?? new Pool(address, this.#options));
    for (const pool of listed) pool.restore();
    this.home = ownersOf(members);
    this.#members = members;
    if (!this.#keepsOwners || owners.length === 0) return this.#replace(listed, this.home);
    const all = [...listed, ...pools.filter((pool) => !listed.includes(pool))];
    this.#replace(all, reindex(owners, pools, all));
  }

  /** Changes the owners of slots, as indexes in {@linkcode pools}. */
  assign(owners: Uint16Array): void {
    this.#replace(this.pools, owners);
  }

  /** Routes to `pools`, and releases those that are not in the list and own no slot. */
  #replace(pools: readonly Pool[], owners: Uint16Array): void {
    const counts = countSlots(owners, pools.length);
    const kept = pools.filter((_, position) => position < this.#members.length || counts[position]! > 0);
    const left = new Set([...this.pools, ...this.#draining]);
    for (const pool of kept) left.delete(pool);
    this.pools = kept;
    this.owners = reindex(owners, pools, kept);
    this.holders = pools.filter((_, position) => counts[position]! > 0);
    const tags = makeTags(kept.map(({ address }) => address));
    this.#stops = this.holders.map((pool) => ({ tag: tags.get(pool.address)!, pool })).sort((a, b) => a.tag - b.tag);
    for (const follow of this.#followers) follow();
    this.#draining = [...left];
    for (const pool of this.#draining) pool.retire();
    this.#forgetDrained();
  }

  /** The number of slots whose owner is not the one that the list assigns. */
  get lent(): number {
    let count = 0;
    for (let slot = 0; slot < this.owners.length; slot++) if (this.owners[slot] !== this.home[slot]) count++;
    return count;
  }

  /** Returns the number of slots that each server owns for another one, in the order of {@linkcode pools}. */
  countLent(): Uint32Array {
    const counts = new Uint32Array(this.pools.length);
    for (let slot = 0; slot < this.owners.length; slot++) {
      const owner = this.owners[slot]!;
      if (owner !== this.home[slot]) counts[owner]!++;
    }
    return counts;
  }

  /** Returns the server that owns the key `bytes[start, start + length)`. */
  ownerOf(bytes: Uint8Array, start: number, length: number): Pool {
    return this.pools[this.owners[slotOf(bytes, start, length)]!]!;
  }

  /** Returns the server that owns a slot. */
  ownerOfSlot(slot: number): Pool {
    return this.pools[this.owners[slot]!]!;
  }

  /**
   * Records that a request that may write keys of a slot is being sent to its owner. A server that is down gets no
   * requests.
   */
  wrote(slot: number): void {
    if (this.loans.count > 0 && this.ownerOfSlot(slot).state !== "down") this.loans.end(slot);
  }

  /**
   * Lends a dedicated connection to a server.
   *
   * @throws {ReplyError} when none is available
   */
  dedicate(pool: Pool, framing: Framing): DedicatedStream {
    try {
      return pool.dedicate(framing);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      throw new ReplyError(codeOf(error, true), error.message);
    }
  }

  /** Returns the number of slots of each server, in the order of {@linkcode pools}. */
  countSlots(): Uint32Array {
    return countSlots(this.owners, this.pools.length);
  }

  /** Returns the first server in the order of `scan` whose tag is at least `tag`. */
  stopFrom(tag: number): Stop | undefined {
    return this.#stops.find((stop) => stop.tag >= tag);
  }

  /** Fails requests that have waited too long, also on removed servers. Must be called several times a second. */
  sweep(): void {
    for (const pool of this.pools) pool.sweep();
    for (const pool of this.#draining) pool.sweep();
    if (this.#draining.length > 0) this.#forgetDrained();
  }

  #forgetDrained(): void {
    this.#draining = this.#draining.filter((pool) => !pool.closed);
  }

  /** Closes all connections. Requests in flight fail. */
  close(): void {
    for (const pool of [...this.pools, ...this.#draining]) pool.close();
    this.#draining = [];
  }
}

/** Returns the same owners as indexes in another list of servers, which contains all owners. */
function reindex(owners: Uint16Array, from: readonly Pool[], to: readonly Pool[]): Uint16Array {
  const positions = from.map((pool) => to.indexOf(pool));
  return owners.map((position) => positions[position]!);
}
