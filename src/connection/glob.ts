/**
 * Glob patterns over bytes, for `keys` and `scan … MATCH`.
 *
 * | pattern | matches |
 * |---|---|
 * | `*` | any sequence of bytes, also an empty one |
 * | `?` | any one byte |
 * | `[abc]` `[a-z]` | one byte of the set |
 * | `[^abc]` | one byte outside of the set |
 * | `\x` | the byte `x` itself |
 *
 * As in Redis, an unclosed set ends with the pattern, a range may be written backwards, and a backslash at the end of
 * the pattern matches itself.
 *
 * A pattern is a sequence of items, each for one byte, with stars between them. The matcher tracks all positions in the
 * pattern that the text so far may have led to, one bit each (Baeza-Yates and Gonnet, 1992), so it never tries anything
 * twice:
 *
 * ```text
 * a*b[cd]      items    a   b   [cd]
 *              states 0 · 1 · 2 ·    3      bit i: i items have matched
 *                         *                 bit i of `stays`: there is a star, so the state survives any byte
 *
 * for each byte    states = (states & accepts[byte]) << 1 | (states & stays)
 * ```
 *
 * That takes one step per byte for patterns of less than 32 items, and another step for every 32 items more. The usual
 * recursion is exponential, and retrying from the last star takes pattern × text steps.
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
 * A pattern, ready to be matched with many texts.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { Glob } from "./glob.ts";
 *
 * const encoder = new TextEncoder();
 * const glob = new Glob(encoder.encode("user:[0-9]*"));
 * const text = encoder.encode("user:42");
 * assert(glob.matches(text, 0, text.length));
 * ```
 */
export class Glob {
  /** The number of steps that all matching has taken so far, each of about a nanosecond. */
  steps = 0;
  /** The number of words that a set of states needs, at 32 states per word. */
  readonly #words: number;
  /** For each byte, the items that accept it. Bit i is for the item after state i. */
  readonly #accepts: Int32Array;
  /** The states that have a star. */
  readonly #stays: Int32Array;
  /** The states of a long pattern. */
  readonly #states: Int32Array;
  /** The state in which all items have matched, which is the number of items. */
  #last = 0;

  /**
   * Compiles the pattern in `pattern[start, start + length)`, which is borrowed until return. Every byte string is a
   * pattern.
   */
  constructor(pattern: Uint8Array, start = 0, length: number = pattern.length - start) {
    this.#words = (length >>> 5) + 1;
    this.#accepts = new Int32Array(256 * this.#words);
    this.#stays = new Int32Array(this.#words);
    this.#states = new Int32Array(this.#words);
    const end = start + length;
    for (let at = start; at < end;) {
      if (pattern[at] === STAR) {
        this.#stays[this.#last >>> 5]! |= 1 << (this.#last & 31);
        at++;
      } else {
        at = this.#readItem(pattern, at, end);
        this.#last++;
      }
    }
  }

  /** Reads the item at `at`, which is not a star. Returns the position after it. */
  #readItem(pattern: Uint8Array, at: number, end: number): number {
    const item = pattern[at]!;
    if (item === OPEN) return this.#readSet(pattern, at + 1, end);
    if (item === QUESTION) {
      for (let byte = 0; byte < 256; byte++) this.#accept(byte);
      return at + 1;
    }
    if (item === BACKSLASH && at + 1 < end) at++;
    this.#accept(pattern[at]!);
    return at + 1;
  }

  /** Reads the set whose bracket is before `at`. Returns the position after it. */
  #readSet(pattern: Uint8Array, at: number, end: number): number {
    const members = new Uint8Array(256);
    const after = readSet(pattern, at, end, members);
    for (let byte = 0; byte < 256; byte++) {
      if (members[byte] === 1) this.#accept(byte);
    }
    return after;
  }

  /** Makes the current item accept a byte. */
  #accept(byte: number): void {
    this.#accepts[byte * this.#words + (this.#last >>> 5)]! |= 1 << (this.#last & 31);
  }

  /** Returns the highest number of steps that matching a text of `length` bytes may take. */
  stepsFor(length: number): number {
    return length * ((this.#last >>> 5) + 1);
  }

  /** Returns whether the whole of `text[start, start + length)` matches. Allocates nothing. */
  matches(text: Uint8Array, start: number, length: number): boolean {
    return this.#last < 32 ? this.#matchesShort(text, start, start + length) : this.#matchesLong(text, start, length);
  }

  #matchesShort(text: Uint8Array, start: number, end: number): boolean {
    const accepts = this.#accepts;
    const words = this.#words;
    const stays = this.#stays[0]!;
    const last = 1 << this.#last;
    // After a star at the end of the pattern, the rest of the text does not matter.
    const done = last & stays;
    let states = 1;
    let at = start;
    while (at < end && states !== 0 && (states & done) === 0) {
      states = ((states & accepts[text[at++]! * words]!) << 1) | (states & stays);
    }
    this.steps += at - start;
    return (states & last) !== 0;
  }

  #matchesLong(text: Uint8Array, start: number, length: number): boolean {
    const accepts = this.#accepts;
    const words = this.#words;
    const stays = this.#stays;
    const states = this.#states;
    const lastWord = this.#last >>> 5;
    const last = 1 << (this.#last & 31);
    const done = last & stays[lastWord]!;
    states.fill(0);
    states[0] = 1;
    // States above this word are all 0. Most texts match only the beginning of the pattern.
    let high = 0;
    let alive = 1;
    let steps = 0;
    const end = start + length;
    for (let at = start; at < end && alive !== 0 && (states[lastWord]! & done) === 0; at++) {
      const row = text[at]! * words;
      let carry = 0;
      alive = 0;
      for (let word = 0; word <= high; word++) {
        const before = states[word]!;
        const moved = before & accepts[row + word]!;
        const after = (moved << 1) | carry | (before & stays[word]!);
        carry = moved >>> 31;
        states[word] = after;
        alive |= after;
      }
      steps += high + 1;
      if (carry !== 0) states[++high] = alive = 1;
    }
    this.steps += steps;
    return (states[lastWord]! & last) !== 0;
  }
}

/**
 * Reads the set of a pattern whose bracket is before `at`.
 *
 * @param members gets 1 for each byte that the set accepts, and 0 for the others
 * @returns the position after the set
 */
export function readSet(pattern: Uint8Array, at: number, end: number, members: Uint8Array): number {
  const isInverted = at < end && pattern[at] === CARET;
  if (isInverted) at++;
  const member = isInverted ? 0 : 1;
  members.fill(1 - member);
  while (at < end && pattern[at] !== CLOSE) {
    if (pattern[at] === BACKSLASH && at + 1 < end) {
      members[pattern[at + 1]!] = member;
      at += 2;
    } else if (at + 2 < end && pattern[at + 1] === DASH) {
      const from = pattern[at]!;
      const to = pattern[at + 2]!;
      members.fill(member, Math.min(from, to), Math.max(from, to) + 1);
      at += 3;
    } else {
      members[pattern[at]!] = member;
      at++;
    }
  }
  return at < end ? at + 1 : at;
}
