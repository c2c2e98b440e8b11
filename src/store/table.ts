/**
 * Hash tables that grow one bucket at a time: linear hashing (Litwin, 1980) over buckets of one cache line.
 *
 * ```text
 * bucket   words 0–2    twelve tags of 8 bits; 0: the place is free
 * 64 bytes word 3       next bucket of the chain (its number + 1), or 0
 *          words 4–15   twelve references to entries
 *
 * table    bucket 0 … 2^level - 1 … 2^level + split - 1
 *          a hash h is in bucket h mod 2^level, or, when that is below split, in h mod 2^(level + 1)
 * ```
 *
 * Growing splits the bucket at `split` into two and increments `split`; shrinking is the reverse. So no operation moves
 * more than one bucket, and no second table is needed. Buckets are in pages of the arena, 1,024 a page, and the page
 * numbers are in a plain array.
 *
 * Tags (the hash's top 8 bits) are compared four at a time in a register. A bucket has 7.5 entries on average, so a
 * search for an absent key reads one line, and a search for a present key one line and the entry.
 *
 * The same class holds keys, and the fields of all large hashes. A field's entry names its hash by an id of 64 bits
 * that is compared as well (`scoped`).
 *
 * Scanning visits the hashes in the order of their reversed bits. Each bucket is one interval of that order in a table
 * of any size, so a cursor stays valid while the table grows and shrinks: a key that is present throughout is visited
 * exactly once.
 *
 * @module
 */

import { equalBytes } from "../bytes.ts";
import { assert } from "../errors.ts";
import { type Arena, PAGE_WORDS } from "./arena.ts";
import { HEADER_BYTES } from "./block.ts";
import type { RandomStream } from "./random_stream.ts";

const PLACES = 12;
const BUCKET_WORDS = 16;
const CHAIN_WORD = 3;
const REFERENCES_WORD = 4;
const PAGE_BUCKETS = PAGE_WORDS / BUCKET_WORDS;
const PAGE_BUCKETS_SHIFT = 10;
const LEVEL_MIN = PAGE_BUCKETS_SHIFT;
/** The average number of entries a bucket above which one more bucket is added. */
const GROW_LOAD = 7.5;
/** The average number of entries a bucket below which one bucket is removed. */
const SHRINK_LOAD = 2;

/** The number of places among which `choose` draws: more than a chain has entries, except in one of ten thousand. */
const CHOOSE_PLACES = 32;
/** The most tries of `choose`: by then it has found an entry, except in one of 10^27 cases. */
const CHOOSE_TRIES_MAX_COUNT = 1000;

/** A hash table of entries, found by hash and key. */
export class Table {
  /** The number of entries in the table. */
  count = 0;
  readonly #arena: Arena;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #scoped: boolean;
  /** The page of each 1,024 buckets. */
  readonly #pages: Uint32Array;
  #level = LEVEL_MIN;
  #mask = 2 ** LEVEL_MIN - 1;
  #split = 0;
  #allocated = false;
  /** The chain of free overflow buckets, as bucket numbers + 1. */
  #freeBuckets = 0;
  #scratch = new Uint32Array(64);
  #scratchCount = 0;

  /**
   * @param scoped whether entries belong to a scope (a large hash) that is part of their identity
   */
  constructor(arena: Arena, scoped: boolean) {
    this.#arena = arena;
    this.#words = arena.words;
    this.#bytes = arena.bytes;
    this.#scoped = scoped;
    this.#pages = new Uint32Array(arena.pageCount);
  }

  /** Empties the table. Its owner clears the arena. */
  clear(): void {
    this.count = 0;
    this.#level = LEVEL_MIN;
    this.#mask = 2 ** LEVEL_MIN - 1;
    this.#split = 0;
    this.#allocated = false;
    this.#freeBuckets = 0;
  }

