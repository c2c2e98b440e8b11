/**
 * Measures finding the owner of a key, which the proxy does for each request, and the cost of a change of the list,
 * which is rare.
 *
 * Every lookup bench finds `KEYS_COUNT` keys in one buffer, as a read batch does; divide its time by that number.
 */

import { encodeText } from "../src/bytes.ts";
import { slotOf } from "../src/key_slot.ts";
import { ownersOf } from "../src/route/slots.ts";

const KEYS_COUNT = 1_000;

/** Writes keys one after another into one buffer. */
function layOut(make: (i: number) => string): { bytes: Uint8Array; starts: number[]; lengths: number[] } {
  const keys = Array.from({ length: KEYS_COUNT }, (_, i) => encodeText(make(i)));
  const bytes = new Uint8Array(keys.reduce((sum, key) => sum + key.length, 0));
  const starts: number[] = [];
  let at = 0;
  for (const key of keys) {
    starts.push(at);
    bytes.set(key, at);
    at += key.length;
  }
  return { bytes, starts, lengths: keys.map((key) => key.length) };
}

const shapes: Record<string, (i: number) => string> = {
  "16 bytes": (i) => `key:${String(i).padStart(12, "0")}`,
  "16 bytes with a tag": (i) => `{u:${String(i).padStart(4, "0")}}:session`,
  "250 bytes": (i) => `key:${i}:`.padEnd(250, "x"),
};

const owners = ownersOf(makeMembers(3));

for (const [name, make] of Object.entries(shapes)) {
  const { bytes, starts, lengths } = layOut(make);
  Deno.bench(`1,000 × key to owner: ${name}`, { group: "lookup", baseline: name === "16 bytes" }, () => {
    let sum = 0;
    for (let i = 0; i < KEYS_COUNT; i++) sum += owners[slotOf(bytes, starts[i]!, lengths[i]!)]!;
    // This also prevents the loop from being optimized away.
    if (sum > 2 * KEYS_COUNT) throw new Error("an owner is out of range");
  });
}

function makeMembers(count: number): { address: string; weight: number }[] {
  return Array.from({ length: count }, (_, i) => ({ address: `10.0.${i >> 8}.${i & 255}:9443`, weight: 1 + i % 3 }));
}

for (const count of [3, 10, 100]) {
  const members = makeMembers(count);
  Deno.bench(`all slots of ${count} servers`, { group: "change of the list", baseline: count === 3 }, () => {
    ownersOf(members);
  });
}
