/**
 * Chains: the parts of a large value (fields of a hash, directories of a list), linked in both directions.
 *
 * ```text
 * owner ──first──▶ part ──0──▶ part ──0──▶ part ──0──▶ owner        word 0: next
 *                       ◀──1──      ◀──1──      ◀──last── owner     word 1: previous
 * ```
 *
 * A chain begins and ends at its owner, the entry of the value. The first two words of the owner's kind name the first
 * and the last part; they are 0 when there are no parts. A part can be removed without knowing its owner's place, and
 * compaction can move any block of the chain.
 *
 * @module
 */

import type { Arena } from "./arena.ts";
import {
  bodyWord,
  ENTRY_WORDS,
  FLAG_DETACHED,
  HEADER_BYTES,
  kindOf,
  metaOf,
  topOf,
  TRAIT_CHAIN,
  traitsOf,
} from "./block.ts";

/** The chains of one arena. */
export class Chains {
  readonly #arena: Arena;
  readonly #words: Uint32Array;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#words = arena.words;
  }

  /** Adds a part at the front or the back of the chain of `owner`. */
  link(owner: number, part: number, front: boolean): void {
    const words = this.#words;
    const body = owner * 2 + bodyWord(words[owner * 2 + 3]!);
    const first = words[body]!;
    if (first === 0) {
      words[body] = words[body + 1] = part;
      words[part * 2] = words[part * 2 + 1] = owner;
    } else if (front) {
      words[part * 2] = first;
      words[part * 2 + 1] = owner;
      words[first * 2 + 1] = part;
      words[body] = part;
    } else {
      const last = words[body + 1]!;
      words[part * 2] = owner;
      words[part * 2 + 1] = last;
      words[last * 2] = part;
      words[body + 1] = part;
    }
  }

  /** Adds a part to the chain of `owner`, after one of its parts. */
  linkAfter(owner: number, part: number, previous: number): void {
    const words = this.#words;
    const next = words[previous * 2]!;
    if (next === owner) return this.link(owner, part, false);
    words[part * 2] = next;
    words[part * 2 + 1] = previous;
    words[next * 2 + 1] = part;
    words[previous * 2] = part;
  }

  /** Removes a part from the chain of `owner`. */
  unlink(owner: number, part: number): void {
    const words = this.#words;
    const body = owner * 2 + bodyWord(words[owner * 2 + 3]!);
    const next = words[part * 2]!;
    const previous = words[part * 2 + 1]!;
    if (next === owner && previous === owner) {
      words[body] = words[body + 1] = 0;
    } else if (next === owner) {
      words[body + 1] = previous;
      words[previous * 2] = owner;
    } else if (previous === owner) {
      words[body] = next;
      words[next * 2 + 1] = owner;
    } else {
      words[previous * 2] = next;
      words[next * 2 + 1] = previous;
    }
  }

  /**
   * Moves the parts from `first` to `last`, which are not all, from the chain of `owner` to a new entry of its kind,
   * and returns that entry. It is detached and has no key, and the caller frees its parts later. Takes a block of the
   * size of such an entry.
   *
   * @param count what word 4 of the new entry becomes: the number of elements of these parts
   */
  detach(owner: number, first: number, last: number, count: number): number {
    const words = this.#words;
    const meta = words[owner * 2 + 3]!;
    const body = owner * 2 + bodyWord(meta);
    const previous = words[first * 2 + 1]!;
    const next = words[last * 2]!;
    if (previous === owner) words[body] = next;
    else words[previous * 2] = next;
    if (next === owner) words[body + 1] = previous;
    else words[next * 2 + 1] = previous;
    const detached = this.#arena.allocate(HEADER_BYTES[topOf(kindOf(meta), 0)]!);
    words[detached * 2 + 2] = 0;
    words[detached * 2 + 3] = metaOf(kindOf(meta)) | FLAG_DETACHED;
    words[detached * 2 + 4] = count;
    words[detached * 2 + ENTRY_WORDS] = first;
    words[detached * 2 + ENTRY_WORDS + 1] = last;
    words[first * 2 + 1] = words[last * 2] = detached;
    return detached;
  }

  /** Updates the neighbours of a part that has moved to `to`. */
  partMoved(to: number): void {
    const words = this.#words;
    const next = words[to * 2]!;
    const previous = words[to * 2 + 1]!;
    const nextMeta = words[next * 2 + 3]!;
    const previousMeta = words[previous * 2 + 3]!;
    if (traitsOf(nextMeta) & TRAIT_CHAIN) words[next * 2 + bodyWord(nextMeta) + 1] = to;
    else words[next * 2 + 1] = to;
    if (traitsOf(previousMeta) & TRAIT_CHAIN) words[previous * 2 + bodyWord(previousMeta)] = to;
    else words[previous * 2] = to;
  }

  /** Updates the first and the last part of a chain whose owner has moved to `to`. */
  ownerMoved(to: number): void {
    const words = this.#words;
    const body = to * 2 + bodyWord(words[to * 2 + 3]!);
    // A detached value may already have lost all its parts.
    if (words[body] === 0) return;
    words[words[body]! * 2 + 1] = to;
    words[words[body + 1]! * 2] = to;
  }
}