  /** Allocates the first page. Needs a free page in the arena. */
  allocate(): void {
    if (this.#allocated) return;
    this.#pages[0] = this.#newPage();
    this.#allocated = true;
  }

  /**
   * Returns the entry with this hash and key, or 0.
   *
   * @param scopeLow the low word of the scope's id; ignored when the table is not scoped
   */
  find(hash: number, key: Uint8Array, start: number, length: number, scopeLow: number, scopeHigh: number): number {
    // An empty table may have no page; then `#pages[0]` is the number of a page that belongs to another owner.
    if (this.count === 0) return 0;
    const words = this.#words;
    const bytes = this.#bytes;
    const scoped = this.#scoped;
    const pattern = patternOf(hash);
    let base = this.bucketOf(hash);
    for (;;) {
      for (let matches = this.#matches(base, pattern); matches !== 0; matches &= matches - 1) {
        const entry = words[base + REFERENCES_WORD + placeOf(matches)]!;
        if (entry === 0) continue;
        const word = entry * 2;
        if ((words[word + 2]! | 0) !== hash) continue;
        const meta = words[word + 3]!;
        if ((meta & 0xffff) !== length) continue;
        if (scoped && (words[word + 5] !== scopeLow || words[word + 6] !== scopeHigh)) continue;
        if (equalBytes(bytes, entry * 8 + HEADER_BYTES[meta >>> 24]!, key, start, length)) return entry;
      }
      const chain = words[base + CHAIN_WORD]!;
      if (chain === 0) return 0;
      base = (chain - 1) * BUCKET_WORDS;
    }
  }

  /**
   * Returns the only entry with this hash in a scope, regardless of its key; 0 when there is none, or more than one.
   */
  findOnly(hash: number, scopeLow: number, scopeHigh: number): number {
    if (this.count === 0) return 0;
    const words = this.#words;
    const pattern = patternOf(hash);
    let base = this.bucketOf(hash);
    let found = 0;
    for (;;) {
      for (let matches = this.#matches(base, pattern); matches !== 0; matches &= matches - 1) {
        const entry = words[base + REFERENCES_WORD + placeOf(matches)]!;
        if (entry === 0 || (words[entry * 2 + 2]! | 0) !== hash) continue;
        if (words[entry * 2 + 5] !== scopeLow || words[entry * 2 + 6] !== scopeHigh) continue;
        if (found !== 0) return 0;
        found = entry;
      }
      const chain = words[base + CHAIN_WORD]!;
      if (chain === 0) return found;
      base = (chain - 1) * BUCKET_WORDS;
    }
  }

  /**
   * Returns a random entry, each with the same probability; 0 when there is none.
   *
   * In the smallest table, which may be nearly empty, the entry of a random index is returned. In larger ones, a bucket
   * and one of `CHOOSE_PLACES` places are drawn until there is an entry in that place: five tries on average, and
   * sixteen when the table is about to shrink.
   */
  choose(random: RandomStream): number {
    if (this.count === 0) return 0;
    const buckets = this.#mask + 1 + this.#split;
    if (buckets === PAGE_BUCKETS) return this.#entryOfNumber(random.below(this.count));
    for (let tries = 0; tries < CHOOSE_TRIES_MAX_COUNT; tries++) {
      const base = this.#base(random.below(buckets));
      const load = this.#countFrom(base);
      // Chains are longer than that only if there was no page for the table to grow.
      const place = random.below(Math.max(load, CHOOSE_PLACES));
      if (place < load) return this.#entryFrom(base, place);
    }
    return this.#entryOfNumber(0);
  }

  /** Returns entry `number` in the order of the buckets. */
  #entryOfNumber(number: number): number {
    for (let bucket = 0;; bucket++) {
      const base = this.#base(bucket);
      const load = this.#countFrom(base);
      if (number < load) return this.#entryFrom(base, number);
      number -= load;
    }
  }

