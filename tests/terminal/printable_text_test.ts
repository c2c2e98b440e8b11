import { assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { printable, printableLine, quote } from "../../src/terminal/printable_text.ts";

Deno.test("printable() escapes what a terminal would obey, and keeps lines", () => {
  assertEquals(printable('a\nb\x1b[2J\x9b\u202e\t"c\\'), 'a\nb\\x1b[2J\\xc2\\x9b\\xe2\\x80\\xae\\t"c\\');
});

Deno.test("printableLine() escapes line breaks too", () => {
  assertEquals(printableLine("a\nb\r\x1b[31m\u2028"), "a\\nb\\r\\x1b[31m\\xe2\\x80\\xa8");
});

Deno.test("quote() escapes characters that change the direction of text, and keeps joiners", () => {
  assertEquals(quote(encodeText("a\u202eb")), '"a\\xe2\\x80\\xaeb"');
  assertEquals(quote(encodeText("👩\u200d💻")), '"👩\u200d💻"');
});
