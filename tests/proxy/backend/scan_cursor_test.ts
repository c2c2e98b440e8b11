import { assert, assertEquals } from "@std/assert";
import { encodeCursor, isPosition, makeTags, positionOf, tagOf } from "../../../src/proxy/backend/scan_cursor.ts";

Deno.test("makeTags() derives a server's tag from its address alone", () => {
  const tags = makeTags(["a:1", "b:2", "c:3"]);
  assertEquals(makeTags(["c:3", "a:1"]).get("a:1"), tags.get("a:1"));
  // Cursors outlive a proxy, so these values must not change.
  assertEquals(Object.fromEntries(tags), GOLDEN_TAGS);
});

const GOLDEN_TAGS = { "a:1": 1769225, "b:2": 1986307, "c:3": 1854864 };

Deno.test("makeTags() returns no tag twice, and never 0", () => {
  const addresses = Array.from({ length: 1024 }, (_, i) => `10.0.${i >> 8}.${i & 255}:9443`);
  const tags = [...makeTags(addresses).values()];
  assertEquals(new Set(tags).size, addresses.length);
  assert(tags.every((tag) => tag >= 1 && tag < 2 ** 21));
});

Deno.test("encodeCursor() is reversible and exact, up to the largest tag and position", () => {
  for (const tag of [1, 2, 12_345, 2 ** 21 - 1]) {
    for (const position of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
      const cursor = encodeCursor(tag, position);
      assert(Number.isSafeInteger(cursor) && cursor > 0);
      assertEquals([tagOf(cursor), positionOf(cursor)], [tag, position]);
    }
  }
});

Deno.test("isPosition() refuses positions that would overlap the tag", () => {
  assert(isPosition(0) && isPosition(2 ** 32 - 1));
  assert(!isPosition(2 ** 32) && !isPosition(-1) && !isPosition(NaN));
});
