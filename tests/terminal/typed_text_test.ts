import { assert, assertEquals } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import {
  columnsOf,
  cutToColumns,
  decodeTyped,
  encodeTyped,
  nextCluster,
  padToColumns,
  previousCluster,
  unfinishedLength,
  visitClusters,
} from "../../src/terminal/typed_text.ts";

Deno.test("encodeTyped() restores the bytes from which decodeTyped() has made a text", () => {
  const random = new Random(pickSeed());
  const parts = [
    ...["a", "é", "日本", "😀", "\u2028", "\ufeff", "\0", "\r\n", "\u{10ffff}", "\ud7ff", "\ue000"].map(encodeText),
    ...[[0xe9], [0xc3], [0xff, 0xfe], [0x80], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xe2, 0x80]]
      .map((bytes) => Uint8Array.from(bytes)),
    ...[[0xf4, 0x90, 0x80, 0x80], [0xe0, 0x9f, 0xbf], [0xf8, 0x88, 0x80, 0x80, 0x80], [0xed, 0xb2, 0x80]]
      .map((bytes) => Uint8Array.from(bytes)),
  ];
  for (let i = 0; i < 2_000; i++) {
    const bytes = Uint8Array.from(
      Array.from({ length: random.below(6) }, () => [...parts[random.below(parts.length)]!]).flat(),
    );
    assertEquals(encodeTyped(decodeTyped(bytes)), bytes, `seed ${random.seed}, ${i}`);
  }
});

Deno.test("decodeTyped() keeps valid UTF-8 as text", () => {
  for (const text of ["", "\ufeffa", "a\u2028b", "日本 😀"]) assertEquals(decodeTyped(encodeText(text)), text);
  assertEquals(decodeTyped(Uint8Array.of(0x61, 0xe9, 0x62)), "a\udce9b");
});

Deno.test("unfinishedLength() counts only bytes that may become a character", () => {
  const cases: [bytes: number[], length: number][] = [
    [[0x61], 0],
    [[0x61, 0xc3], 1],
    [[0xe6, 0x97], 2],
    [[0xf0, 0x9f, 0x98], 3],
    [[0xe6, 0x97, 0xa5], 0],
    [[0xff], 0],
    [[0xe0, 0x80], 0],
    [[0x80, 0x80], 0],
    [[], 0],
  ];
  for (const [bytes, length] of cases) assertEquals(unfinishedLength(Uint8Array.from(bytes)), length, `${bytes}`);
});

Deno.test("clusters are what a terminal shows as one, at any position", () => {
  const clusters = [
    "a",
    "e\u0301",
    "日",
    "か\u3099",
    "👩‍👩‍👧",
    "🇩🇪",
    "🇫🇷",
    "👍🏽",
    "각",
    "❤️",
    "\n",
    "\u2028",
    "\udce9",
    " ",
  ];
  const random = new Random(pickSeed());
  for (let i = 0; i < 300; i++) {
    const chosen = Array.from({ length: 1 + random.below(8) }, () => clusters[random.below(clusters.length)]!);
    const text = chosen.join("");
    const found: string[] = [];
    visitClusters(text, 0, text.length, ({ start, end }) => found.push(text.slice(start, end)));
    assertEquals(found, chosen, `seed ${random.seed}`);
    let at = 0;
    for (const cluster of chosen) {
      assertEquals(nextCluster(text, at), at + cluster.length, `seed ${random.seed}`);
      at += cluster.length;
      assertEquals(previousCluster(text, at), at - cluster.length, `seed ${random.seed}`);
    }
  }
});

Deno.test("columnsOf() counts wide, joined and escaped characters", () => {
  const cases: [text: string, columns: number][] = [
    ["", 0],
    ["abc", 3],
    ["日本", 4],
    ["e\u0301", 1],
    ["👩‍👩‍👧", 2],
    ["🇩🇪", 2],
    ["👍🏽", 2],
    ["☃", 1],
    ["ｗ", 2],
    ["\t", 2],
    ["\u2028", "<U+2028>".length],
    ["\udce9", "\\xe9".length],
  ];
  for (const [text, columns] of cases) assertEquals(columnsOf(text), columns, JSON.stringify(text));
});

Deno.test("cutToColumns() never exceeds the columns, and cuts only what does not fit", () => {
  const texts = [
    "",
    "a",
    "plain text",
    "日本語 text",
    "e\u0301e\u0301e\u0301",
    "👩‍👩‍👧 family",
    "🇩🇪🇫🇷",
    "x".repeat(100_000),
  ];
  for (const text of texts) {
    for (let columns = 0; columns < 20; columns++) {
      const cut = cutToColumns(text, columns);
      assert(columnsOf(cut) <= columns, `${JSON.stringify(text)} at ${columns}: ${JSON.stringify(cut)}`);
      if (columnsOf(text) <= columns) assertEquals(cut, text);
      else if (columns > 0) assert(cut.endsWith("…") && text.startsWith(cut.slice(0, -1)), cut);
    }
  }
  assertEquals(cutToColumns("日本語", 4), "日…");
  assertEquals(cutToColumns("日本語", 5), "日本…");
  assertEquals(cutToColumns("日本語", 6), "日本語");
});

Deno.test("padToColumns() fills up to the columns, by the width of the text", () => {
  assertEquals(padToColumns("日本", 6), "日本  ");
  assertEquals(padToColumns("abc", 2), "abc");
});
