import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionError } from "../../src/errors.ts";
import { formatSlots, planOf, sharesOf } from "../../src/route/plan.ts";
import { type Member, ownersOf } from "../../src/route/slots.ts";

const SLOTS = 16_384;

/** Returns servers of these weights: `10.0.0.1:9443`, `10.0.0.2:9443` and so on. */
function servers(...weights: number[]): Member[] {
  return weights.map((weight, index) => ({ address: `10.0.0.${index + 1}:9443`, weight }));
}

function ownerAddresses(members: readonly Member[]): string[] {
  return Array.from(ownersOf(members), (position) => members[position]!.address);
}

/** Changes of every kind, from one list to another. */
const CHANGES: Readonly<Record<string, readonly [before: Member[], after: Member[]]>> = {
  "a server joins": [servers(1, 1, 1), servers(1, 1, 1, 1)],
  "a server leaves": [servers(5, 1, 3), servers(5, 1, 3).slice(1)],
  "a weight grows": [servers(100, 200, 300), servers(100, 450, 300)],
  "a weight shrinks": [servers(100, 200, 300), servers(100, 200, 1)],
  "a server is replaced": [servers(1, 1, 1, 1).slice(0, 3), servers(1, 1, 1, 1).slice(1)],
  "much at once": [servers(1, 2, 3, 4, 5), [...servers(9, 2, 1, 4).slice(1), { address: "new:1", weight: 7 }]],
  "nothing in common": [servers(1, 2), [{ address: "b:1", weight: 1 }, { address: "a:1", weight: 1 }]],
};

for (const [name, [before, after]] of Object.entries(CHANGES)) {
  Deno.test(`planOf() names each slot that moves, its source and its target: ${name}`, () => {
    const { moves, movedCount } = planOf(before, after);
    const [sources, targets] = [ownerAddresses(before), ownerAddresses(after)];
    const applied = [...sources];
    for (const { source, target, slots } of moves) {
      assert(slots.length > 0, `${source} → ${target}`);
      assertEquals(slots, [...slots].sort((a, b) => a - b));
      for (const slot of slots) {
        assertEquals(applied[slot], source, `slot ${slot}`);
        applied[slot] = target;
      }
    }
    assertEquals(applied, targets);
    assertEquals(movedCount, sources.filter((address, slot) => address !== targets[slot]).length);
    const pairs = moves.map(({ source, target }) => `${source} ${target}`);
    assertEquals(new Set(pairs).size, pairs.length, "a pair stands once");
  });

  Deno.test(`planOf() counts what each server has before and after: ${name}`, () => {
    const { servers, minimumCount, movedCount } = planOf(before, after);
    const [sources, targets] = [ownerAddresses(before), ownerAddresses(after)];
    const countOf = (owners: string[], address: string) => owners.filter((owner) => owner === address).length;
    for (const { address, before: had, after: has, difference } of servers) {
      assertEquals(had?.weight, before.find((member) => member.address === address)?.weight);
      assertEquals(has?.weight, after.find((member) => member.address === address)?.weight);
      assertEquals(had?.slotsCount ?? 0, countOf(sources, address));
      assertEquals(has?.slotsCount ?? 0, countOf(targets, address));
      assertEquals(difference, countOf(targets, address) - countOf(sources, address));
    }
    const differences = servers.map(({ difference }) => difference);
    assertEquals(differences.reduce((sum, difference) => sum + difference, 0), 0);
    assertEquals(minimumCount, differences.filter((each) => each > 0).reduce((sum, each) => sum + each, 0));
    assert(movedCount >= minimumCount);
  });
}

