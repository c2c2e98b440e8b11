/**
 * Glob patterns over bytes, as `keys` and `scan … MATCH` take them.
 *
 * | pattern | matches |
 * |---|---|
 * | `*` | any run of bytes, none included |
 * | `?` | any one byte |
 * | `[abc]` `[a-z]` | one byte of the set |
 * | `[^abc]` | one byte that is not of the set |
 * | `\x` | the byte `x` itself |
 *
 * As in Redis, a set that is not closed ends with the pattern, a range may be written backwards, and a backslash at
 * the very end stands for itself.
 *
 * When bytes do not fit, only the *last* star takes one byte more: a longer run for an earlier star could not match
 * anything that this cannot. So the worst case is pattern × text steps, where the usual recursion is exponential.
 *
 * @module
 */

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const BACKSLASH = 0x5c;
const CARET = 0x5e;
const DASH = 0x2d;

/**
 * Whether all of `text[textStart, textStart + textLength)` matches the pattern in
 * `pattern[patternStart, patternStart + patternLength)`. Nothing is allocated.
 *
 * @example
 * ```ts
 * import { globMatches } from "./glob.ts";
 * const encoder = new TextEncoder();
 * const pattern = encoder.encode("user:[0-9]*");
 * const text = encoder.encode("user:42");
 * console.log(globMatches(pattern, 0, pattern.length, text, 0, text.length)); // true
 * ```
 */
export function globMatches(
  pattern: Uint8Array,
  patternStart: number,
  patternLength: number,
  text: Uint8Array,
  textStart: number,
  textLength: number,
): boolean {
  const patternEnd = patternStart + patternLength;
  const textEnd = textStart + textLength;
  let at = patternStart;
  let textAt = textStart;
  // Where to go on when bytes do not fit: behind the last star, with one more byte taken by it.
  let starAt = -1;
  let starTextAt = 0;
  while (textAt < textEnd) {
    if (at < patternEnd && pattern[at] === STAR) {
      starAt = ++at;
      if (at === patternEnd) return true;
      starTextAt = textAt;
      continue;
    }
    const next = at < patternEnd ? matchOne(pattern, at, patternEnd, text[textAt]!) : -1;
    if (next !== -1) {
      at = next;
      textAt++;
    } else if (starAt !== -1) {
      at = starAt;
      textAt = ++starTextAt;
    } else {
      return false;
    }
  }
  while (at < patternEnd && pattern[at] === STAR) at++;
  return at === patternEnd;
}

/** Matches one byte with the item of the pattern at `at`, no star; the position behind the item, or -1. */
function matchOne(pattern: Uint8Array, at: number, end: number, byte: number): number {
  const item = pattern[at]!;
  if (item === QUESTION) return at + 1;
  if (item === OPEN) return matchSet(pattern, at + 1, end, byte);
  if (item === BACKSLASH && at + 1 < end) return pattern[at + 1] === byte ? at + 2 : -1;
  return item === byte ? at + 1 : -1;
}

/** Matches one byte with the set whose bracket stands before `at`; the position behind the set, or -1. */
function matchSet(pattern: Uint8Array, at: number, end: number, byte: number): number {
  const inverted = at < end && pattern[at] === CARET;
  if (inverted) at++;
  let matched = false;
  while (at < end && pattern[at] !== CLOSE) {
    if (pattern[at] === BACKSLASH && at + 1 < end) {
      if (pattern[at + 1] === byte) matched = true;
      at += 2;
    } else if (at + 2 < end && pattern[at + 1] === DASH) {
      const from = pattern[at]!;
      const to = pattern[at + 2]!;
      if (from <= to ? byte >= from && byte <= to : byte >= to && byte <= from) matched = true;
      at += 3;
    } else {
      if (pattern[at] === byte) matched = true;
      at++;
    }
  }
  if (matched === inverted) return -1;
  return at < end ? at + 1 : at;
}
