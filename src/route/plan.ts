/**
 * Computes in advance what a change of the list of servers does to the slots: how many each server has before and
 * after, and which ones move from where to where. It is pure: it takes two lists and returns a plan.
 *
 * If a change leaves a server with more slots than before, each slot gained has to move, in any assignment. The sum of
 * all gains is therefore the *minimum*: no assignment that ends with these counts moves fewer.
 *
 * How close `ownersOf` comes to it follows from one fact. Let a server's *factor* be its weight after divided by its
 * weight before: 0 when it leaves, infinite when it joins. A slot's owner had the highest score, and scores grow by
 * their servers' factors, so **a slot moves only to a server with a larger factor than its owner's**. Hence:
 *
 * - With one factor (a list in another order, or every weight doubled) no slot moves.
 * - With two (servers join, or leave, or some weights double while the others stay) the servers with the smaller one
 *   only lose and those with the larger one only gain, so the minimum moves.
 * - With three (one server joins while another leaves) the servers between lose some slots and gain others, which the
 *   counts alone do not require. Every move goes upwards across at least one of the gaps between the factors. What
 *   crosses a gap is the net gain of the servers above it, at most the minimum, so `n` factors move at most `n - 1`
 *   times the minimum.
 *
 * @module
 */

import { SLOTS_COUNT } from "../limits.ts";
import { countSlots, type Member, ownersOf } from "./slots.ts";

/** The share of one server by one list. */
export interface Share {
  readonly address: string;
  /** The weight in the list. */
  readonly weight: number;
  readonly slotsCount: number;
  /** The server's part of all slots, 0 to 1. */
  readonly fraction: number;
  /** The part that its weight asks for, 0 to 1. */
  readonly asked: number;
}

/** One server's shares by two lists. A share is `undefined` if the list does not name the server. */
export interface ServerChange {
  readonly address: string;
  readonly before: Share | undefined;
  readonly after: Share | undefined;
  /** The number of slots after, minus the number before. */
  readonly difference: number;
}

/** All slots that one server passes to another. */
export interface Move {
  /** The address of the owner before. */
  readonly source: string;
  /** The address of the owner after. */
  readonly target: string;
  /** At least one slot, in ascending order. */
  readonly slots: readonly number[];
}

/** The effects of a change. */
export interface Plan {
  /** The servers of the list before, in its order, then those that join. */
  readonly servers: readonly ServerChange[];
  /** The moves by source and then target, both in the order of `servers`. */
  readonly moves: readonly Move[];
  /** The number of slots that get another owner. */
  readonly movedCount: number;
  /** The least number of slots that have to move, by any assignment that ends with the same counts. */
  readonly minimumCount: number;
}

/**
 * Returns the share of each server of a list, in its order.
 *
 * @param members a list as for {@linkcode ownersOf}
 */
export function sharesOf(members: readonly Member[]): Share[] {
  return toShares(members, ownersOf(members));
}

/**
 * Returns what changes when `after` replaces `before`. Servers are identified by their addresses alone, so the order of
 * either list does not affect what moves.
 *
 * @param before the list in use, as for {@linkcode ownersOf}
 * @param after the list that replaces it
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { planOf } from "./plan.ts";
 *
 * const one = { address: "10.0.0.1:9443", weight: 1 };
 * const two = { address: "10.0.0.2:9443", weight: 1 };
 * const plan = planOf([one], [one, two]);
 * assertEquals(plan.moves.map(({ source, target }) => [source, target]), [[one.address, two.address]]);
 * assertEquals(plan.movedCount, plan.minimumCount);
 * ```
 */
export function planOf(before: readonly Member[], after: readonly Member[]): Plan {
  const ownersBefore = ownersOf(before);
  const ownersAfter = ownersOf(after);
  const servers = pairShares(toShares(before, ownersBefore), toShares(after, ownersAfter));
  const moves = movesOf(servers, {
    sources: Array.from(ownersBefore, (position) => before[position]!.address),
    targets: Array.from(ownersAfter, (position) => after[position]!.address),
  });
  return {
    servers,
    moves,
    movedCount: moves.reduce((sum, { slots }) => sum + slots.length, 0),
    minimumCount: servers.reduce((sum, { difference }) => sum + Math.max(0, difference), 0),
  };
}

function toShares(members: readonly Member[], owners: Uint16Array): Share[] {
  const counts = countSlots(owners, members.length);
  const weights = members.reduce((sum, { weight }) => sum + weight, 0);
  return members.map(({ address, weight }, position) => {
    const slotsCount = counts[position]!;
    return { address, weight, slotsCount, fraction: slotsCount / SLOTS_COUNT, asked: weight / weights };
  });
}

function pairShares(before: readonly Share[], after: readonly Share[]): ServerChange[] {
  const shares = new Map<string, { before?: Share; after?: Share }>(
    before.map((share) => [share.address, { before: share }]),
  );
  for (const share of after) shares.set(share.address, { ...shares.get(share.address), after: share });
  return [...shares].map(([address, { before, after }]) => {
    return { address, before, after, difference: (after?.slotsCount ?? 0) - (before?.slotsCount ?? 0) };
  });
}

/** The addresses of the owners of each slot, before and after. */
interface Owners {
  readonly sources: readonly string[];
  readonly targets: readonly string[];
}

function movesOf(servers: readonly ServerChange[], { sources, targets }: Owners): Move[] {
  const ranks = new Map(servers.map(({ address }, rank) => [address, rank]));
  // The key is a number for each pair, which also sorts the moves.
  const slotsByPair = new Map<number, number[]>();
  for (let slot = 0; slot < SLOTS_COUNT; slot++) {
    const source = sources[slot]!;
    const target = targets[slot]!;
    if (source === target) continue;
    const pair = ranks.get(source)! * servers.length + ranks.get(target)!;
    const slots = slotsByPair.get(pair);
    if (slots === undefined) slotsByPair.set(pair, [slot]);
    else slots.push(slot);
  }
  return [...slotsByPair].sort(([a], [b]) => a - b)
    .map(([, slots]) => ({ source: sources[slots[0]!]!, target: targets[slots[0]!]!, slots }));
}

/**
 * Formats slots as text, with ranges: `0-5,17`.
 *
 * @param slots in ascending order, without duplicates
 */
export function formatSlots(slots: readonly number[]): string {
  const ranges: string[] = [];
  let first = 0;
  for (let i = 0; i < slots.length; i++) {
    if (slots[i + 1] === slots[i]! + 1) continue;
    ranges.push(first === i ? `${slots[i]}` : `${slots[first]}-${slots[i]}`);
    first = i + 1;
  }
  return ranges.join(",");
}
