import { assert, assertEquals } from "@std/assert";
import { HUGE_PAGES_FROM_BYTES } from "../../src/limits.ts";
import { HugePages } from "../../src/role/huge_pages.ts";
import { residentBytes } from "../support/resident.ts";

const MIB = 1024 * 1024;

Deno.test("HugePages for() does not change a small arena", () => {
  assertEquals(HugePages.for(new Uint8Array(64 * MIB)), undefined);
});

Deno.test({
  name: "HugePages reach() touches the pages ahead and changes nothing in them",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const arena = new Uint8Array(HUGE_PAGES_FROM_BYTES + 40 * MIB);
    const written = [HUGE_PAGES_FROM_BYTES - 1, HUGE_PAGES_FROM_BYTES + 5 * MIB, arena.length - 1];
    for (const [i, at] of written.entries()) arena[at] = i + 1;
    const before = residentBytes(arena);
    const pages = HugePages.for(arena);
    assert(pages !== undefined);
    // Far from the part with huge pages, reach() does nothing.
    pages.reach(MIB);
    pages.reach(HUGE_PAGES_FROM_BYTES + MIB);
    // The calls are not awaited in between, and only one request runs at a time.
    pages.reach(HUGE_PAGES_FROM_BYTES + 2 * MIB);
    await pages[Symbol.asyncDispose]();
    const grown = residentBytes(arena) - before;
    assert(grown >= 14 * MIB && grown < 40 * MIB, `${grown} bytes were touched`);
    assertEquals(written.map((at) => arena[at]), [1, 2, 3]);
    const touched = arena.subarray(HUGE_PAGES_FROM_BYTES, HUGE_PAGES_FROM_BYTES + 20 * MIB);
    assertEquals(touched.reduce((sum, byte) => sum + byte, 0), 2);
  },
});
