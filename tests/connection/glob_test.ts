import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { Glob } from "../../src/connection/glob.ts";
import { amountOf } from "../support/amount.ts";

const encoder = new TextEncoder();

function matches(pattern: string | Uint8Array, text: string | Uint8Array): boolean {
  const patternBytes = typeof pattern === "string" ? encoder.encode(pattern) : pattern;
  const textBytes = typeof text === "string" ? encoder.encode(text) : text;
  return new Glob(patternBytes).matches(textBytes, 0, textBytes.length);
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
  // A bracket may end a range, and the set continues; Redis parses it that way.
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

Deno.test("Glob matches() follows Redis", () => {
  for (const [pattern, text, expected] of CASES) {
    assertEquals(matches(pattern, text), expected, `"${pattern}" on "${text}"`);
  }
});

Deno.test("Glob matches() works on bytes, in place", () => {
  assert(matches(Uint8Array.of(0x00, 0x2a, 0xff), Uint8Array.of(0x00, 0x80, 0x00, 0xff)));
  assert(matches(Uint8Array.of(0x5b, 0x80, 0x2d, 0xff, 0x5d), Uint8Array.of(0x90)));
  // A character of two bytes is two bytes.
  assert(!matches("?", "é"));
  assert(matches("??", "é"));
  const around = encoder.encode("xxa*cxxabbcxx");
  const glob = new Glob(around, 2, 3);
  assert(glob.matches(around, 7, 4));
  assert(!glob.matches(around, 7, 5));
});

/** Returns whether the text matches, by the definition itself, which takes exponential time. */
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

Deno.test("Glob matches() agrees with the definition on random patterns", () => {
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

/** Returns whether the items match the text, by a table of which first items match which first bytes. */
function matchesByTable(items: readonly string[], text: string): boolean {
  // reached[i]: the first i items match the text so far.
  let reached = items.map((_, i) => items.slice(0, i).every((item) => item === "*"));
  reached.push(items.every((item) => item === "*"));
  for (const byte of text) {
    const next: boolean[] = [false];
    items.forEach((item, i) => {
      if (item === "*") {
        next[i] ||= reached[i]!;
        next[i + 1] = next[i]! || reached[i]!;
      } else {
        const set = item === "?" ? "ab" : item.replaceAll(/[[\]]/g, "");
        next[i + 1] = reached[i]! && set.includes(byte);
      }
    });
    reached = next;
  }
  return reached.at(-1)!;
}

const TRIES_COUNT = amountOf("GLOB_TRIES", 1_500, 5_000);

Deno.test("Glob matches() agrees with the table on patterns of several words", () => {
  const seed = pickSeed();
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  let positive = 0;
  for (let i = 0; i < TRIES_COUNT; i++) {
    const items = Array.from({ length: random.below(110) }, () => random.pick(["a", "b", "?", "[ab]", "?", "?"]));
    for (let stars = random.below(4); stars > 0; stars--) items.splice(random.below(items.length + 1), 0, "*");
    // The text matches, or almost.
    const fitting = items.map((item) => item === "*" ? "ab".repeat(random.below(20)) : item === "b" ? "b" : "a").join(
      "",
    );
    const at = random.below(fitting.length + 1);
    const text = random.chance(0.5)
      ? fitting
      : fitting.slice(0, at) + random.pick(["", "a", "b"]) + fitting.slice(at + 1);
    const expected = matchesByTable(items, text);
    if (expected) positive++;
    assertEquals(matches(items.join(""), text), expected, `"${items.join("")}" on "${text}", seed ${seed}`);
  }
  assert(positive > TRIES_COUNT * 0.2 && positive < TRIES_COUNT * 0.96, `${positive}`);
});

Deno.test("Glob matches() takes at most one step per byte for each 32 items, for any pattern", () => {
  const text = encoder.encode("a".repeat(10_000));
  const hostile: [pattern: string, items: number][] = [
    ["*a".repeat(500) + "b", 501],
    ["a*".repeat(500) + "b", 501],
    ["*".repeat(1000) + "b", 1],
    ["*" + "a".repeat(500) + "b", 501],
    ["*" + "?".repeat(30) + "[b]", 31],
    ["*" + "[aaaaaaaaaaaaaa]".repeat(60) + "b", 61],
  ];
  for (const [pattern, items] of hostile) {
    const glob = new Glob(encoder.encode(pattern));
    assert(!glob.matches(text, 0, text.length));
    assertLessOrEqual(glob.steps, text.length * (Math.floor(items / 32) + 1), pattern);
  }
  const prefix = new Glob(encoder.encode("b*"));
  assert(!prefix.matches(text, 0, text.length));
  const all = new Glob(encoder.encode("a*"));
  assert(all.matches(text, 0, text.length));
  assertEquals([prefix.steps, all.steps], [1, 1], "what is decided is not read on");
});
