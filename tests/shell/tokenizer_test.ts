import { assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { UsageError } from "../../src/errors.ts";
import { quote } from "../../src/terminal/printable_text.ts";
import { tokenize } from "../../src/shell/tokenizer.ts";

function words(line: string): string[] {
  return tokenize(encodeText(line)).map((word) => decodeText(word));
}

Deno.test("tokenize() splits at blanks of any kind", () => {
  assertEquals(words("set  x\t42 \r"), ["set", "x", "42"]);
  assertEquals(words(""), []);
  assertEquals(words("  \t "), []);
});

Deno.test("tokenize() keeps blanks, quotes and empty text inside of quotes", () => {
  assertEquals(words(`set "a b" 'c "d" e' "" ''`), ["set", "a b", 'c "d" e', "", ""]);
  assertEquals(words(`"it's" 'it\\'s'`), ["it's", "it's"]);
});

Deno.test("tokenize() understands escapes in double quotes only", () => {
  assertEquals(tokenize(encodeText(String.raw`"\n\r\t\a\b\\\"\x00\xfF\q\x4"`)), [
    new Uint8Array([10, 13, 9, 7, 8, 0x5c, 0x22, 0, 0xff, 0x71, 0x78, 0x34]),
  ]);
  assertEquals(words(String.raw`'\n' a\nb C:\dir`), ["\\n", "a\\nb", "C:\\dir"]);
});

Deno.test("tokenize() joins a quote with the text before it", () => {
  assertEquals(words(`key:"a b"`), ["key:a b"]);
});

Deno.test("tokenize() refuses a quote that is not closed, or closed within a word", () => {
  assertThrows(() => words('set x "abc'), UsageError, "the quote opened at column 7 is never closed");
  assertThrows(() => words("set x 'abc\\'"), UsageError, "the quote opened at column 7 is never closed");
  assertThrows(() => words('set x "abc\\'), UsageError, "never closed");
  assertThrows(() => words('"'), UsageError, "never closed");
  assertThrows(() => words('set "a"b'), UsageError, "the quote closed at column 7 must end its argument");
});

Deno.test("tokenize() keeps bytes that are not UTF-8, and text of any language", () => {
  const line = new Uint8Array([...encodeText("set 日本 "), 0xff, 0xfe]);
  assertEquals(tokenize(line).map((word) => [...word]).at(-1), [0xff, 0xfe]);
  assertEquals(words("set 日本 é"), ["set", "日本", "é"]);
});

Deno.test("tokenize() reads what quote() has written, for any bytes", () => {
  const random = new Random(2);
  for (let round = 0; round < 2_000; round++) {
    const bytes = random.bytes(random.below(12));
    assertEquals(tokenize(encodeText(quote(bytes))), [bytes]);
  }
  for (const text of ["", "日本\u202e語", "a\u200db", "\u2028", '\\"', "\x7f\x1b[0m", "\ufeff"]) {
    assertEquals(words(quote(encodeText(text))), [text]);
  }
});
