/**
 * Matches one text with many patterns. Channels need this, since every pattern may match the name of the channel.
 *
 * A `Glob` compiles one pattern into a table of up to 33 KB, and matches it with many texts. Here the table is made
 * from the text, and patterns are not compiled. The matcher tracks all places in the text that the pattern so far may
 * have led to, one bit each:
 *
 * ```text
 * text    n e w s             places 0 n 1 e 2 w 3 s 4      bit i: the pattern so far matches the first i bytes
 *
 * for each item of the pattern
 *   a byte or a set   places = (places & positions of such bytes in the text) << 1
 *   a star            places = the first place and all after it
 * ```
 *
 * Matching ends at the first item that leaves no place, which usually is one of the first.
 *
 * @module
 */

import { Glob, readSet } from "./glob.ts";

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;

/**
 * The longest text that is matched here, in bytes. Longer texts are matched by a {@linkcode Glob}: a set takes a step
 * for each place here, and a step for each byte there.
 */
const TEXT_MAX_BYTES = 1024;
/** The most words for the places of a text, at 32 places per word. */
const WORDS_MAX_COUNT = (TEXT_MAX_BYTES >>> 5) + 1;

/**
 * A text that is matched with many patterns. The patterns are those of `Glob`.
 *
 * @example
 * ```ts
 * import { assert, assertFalse } from "@std/assert";
 * import { GlobText } from "./glob_text.ts";
 *
 * const encoder = new TextEncoder();
 * const text = new GlobText();
 * text.set(encoder.encode("news.eu"));
 * assert(text.matches(encoder.encode("news.*")));
 * assertFalse(text.matches(encoder.encode("sport.*")));
 * ```
 */
export class GlobText {
  /** The number of steps that all matching has taken so far, each of a few nanoseconds. */
  steps = 0;
  #text: Uint8Array = new Uint8Array(0);
  /** The number of words for the places of the text. */
  #words = 1;
  /** For each byte, the row of {@linkcode #positions} with its positions in the text. Row 0 has none. */
  readonly #rows = new Uint16Array(256);
  #positions = new Int32Array(2 * WORDS_MAX_COUNT);
  readonly #places = new Int32Array(WORDS_MAX_COUNT);
  /** The first word of {@linkcode #places} in use. Words outside of `[#low, #high]` have undefined contents. */
  #low = 0;
  /** The last word of {@linkcode #places} in use. */
  #high = 0;
  /** The bytes of the set that was read last. */
  readonly #members = new Uint8Array(256);

  /** Sets the text to match, which is borrowed until the next one is set. */
  set(text: Uint8Array): void {
    this.#text = text;
    if (text.length > TEXT_MAX_BYTES) return;
    const rows = this.#rows.fill(0);
    const words = this.#words = (text.length >>> 5) + 1;
    this.#positions.fill(0, 0, words);
    let rowsCount = 1;
    for (let i = 0; i < text.length; i++) {
      const byte = text[i]!;
      if (rows[byte] === 0) {
        rows[byte] = rowsCount;
        this.#clearRow(rowsCount++, words);
      }
      this.#positions[rows[byte]! * words + (i >>> 5)]! |= 1 << (i & 31);
    }
  }

  #clearRow(row: number, words: number): void {
    const end = (row + 1) * words;
    if (end > this.#positions.length) {
      const grown = new Int32Array(end * 2);
      grown.set(this.#positions);
      this.#positions = grown;
    }
    this.#positions.fill(0, row * words, end);
  }

  /**
   * Returns whether the whole text matches `pattern`, which is borrowed until return. Every byte string is a pattern.
   */
  matches(pattern: Uint8Array): boolean {
    const length = this.#text.length;
    if (length > TEXT_MAX_BYTES) {
      const glob = new Glob(pattern);
      const matches = glob.matches(this.#text, 0, length);
      this.steps += pattern.length + glob.steps;
      return matches;
    }
    const places = this.#places;
    places[0] = 1;
    this.#low = this.#high = 0;
    const end = pattern.length;
    for (let at = 0; at < end;) {
      const item = pattern[at]!;
      let isLeft: boolean;
      if (item === STAR) {
        this.#reachAll();
        if (++at === end) return true;
        continue;
      }
      if (item === OPEN) {
        at = readSet(pattern, at + 1, end, this.#members);
        isLeft = this.#passSet();
      } else if (item === QUESTION) {
        at++;
        isLeft = this.#passAny();
      } else {
        if (item === BACKSLASH && at + 1 < end) at++;
        isLeft = this.#passByte(pattern[at]!);
        at++;
      }
      if (!isLeft) return false;
    }
    const last = length >>> 5;
    return this.#high === last && (places[last]! & (1 << (length & 31))) !== 0;
  }

  /** Handles a star: it adds all places after the first one. */
  #reachAll(): void {
    const places = this.#places;
    const first = places[this.#low]!;
    places[this.#low] = first | -first;
    const last = this.#words - 1;
    if (this.#low < last) places.fill(-1, this.#low + 1, last + 1);
    this.#high = last;
    // The text has no places after its end.
    places[last]! &= (2 << (this.#text.length & 31)) - 1;
    this.steps += last - this.#low + 1;
  }

  /** Handles an item that accepts only `byte`. Returns whether any place is left. */
  #passByte(byte: number): boolean {
    const row = this.#rows[byte]! * this.#words;
    if (row === 0) return false;
    const places = this.#places;
    const positions = this.#positions;
    const high = this.#high;
    let carry = 0;
    this.steps += high - this.#low + 1;
    for (let word = this.#low; word <= high; word++) {
      const moved = places[word]! & positions[row + word]!;
      places[word] = (moved << 1) | carry;
      carry = moved >>> 31;
    }
    return this.#narrow(carry);
  }

  /** Handles an item that accepts any byte. Returns whether any place is left. */
  #passAny(): boolean {
    const places = this.#places;
    const high = this.#high;
    const length = this.#text.length;
    const last = length >>> 5;
    if (high === last) places[last]! &= (1 << (length & 31)) - 1;
    let carry = 0;
    this.steps += high - this.#low + 1;
    for (let word = this.#low; word <= high; word++) {
      const before = places[word]!;
      places[word] = (before << 1) | carry;
      carry = before >>> 31;
    }
    return this.#narrow(carry);
  }

  /** Handles the set that was read last. Returns whether any place is left. */
  #passSet(): boolean {
    const places = this.#places;
    const high = this.#high;
    const text = this.#text;
    const members = this.#members;
    const { length } = text;
    let carry = 0;
    for (let word = this.#low; word <= high; word++) {
      let moved = 0;
      for (let rest = places[word]!; rest !== 0; rest &= rest - 1) {
        const bit = 31 - Math.clz32(rest & -rest);
        const at = (word << 5) + bit;
        if (at < length && members[text[at]!] === 1) moved |= 1 << bit;
        this.steps++;
      }
      places[word] = (moved << 1) | carry;
      carry = moved >>> 31;
    }
    // Reading a set writes all 256 members.
    this.steps += 8;
    return this.#narrow(carry);
  }

  /**
   * Adds the bit that was shifted out of the last word in use, and drops words at both ends that have become 0. Returns
   * whether any place is left.
   */
  #narrow(carry: number): boolean {
    const places = this.#places;
    if (carry !== 0) places[++this.#high] = 1;
    let low = this.#low;
    let high = this.#high;
    while (low <= high && places[low] === 0) low++;
    while (high > low && places[high] === 0) high--;
    this.#low = low;
    this.#high = high;
    return low <= high;
  }
}
