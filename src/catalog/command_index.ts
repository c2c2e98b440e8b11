/**
 * Finds a command by its name in a request.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { assert } from "../errors.ts";
import { COMMANDS } from "./specification.ts";
import type { CommandSpecification } from "./specification.ts";

/** The number of slots of a {@linkcode CommandIndex} for each name, so that few names share one. */
const SLOTS_PER_NAME = 8;
const SLOT_WORDS = 4;
/** The number of letters in one word. */
const FIRST_LETTERS = 4;

/**
 * Finds a command by its name, in any case, without allocating.
 *
 * Names consist of letters, so `byte | 0x20` is their lower case, and no other byte becomes a letter by it. The first
 * four letters and the length choose a slot of an open-addressed table, and nearly always decide. For longer names the
 * other letters are compared as well.
 *
 * ```text
 * slot     first four letters · length of the name · position of the command + 1 (0: free) · where the letters begin
 * letters  getsetmgetlindex…
 * ```
 */
export class CommandIndex {
  readonly #slots: Int32Array;
  readonly #letters: Uint8Array;
  readonly #shift: number;
  // The command that was found last, if it has no other letters than the first ones: equal commands often follow each
  // other.
  #lastFirst = 0;
  #lastLength = 0;
  #lastPosition = -1;

  /** @param commands the table to search; `find` returns positions in it */
  constructor(commands: readonly CommandSpecification[] = COMMANDS) {
    const names = commands.flatMap(({ name, aliases }, position) => {
      return [name, ...aliases].map((each) => ({ position, letters: encodeText(each) }));
    });
    const bits = Math.ceil(Math.log2(names.length * SLOTS_PER_NAME));
    this.#slots = new Int32Array(2 ** bits * SLOT_WORDS);
    this.#letters = new Uint8Array(names.reduce((sum, { letters }) => sum + letters.length, 0));
    this.#shift = 32 - bits;
    let offset = 0;
    for (const { position, letters } of names) {
      assert(
        letters.every((letter) => letter >= 0x61 && letter <= 0x7a),
        `command ${position} has a name of no letters`,
      );
      this.#letters.set(letters, offset);
      this.#add(position, offset, letters.length);
      offset += letters.length;
    }
  }

  #add(position: number, offset: number, length: number): void {
    const first = firstLetters(this.#letters, offset, length);
    let at = (spread(first, length) >>> this.#shift) * SLOT_WORDS;
    while (this.#slots[at + 2] !== 0) at = (at + SLOT_WORDS) & (this.#slots.length - 1);
    this.#slots.set([first, length, position + 1, offset], at);
  }

  /** Returns the position of the command with the name `bytes[start, start + length)`, or -1. */
  find(bytes: Uint8Array, start: number, length: number): number {
    if (length === 0) return -1;
    const slots = this.#slots;
    const first = firstLetters(bytes, start, length);
    if (first === this.#lastFirst && length === this.#lastLength) return this.#lastPosition;
    let at = (spread(first, length) >>> this.#shift) * SLOT_WORDS;
    for (; slots[at + 2] !== 0; at = (at + SLOT_WORDS) & (slots.length - 1)) {
      if (slots[at] !== first || slots[at + 1] !== length) continue;
      const letters = this.#letters;
      const offset = slots[at + 3]!;
      let i = FIRST_LETTERS;
      while (i < length && (bytes[start + i]! | 0x20) === letters[offset + i]) i++;
      if (i < length) continue;
      const position = slots[at + 2]! - 1;
      if (length <= FIRST_LETTERS) {
        this.#lastFirst = first;
        this.#lastLength = length;
        this.#lastPosition = position;
      }
      return position;
    }
    return -1;
  }
}

/** Returns up to four letters of a name in lower case, as one word. */
function firstLetters(bytes: Uint8Array, start: number, length: number): number {
  let word = bytes[start]!;
  if (length > 1) word |= bytes[start + 1]! << 8;
  if (length > 2) word |= bytes[start + 2]! << 16;
  if (length > 3) word |= bytes[start + 3]! << 24;
  return word | 0x20202020;
}

/** Returns a hash of a name. The upper bits of the product depend on all letters. */
function spread(first: number, length: number): number {
  return Math.imul(first ^ (length << 12), 0x9e3779b1);
}
