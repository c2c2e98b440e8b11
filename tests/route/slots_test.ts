import { assert, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { AssertionError } from "../../src/errors.ts";
import { countSlots, hashAddress, ownersOf } from "../../src/route/slots.ts";
import type { Member } from "../../src/route/slots.ts";

const SLOTS = 16_384;

function equalServers(count: number, weight = 1): Member[] {
  return Array.from({ length: count }, (_, index) => ({ address: `10.0.0.${index + 1}:9443`, weight }));
}

function ownerAddresses(members: readonly Member[]): string[] {
  return Array.from(ownersOf(members), (position) => members[position]!.address);
}

/** Returns how many slots have another owner. */
function countMoved(before: readonly string[], after: readonly string[]): number {
  return before.filter((address, slot) => address !== after[slot]).length;
}

Deno.test("hashAddress() is FNV-1a of 64 bits", () => {
  assertEquals(hashAddress(""), 0xcbf29ce484222325n);
  assertEquals(hashAddress("a"), 0xaf63dc4c8601ec8cn);
  assertEquals(hashAddress("foobar"), 0x85944171f73967e8n);
});

/** Implements the text of the module's comment literally, in integers without a limit. */
function ownersByTheBook(members: readonly Member[]): Uint16Array {
  const mask = (1n << 64n) - 1n;
  return Uint16Array.from({ length: SLOTS }, (_, slot) => {
    let best = -1;
    let owner = 0;
    members.forEach(({ address, weight }, position) => {
      let z = (hashAddress(address) + BigInt(slot + 1) * 0x9e3779b97f4a7c15n) & mask;
      z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
      z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
      z ^= z >> 31n;
      const score = -weight / Math.log((Number(z >> 12n) + 0.5) / 2 ** 52);
      if (score > best) {
        best = score;
        owner = position;
      }
    });
    return owner;
  });
}

Deno.test("ownersOf() implements what its comment specifies", () => {
  const members = [
    { address: "127.0.0.1:9443", weight: 500 },
    { address: "cache.example:1", weight: 1 },
    { address: "[::1]:65535", weight: 250 },
  ];
  assertEquals(ownersOf(members), ownersByTheBook(members));
});

Deno.test("ownersOf() keeps its golden values", () => {
  const members = ["127.0.0.1:9501", "127.0.0.1:9502", "127.0.0.1:9503"].map((address) => ({ address, weight: 1 }));
  const owners = ownersOf(members);
  // Another implementation that computes these agrees; one that does not would look for keys on other servers.
  assertEquals([...owners.subarray(0, 24)].join(""), GOLDEN_FIRST);
  assertEquals([...countSlots(owners, 3)], GOLDEN_COUNTS);
});

const GOLDEN_FIRST = "211101221122212221101001";
const GOLDEN_COUNTS = [5395, 5608, 5381];

Deno.test("ownersOf() does not depend on the order of the list", () => {
  const members = equalServers(7).map((member, index) => ({ ...member, weight: 1 + index % 3 }));
  assertEquals(ownerAddresses([...members].reverse()), ownerAddresses(members));
});

Deno.test("ownersOf() refuses an empty list, and a duplicate server", () => {
  assertThrows(() => ownersOf([]), AssertionError);
  assertThrows(() => ownersOf([...equalServers(2), ...equalServers(1)]), AssertionError);
});

Deno.test("ownersOf() gives equal servers equal shares", () => {
  for (const count of [1, 3, 5, 10]) {
    for (const slots of countSlots(ownersOf(equalServers(count)), count)) {
      const share = slots / (SLOTS / count);
      assert(share > 0.9 && share < 1.1, `${count} servers, ${slots} slots`);
    }
  }
});

Deno.test("ownersOf() gives shares by weight", () => {
  const members = equalServers(4).map((member, index) => ({ ...member, weight: [100, 200, 300, 400][index]! }));
  countSlots(ownersOf(members), 4).forEach((slots, index) => {
    const share = slots / (SLOTS * members[index]!.weight / 1000);
    assert(share > 0.9 && share < 1.1, `weight ${members[index]!.weight}, ${slots} slots`);
  });
});

Deno.test("ownersOf() depends on the ratio of the weights alone", () => {
  assertEquals(ownersOf(equalServers(5, 1)), ownersOf(equalServers(5, 1000)));
});

Deno.test("ownersOf() moves no more slots than a change requires, for random lists", () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = new Random(seed);
    const count = 2 + random.below(9);
    const members = Array.from({ length: count }, (_, index) => ({
      address: `host-${seed}-${index}:${1 + random.below(65_535)}`,
      weight: 1 + random.below(1000),
    }));
    const before = ownerAddresses(members);
    const chosen = random.below(count);
    const { address, weight } = members[chosen]!;

    const without = ownerAddresses(members.filter((_, index) => index !== chosen));
    before.forEach((owner, slot) => {
      if (owner !== address) assertEquals(without[slot], owner, `seed ${seed}, slot ${slot}, server removed`);
    });

    const heavier = ownerAddresses(
      members.map((member, index) => index === chosen ? { address, weight: weight * 2 } : member),
    );
    heavier.forEach((owner, slot) => {
      if (owner !== before[slot]) assertEquals(owner, address, `seed ${seed}, slot ${slot}, weight doubled`);
    });
    const owned = (owners: readonly string[]) => owners.filter((owner) => owner === address).length;
    assertEquals(countMoved(before, heavier), owned(heavier) - owned(before));
  }
});
