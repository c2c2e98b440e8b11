/**
 * Deadlines: a hierarchical timing wheel (Varghese and Lauck, 1987) through the entries themselves.
 *
 * ```text
 * level 0   256 slots of 128 ms           = 32.8 s ahead
 * level 1   256 slots of 32.8 s           = 2.3 hours
 * level 2   256 slots of 2.3 hours        = 25 days
 * level 3   256 slots of 25 days          = 17 years
 * level 4   256 slots of 17 years         = 4,458 years
 * level 5   256 slots of 4,458 years      = 1,141,000 years
 * level 6   256 slots of 1,141,000 years, beyond DEADLINE_MAX_MS
 *
 * slot      reference of its first entry, or 0; entries are linked by two of their words
 * entry     words 5, 6  deadline in ms since 1970, low and high
 *           words 7, 8  next and previous entry of the slot, or 0
 * ```
 *
 * Setting, changing and removing a deadline touch a constant number of words. After a round of level 0, the next slot
 * of level 1 is spread over it, and so on upwards. So an entry moves at most six times before it is due, and only
 * entries that are soon due are visited. All work is counted, so that the caller can stop after any amount of it and
 * continue later.
 *
 * Reading an expired key removes it exactly at its time. The wheel frees the memory of expired keys that are not read,
 * within one slot of level 0 and one tick of the caller.
 *
 * A clock that steps back delays the entries in the wheel. A clock that steps forward makes them due immediately.
 *
 * @module
 */

import { assert } from "../errors.ts";
import type { Arena } from "./arena.ts";

const SLOTS = 256;
const LEVELS = 7;
const SLOT_MS = 128;
const WORD_LOW = 5;
const WORD_HIGH = 6;
const WORD_NEXT = 7;
const WORD_PREVIOUS = 8;
const HIGH = 2 ** 32;

/** The number of level-0 slots that one slot of each level spans. */
const SPAN = Float64Array.from({ length: LEVELS }, (_, level) => SLOTS ** level);

/**
 * The origin of the deadlines that are summed up, in ms since 1970. Sums of distances of some days stay exact where
 * sums of whole times would be rounded.
 */
const SUM_ORIGIN_MS = Date.now();

/** A timing wheel over the entries of one arena. */
export class Deadlines {
  /** The number of entries with a deadline. */
  count = 0;
  readonly #words: Uint32Array;
  /** The sum of all deadlines from the origin. It is in an array so that changing it allocates nothing. */
  readonly #sumMs = new Float64Array(1);
  readonly #heads = new Uint32Array(LEVELS * SLOTS);
  /** The level-0 slot that is visited next, counted from 1970. Entries that were due before it have been removed. */
  #tick = 0;

  constructor(arena: Arena) {
    this.#words = arena.words;
  }

  /** Forgets all entries, but not the time. */
  clear(): void {
    this.count = this.#sumMs[0] = 0;
    this.#heads.fill(0);
  }

  /** The mean of all deadlines, in ms since 1970; 0 when there is none. */
  get meanMs(): number {
    return this.count === 0 ? 0 : SUM_ORIGIN_MS + this.#sumMs[0]! / this.count;
  }

  /** Returns the deadline of an entry that has one, in ms since 1970. */
  of(entry: number): number {
    return this.#words[entry * 2 + WORD_LOW]! + this.#words[entry * 2 + WORD_HIGH]! * HIGH;
  }

  /** Adds an entry with its deadline. Its header must have the words for it, and it must not be in the wheel. */
  add(entry: number, deadlineMs: number): void {
    const words = this.#words;
    words[entry * 2 + WORD_LOW] = deadlineMs % HIGH;
    words[entry * 2 + WORD_HIGH] = Math.floor(deadlineMs / HIGH);
    this.count++;
    this.#sumMs[0]! += deadlineMs - SUM_ORIGIN_MS;
    this.#link(entry, Math.floor(deadlineMs / SLOT_MS));
  }

  /** Removes an entry. The caller owns its words from then on. */
  remove(entry: number): void {
    this.#unlink(entry);
    this.#sumMs[0] = --this.count === 0 ? 0 : this.#sumMs[0]! - (this.of(entry) - SUM_ORIGIN_MS);
  }

  /** Updates the neighbours of an entry that has moved from `from` to `to` with its words. */
  moved(from: number, to: number): void {
    const words = this.#words;
    const next = words[to * 2 + WORD_NEXT]!;
    const previous = words[to * 2 + WORD_PREVIOUS]!;
    if (next !== 0) words[next * 2 + WORD_PREVIOUS] = to;
    if (previous !== 0) words[previous * 2 + WORD_NEXT] = to;
    else this.#heads[this.#slotOfHead(from, this.of(to))] = to;
  }

