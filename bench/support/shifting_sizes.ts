/**
 * A full store with eviction, while the sizes of the written values change: memory that one size has left must serve
 * the next, however different the two are.
 *
 * A phase continues until everything from before it was evicted, and then until it has written as many keys as the
 * store holds. So its figures are about a store that contains nothing else and has turned over once.
 *
 * @module
 */

import { EntryType, Store } from "../../src/store/store.ts";
import { Random } from "./random.ts";
import { atLeast, atMost, formatCount, formatFigure, median, type Rows } from "./bound_row.ts";
import { type Hold, Stopwatch } from "./holds.ts";
import type { StoreSettings } from "./store_bounds.ts";

/** The longest value of all phases, in bytes. */
const VALUE_MAX_BYTES = 100_000;
const KEY_BYTES = 16;
/** The size of a request's name, in bytes, besides its key and value. */
const NAME_BYTES = 4;
/** The number of lists and hashes that grow at the same time. */
const GROWING_COUNT = 32;
/** The average number of elements or fields that one gets. */
const GROWN_COUNT = 200;
/** The share of operations that pop, remove or replace elements and fields. */
const SHRINK_CHANCE = 0.1;
const REPLACE_CHANCE = 0.2;
/** The number of writes between two looks at the statistics, which cost an object. */
const LOOK_EVERY_COUNT = 256;

/** The writes of one phase. */
export interface SizePhase {
  readonly name: string;
  /** Writes one value. */
  readonly write: (writer: ShiftingSizes) => void;
}

/** The phases, in order. */
export const SIZE_PHASES: readonly SizePhase[] = [
  { name: "values of 100 B", write: (writer) => writer.setString(100) },
  { name: "values of 1,000 B", write: (writer) => writer.setString(1_000) },
  { name: "values of 37 B", write: (writer) => writer.setString(37) },
  { name: "values of 0 B to 100 kB", write: (writer) => writer.setString(writer.random.below(VALUE_MAX_BYTES + 1)) },
  { name: "lists and hashes", write: (writer) => writer.grow() },
];

/** The results of a phase. Shares are of the limit. */
export interface SizeFigures {
  /** The blocks in use and tables, at the end. */
  readonly usedShare: number;
  /** The least used share since the store was full. */
  readonly leastUsedShare: number;
  /** The largest share of pages in use. */
  readonly committedShare: number;
  /** The bytes of keys, fields, elements and values, at the end. */
  readonly payloadShare: number;
  readonly keys: number;
}

/** Writes phases to its own store. */
export class ShiftingSizes {
  readonly store: Store;
  readonly random: Random;
  readonly #key = new Uint8Array(KEY_BYTES);
  readonly #keyView = new DataView(this.#key.buffer);
  readonly #value = new Uint8Array(VALUE_MAX_BYTES).fill(0x78);
  readonly #field = new Uint8Array(4);
  /** The numbers of the keys whose lists and hashes grow; even ones are lists. */
  readonly #growing: number[] = [];
  #keysCount = 0;

  constructor(memoryLimitBytes: number, seed: number) {
    this.store = new Store({ memoryLimitBytes, evicts: true, seed: [seed, 2] });
    this.random = new Random(seed);
  }

  /**
   * Runs a phase.
   *
   * @param stopwatch times each write
   */
  run(phase: SizePhase, stopwatch?: Pick<Stopwatch, "start" | "stop">): SizeFigures {
    const { store } = this;
    const { limitBytes, keys: keysBefore, evictedKeys: evictedBefore } = store.statistics;
    let leastUsedBytes = limitBytes;
    let committedBytes = 0;
    for (;;) {
      for (let i = 0; i < LOOK_EVERY_COUNT; i++) {
        stopwatch?.start();
        phase.write(this);
        stopwatch?.stop();
      }
      const now = store.statistics;
      committedBytes = Math.max(committedBytes, now.committedBytes);
      const evicted = now.evictedKeys - evictedBefore;
      if (evicted > 0) leastUsedBytes = Math.min(leastUsedBytes, now.usedBytes);
      if (evicted < keysBefore + now.keys) continue;
      return {
        usedShare: now.usedBytes / limitBytes,
        leastUsedShare: leastUsedBytes / limitBytes,
        committedShare: committedBytes / limitBytes,
        payloadShare: payloadBytes(store) / limitBytes,
        keys: now.keys,
      };
    }
  }

