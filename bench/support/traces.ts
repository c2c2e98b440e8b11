/**
 * Sequences of keys with which caches are tested. All are created from a seed, so that they can be repeated.
 *
 * @module
 */

import { Random } from "./random.ts";

/** The exponent that is common in traces of caches, and the default of YCSB (Cooper et al., SoCC 2010), its source. */
const ZIPF_EXPONENT = 0.99;
/** The number of accesses between scans, as a share of the keys. A scan reads a tenth as many cold keys. */
const SCAN_EVERY_SHARE = 0.5;
const SCAN_LENGTH_SHARE = 0.1;
/**
 * The number of different cold keys, as a share of the keys. After the last a scan begins again at the first, which is
 * cold again by then.
 */
const COLD_KEYS_SHARE = 1;
/** The number of accesses until a new key appears in the trace of news. */
const NEWS_EVERY_COUNT = 20;
/** The number of keys in the loop, as a share of the keys. */
const LOOP_SHARE = 0.12;

/** Accesses to keys, one after another. */
export interface Trace {
  readonly name: string;
  /** The numbers of the keys. */
  readonly keys: Uint32Array;
  /**
   * Keys from this number on are cold ones that only scans read. Every cache misses them, so these misses are not
   * counted.
   */
  readonly coldFrom: number;
  /** All keys are below this number. */
  readonly keysEnd: number;
}

/** The size of a trace. */
export interface TraceSize {
  /** The number of different keys, without the cold ones. */
  readonly keysCount: number;
  /** The number of accesses, without those of scans. */
  readonly accessesCount: number;
  readonly seed: number;
}

/** Returns all traces. */
export function makeTraces(size: TraceSize): Trace[] {
  return [zipfTrace(size), scanTrace(size), newsTrace(size), loopTrace(size)];
}

/** Returns a trace in which some keys are always popular. */
function zipfTrace(size: TraceSize): Trace {
  return { name: "Zipf", keys: zipfRanks(size), coldFrom: size.keysCount, keysEnd: size.keysCount };
}

/** Returns such a trace with occasional scans of keys that are read only once. */
function scanTrace(size: TraceSize): Trace {
  const { keysCount, accessesCount } = size;
  const ranks = zipfRanks(size);
  const every = Math.ceil(keysCount * SCAN_EVERY_SHARE);
  const length = Math.ceil(keysCount * SCAN_LENGTH_SHARE);
  const coldCount = Math.ceil(keysCount * COLD_KEYS_SHARE);
  const keys = new Uint32Array(accessesCount + Math.floor(accessesCount / every) * length);
  let at = 0;
  let scanned = 0;
  for (let access = 0; access < accessesCount; access++) {
    keys[at++] = ranks[access]!;
    if ((access + 1) % every !== 0) continue;
    for (let i = 0; i < length; i++) keys[at++] = keysCount + scanned++ % coldCount;
  }
  return { name: "Zipf and scans", keys, coldFrom: keysCount, keysEnd: keysCount + coldCount };
}

/**
 * Returns a trace in which new keys appear continuously. They are popular at first and less and less so, as the latest
 * news are.
 */
function newsTrace(size: TraceSize): Trace {
  const { keysCount } = size;
  const keys = zipfRanks(size).map((rank, access) => {
    const newest = Math.floor(access / NEWS_EVERY_COUNT);
    return (newest + keysCount - rank) % keysCount;
  });
  return { name: "latest first", keys, coldFrom: keysCount, keysEnd: keysCount };
}

/**
 * Returns a trace of one key after another in a loop: the worst case for least-recently-used eviction, exact or not.
 */
function loopTrace({ keysCount, accessesCount }: TraceSize): Trace {
  const length = Math.ceil(keysCount * LOOP_SHARE);
  const keys = Uint32Array.from({ length: accessesCount }, (_, access) => access % length);
  return { name: `loop over ${LOOP_SHARE * 100} %`, keys, coldFrom: keysCount, keysEnd: keysCount };
}

function zipfRanks({ keysCount, accessesCount, seed }: TraceSize): Uint32Array {
  const zipf = new Zipf(keysCount, ZIPF_EXPONENT, new Random(seed));
  return Uint32Array.from({ length: accessesCount }, () => zipf.next());
}

/** Draws ranks from 0, the most frequent, to `count - 1`. */
export class Zipf {
  readonly #random: Random;
  /** The sum of the weights up to each rank. */
  readonly #sums: Float64Array;

  constructor(count: number, exponent: number, random: Random) {
    this.#random = random;
    this.#sums = new Float64Array(count);
    let sum = 0;
    for (let rank = 0; rank < count; rank++) {
      sum += (rank + 1) ** -exponent;
      this.#sums[rank] = sum;
    }
  }

  /** Returns the next rank. */
  next(): number {
    const sums = this.#sums;
    const point = this.#random.below(2 ** 32) / 2 ** 32 * sums.at(-1)!;
    // This finds the first rank whose sum is above the point.
    let low = 0;
    for (let high = sums.length - 1; low < high;) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! > point) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
