import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  EntryType,
  HEADER_BYTES,
  HEADER_WORDS,
  keyLengthOf,
  kindOf,
  KINDS,
  TRAIT_BLOB,
  TRAIT_CHAIN,
  TRAIT_FIELD,
  TRAIT_INLINE,
  TRAIT_KEY,
  TRAIT_PACKED,
  TRAIT_TREE,
  TRAITS,
  traitsOf,
  TYPES,
} from "../../src/store/block.ts";
import * as block from "../../src/store/block.ts";
import type { Kind, KindRow } from "../../src/store/block.ts";

const ROWS = Object.entries(KINDS).map(([kind, row]): [Kind, KindRow] => [Number(kind) as Kind, row]);
/** The number of bits that are set in `bits`. */
const countOf = (bits: number): number => bits.toString(2).replaceAll("0", "").length;

Deno.test("each kind has another number, which fits into five bits, and a row", () => {
  const numbers = Object.entries(block).filter(([name]) => /^KIND_[A-Z_]+$/.test(name)).map(([, number]) => number);
  assert(numbers.length > 10);
  assertEquals(new Set(numbers).size, numbers.length);
  assertEquals(new Set(numbers), new Set<unknown>(ROWS.map(([kind]) => kind)));
  for (const [kind] of ROWS) assert(kind > 0 && kind < 32, `kind ${kind}`);
});

Deno.test("a kind with a key has one way to keep its value, and its key is that of an entry or of a field", () => {
  for (const [kind, { type, traits, words }] of ROWS) {
    if (words === undefined) {
      assertEquals(traits, 0, `kind ${kind}`);
      continue;
    }
    assertNotEquals(type, EntryType.None, `kind ${kind}`);
    assertEquals(countOf(traits & (TRAIT_KEY | TRAIT_FIELD)), 1, `kind ${kind}`);
    const ways = TRAIT_INLINE | TRAIT_BLOB | TRAIT_PACKED | TRAIT_CHAIN | TRAIT_TREE;
    assertEquals(countOf(traits & ways), 1, `kind ${kind}`);
  }
});

Deno.test("a kind has the words that its traits need", () => {
  const needed: [trait: number, words: number][] = [[TRAIT_FIELD, 2], [TRAIT_BLOB, 1], [TRAIT_PACKED, 1], [
    TRAIT_TREE,
    1,
  ], [
    TRAIT_CHAIN,
    2,
  ]];
  for (const [kind, { traits, words = 0 }] of ROWS) {
    const sum = needed.reduce((sum, [trait, count]) => traits & trait ? sum + count : sum, 0);
    // The word that STRING_SHORT lacks is that of the length.
    assert(words >= sum || (words === -1 && traits === (TRAIT_KEY | TRAIT_INLINE)), `kind ${kind}`);
  }
});

Deno.test("no two types of value share a kind, and each kind of a key has a type", () => {
  const kindsOf = (type: EntryType): Kind[] => {
    return ROWS.filter(([, row]) => row.type === type && row.traits & TRAIT_KEY).map(([kind]) => kind);
  };
  const kinds = Object.values(EntryType).flatMap((type) => {
    assertEquals(kindsOf(type).length > 0, type !== EntryType.None, `type ${type}`);
    return kindsOf(type);
  });
  assertEquals(new Set(kinds).size, kinds.length);
  assertEquals(kinds.length, ROWS.filter(([, { traits }]) => traits & TRAIT_KEY).length);
});

Deno.test("word 3 gives the kind, its row and the length of the key, with any flags", () => {
  for (const [kind, { type, traits, words }] of ROWS) {
    for (const flags of [0, block.FLAG_EPOCH, block.FLAG_DETACHED, block.FLAG_DEADLINE]) {
      const meta = (block.topOf(kind, flags >>> 24) * 2 ** 24) + 12_345;
      assertEquals(kindOf(meta), kind);
      assertEquals(traitsOf(meta), traits);
      assertEquals(TRAITS[kind], traits);
      assertEquals(TYPES[kind], type);
      assertEquals(block.flagsOf(meta), flags >>> 24);
      assertEquals(keyLengthOf(meta), 12_345);
      const all = words === undefined ? 0 : 5 + words + (flags === block.FLAG_DEADLINE ? 4 : 0);
      assertEquals(HEADER_WORDS[meta >>> 24], all);
      assertEquals(HEADER_BYTES[meta >>> 24], all * 4);
    }
  }
});
