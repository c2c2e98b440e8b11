/**
 * The servers in use and who owns which slot, kept up with the list of members.
 *
 * Slots are the unit of ownership: a command finds its server by `pools[owners[slot]]`, two array reads. A change of
 * the list replaces both arrays at once, between two commands. A server that stays keeps its pool, and with it its
 * connections and what is in flight; one that leaves takes no new request from then on, and its pool ends when the
 * requests in flight are answered. One that comes back before that goes on with the same pool: another one would let a
 * client's next request overtake those in flight.
 *
 * A slot is at home with the server that the list gives it. With `--on-down remap` another one may have it, on loan while
 * that one is down or until that one is ready (remap.ts); everything goes by who has it.
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

/** A server's place in the order that `scan` visits. */
export interface Stop {
  /** See {@linkcode makeTags}. */
  readonly tag: number;
  readonly pool: Pool;
}

/** The servers and the routes to them. */
export class Cluster {
  /**
   * The servers in the order of the list, and behind them those that left it and still have slots. Replaced with
   * {@linkcode owners}, never changed.
   */
  pools: readonly Pool[] = [];
  /** Who has each slot, as a position in {@linkcode pools}. Replaced, never changed. */
  owners: Uint16Array = new Uint16Array(0);
  /** Whom the list gives each slot. */
  home: Uint16Array = this.owners;
  /** The servers that have slots: those that requests for all servers are for. */
  holders: readonly Pool[] = [];
  /** What servers have lent, and nobody has written since. */
  readonly loans: Loans = new Loans();
  #members: readonly Member[] = [];
  #stops: readonly Stop[] = [];
  #draining: Pool[] = [];
  readonly #followers: (() => void)[] = [];
  readonly #options: PoolOptions;
  readonly #keepsOwners: boolean;

  /** @param keepsOwners whether a slot stays where it is, whatever the list says, until {@linkcode assign} */
  constructor(options: PoolOptions, keepsOwners = false) {
    this.#options = options;
    this.#keepsOwners = keepsOwners;
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

  /** Routes by another list from now on; where owners are kept, as soon as they are assigned by it. */
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

  /** Lets slots have other owners from now on: positions in {@linkcode pools}. */
  assign(owners: Uint16Array): void {
    this.#replace(this.pools, owners);
  }

  /** Routes to `pools`, of which those that are not on the list are let go when they have no slot. */
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

  /** How many slots are with another server than the list says. */
  get lent(): number {
    let count = 0;
    for (let slot = 0; slot < this.owners.length; slot++) if (this.owners[slot] !== this.home[slot]) count++;
    return count;
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
   * Takes note that a request is being sent to the owner of a slot, and may write keys of it. A server that is down gets
   * no request.
   */
  wrote(slot: number): void {
    if (this.loans.count > 0 && this.ownerOfSlot(slot).state !== "down") this.loans.end(slot);
  }

  /**
   * Lends a connection to a server that nobody else uses.
   *
   * @throws {ReplyError} when there is none
   */
  dedicate(pool: Pool, framing: Framing): DedicatedStream {
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

/** The same owners as positions in another list of servers, which has all that own something. */
function reindex(owners: Uint16Array, from: readonly Pool[], to: readonly Pool[]): Uint16Array {
  const positions = from.map((pool) => to.indexOf(pool));
  return owners.map((position) => positions[position]!);
}