  /**
   * Calls `due` for each entry that is due, in the order of the slots. `due` must `remove` the entry.
   *
   * @param budget the most steps to take: calling `due` and moving an entry down a level are one each
   * @returns the budget left; 0 when more may be due
   */
  expire(nowMs: number, budget: number, due: (entry: number) => void): number {
    const nowTick = Math.floor(nowMs / SLOT_MS);
    while (this.#tick < nowTick) {
      if (this.count === 0) {
        this.#tick = nowTick;
        break;
      }
      for (let level = LEVELS - 1; level > 0; level--) {
        if (this.#tick % SPAN[level]! !== 0) continue;
        const slot = this.#slot(level, this.#tick);
        for (let entry = this.#heads[slot]!; entry !== 0; entry = this.#heads[slot]!) {
          if (budget-- <= 0) return 0;
          this.#unlink(entry);
          this.#link(entry, Math.floor(this.of(entry) / SLOT_MS));
        }
      }
      const slot = this.#slot(0, this.#tick);
      for (let entry = this.#heads[slot]!; entry !== 0; entry = this.#heads[slot]!) {
        if (budget-- <= 0) return 0;
        due(entry);
      }
      if (budget-- <= 0) return 0;
      this.#tick += this.#idleSpan(nowTick);
    }
    return Math.max(1, budget);
  }

  /**
   * Returns whether {@linkcode expire} may have something to do at `nowMs`, which is at most seconds in the future: an
   * entry is due, or a slot of a higher level is to be spread.
   */
  isDueAt(nowMs: number): boolean {
    if (this.count === 0) return false;
    const lastTick = Math.floor(nowMs / SLOT_MS);
    if (lastTick - this.#tick >= SLOTS) return true;
    for (let tick = this.#tick; tick < lastTick; tick++) {
      if (tick % SLOTS === 0 || this.#heads[this.#slot(0, tick)] !== 0) return true;
    }
    return false;
  }

  /** Returns how far the wheel can turn in one step: whole rounds of the levels that are empty, otherwise one slot. */
  #idleSpan(nowTick: number): number {
    let span = 1;
    for (let level = 0; level < LEVELS - 1; level++) {
      const next = SPAN[level + 1]!;
      if (this.#tick % next !== 0 || this.#tick + next > nowTick || !this.#isEmpty(level)) break;
      span = next;
    }
    return span;
  }

  #isEmpty(level: number): boolean {
    for (let slot = level * SLOTS; slot < (level + 1) * SLOTS; slot++) {
      if (this.#heads[slot] !== 0) return false;
    }
    return true;
  }

  #slot(level: number, tick: number): number {
    return level * SLOTS + Math.floor(tick / SPAN[level]!) % SLOTS;
  }

  #link(entry: number, dueTick: number): void {
    const tick = Math.max(dueTick, this.#tick);
    let level = 0;
    while (level < LEVELS - 1 && tick - this.#tick >= SPAN[level + 1]!) level++;
    const slot = this.#slot(level, tick);
    const words = this.#words;
    const first = this.#heads[slot]!;
    words[entry * 2 + WORD_NEXT] = first;
    words[entry * 2 + WORD_PREVIOUS] = 0;
    if (first !== 0) words[first * 2 + WORD_PREVIOUS] = entry;
    this.#heads[slot] = entry;
  }

  #unlink(entry: number): void {
    const words = this.#words;
    const next = words[entry * 2 + WORD_NEXT]!;
    const previous = words[entry * 2 + WORD_PREVIOUS]!;
    if (next !== 0) words[next * 2 + WORD_PREVIOUS] = previous;
    if (previous !== 0) words[previous * 2 + WORD_NEXT] = next;
    else this.#heads[this.#slotOfHead(entry, this.of(entry))] = next;
  }

  /**
   * Returns the slot whose first entry is `entry`. An entry does not know its level, but its deadline leaves one slot a
   * level. An entry that was overdue when it was added is in the slot being visited, and the wheel does not turn while
   * it is there.
   */
  #slotOfHead(entry: number, deadlineMs: number): number {
    const tick = Math.max(Math.floor(deadlineMs / SLOT_MS), this.#tick);
    for (let level = 0; level < LEVELS; level++) {
      const slot = this.#slot(level, tick);
      if (this.#heads[slot] === entry) return slot;
    }
    assert(false, "an entry is missing from the wheel");
  }
}
