import { assert, assertEquals } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { binaryBytes } from "../../src/connection/binary_text.ts";
import { Glob } from "../../src/connection/glob.ts";
import { type Indexed, PatternIndex } from "../../src/connection/pattern_index.ts";

const PARTS = ["a", "b", "user:", "*", "?", "[ab]", "\\*", "x".repeat(40), "\xff", ":"];

Deno.test("PatternIndex finds the patterns that match, in order, after additions and removals", () => {
  const random = new Random(pickSeed());
  const index = new PatternIndex<Indexed>();
  const items: Indexed[] = [];
  const text = () => Array.from({ length: random.below(4) }, () => random.pick(PARTS)).join("");
  for (let serial = 1; serial < 3000; serial++) {
    if (items.length > 0 && random.below(3) === 0) index.delete(items.splice(random.below(items.length), 1)[0]!);
    else {
      const item = { bytes: binaryBytes(text()), serial };
      index.add(item);
      items.push(item);
    }
    assertEquals(index.size, items.length);
    if (serial % 10 > 0) continue;
    const name = binaryBytes(text());
    const search = index.search(name);
    while (!search.step());
    const expected = items.filter(({ bytes }) => new Glob(bytes).matches(name, 0, name.length));
    assertEquals(search.found.map((item) => item.serial), expected.map((item) => item.serial));
  }
});

Deno.test("PatternIndex searches in steps, between which patterns are added and removed", () => {
  const index = new PatternIndex<Indexed>();
  const items = Array.from({ length: 60_000 }, (_, serial) => ({ bytes: binaryBytes("*a"), serial }));
  for (const item of items) index.add(item);
  const search = index.search(binaryBytes("ba"));
  let steps = 0;
  while (!search.step()) {
    steps++;
    index.delete(items.pop()!);
    index.search(binaryBytes("other")).step();
  }
  assert(steps > 5, `${steps} steps`);
  // The patterns that existed all the time are found once.
  const found = new Set(search.found.map(({ serial }) => serial));
  assertEquals(found.size, search.found.length);
  for (const { serial } of items) assert(found.has(serial));
});

Deno.test("PatternIndex tries no pattern with another beginning", () => {
  const index = new PatternIndex<Indexed>();
  let tried = 0;
  for (let serial = 0; serial < 1000; serial++) {
    const bytes = binaryBytes(`user:${serial}:*`);
    index.add({
      get bytes() {
        tried++;
        return bytes;
      },
      serial,
    });
  }
  tried = 0;
  const search = index.search(binaryBytes("user:77:login"));
  assertEquals([search.step(), search.found.length, tried], [true, 1, 1]);
});
