/**
 * Tests the properties of the assignment of slots for random lists of servers: 1 to 64 of them, with weights from 1 to
 * 1000.
 *
 * **Balance.** A slot is assigned to a server by a draw whose probability is the server's part of all weights. The
 * number of its slots is therefore binomially distributed around what its weight asks for, with a standard deviation of
 * about the root of that, for any good hash. Both of these hold:
 *
 * - It is within 3 % of *all* slots (491), which is more than seven deviations for any weight.
 * - It is within six deviations and six slots, which keeps light servers close to what they ask for. The six slots are
 *   for the lightest ones, whose distribution has a longer tail. It is exceeded about once in 10^9 servers.
 *
 * Within 3 % of *its own* part a server is only by accident: with five equal servers this is 98 slots, or two
 * deviations.
 *
 * **Movement.** These are the results of `src/route/plan.ts`: with `n` different factors of weights, at most `n - 1`
 * times the minimum moves, and each slot to a server with a larger factor. For a single change, and for several servers
 * that join or that leave, exactly the minimum moves.
 */

import { assert, assertEquals } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { type Plan, planOf, type Share, sharesOf } from "../../src/route/plan.ts";
import type { Member } from "../../src/route/slots.ts";
import { amountOf } from "../support/amount.ts";

const SLOTS = 16_384;
const WEIGHT_MAX = 1_000;
const SERVERS_MAX = 64;
/** The most servers at the beginning of a chain. The changes below add up to two. */
const FIRST_SERVERS_MAX = SERVERS_MAX - 2;
/** The number of lists in a chain: a first list and one more for every change. */
const CHAINS_COUNT = amountOf("CHAINS", 6, 20);

