/**
 * Sequences of keys that caches are tried with. All are made from a seed, so that they can be had again.
 *
 * @module
 */

import { Random } from "./random.ts";

/** What is common in traces of caches, and the default of YCSB (Cooper et al., SoCC 2010), from where it comes. */
const ZIPF_EXPONENT = 0.99;
/** A scan begins each time that so many shares of the keys were accessed, and reads a tenth as many cold keys. */
const SCAN_EVERY_SHARE = 0.5;
const SCAN_LENGTH_SHARE = 0.1;
/** Different cold keys. A scan that has read the last of them begins again at the first, by when it is cold once more. */
const COLD_KEYS_SHARE = 1;
/** Accesses until a new key appears in the trace of news. */
const NEWS_EVERY_COUNT = 20;
/** Keys that the loop goes round. */
const LOOP_SHARE = 0.12;

/** Accesses to keys, one after another. */
export interface Trace {
  readonly name: string;
  /** Numbers of keys. */
  readonly keys: Uint32Array;
  /** Keys from here on are cold ones that only scans read: a miss there is nobody's fault, so it is not counted. */
  readonly coldFrom: number;
  /** All keys are below this. */
  readonly keysEnd: number;
}

/** How much is made. */
export interface TraceSize {
  /** Different keys, the cold ones not included. */
  readonly keysCount: number;
  /** Accesses, those of scans not included. */
  readonly accessesCount: number;
  readonly seed: number;
}

/** All traces. */
export function makeTraces(size: TraceSize): Trace[] {
  return [zipfTrace(size), scanTrace(size), newsTrace(size), loopTrace(size)];
}

/** Some keys are always popular. */
function zipfTrace(size: TraceSize): Trace {
  return { name: "Zipf", keys: zipfRanks(size), coldFrom: size.keysCount, keysEnd: size.keysCount };
}

/** The same, and now and then somebody reads a run of keys that nobody else wants. */
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

/** New keys appear all the time, popular at first and less and less so, as the latest news are. */
function newsTrace(size: TraceSize): Trace {
  const { keysCount } = size;
  const keys = zipfRanks(size).map((rank, access) => {
    const newest = Math.floor(access / NEWS_EVERY_COUNT);
    return (newest + keysCount - rank) % keysCount;
  });
  return { name: "latest first", keys, coldFrom: keysCount, keysEnd: keysCount };
}

/** One key after another, round and round: the worst there is for a least-recently-used order, exact or not. */
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
  /** For each rank, the sum of its weight and of all before it. */
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

  /** The next rank. */
  next(): number {
    const sums = this.#sums;
    const point = this.#random.below(2 ** 32) / 2 ** 32 * sums.at(-1)!;
    // The first rank whose sum lies above the point.
    let low = 0;
    for (let high = sums.length - 1; low < high;) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! > point) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
