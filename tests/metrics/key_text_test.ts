import { assert, assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { KEY_TEXT_MAX_BYTES } from "../../src/limits.ts";
import { keyText } from "../../src/metrics/key_text.ts";

Deno.test("keyText() returns printable text in one line", () => {
  const cases: [string | number[], string][] = [
    ["user:1", "user:1"],
    ["", ""],
    ["a b", "a b"],
    ["müller 🎈", "müller 🎈"],
    ["<script>", "<script>"],
    ["a\r\nb\0", "a\\x0d\\x0ab\\x00"],
    ["back\\slash", "back\\x5cslash"],
    ["\u202e\u2028\ufeff\u00a0", "\\xe2\\x80\\xae\\xe2\\x80\\xa8\\xef\\xbb\\xbf\\xc2\\xa0"],
    [[0xff, 0x41, 0x20, 0x5c, 0x7f], "\\xffA \\x5c\\x7f"],
    // An unfinished character.
    [[0x41, 0xc3], "A\\xc3"],
  ];
  for (const [key, text] of cases) {
    assertEquals(keyText(typeof key === "string" ? encodeText(key) : Uint8Array.from(key)), text);
  }
});

Deno.test("keyText() cuts long keys between two characters", () => {
  for (let shift = 0; shift < 4; shift++) {
    for (const character of ["a", "ü", "€", "🎈"]) {
      const key = "x".repeat(shift) + character.repeat(100);
      const text = keyText(encodeText(key));
      assert(text.endsWith("…") && key.startsWith(text.slice(0, -1)), text);
      const { length } = encodeText(text.slice(0, -1));
      assert(length <= KEY_TEXT_MAX_BYTES && length > KEY_TEXT_MAX_BYTES - 4, String(length));
    }
  }
  assertEquals(keyText(new Uint8Array(1000).fill(0x80)), "\\x80".repeat(KEY_TEXT_MAX_BYTES - 3) + "…");
  assertEquals(keyText(encodeText("a".repeat(KEY_TEXT_MAX_BYTES))), "a".repeat(KEY_TEXT_MAX_BYTES));
});