/** A random list of servers and its changes. */
class RandomServers {
  members: Member[];
  readonly #random: Random;
  #made = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    // Small lists are as frequent as large ones, and some have equal servers.
    const count = 1 + this.#random.below(Math.min(FIRST_SERVERS_MAX, 2 ** (1 + this.#random.below(6))));
    const weight = this.#random.chance(0.25) ? this.#weight() : undefined;
    this.members = this.#make(count, weight);
  }

  /** Returns a weight of one of three magnitudes, so that light servers are beside heavy ones. */
  #weight(): number {
    return 1 + this.#random.below(this.#random.pick([10, 100, WEIGHT_MAX]));
  }

  /** Returns new servers with realistic addresses: neighbours that differ in a digit, and names. */
  #make(count: number, weight?: number): Member[] {
    return Array.from({ length: count }, () => {
      const number = this.#made++;
      const name = this.#random.below(0x100000000).toString(36);
      const address = this.#random.pick([
        `127.0.0.1:${9501 + number}`,
        `10.0.0.${number}:9443`,
        `${name}-${number}.example:9443`,
      ]);
      return { address, weight: weight ?? this.#weight() };
    });
  }

  join(count: number): Member[] {
    return [...this.members, ...this.#make(count)];
  }

  leave(count: number): Member[] {
    return this.reorder().slice(count);
  }

  someJoin(): Member[] {
    return this.join(this.#random.below(FIRST_SERVERS_MAX - this.members.length + 1));
  }

  someLeave(): Member[] {
    return this.leave(this.#random.below(this.members.length));
  }

  /** Changes the weight of one server, if possible. */
  reweigh(direction: "heavier" | "lighter"): Member[] {
    const heavier = direction === "heavier";
    const able = this.members.filter(({ weight }) => heavier ? weight < WEIGHT_MAX : weight > 1);
    if (able.length === 0) return this.members;
    const chosen = this.#random.pick(able);
    const weight = heavier
      ? chosen.weight + 1 + this.#random.below(WEIGHT_MAX - chosen.weight)
      : 1 + this.#random.below(chosen.weight - 1);
    return this.members.map((member) => member === chosen ? { ...chosen, weight } : member);
  }

  reorder(): Member[] {
    const rest = [...this.members];
    return this.members.map(() => rest.splice(this.#random.below(rest.length), 1)[0]!);
  }

  /** Removes some servers, changes the weights of half of the others, and adds two. */
  mix(): Member[] {
    const stay = this.someLeave().map((member) => {
      return this.#random.chance(0.5) ? { ...member, weight: this.#weight() } : member;
    });
    return [...stay, ...this.#make(2)];
  }
}

/** The changes in this order, so that a list keeps at least one server and at most `SERVERS_MAX`. */
const CHANGES: readonly (readonly [name: string, change: (servers: RandomServers) => Member[]])[] = [
  ["one joins", (servers) => servers.join(1)],
  ["one gets heavier", (servers) => servers.reweigh("heavier")],
  ["the order changes", (servers) => servers.reorder()],
  ["one gets lighter", (servers) => servers.reweigh("lighter")],
  ["one leaves", (servers) => servers.leave(1)],
  ["several join", (servers) => servers.someJoin()],
  ["several leave", (servers) => servers.someLeave()],
  ["many things at once", (servers) => servers.mix()],
];

function assertBalanced(shares: readonly Share[], where: string): void {
  for (const { address, weight, slotsCount, asked } of shares) {
    const off = Math.abs(slotsCount - SLOTS * asked);
    const deviation = Math.sqrt(SLOTS * asked * (1 - asked));
    const what = `${where}: ${address} of weight ${weight} has ${slotsCount} slots, expected ${SLOTS * asked}`;
    assert(off <= 0.03 * SLOTS, what);
    assert(off <= 6 * deviation + 6, what);
  }
}

/** Returns the factor by which a server's weight changes, 0 when it leaves. */
function factorOf({ before, after }: Plan["servers"][number]): number {
  return before === undefined ? Infinity : (after?.weight ?? 0) / before.weight;
}

function assertMovesLittle({ servers, moves, movedCount, minimumCount }: Plan, where: string): void {
  const factors = new Map(servers.map((change) => [change.address, factorOf(change)]));
  for (const { source, target, slots } of moves) {
    assert(factors.get(source)! < factors.get(target)!, `${where}: ${source} → ${target}, slot ${slots[0]}`);
  }
  const most = (new Set(factors.values()).size - 1) * minimumCount;
  assert(movedCount >= minimumCount && movedCount <= most, `${where}: ${movedCount} moved, expected at most ${most}`);
}

const seed = pickSeed();

Deno.test(`ownersOf() is balanced and moves only what is necessary, for random lists, seed ${seed}`, () => {
  const movedCounts = new Map<string, number>();
  for (let i = 0; i < CHAINS_COUNT; i++) {
    const servers = new RandomServers(seed + i);
    assertBalanced(sharesOf(servers.members), `seed ${seed}, chain ${i}`);
    for (const [name, change] of CHANGES) {
      const after = change(servers);
      assert(after.length >= 1 && after.length <= SERVERS_MAX);
      const plan = planOf(servers.members, after);
      const where = `seed ${seed}, chain ${i}, ${name}`;
      assertBalanced(plan.servers.flatMap(({ after }) => after ?? []), where);
      assertMovesLittle(plan, where);
      if (name !== "many things at once") assertEquals(plan.movedCount, plan.minimumCount, where);
      movedCounts.set(name, (movedCounts.get(name) ?? 0) + plan.movedCount);
      servers.members = after;
    }
  }
  // None of the changes above was empty, except for the one that has to be.
  for (const [name, movedCount] of movedCounts) assertEquals(movedCount > 0, name !== "the order changes", name);
});

/** Returns `count` servers of one weight. Another `set` has other addresses. */
function equalServers(count: number, set: string): Member[] {
  return Array.from({ length: count }, (_, index) => ({ address: `${set}-${index}.example:9443`, weight: 1 }));
}

Deno.test(`ownersOf() gives each of five equal servers a fifth, within 3 % of the whole, seed ${seed}`, () => {
  for (let i = 0; i < 50; i++) {
    for (const { address, fraction } of sharesOf(equalServers(5, `set${seed + i}`))) {
      assert(Math.abs(fraction - 1 / 5) <= 0.03, `${address} has ${fraction}`);
    }
  }
});

Deno.test(`ownersOf() moves more than the minimum, but less than twice, when a server is replaced, seed ${seed}`, () => {
  // This is the price of owners that depend on the list alone: the slots of the old server are spread over all the
  // others, and the new one takes slots from all of them. If the new server has the old one's address, no slot moves.
  for (let i = 0; i < 10; i++) {
    const before = equalServers(5, `set${seed + i}`);
    const { movedCount, minimumCount } = planOf(before, [...before.slice(1), ...equalServers(1, `new${seed + i}`)]);
    const ratio = movedCount / minimumCount;
    assert(ratio > 1.4 && ratio < 2, `${ratio}`);
  }
});
