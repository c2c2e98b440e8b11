/**
 * Prefetching: the memory that a batch of commands will need, asked for together.
 *
 * ```text
 * one by one   hash · bucket ········ · entry ········ · neighbours ········     one key after another
 * together     hash hash hash … · bucket bucket bucket … · entry entry entry … · neighbours …
 *                                 ········                  ········              ········
 * ```
 *
 * A key of a large store is in no cache of the processor: its bucket, its entry and the entry's neighbours in the recency
 * list are three waits for memory of 100 to 400 ns, one behind another, since each says where the next is. The waits of
 * different keys do not depend on each other, though, and a processor has dozens of them under way at a time if the
 * loads stand close enough together. So each step is a loop of its own, over all keys of the batch, that does hardly more
 * than to load. When the commands run then, what they read is at hand. (DRAMHiT, Narayanan et al., 2023, and Valkey 8
 * go about it in the same way.)
 *
 * Nothing is answered and nothing changes: a key that is absent, moved or removed meanwhile costs nothing but the load. What
 * remains are the hashes, which the commands need not compute again (key_hashes.ts).
 *
 * @module
 */

import { PREFETCH_MAX_COUNT } from "../limits.ts";
import type { Entries } from "./entries.ts";
import type { Table } from "./table.ts";

/** Words by which an entry's small value may lie beyond its first cache line. */
const SECOND_LINE_WORDS = 8;

/** Prefetches keys of one store. */
export class Prefetcher {
  /** Depends on everything that was loaded, so that no load can be left out as useless. */
  sink = 0;
  readonly #entries: Entries;
  readonly #table: Table;
  readonly #words: Uint32Array;
  readonly #hashes = new Int32Array(PREFETCH_MAX_COUNT);
  /** Where the keys' buckets begin, in words: a number that may need more than 32 bits. */
  readonly #buckets = new Float64Array(PREFETCH_MAX_COUNT);
  /** Entries from here on have no second line within the arena. Numbers above 2^31 are compared, never computed with. */
  readonly #lastEntry: number;
  /** The keys' entries, if they are there. */
  readonly #found = new Uint32Array(PREFETCH_MAX_COUNT);

  constructor(entries: Entries) {
    this.#entries = entries;
    this.#table = entries.keys;
    this.#words = entries.words;
    this.#lastEntry = entries.words.length / 2 - SECOND_LINE_WORDS;
  }

  /**
   * Loads what finding and using some keys will need.
   *
   * @param bytes holds all keys
   * @param starts where key `i` begins, for `i` in `[from, from + count × step)`, every `step`-th
   * @param count at most `PREFETCH_MAX_COUNT`
   */
  load(bytes: Uint8Array, starts: Int32Array, lengths: Int32Array, from: number, count: number, step: number): void {
    const words = this.#words;
    const table = this.#table;
    const hashes = this.#hashes;
    const buckets = this.#buckets;
    const found = this.#found;
    const known = this.#entries.hashes;
    for (let i = 0; i < count; i++) {
      const at = from + i * step;
      hashes[i] = known.learn(i, bytes, starts[at]!, lengths[at]!);
    }
    let sink = 0;
    for (let i = 0; i < count; i++) {
      const bucket = table.bucketOf(hashes[i]!);
      buckets[i] = bucket;
      sink ^= words[bucket]!;
    }
    for (let i = 0; i < count; i++) found[i] = table.guess(buckets[i]!, hashes[i]!);
    const lastEntry = this.#lastEntry;
    for (let i = 0; i < count; i++) {
      const entry = found[i]!;
      sink ^= words[entry * 2]! ^ words[entry < lastEntry ? entry * 2 + SECOND_LINE_WORDS : 0]!;
    }
    for (let i = 0; i < count; i++) {
      const entry = found[i]!;
      // Where there is no entry, anything may stand.
      if (entry !== 0) sink ^= words[words[entry * 2]! * 2]! ^ words[words[entry * 2 + 1]! * 2]!;
    }
    this.sink = sink;
  }
}