Deno.test("planOf() lists the servers of the list before, then those that join", () => {
  const { servers: changes } = planOf(servers(1, 1, 1).slice(0, 2), [...servers(1, 1, 1).slice(1), ...servers(1)]);
  assertEquals(changes.map(({ address }) => address), ["10.0.0.1:9443", "10.0.0.2:9443", "10.0.0.3:9443"]);
  const { moves } = planOf(servers(1, 1), [{ address: "b:1", weight: 1 }, { address: "a:1", weight: 1 }]);
  assertEquals(moves.map(({ source, target }) => `${source} ${target}`), [
    "10.0.0.1:9443 b:1",
    "10.0.0.1:9443 a:1",
    "10.0.0.2:9443 b:1",
    "10.0.0.2:9443 a:1",
  ]);
});

Deno.test("planOf() moves nothing when a list is reordered, or all weights grow alike", () => {
  const before = servers(1, 2, 3, 4, 5);
  for (const after of [[...before].reverse(), servers(3, 6, 9, 12, 15), before]) {
    const { moves, movedCount, minimumCount, servers: changes } = planOf(before, after);
    assertEquals([moves, movedCount, minimumCount], [[], 0, 0]);
    assert(changes.every(({ difference }) => difference === 0));
  }
});

Deno.test("planOf() moves nothing between servers that a change does not affect", () => {
  const { moves } = planOf(servers(1, 1, 1, 1), servers(1, 2, 1, 1));
  assertEquals(moves.map(({ target }) => target), Array(3).fill("10.0.0.2:9443"));
});

Deno.test("planOf() backwards is the plan with sources and targets swapped", () => {
  const [before, after] = CHANGES["much at once"]!;
  const pairs = (plan: ReturnType<typeof planOf>, swapped: boolean) =>
    plan.moves.map(({ source, target, slots }) => {
      return [swapped ? `${target} ${source}` : `${source} ${target}`, formatSlots(slots)].join(": ");
    }).sort();
  const [there, back] = [planOf(before, after), planOf(after, before)];
  assertEquals(pairs(back, true), pairs(there, false));
  assertEquals([back.movedCount, back.minimumCount], [there.movedCount, there.minimumCount]);
});

Deno.test("planOf() does not change the lists", () => {
  const freeze = (members: Member[]) => Object.freeze(members.map((member) => Object.freeze(member)));
  const [before, after] = CHANGES["much at once"]!.map(freeze);
  planOf(before!, after!);
});

Deno.test("planOf() refuses a list without servers, and one that names a server twice", () => {
  const twice = [...servers(1), ...servers(2)];
  assertThrows(() => planOf([], servers(1)), AssertionError);
  assertThrows(() => planOf(servers(1), []), AssertionError);
  assertThrows(() => planOf(twice, servers(1)), AssertionError);
  assertThrows(() => planOf(servers(1), twice), AssertionError);
  assertThrows(() => sharesOf([]), AssertionError);
});

Deno.test("sharesOf() returns what each server has, and what its weight asks for", () => {
  assertEquals(sharesOf(servers(7)), [
    { address: "10.0.0.1:9443", weight: 7, slotsCount: SLOTS, fraction: 1, asked: 1 },
  ]);
  const shares = sharesOf(servers(1, 1, 2));
  assertEquals(shares.map(({ asked }) => asked), [0.25, 0.25, 0.5]);
  assertEquals(shares.reduce((sum, { slotsCount }) => sum + slotsCount, 0), SLOTS);
  for (const { slotsCount, fraction } of shares) assertEquals(fraction, slotsCount / SLOTS);
});

Deno.test("sharesOf() includes a server that is too light for a slot", () => {
  const [, light] = sharesOf([{ address: "heavy:1", weight: 1_000_000 }, { address: "light:1", weight: 1 }]);
  assertEquals([light!.slotsCount, light!.fraction], [0, 0]);
});

Deno.test("formatSlots() joins adjacent slots only", () => {
  assertEquals(formatSlots([]), "");
  assertEquals(formatSlots([0]), "0");
  assertEquals(formatSlots([0, 1]), "0-1");
  assertEquals(formatSlots([0, 1, 2, 3, 4, 5, 17, 19, 20, 16_383]), "0-5,17,19-20,16383");
  assertEquals(formatSlots(Array.from({ length: SLOTS }, (_, slot) => slot)), "0-16383");
});
