/** Tests how the page writes numbers and bytes. Its modules have no part of a browser. */

import { assert, assertEquals } from "@std/assert";
import * as format from "../../src/page/assets/format.js";
import { Rates } from "../../src/page/assets/rates.js";

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("readable() shows text as it is, and every byte that is not text", () => {
  const cases: [Uint8Array, string][] = [
    [encode("Grüße 🦕 日本語"), "Grüße 🦕 日本語"],
    [encode("<script>alert(1)</script>"), "<script>alert(1)</script>"],
    [encode("a\0b\x1b[31m\n"), "a\\x00b\\x1b[31m\\x0a"],
    // What turns the direction of text, or is invisible, could make one key look like another.
    [encode("abc\u202edef\u200b\ufeff"), "abc\\u{202e}def\\u{200b}\\u{feff}"],
    [encode("👩‍👧"), "👩‍👧"],
    [Uint8Array.of(0xff, 0x41, 0x5c, 0), "\\xffA\\x5c\\x00"],
    [new Uint8Array(), ""],
  ];
  for (const [bytes, text] of cases) assertEquals(format.readable(bytes), text);
  assertEquals(format.readable(encode("a\n\tb\r"), true), "a\n\tb\\x0d");
});

Deno.test("hexadecimal() shows offsets, bytes and ASCII", () => {
  const lines = format.hexadecimal(Uint8Array.from({ length: 18 }, (_, i) => i + 0x40)).split("\n");
  assertEquals(lines, [
    "000000  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO",
    "000010  50 51                                            PQ",
  ]);
});

Deno.test("fromBase64() and toBase64() carry any bytes", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assertEquals(format.toBase64(bytes), bytes.toBase64());
  assertEquals(format.fromBase64(bytes.toBase64()), bytes);
});

Deno.test("numbers, sizes and times are short, and never claim more than is known", () => {
  const written: [string, string][] = [
    [format.count(99_999), "99,999"],
    [format.count(1_234_567), "1.23M"],
    [format.rate(0), "0"],
    [format.rate(0.04), "< 0.1"],
    [format.rate(2.25), "2.3"],
    [format.bytes(999), "999 B"],
    [format.bytes(1536), "1.5 KB"],
    [format.bytes(4 * 1024 ** 3), "4 GB"],
    [format.latency(0.0853), "85 µs"],
    [format.latency(1.234), "1.23 ms"],
    [format.latency(12_345), "12.3 s"],
    [format.percent(0.9998), "99.98 %"],
    [format.percent(0.999999), "99.99 %"],
    [format.percent(1), "100 %"],
    [format.percent(0.004), "0.4 %"],
    [format.duration(0.4), "0 s"],
    [format.duration(273_600), "3 d 4 h"],
    [format.duration(3605), "1 h"],
  ];
  for (const [text, expected] of written) assertEquals(text, expected);
  for (const write of [format.count, format.rate, format.bytes, format.latency, format.percent]) {
    for (const value of [undefined, null, NaN, Infinity]) assertEquals(write(value), format.UNKNOWN);
  }
});

Deno.test("Rates are those of the last ten seconds, and begin again when a counter was reset", () => {
  const rates = new Rates();
  assert(Number.isNaN(rates.next(0, { hits: 0 }).hits));
  for (let second = 1; second <= 30; second++) {
    // Ten a second at first, and one a second from the tenth on.
    const hits = Math.min(second, 10) * 10 + Math.max(0, second - 10);
    const { hits: perSecond, misses } = rates.next(second * 1000, { hits });
    if (second === 5) assertEquals(perSecond, 10);
    if (second === 30) assertEquals(perSecond, 1);
    assert(Number.isNaN(misses));
  }
  assert(Number.isNaN(rates.next(31_000, { hits: 3 }).hits));
  assertEquals(rates.next(32_000, { hits: 5 }).hits, 2);
  // The same report again changes nothing.
  assertEquals(rates.next(32_000, { hits: 5 }).hits, 2);
});