  /** Returns the number of entries in a bucket and its chain. */
  #countFrom(base: number): number {
    const words = this.#words;
    for (let count = 0;;) {
      for (let place = 0; place < PLACES; place++) {
        if (words[base + REFERENCES_WORD + place] !== 0) count++;
      }
      const chain = words[base + CHAIN_WORD]!;
      if (chain === 0) return count;
      base = (chain - 1) * BUCKET_WORDS;
    }
  }

  /** Returns entry `number`, which must exist, of a bucket and its chain. */
  #entryFrom(base: number, number: number): number {
    const words = this.#words;
    for (;;) {
      for (let place = 0; place < PLACES; place++) {
        const entry = words[base + REFERENCES_WORD + place]!;
        if (entry !== 0 && number-- === 0) return entry;
      }
      base = (words[base + CHAIN_WORD]! - 1) * BUCKET_WORDS;
    }
  }

  /**
   * Returns the places in the bucket at `base` whose tags match, as bits for `placeOf`. All twelve are in one number,
   * since the processor would mispredict a branch for each group of four every other time.
   */
  #matches(base: number, pattern: number): number {
    const words = this.#words;
    return (zeroBytes(words[base]! ^ pattern) >>> 7) | (zeroBytes(words[base + 1]! ^ pattern) >>> 6) |
      (zeroBytes(words[base + 2]! ^ pattern) >>> 5);
  }

  /** Inserts an entry that is not in the table. May need one or two pages of the arena. */
  insert(hash: number, entry: number): void {
    this.allocate();
    this.#place(this.bucketOf(hash), tagOf(hash), entry);
    this.count++;
    if (this.count > (this.#mask + 1 + this.#split) * GROW_LOAD) this.#grow();
  }

  /** Removes an entry that is in the table. */
  remove(hash: number, entry: number): void {
    const words = this.#words;
    let base = this.bucketOf(hash);
    let previous = -1;
    let place = this.#placeOf(base, hash, entry);
    while (place < 0) {
      const chain = words[base + CHAIN_WORD]!;
      assert(chain !== 0, "an entry is missing from its table");
      previous = base;
      base = (chain - 1) * BUCKET_WORDS;
      place = this.#placeOf(base, hash, entry);
    }
    words[base + (place >>> 2)]! &= ~(0xff << ((place & 3) * 8));
    words[base + REFERENCES_WORD + place] = 0;
    if (previous >= 0 && words[base] === 0 && words[base + 1] === 0 && words[base + 2] === 0) {
      words[previous + CHAIN_WORD] = words[base + CHAIN_WORD]!;
      this.#freeBucket(base);
    }
    this.count--;
    if (this.count < (this.#mask + 1 + this.#split) * SHRINK_LOAD) this.#shrink();
  }

  /** Updates the table after an entry has moved from `from` to `to`. */
  replace(hash: number, from: number, to: number): void {
    const words = this.#words;
    let base = this.bucketOf(hash);
    for (;;) {
      const place = this.#placeOf(base, hash, from);
      if (place >= 0) {
        words[base + REFERENCES_WORD + place] = to;
        return;
      }
      const chain = words[base + CHAIN_WORD]!;
      assert(chain !== 0, "a moved entry is missing from its table");
      base = (chain - 1) * BUCKET_WORDS;
    }
  }

  /**
   * Visits the entries of one bucket, and returns the cursor of the next one. 0 begins a scan, and 0 is returned at the
   * end.
   *
   * @param cursor an unsigned 32-bit integer
   * @param visit a function that must not change the table
   */
  scan(cursor: number, visit: (entry: number) => void): number {
    if (!this.#allocated) return 0;
    const words = this.#words;
    const hash = reverseBits(cursor);
    const low = (hash & this.#mask) >>> 0;
    const bits = low < this.#split ? this.#level + 1 : this.#level;
    let base = this.bucketOf(hash);
    for (;;) {
      for (let place = 0; place < PLACES; place++) {
        const entry = words[base + REFERENCES_WORD + place]!;
        if (entry !== 0 && reverseBits(words[entry * 2 + 2]!) >= cursor) visit(entry);
      }
      const chain = words[base + CHAIN_WORD]!;
      if (chain === 0) break;
      base = (chain - 1) * BUCKET_WORDS;
    }
    const step = 2 ** (32 - bits);
    const next = (Math.floor(cursor / step) + 1) * step;
    return next >= 2 ** 32 ? 0 : next;
  }

  /** Returns the first word of the bucket for `hash`. The table must not be empty. */
  bucketOf(hash: number): number {
    let bucket = hash & this.#mask;
    if (bucket < this.#split) bucket = hash & (this.#mask * 2 + 1);
    return this.#base(bucket);
  }

  /**
   * Returns the first entry in a bucket, without its chain, whose tag is that of `hash`; 0 when there is none. For
   * prefetching.
   */
  guess(bucket: number, hash: number): number {
    const matches = this.#matches(bucket, patternOf(hash));
    return matches === 0 ? 0 : this.#words[bucket + REFERENCES_WORD + placeOf(matches)]!;
  }

  #base(bucket: number): number {
    return this.#pages[bucket >>> PAGE_BUCKETS_SHIFT]! * PAGE_WORDS + (bucket & (PAGE_BUCKETS - 1)) * BUCKET_WORDS;
  }

  /** Returns the place of `entry` in the bucket at `base`, or -1. */
  #placeOf(base: number, hash: number, entry: number): number {
    for (let matches = this.#matches(base, patternOf(hash)); matches !== 0; matches &= matches - 1) {
      const place = placeOf(matches);
      if (this.#words[base + REFERENCES_WORD + place] === entry) return place;
    }
    return -1;
  }

  #place(base: number, tag: number, entry: number): void {
    const words = this.#words;
    for (;;) {
      // The lowest match is never a false one, and a tag of 0 is a free place.
      const free = this.#matches(base, 0);
      if (free !== 0) {
        const place = placeOf(free);
        words[base + (place >>> 2)]! |= tag << ((place & 3) * 8);
        words[base + REFERENCES_WORD + place] = entry;
        return;
      }
      if (words[base + CHAIN_WORD] === 0) words[base + CHAIN_WORD] = this.#takeBucket() + 1;
      base = (words[base + CHAIN_WORD]! - 1) * BUCKET_WORDS;
    }
  }

  #grow(): void {
    const bucket = this.#split;
    const added = bucket + this.#mask + 1;
    if ((added & (PAGE_BUCKETS - 1)) === 0) {
      // Without a free page, the chains grow longer until there is one: slower, but correct.
      if (this.#arena.freePages === 0) return;
      this.#pages[added >>> PAGE_BUCKETS_SHIFT] = this.#newPage();
    }
    this.#scratchCount = 0;
    this.#drain(this.#base(bucket));
    this.#split++;
    if (this.#split > this.#mask) {
      this.#level++;
      this.#mask = this.#mask * 2 + 1;
      this.#split = 0;
    }
    this.#placeScratch();
  }

  #shrink(): void {
    if (this.#split === 0) {
      if (this.#level === LEVEL_MIN) return;
      this.#level--;
      this.#mask >>>= 1;
      this.#split = this.#mask + 1;
    }
    this.#split--;
    const removed = this.#split + this.#mask + 1;
    this.#scratchCount = 0;
    this.#drain(this.#base(removed));
    this.#placeScratch();
    if ((removed & (PAGE_BUCKETS - 1)) === 0) this.#arena.freePage(this.#pages[removed >>> PAGE_BUCKETS_SHIFT]!);
  }

  /** Moves the entries of a chain to the scratch, and frees its overflow buckets. */
  #drain(base: number): void {
    const words = this.#words;
    for (let first = true;; first = false) {
      for (let place = 0; place < PLACES; place++) {
        const entry = words[base + REFERENCES_WORD + place]!;
        if (entry === 0) continue;
        if (this.#scratchCount === this.#scratch.length) {
          const grown = new Uint32Array(this.#scratch.length * 2);
          grown.set(this.#scratch);
          this.#scratch = grown;
        }
        this.#scratch[this.#scratchCount++] = entry;
      }
      const chain = words[base + CHAIN_WORD]!;
      words.fill(0, base, base + BUCKET_WORDS);
      if (!first) this.#freeBucket(base);
      if (chain === 0) return;
      base = (chain - 1) * BUCKET_WORDS;
    }
  }

  #placeScratch(): void {
    for (let i = 0; i < this.#scratchCount; i++) {
      const entry = this.#scratch[i]!;
      const hash = this.#words[entry * 2 + 2]! | 0;
      this.#place(this.bucketOf(hash), tagOf(hash), entry);
    }
  }

  #newPage(): number {
    const page = this.#arena.allocatePage();
    assert(page >= 0, "a table grew without room");
    this.#words.fill(0, page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
    return page;
  }

  /** Returns the number of an empty overflow bucket. */
  #takeBucket(): number {
    if (this.#freeBuckets === 0) {
      const page = this.#newPage();
      for (let i = PAGE_BUCKETS - 1; i >= 0; i--) this.#freeBucket(page * PAGE_WORDS + i * BUCKET_WORDS);
    }
    const number = this.#freeBuckets - 1;
    const base = number * BUCKET_WORDS;
    this.#freeBuckets = this.#words[base + CHAIN_WORD]!;
    this.#words[base + CHAIN_WORD] = 0;
    return number;
  }

  #freeBucket(base: number): void {
    this.#words[base + CHAIN_WORD] = this.#freeBuckets;
    this.#freeBuckets = base / BUCKET_WORDS + 1;
  }
}

/** Returns a hash's tag: 1 to 255, since 0 marks a free place. */
function tagOf(hash: number): number {
  return (hash >>> 24) || 1;
}

/** Returns a word with a hash's tag in each byte. */
function patternOf(hash: number): number {
  return Math.imul(tagOf(hash), 0x01010101);
}

/**
 * Returns a word with bit 7 set in every byte of `word` that is 0. Bytes above such a byte may be marked too, so
 * matches are verified.
 */
function zeroBytes(word: number): number {
  return (word - 0x01010101) & ~word & 0x80808080;
}

/** Returns the place of the lowest bit in `matches`: bit 8 × byte + group is byte `byte` of tag word `group`. */
function placeOf(matches: number): number {
  const bit = 31 - Math.clz32(matches & -matches);
  return ((bit & 7) << 2) + (bit >>> 3);
}

/** Returns the 32 bits of `word` in reverse order, unsigned. */
export function reverseBits(word: number): number {
  word = ((word >>> 1) & 0x55555555) | ((word & 0x55555555) << 1);
  word = ((word >>> 2) & 0x33333333) | ((word & 0x33333333) << 2);
  word = ((word >>> 4) & 0x0f0f0f0f) | ((word & 0x0f0f0f0f) << 4);
  word = ((word >>> 8) & 0x00ff00ff) | ((word & 0x00ff00ff) << 8);
  return ((word >>> 16) | (word << 16)) >>> 0;
}
