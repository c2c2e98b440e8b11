/**
 * Prefetching: loading the memory that a batch of commands will need, in parallel.
 *
 * ```text
 * one by one   hash · bucket ········ · entry ········ · neighbours ········     one key after another
 * together     hash hash hash … · bucket bucket bucket … · entry entry entry … · neighbours …
 *                                 ········                  ········              ········
 * ```
 *
 * A key of a large store is not in any cache of the processor. Its bucket, its entry and the entry's neighbours in the
 * recency list are three successive waits for memory of 100 to 400 ns, since each has the address of the next. The
 * waits of different keys are independent, though, and a processor has dozens of loads in flight if they are close
 * enough together. So each step is a separate loop over all keys of the batch that does little more than load. When the
 * commands run, the memory that they read is in the cache. (DRAMHiT, Narayanan et al., 2023, and Valkey 8 use the same
 * method.)
 *
 * Nothing is returned and nothing changes: a key that is absent, moved or removed in the meantime costs nothing but the
 * load. Only the hashes are kept, so that the commands need not compute them again (key_hashes.ts).
 *
 * @module
 */

import { PREFETCH_MAX_COUNT } from "../limits.ts";
import type { Entries } from "./entries.ts";
import type { Table } from "./table.ts";

/** The number of words from an entry's first cache line to the line where its small value may be. */
const SECOND_LINE_WORDS = 8;

/** A prefetcher of the keys of one store. */
export class Prefetcher {
  /** A value that depends on everything that was loaded, so that the compiler cannot remove a load as useless. */
  sink = 0;
  readonly #entries: Entries;
  readonly #table: Table;
  readonly #words: Uint32Array;
  readonly #hashes = new Int32Array(PREFETCH_MAX_COUNT);
  /** Where the keys' buckets begin, in words: a number that may need more than 32 bits. */
  readonly #buckets = new Float64Array(PREFETCH_MAX_COUNT);
  /**
   * The first entry that has no second line within the arena. Numbers above 2^31 are only compared, never computed
   * with.
   */
  readonly #lastEntry: number;
  /** The keys' entries; 0 for a key that was not found. */
  readonly #found = new Uint32Array(PREFETCH_MAX_COUNT);

  constructor(entries: Entries) {
    this.#entries = entries;
    this.#table = entries.keys;
    this.#words = entries.words;
    this.#lastEntry = entries.words.length / 2 - SECOND_LINE_WORDS;
  }

  /**
   * Loads the memory for finding and using some keys.
   *
   * @param bytes the buffer of all keys
   * @param starts where key `i` begins, for every `step`-th `i` in `[from, from + count × step)`
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
      // If there is no entry, its words may hold anything.
      if (entry !== 0) sink ^= words[words[entry * 2]! * 2]! ^ words[words[entry * 2 + 1]! * 2]!;
    }
    this.sink = sink;
  }
}
