/**
 * Patterns of channels' names, found by a name without trying all of them.
 *
 * ```text
 * "user:7:*", "user:8:*"   literal beginning of 7 bytes    7 → "user:7:" → […]
 * "news.*"                                      5 bytes        "user:8:" → […]
 * "*", "?x", "[ab]*"                            0 bytes    5 → "news."   → […]
 *                                                          0 → ""        → […]
 * a name                   one look-up for each length that occurs, then only what is found there is matched
 * ```
 *
 * No more of a beginning counts than `LITERAL_MAX_BYTES`, which also bounds the look-ups.
 *
 * @module
 */

import { binaryText } from "./binary_text.ts";
import { GlobText } from "./glob_text.ts";

/** Longest beginning that patterns are told apart by. */
const LITERAL_MAX_BYTES = 32;
/** Steps of matching that are one step of a search: about a tenth of a millisecond. */
const STEPS_AT_ONCE = 30_000;
/** Steps that a pattern counts beside those of matching it. */
const PATTERN_STEPS = 4;

/** `*`, `?`, `[` and `\`. */
const SPECIAL: readonly number[] = [0x2a, 0x3f, 0x5b, 0x5c];

/** What is found: something with a pattern. */
export interface Indexed {
  /** The pattern; it never changes. */
  readonly bytes: Uint8Array;
  /** Grows from one to the next: what is found is in this order. */
  readonly serial: number;
}

/** One is enough: each step of a search sets its own text. */
const globText = new GlobText();

/** See the module's comment. */
export class PatternIndex<Item extends Indexed> {
  /** How many there are. */
  size = 0;
  /** By the length of the literal beginning, then by that beginning. */
  readonly #byLength = new Map<number, Map<string, Set<Item>>>();

  /** Adds an item that is not there yet. */
  add(item: Item): void {
    const literal = literalOf(item.bytes);
    let byText = this.#byLength.get(literal.length);
    if (byText === undefined) this.#byLength.set(literal.length, byText = new Map());
    const items = byText.get(literal);
    if (items === undefined) byText.set(literal, new Set([item]));
    else items.add(item);
    this.size++;
  }

  /** Removes an item that is there. */
  delete(item: Item): void {
    const literal = literalOf(item.bytes);
    const byText = this.#byLength.get(literal.length)!;
    const items = byText.get(literal)!;
    items.delete(item);
    if (items.size === 0) byText.delete(literal);
    if (byText.size === 0) this.#byLength.delete(literal.length);
    this.size--;
  }

  /** Begins to look for all patterns that match a name, which is borrowed until the search ends. */
  search(name: Uint8Array): PatternSearch<Item> {
    const candidates: Set<Item>[] = [];
    for (const [length, byText] of this.#byLength) {
      if (length > name.length) continue;
      const items = byText.get(binaryText(name, 0, length));
      if (items !== undefined) candidates.push(items);
    }
    return new PatternSearch(name, candidates);
  }
}

/** A search under way. Items may be added and removed between its steps; those that are there all the time are found. */
export class PatternSearch<Item extends Indexed> {
  /** What matches so far; in order once the search is done. */
  readonly found: Item[] = [];
  readonly #name: Uint8Array;
  readonly #candidates: Set<Item>[];
  #items: Iterator<Item> | undefined;

  constructor(name: Uint8Array, candidates: Set<Item>[]) {
    this.#name = name;
    this.#candidates = candidates;
  }

  /** Goes on for about a tenth of a millisecond; whether the search is done. */
  readonly step = (): boolean => {
    if (this.#items === undefined && this.#candidates.length === 0) return true;
    globText.set(this.#name);
    globText.steps = 0;
    for (let count = 0; globText.steps + count * PATTERN_STEPS < STEPS_AT_ONCE; count++) {
      this.#items ??= this.#candidates.pop()?.values();
      if (this.#items === undefined) {
        this.found.sort((a, b) => a.serial - b.serial);
        return true;
      }
      const { done, value } = this.#items.next();
      if (done) this.#items = undefined;
      else if (globText.matches(value.bytes)) this.found.push(value);
    }
    return false;
  };
}

/** What a pattern begins with before its first special byte, as text of one character a byte. */
function literalOf(pattern: Uint8Array): string {
  const end = Math.min(pattern.length, LITERAL_MAX_BYTES);
  let length = 0;
  while (length < end && !SPECIAL.includes(pattern[length]!)) length++;
  return binaryText(pattern, 0, length);
}
