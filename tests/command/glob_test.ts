import { assert, assertEquals, assertLess } from "@std/assert";
import { globMatches } from "../../src/command/glob.ts";
import { pickSeed, Random } from "../support/random.ts";

const encoder = new TextEncoder();

function matches(pattern: string | Uint8Array, text: string | Uint8Array): boolean {
  const patternBytes = typeof pattern === "string" ? encoder.encode(pattern) : pattern;
  const textBytes = typeof text === "string" ? encoder.encode(text) : text;
  return globMatches(patternBytes, 0, patternBytes.length, textBytes, 0, textBytes.length);
}

const CASES: readonly [pattern: string, text: string, expected: boolean][] = [
  ["", "", true],
  ["", "a", false],
  ["a", "", false],
  ["abc", "abc", true],
  ["abc", "abd", false],
  ["abc", "ab", false],
  ["abc", "abcd", false],
  ["*", "", true],
  ["*", "anything", true],
  ["**", "", true],
  ["a*", "a", true],
  ["a*", "ba", false],
  ["*a", "bca", true],
  ["*a", "bcab", false],
  ["a*b*c", "a1b2b3c", true],
  ["a*b*c", "a1b2b3", false],
  ["*ab*ab*", "abab", true],
  ["*ab*ab*", "abba", false],
  ["*abc", "ababc", true],
  ["h?llo", "hello", true],
  ["h?llo", "hllo", false],
  ["?", "", false],
  ["???", "abc", true],
  ["h[ae]llo", "hallo", true],
  ["h[ae]llo", "hillo", false],
  ["h[^e]llo", "hallo", true],
  ["h[^e]llo", "hello", false],
  ["h[^e]llo", "hllo", false],
  ["[a-c]x", "bx", true],
  ["[a-c]x", "dx", false],
  ["[c-a]x", "bx", true],
  ["[a-c-e]", "-", true],
  // A bracket may end a range, and the set goes on; Redis reads it so.
  ["[a-]", "-", false],
  ["[a-]", "_", true],
  ["[-a]", "-", true],
  ["[]", "a", false],
  ["[^]", "a", true],
  ["[\\]]", "]", true],
  ["[\\^a]", "^", true],
  ["[a\\-c]", "b", false],
  ["[a\\-c]", "-", true],
  ["[abc", "b", true],
  ["[abc", "d", false],
  ["[a-", "-", true],
  ["[a\\", "\\", true],
  ["x[", "xa", false],
  ["a]b", "a]b", true],
  ["\\*", "*", true],
  ["\\*", "a", false],
  ["\\?\\[\\\\", "?[\\", true],
  ["a\\", "a\\", true],
  ["a\\", "a", false],
  ["*\\*", "ab*", true],
  ["*[0-9]", "key7", true],
  ["*[0-9]", "key", false],
  ["user:*:name", "user:42:name", true],
  ["user:*:name", "user:42:names", false],
  ["*?", "", false],
  ["*?", "a", true],
  ["?*?", "a", false],
  ["?*?", "ab", true],
];

Deno.test("globMatches() follows Redis", () => {
  for (const [pattern, text, expected] of CASES) {
    assertEquals(matches(pattern, text), expected, `"${pattern}" on "${text}"`);
  }
});

Deno.test("globMatches() works on bytes, in place", () => {
  assert(matches(Uint8Array.of(0x00, 0x2a, 0xff), Uint8Array.of(0x00, 0x80, 0x00, 0xff)));
  assert(matches(Uint8Array.of(0x5b, 0x80, 0x2d, 0xff, 0x5d), Uint8Array.of(0x90)));
  // A character of two bytes is two bytes.
  assert(!matches("?", "é"));
  assert(matches("??", "é"));
  const around = encoder.encode("xxa*cxxabbcxx");
  assert(globMatches(around, 2, 3, around, 7, 4));
  assert(!globMatches(around, 2, 3, around, 7, 5));
});

/** The definition itself, exponential as it may be. */
function matchesByDefinition(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  if (pattern[0] === "*") {
    return matchesByDefinition(pattern.slice(1), text) || (text !== "" && matchesByDefinition(pattern, text.slice(1)));
  }
  if (text === "") return false;
  if (pattern[0] === "?") return matchesByDefinition(pattern.slice(1), text.slice(1));
  const set = /^\[(\^?)([ab]*)\]/.exec(pattern);
  if (set !== null) {
    const matched = set[2]!.includes(text[0]!) !== (set[1] === "^");
    return matched && matchesByDefinition(pattern.slice(set[0].length), text.slice(1));
  }
  return pattern[0] === text[0] && matchesByDefinition(pattern.slice(1), text.slice(1));
}

Deno.test("globMatches() agrees with the definition on random patterns", () => {
  const seed = pickSeed();
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  const items = ["a", "b", "*", "?", "[a]", "[^a]", "[ab]", "[^]"];
  let positive = 0;
  for (let i = 0; i < 20_000; i++) {
    const pattern = Array.from({ length: random.below(8) }, () => random.pick(items)).join("");
    const text = Array.from({ length: random.below(10) }, () => random.pick(["a", "b"])).join("");
    const expected = matchesByDefinition(pattern, text);
    if (expected) positive++;
    assertEquals(matches(pattern, text), expected, `"${pattern}" on "${text}", seed ${seed}`);
  }
  assert(positive > 1000);
});

Deno.test("globMatches() takes at most pattern × text steps on hostile patterns", () => {
  const text = "a".repeat(10_000);
  const begun = performance.now();
  assert(!matches("*a".repeat(500) + "b", text));
  assert(!matches("a*".repeat(500) + "b", text));
  assert(!matches("*".repeat(1000) + "b", text));
  assert(!matches("*" + "a".repeat(500) + "b", text));
  assert(!matches("*" + "?".repeat(500) + "[b]", text));
  assert(!matches("*" + "[aaaaaaaaaaaaaa]".repeat(60) + "b", text));
  // 10^7 steps at most each; what is exponential would not end before the universe does.
  assertLess(performance.now() - begun, 5_000);
});
