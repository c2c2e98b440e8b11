import { assertEquals, assertStrictEquals } from "@std/assert";
import { Request } from "../../../src/wire/request.ts";
import { splitInline } from "../../../src/wire/resp/inline.ts";
import { argumentsOf, binaryBytes } from "../../support/resp_requests.ts";

/** Lines and their words, all compared with redis-server 7.0.15; `undefined` where it reports unbalanced quotes. */
const LINES: [line: string, words: string[] | undefined][] = [
  ["", []],
  [" \t\v\f\r ", []],
  ["ping", ["ping"]],
  ["  set\ta  b ", ["set", "a", "b"]],
  // A vertical tab or a form feed separates words only after another blank has ended one.
  ["a\vb \v c\f", ["a\vb", "c\f"]],
  ["a\rb", ["a", "b"]],
  ["\xff \x80", ["\xff", "\x80"]],
  ["a\\n \\", ["a\\n", "\\"]],
  ['""', [""]],
  ["''", [""]],
  ['"" \'\' ""', ["", "", ""]],
  ['"a b"', ["a b"]],
  ["'a b'", ["a b"]],
  ['"a" "b"', ["a", "b"]],
  ['"a"\vb', ["a", "b"]],
  ['a"b c"', ["ab c"]],
  ["a'b c' d", ["ab c", "d"]],
  ['"it\'s"', ["it's"]],
  ["'say \"x\"'", ['say "x"']],
  [`"\\n\\r\\t\\b\\a"`, ["\n\r\t\b\x07"]],
  [`"\\x00\\xfF\\x4a"`, ["\0\xffJ"]],
  [`"\\x4 \\xg1 \\x"`, ["x4 xg1 x"]],
  [`"\\x4"`, ["x4"]],
  [`"\\"\\\\\\q"`, ['"\\q']],
  [`'\\''`, ["'"]],
  [`'\\n\\x41\\\\ '`, ["\\n\\x41\\\\ "]],
  [`'\\\\'`, undefined],
  [`'\\"'`, ['\\"']],
  ['"', undefined],
  ["'", undefined],
  ['"abc', undefined],
  ["'abc", undefined],
  ['"a"b', undefined],
  ["'a'b", undefined],
  ['"a""b"', undefined],
  ["'a'\"b\"", undefined],
  ['"a\\"', undefined],
  ['"a\\', undefined],
  ["'a\\'", undefined],
  ['a "', undefined],
  ['a" b', undefined],
];

function split(line: string): string[] | undefined {
  const request = new Request();
  const bytes = binaryBytes(`"x${line}y"`);
  if (!splitInline(bytes, 2, 2 + line.length, request)) return undefined;
  const words = argumentsOf(request);
  assertEquals(request.size, words.reduce((sum, { length }) => sum + length, 0));
  return words;
}

Deno.test("splitInline() splits a line as Redis does", () => {
  for (const [line, words] of LINES) assertEquals(split(line), words, JSON.stringify(line));
});

Deno.test("splitInline() finds as many words as a line can hold", () => {
  for (const count of [16, 17, 1000, 32_768]) {
    assertEquals(split(Array(count).fill("x").join(" ")), Array(count).fill("x"));
    assertEquals(split(Array(count).fill('""').join("\t")), Array(count).fill(""));
  }
});

Deno.test("splitInline() copies words only if they have quotes", () => {
  const request = new Request();
  const bytes = binaryBytes("a b 'c'");
  splitInline(bytes, 0, 3, request);
  assertStrictEquals(request.bytes, bytes);
  splitInline(bytes, 0, 7, request);
  bytes.fill(0);
  assertEquals(argumentsOf(request), ["a", "b", "c"]);
});
