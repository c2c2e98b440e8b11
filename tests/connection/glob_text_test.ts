import { assertEquals, assertLessOrEqual } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { binaryBytes } from "../../src/connection/binary_text.ts";
import { Glob } from "../../src/connection/glob.ts";
import { GlobText } from "../../src/connection/glob_text.ts";
import { PATTERN_SIZE_MAX_BYTES } from "../../src/limits.ts";

/** Lengths near the ends of words, and near the longest text that is matched by its places. */
const LENGTHS = [0, 1, 2, 5, 30, 31, 32, 33, 63, 64, 65, 300, 1023, 1024, 1025, 2000];

Deno.test("GlobText matches() agrees with Glob on any text and pattern", () => {
  const random = new Random(pickSeed());
  const pick = (letters: string) => letters[random.below(letters.length)]!;
  const target = new GlobText();
  let matched = 0;
  for (let round = 0; round < 3000; round++) {
    const length = random.below(4) === 0 ? LENGTHS[random.below(LENGTHS.length)]! : random.below(70);
    let text = "";
    while (text.length < length) text += pick("aab\xff");
    const bytes = binaryBytes(text);
    target.set(bytes);
    for (let i = 0; i < 10; i++) {
      const pattern = binaryBytes(derive(text, random, pick));
      const expected = new Glob(pattern).matches(bytes, 0, bytes.length);
      if (expected) matched++;
      assertEquals(target.matches(pattern), expected, `${[...pattern]} for a text of ${[...bytes]}`);
    }
  }
  assertLessOrEqual(2000, matched, "enough patterns match to mean something");
});

/** Derives a pattern from a text: parts of it are kept, replaced by stars and sets, or changed. */
function derive(text: string, random: Random, pick: (letters: string) => string): string {
  let pattern = "";
  for (let at = 0; at < text.length;) {
    switch (random.below(random.below(2) === 0 ? 8 : 60)) {
      case 0:
        pattern += "*";
        at += random.below(text.length - at + 1);
        break;
      case 1:
        pattern += "?";
        at++;
        break;
      case 2:
        pattern += pick("^ab") === "^" ? "[^c]" : `[${text[at]}x]`;
        at++;
        break;
      case 3:
        pattern += "[a-b\xf0-\xff]";
        at++;
        break;
      case 4:
        pattern += `\\${text[at]}`;
        at++;
        break;
      case 5:
        if (random.below(10) === 0) pattern += pick("[]^-\\ac");
        pattern += text[at++];
        break;
      default:
        pattern += text[at++];
    }
  }
  return pattern + random.pick(["", "", "", "*", "**", "a", "\\", "["]);
}

Deno.test("GlobText matches() takes a bounded number of steps for the worst patterns", () => {
  const target = new GlobText();
  const repeated = (part: string) => binaryBytes(part.repeat(PATTERN_SIZE_MAX_BYTES / part.length));
  for (const length of [1024, 1025, 32 * 1024]) {
    target.set(binaryBytes("a".repeat(length)));
    for (const part of ["*a", "*?", "*[a]", "[a]", "?", "a", "*[^b]"]) {
      const before = target.steps;
      target.matches(binaryBytes("*" + part.repeat(Math.floor((PATTERN_SIZE_MAX_BYTES - 2) / part.length)) + "b"));
      assertLessOrEqual(target.steps - before, 1_200_000, `${part} for ${length} bytes`);
    }
  }
  target.set(binaryBytes("b"));
  const before = target.steps;
  target.matches(repeated("a"));
  assertLessOrEqual(target.steps - before, 1, "the first byte decides");
});
