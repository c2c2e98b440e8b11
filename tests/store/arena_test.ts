import { assert, assertEquals } from "@std/assert";
import { Arena, CLASS_SIZES, PAGE_BYTES } from "../../src/store/arena.ts";

const LIMIT = 96 * PAGE_BYTES;

/** Allocates a block and marks it as in use, as every owner does immediately. */
function take(arena: Arena, size: number): number {
  const block = arena.allocate(size);
  arena.words[block * 2 + 3] = 0x10000000;
  return block;
}

/** Returns an arena whose page 0 belongs to a table, as in the store: reference 0 names nothing. */
function newArena(): Arena {
  const arena = new Arena(LIMIT);
  assertEquals(arena.allocatePage(), 0);
  return arena;
}

Deno.test("size classes are whole units, ascend, and are at most 7 % apart above 128 bytes", () => {
  for (let i = 1; i < CLASS_SIZES.length; i++) {
    const [smaller, size] = [CLASS_SIZES[i - 1]!, CLASS_SIZES[i]!];
    assertEquals(size % 8, 0);
    assert(size > smaller);
    if (size > 128 && size <= 4096) assert(size / smaller <= 1.0701, `${smaller} to ${size}`);
  }
  assertEquals(CLASS_SIZES[0], 24);
  assertEquals(CLASS_SIZES.at(-1), PAGE_BYTES);
});

Deno.test("Arena allocate() returns blocks that do not overlap, and counts their bytes exactly", () => {
  const arena = newArena();
  const owners = new Map<number, number>();
  let used = 0;
  for (let i = 0; i < 5000; i++) {
    const size = 1 + (i * 37) % 700;
    const block = take(arena, size);
    assert(arena.sizeAt(block) >= size);
    assertEquals(arena.sizeAt(block), arena.roundedSize(size));
    used += arena.sizeAt(block);
    for (let unit = block; unit < block + arena.sizeAt(block) / 8; unit++) {
      assert(!owners.has(unit), `unit ${unit} was given twice`);
      owners.set(unit, block);
    }
  }
  assertEquals(arena.usedBytes, used);
  assert(!owners.has(0));
});

Deno.test("Arena free() makes the same memory usable by every size", () => {
  const arena = newArena();
  const free = arena.freePages;
  for (const size of [24, 1000, 70, 65_536, 5000, 24]) {
    const blocks: number[] = [];
    while (arena.freePages > 1) blocks.push(take(arena, size));
    blocks.forEach((block) => arena.free(block));
    assertEquals(arena.usedBytes, 0);
    // The class keeps at most its current page, until compaction frees it.
    while (arena.compact(() => assert(false, "nothing is left to move")));
    assertEquals(arena.freePages, free);
  }
});

Deno.test("Arena compact() frees a page for every page's worth of free slots, and moves each block once", () => {
  const arena = newArena();
  const names = new Map<number, number>();
  const byName: number[] = [];
  for (let name = 0; arena.freePages > 4; name++) {
    const block = take(arena, 100);
    arena.words[block * 2 + 4] = name;
    names.set(block, name);
    byName[name] = block;
  }
  // Three of four blocks are freed, all over the arena.
  for (const [block, name] of names) {
    if (name % 4 === 0) continue;
    arena.free(block);
    names.delete(block);
  }
  const [before, used] = [arena.freePages, arena.usedBytes];
  const moved = new Set<number>();
  while (
    arena.compact((from, to) => {
      const name = names.get(from)!;
      assertEquals(arena.words[to * 2 + 4], name, "the content did not move along");
      names.delete(from);
      names.set(to, name);
      moved.add(name);
    })
  );
  assert(arena.freePages > before + 40, `${arena.freePages - before} pages became free`);
  assertEquals(arena.usedBytes, used);
  for (const [block, name] of names) assertEquals(arena.words[block * 2 + 4], name);
});

Deno.test("Arena allocate() uses a larger slot when no page is left", () => {
  const arena = newArena();
  const large = take(arena, 1000);
  while (arena.freePages > 0) take(arena, 65_536);
  const small = take(arena, 24);
  assertEquals(arena.sizeAt(small), arena.sizeAt(large));
  assertEquals(arena.fits(small, 24), false);
});

Deno.test("Arena free() leaves at most two empty pages to a block that grows through all classes", () => {
  const arena = newArena();
  const free = arena.freePages;
  let block = take(arena, 1);
  for (const size of CLASS_SIZES) {
    const larger = take(arena, size);
    arena.free(block);
    block = larger;
    assert(arena.freePages >= free - 3);
  }
  arena.free(block);
  assert(arena.freePages >= free - 2);
});

Deno.test("Arena clear() frees all blocks", () => {
  const arena = newArena();
  for (let i = 0; i < 1000; i++) take(arena, 300);
  arena.clear();
  assertEquals([arena.usedBytes, arena.freePages, arena.tablePages], [0, 96, 0]);
  assertEquals(arena.allocatePage(), 0);
});
