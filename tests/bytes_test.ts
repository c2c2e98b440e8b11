import { assert, assertEquals, assertFalse, assertLessOrEqual } from "@std/assert";
import {
  copyBytes,
  copyViewed,
  decodeText,
  encodeText,
  equalBytes,
  equalsIgnoringCase,
  formatInteger,
  INTEGER_TEXT_MAX_BYTES,
  parseInteger,
  parseInteger64,
} from "../src/bytes.ts";

const INTEGERS = [0, 1, 9, 10, 11, 99, 100, 101, 127, 128, 255, 256, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]
  .concat([
    999_999_999,
    1_000_000_000,
    2 ** 32,
    999_999_999_999_999,
    1_000_000_000_000_000,
    Number.MAX_SAFE_INTEGER - 1,
    Number.MAX_SAFE_INTEGER,
  ]);

/** Texts that Redis refuses as integers as well. */
const NOT_INTEGERS = [
  "",
  "-",
  "+1",
  "-0",
  "00",
  "01",
  "-01",
  " 1",
  "1 ",
  "1.0",
  "1e3",
  "0x10",
  "abc",
  "--1",
  "1-",
  "\0",
];

/** Parses from the middle of a larger buffer, so that a reader which ignores its range fails. */
function within<Result>(text: string, read: (bytes: Uint8Array, start: number, length: number) => Result): Result {
  const inner = encodeText(text);
  const outer = new Uint8Array(inner.length + 8).fill(0x35);
  outer.set(inner, 3);
  return read(outer, 3, inner.length);
}

Deno.test("encodeText() and decodeText() are inverses, over a range too", () => {
  const text = "naïve ☃ 🎈 \0 end";
  const bytes = encodeText(text);
  assertEquals(decodeText(bytes), text);
  assertEquals(decodeText(bytes, 0, 5), "naïv");
  assertEquals(decodeText(bytes, bytes.length - 3), "end");
  assertEquals(decodeText(bytes, 2, 0), "");
});

Deno.test("decodeText() keeps a byte order mark, which is data here", () => {
  assertEquals(decodeText(encodeText("\ufeffx")), "\ufeffx");
});

Deno.test("decodeText() replaces invalid UTF-8 by U+FFFD", () => {
  assertEquals(decodeText(Uint8Array.of(0x61, 0xff, 0x62)), "a\ufffdb");
});

Deno.test("copyBytes() copies exactly its range at every length around the change of method", () => {
  const source = Uint8Array.from({ length: 300 }, (_, i) => i + 1);
  for (const length of [0, 1, 2, 31, 63, 64, 65, 66, 128, 256]) {
    const target = new Uint8Array(300).fill(0xee);
    copyBytes(source, 7, target, 11, length);
    assertEquals(target.subarray(11, 11 + length), source.subarray(7, 7 + length));
    assert(target.subarray(0, 11).every((byte) => byte === 0xee), `before, length ${length}`);
    assert(target.subarray(11 + length).every((byte) => byte === 0xee), `behind, length ${length}`);
  }
});

Deno.test("copyBytes() moves bytes towards the front of one buffer", () => {
  for (const length of [10, 64, 65, 200]) {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const expected = bytes.slice(5, 5 + length);
    copyBytes(bytes, 5, bytes, 2, length);
    assertEquals(bytes.subarray(2, 2 + length), expected);
  }
});

Deno.test("equalBytes() compares exactly its range", () => {
  const a = Uint8Array.of(0, 1, 2, 3, 4);
  const b = Uint8Array.of(9, 2, 3, 8);
  assert(equalBytes(a, 2, b, 1, 2));
  assertFalse(equalBytes(a, 2, b, 1, 3));
  assertFalse(equalBytes(a, 1, b, 0, 2));
  assert(equalBytes(a, 0, b, 0, 0));
});

Deno.test("equalsIgnoringCase() folds ASCII letters only", () => {
  const is = (text: string, lower: string) =>
    within(text, (bytes, start, length) => equalsIgnoringCase(bytes, start, length, lower));
  assert(is("GeT", "get"));
  assert(is("", ""));
  assert(is("px1", "px1"));
  assertFalse(is("gets", "get"));
  assertFalse(is("ge", "get"));
  // "[" and "{" differ in the same bit as upper and lower case do; so do "@" and "`".
  assertFalse(is("[", "{"));
  assertFalse(is("@", "`"));
  assertFalse(is("\x11", "1"));
});

Deno.test("parseInteger() reads every safe integer that formatInteger() writes", () => {
  const target = new Uint8Array(INTEGER_TEXT_MAX_BYTES + 4);
  for (const magnitude of INTEGERS) {
    for (const value of [magnitude, -magnitude]) {
      const length = formatInteger(value, target, 2);
      assertLessOrEqual(length, INTEGER_TEXT_MAX_BYTES);
      assertEquals(decodeText(target, 2, length), String(value));
      assertEquals(parseInteger(target, 2, length), value === 0 ? 0 : value);
    }
  }
});

Deno.test("formatInteger() writes nothing after the bytes that it counts", () => {
  const target = new Uint8Array(24).fill(0xee);
  const length = formatInteger(-42, target, 1);
  assertEquals(length, 3);
  assertEquals([...target.subarray(0, 5)], [0xee, 0x2d, 0x34, 0x32, 0xee]);
});

Deno.test("parseInteger() and parseInteger64() refuse what Redis refuses", () => {
  for (const text of [...NOT_INTEGERS, "9".repeat(21), "1".repeat(400), "１", "\ufeff1", "\ufeff1234567890123456"]) {
    assertEquals(within(text, parseInteger), NaN, `parseInteger("${text}")`);
    assertEquals(within(text, parseInteger64), undefined, `parseInteger64("${text}")`);
  }
});

Deno.test("parseInteger() returns NaN beyond 53 bits, parseInteger64() reads all 64", () => {
  assertEquals(within("9007199254740992", parseInteger), NaN);
  assertEquals(within("-9007199254740992", parseInteger), NaN);
  assertEquals(within("9007199254740992", parseInteger64), 9007199254740992n);
  assertEquals(within("9223372036854775807", parseInteger64), 2n ** 63n - 1n);
  assertEquals(within("-9223372036854775808", parseInteger64), -(2n ** 63n));
  assertEquals(within("9223372036854775808", parseInteger64), undefined);
  assertEquals(within("-9223372036854775809", parseInteger64), undefined);
  assertEquals(within("99999999999999999999", parseInteger64), undefined);
});

Deno.test("copyViewed() copies any length to any position, and nothing beside it, with any views", () => {
  const source = Uint8Array.from({ length: 200 }, (_, i) => (i * 37 + 11) % 256);
  for (const length of [0, 1, 7, 8, 9, 15, 16, 63, 64, 96, 97, 120]) {
    for (const [from, at] of [[0, 0], [3, 8], [8, 5], [13, 27]] as const) {
      for (const views of [0, 1, 2, 3]) {
        const target = new Uint8Array(160).fill(0xee);
        const sourceView = views & 1 ? new DataView(source.buffer) : undefined;
        const targetView = views & 2 ? new DataView(target.buffer) : undefined;
        copyViewed(source, sourceView, from, target, targetView, at, length);
        const expected = new Uint8Array(160).fill(0xee);
        expected.set(source.subarray(from, from + length), at);
        assertEquals(target, expected, `${length} bytes from ${from} to ${at}, views ${views}`);
      }
    }
  }
});