  /** Sets a new key. */
  setString(length: number): void {
    const { store } = this;
    this.#useKey(this.#keysCount++);
    store.room.make(NAME_BYTES + KEY_BYTES + length, 3);
    store.strings.set(this.#key, 0, KEY_BYTES, 0, this.#value, 0, length, 0);
  }

  /** Adds, removes or replaces an element or a field of one of the growing lists and hashes. */
  grow(): void {
    const { random } = this;
    const index = random.below(GROWING_COUNT);
    // Each ends at random, so that sizes vary, and another one begins in its place.
    const isNew = this.#growing[index] === undefined || random.chance(1 / GROWN_COUNT);
    const number = isNew ? this.#keysCount++ : this.#growing[index]!;
    this.#growing[index] = number;
    const length = random.chance(0.99) ? random.below(100) : random.below(5_000);
    this.#useKey(number);
    this.store.room.make(NAME_BYTES + KEY_BYTES + this.#field.length + length, 4);
    const entry = this.store.find(this.#key, 0, KEY_BYTES);
    if (number % 2 === 0) this.#growList(entry, length);
    else this.#growHash(entry, length);
  }

  #growList(entry: number, length: number): void {
    const { store, random } = this;
    if (entry !== 0 && random.chance(SHRINK_CHANCE)) {
      store.lists.pop(entry, random.chance(0.5));
    } else if (entry !== 0 && random.chance(REPLACE_CHANCE)) {
      store.lists.set(entry, random.below(store.lists.length(entry)), this.#value, 0, length);
    } else {
      store.lists.push(this.#key, 0, KEY_BYTES, entry, random.chance(0.5), this.#value, 0, length);
    }
  }

  #growHash(entry: number, length: number): void {
    const { store, random } = this;
    const field = this.#field;
    // There are so few fields that some of them already exist.
    new DataView(field.buffer).setUint32(0, random.below(GROWN_COUNT * 2));
    if (entry !== 0 && random.chance(SHRINK_CHANCE)) store.hashes.remove(entry, field, 0, field.length);
    else store.hashes.set(this.#key, 0, KEY_BYTES, entry, field, 0, field.length, this.#value, 0, length);
  }

  #useKey(number: number): void {
    this.#keyView.setUint32(KEY_BYTES - 4, number);
  }
}

/** Returns the bytes of all keys, fields, elements, members and values. */
function payloadBytes(store: Store): number {
  let bytes = 0;
  for (let entry = store.oldest(); entry !== 0; entry = store.newer(entry)) {
    bytes += store.keyLength(entry) + valueBytes(store, entry);
  }
  return bytes;
}

function valueBytes(store: Store, entry: number): number {
  let bytes = 0;
  switch (store.type(entry)) {
    case EntryType.List:
      for (let isThere = store.lists.seek(entry, 0); isThere; isThere = store.lists.next()) {
        bytes += store.lists.elementLength();
      }
      return bytes;
    case EntryType.Hash:
      for (let isThere = store.hashes.first(entry); isThere; isThere = store.hashes.next()) {
        bytes += store.hashes.fieldLength() + store.hashes.valueLength();
      }
      return bytes;
    case EntryType.Set:
      for (let isThere = store.sets.first(entry); isThere; isThere = store.sets.next()) {
        bytes += store.sets.memberLength();
      }
      return bytes;
    case EntryType.String:
      return store.strings.length(entry);
  }
}

const LIMIT_BYTES = 256 * 1024 ** 2;
/** The smallest limit, in bytes. Below it, mainly the pages that a store keeps free would be measured. */
const LIMIT_MIN_BYTES = 16 * 1024 ** 2;
const SEED = 11;
/** The bound of a hold, in ms. */
const HOLD_MAX_MS = 5;

/** The groups of rows. */
export const CAPACITY_CASES: Readonly<Record<string, (settings: StoreSettings, rows: Rows) => void>> = {
  capacity: measureCapacity,
};

/** Measures phases of different sizes, one after another in the same store. The rounds differ in their seeds. */
function measureCapacity({ scale, rounds }: StoreSettings, rows: Rows): void {
  const limit = Math.max(LIMIT_MIN_BYTES, Math.ceil(LIMIT_BYTES * scale));
  const figures = SIZE_PHASES.map((): SizeFigures[] => []);
  const longest = SIZE_PHASES.map((): Hold[] => []);
  for (let round = 0; round < rounds; round++) {
    const sizes = new ShiftingSizes(limit, SEED + round);
    for (const [index, phase] of SIZE_PHASES.entries()) {
      const stopwatch = new Stopwatch();
      figures[index]!.push(sizes.run(phase, stopwatch));
      longest[index]!.push(stopwatch);
    }
  }
  for (const [index, { name }] of SIZE_PHASES.entries()) {
    const shares = (share: (figures: SizeFigures) => number) => figures[index]!.map((each) => share(each) * 100);
    const keys = formatCount(median(figures[index]!.map((each) => each.keys)));
    const least = formatFigure(median(shares((each) => each.leastUsedShare)), "%");
    const payload = formatFigure(median(shares((each) => each.payloadShare)), "%");
    const note = `never below ${least}; payload ${payload}; ${keys} keys`;
    rows.add(`${name}: used ÷ limit`, shares((each) => each.usedShare), "%", atLeast(90), note);
    rows.add(`${name}: most of the arena in use ÷ limit`, shares((each) => each.committedShare), "%", atMost(101));
    rows.addHold(`${name}: longest write`, longest[index]!, atMost(HOLD_MAX_MS));
  }
}
