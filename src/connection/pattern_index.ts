/**
 * An index of patterns of channel names, which finds the patterns that match a name without trying all of them.
 *
 * ```text
 * "user:7:*", "user:8:*"   literal beginning of 7 bytes    7 → "user:7:" → […]
 * "news.*"                                      5 bytes        "user:8:" → […]
 * "*", "?x", "[ab]*"                            0 bytes    5 → "news."   → […]
 *                                                          0 → ""        → […]
 * search for a name        one look-up for each length in the index; only patterns found there are matched
 * ```
 *
 * A literal beginning counts up to `LITERAL_MAX_BYTES`, which also bounds the number of look-ups.
 *
 * @module
 */

import { binaryText } from "./binary_text.ts";
import { GlobText } from "./glob_text.ts";

/** The longest literal beginning by which patterns are indexed, in bytes. */
const LITERAL_MAX_BYTES = 32;
/** The steps of matching in one step of a search, which takes about a tenth of a millisecond. */
const STEPS_AT_ONCE = 30_000;
/** The steps that each pattern counts in addition to those of matching it. */
const PATTERN_STEPS = 4;

/** The special bytes `*`, `?`, `[` and `\`. */
const SPECIAL: readonly number[] = [0x2a, 0x3f, 0x5b, 0x5c];

/** An item of the index, which has a pattern. */
export interface Indexed {
  /** The pattern, which never changes. */
  readonly bytes: Uint8Array;
  /** A number that is higher than those of older items. Matches are returned in this order. */
  readonly serial: number;
}

/** The matcher of all searches. Each step of a search sets its own text. */
const globText = new GlobText();

/** An index of items by their patterns. */
export class PatternIndex<Item extends Indexed> {
  /** The number of items. */
  size = 0;
  /** The items by the length of their literal beginning, and then by that beginning. */
  readonly #byLength = new Map<number, Map<string, Set<Item>>>();

  /** Adds an item that is not in the index. */
  add(item: Item): void {
    const literal = literalOf(item.bytes);
    let byText = this.#byLength.get(literal.length);
    if (byText === undefined) this.#byLength.set(literal.length, byText = new Map());
    const items = byText.get(literal);
    if (items === undefined) byText.set(literal, new Set([item]));
    else items.add(item);
    this.size++;
  }

  /** Removes an item that is in the index. */
  delete(item: Item): void {
    const literal = literalOf(item.bytes);
    const byText = this.#byLength.get(literal.length)!;
    const items = byText.get(literal)!;
    items.delete(item);
    if (items.size === 0) byText.delete(literal);
    if (byText.size === 0) this.#byLength.delete(literal.length);
    this.size--;
  }

  /** Begins to search for all patterns that match a name, which is borrowed until the search ends. */
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

/**
 * A search in progress. Between its steps items may be added and removed; those that are in the index all the time are
 * found.
 */
export class PatternSearch<Item extends Indexed> {
  /** The matches so far. They are in order when the search has ended. */
  readonly found: Item[] = [];
  readonly #name: Uint8Array;
  readonly #candidates: Set<Item>[];
  #items: Iterator<Item> | undefined;

  constructor(name: Uint8Array, candidates: Set<Item>[]) {
    this.#name = name;
    this.#candidates = candidates;
  }

  /** Searches for about a tenth of a millisecond. Returns whether the search has ended. */
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

/** Returns the beginning of a pattern before its first special byte, as text of one character per byte. */
function literalOf(pattern: Uint8Array): string {
  const end = Math.min(pattern.length, LITERAL_MAX_BYTES);
  let length = 0;
  while (length < end && !SPECIAL.includes(pattern[length]!)) length++;
  return binaryText(pattern, 0, length);
}
