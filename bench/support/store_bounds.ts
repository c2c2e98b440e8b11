/**
 * Bounds of the store and the commands on it, measured in this process: no network, no event loop.
 *
 * @module
 */

import {
  EXPIRY_SLICE_MS,
  FREEING_SLICE_MS,
  RECLAIM_STEPS_COUNT,
  SCAN_COUNT_MAX,
  VALUE_SIZE_MAX_BYTES,
} from "../../src/limits.ts";
import { Store } from "../../src/store/store.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { decodeReply, type Value } from "../../src/wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES } from "../../src/wire/native/frame.ts";
import { Random } from "./random.ts";
import { atMost, formatCount, formatFigure, median, Rows } from "./bound_row.ts";
import { CommandRunner, encodeRequests, makeHash, makeList, makeSet, numbered } from "./command_runner.ts";
import { type Hold, Stopwatch } from "./holds.ts";

const MIB = 1024 ** 2;
const SEED = 7;
/** A memory limit that no phase reaches, for cases that do not measure eviction. */
const LIMIT_BYTES = 2048 * MIB;
const ELEMENTS_COUNT = 1_000_000;
/** The number of fields of each small hash. Together they have as many fields as the large one. */
const SMALL_HASH_COUNT = 1_000;
const SAMPLE_COUNT = 20_000;
const RANGE_LENGTHS = [10, 100, 1_000, 10_000];
/** The number of elements that the ranges of one length have together. */
const RANGE_SAMPLE_COUNT = 1_000_000;
const KEYS_COUNT = 5_000_000;
const EVICTING_LIMIT_BYTES = 400 * MIB;
const EVICTING_LIMIT_MIN_BYTES = 16 * MIB;
/** The number of small keys that are evicted after the large values, so that nothing of those is left. */
const EVICTED_BEHIND_COUNT = 1_000;
const FILLED_COUNT = 1_000;
/** The free memory of a store that has not evicted anything yet, and soon will, in bytes. It keeps up to 4 MiB free. */
const NEARLY_FULL_LEFT_BYTES = 5 * MIB;
/** The sizes of values that evict many small ones, in bytes. */
const LARGE_VALUE_SIZES = [64 * 1024, MIB, VALUE_SIZE_MAX_BYTES];
const LARGE_VALUES_COUNT = 3;

const OPERATION_MAX_US = 20;
const SLICE_MAX_MS = 1;
const HOLD_MAX_MS = 5;

/** The settings of the cases. */
export interface StoreSettings {
  /** A factor for the counts. */
  readonly scale: number;
  readonly rounds: number;
}

/** The groups of rows that need no server. */
export const STORE_CASES: Readonly<Record<string, (settings: StoreSettings, rows: Rows) => void>> = {
  lists: measureLists,
  hashes: measureHashes,
  sets: measureSets,
  index: measureIndex,
  slices: measureSlices,
  eviction: measureEviction,
};

function newRunner(memoryLimitBytes = LIMIT_BYTES): CommandRunner {
  return new CommandRunner(new Store({ memoryLimitBytes, evicts: true, seed: [1, 2] }));
}

/** The mean and the 99th percentile of requests of one kind. */
class Timings {
  readonly meanUs: number[] = [];
  readonly p99Us: number[] = [];

  /**
   * Times some requests: the mean by their processor time, and the percentile by the clock, which each request needs.
   */
  add(runner: CommandRunner, frames: Uint8Array, count: number): void {
    this.meanUs.push(runner.runFrames(frames) / count * 1e3);
    const times = runner.timeFrames(frames).sort((a, b) => a - b);
    this.p99Us.push(times[Math.floor(times.length * 0.99)]! * 1e3);
  }
}

/** Measures any element of a large list. */
function measureLists({ scale, rounds }: StoreSettings, rows: Rows): void {
  const count = Math.ceil(ELEMENTS_COUNT * scale);
  const random = new Random(SEED);
  const kinds: Record<string, () => string> = {
    "10 B each": () => "x".repeat(10),
    "0 B to 8 KiB": () => "x".repeat(mixedSize(random)),
  };
  for (const [kind, element] of Object.entries(kinds)) {
    const runner = newRunner();
    makeList(runner, "list", count, element);
    const name = `list of ${formatCount(count)}, ${kind}`;
    // Elements near the middle are farthest from both ends, and not in the same leaf each time.
    const middle = () => Math.floor(count * 0.45) + random.below(Math.ceil(count * 0.1));
    const makes: Record<string, () => Argument[]> = {
      "lget in the middle": () => ["lget", "list", middle()],
      "lset in the middle": () => ["lset", "list", middle(), element()],
      lpush: () => ["lpush", "list", element()],
      lpop: () => ["lpop", "list"],
      rpush: () => ["rpush", "list", element()],
      rpop: () => ["rpop", "list"],
    };
    const sample = Math.min(SAMPLE_COUNT, Math.ceil(count / 4));
    for (const [what, make] of Object.entries(makes)) {
      const timings = new Timings();
      for (let round = 0; round < rounds; round++) timings.add(runner, encodeRequests(sample, make), sample);
      rows.add(`${name}: ${what}, mean`, timings.meanUs, "µs", atMost(OPERATION_MAX_US));
      rows.add(`${name}: ${what}, p99`, timings.p99Us, "µs", atMost(OPERATION_MAX_US));
    }
    measureRanges(runner, name, count, rounds, rows);
  }
}

/** Returns a size: most are short, some do not fit a leaf well, a few are outside of it. */
function mixedSize(random: Random): number {
  if (random.chance(0.9)) return random.below(200);
  return random.chance(0.9) ? random.below(1025) : random.below(8193);
}

/** Measures runs of elements from the middle of a list. */
function measureRanges(runner: CommandRunner, name: string, count: number, rounds: number, rows: Rows): void {
  const perElementNs: number[] = [];
  const random = new Random(SEED);
  for (const length of RANGE_LENGTHS) {
    const taken = Math.min(length, Math.floor(count / 4));
    const repeats = Math.ceil(Math.min(RANGE_SAMPLE_COUNT, count) / taken);
    const frames = encodeRequests(repeats, () => {
      // The run changes, since the processor's caches would keep the same one.
      const start = Math.floor(count * 0.45) + random.below(Math.ceil(count * 0.1));
      return ["lrange", "list", start, start + taken - 1];
    });
    const figures: number[] = [];
    for (let round = 0; round < rounds; round++) figures.push(runner.runFrames(frames) / repeats / taken * 1e6);
    perElementNs.push(median(figures));
    rows.add(`${name}: lrange of ${formatCount(taken)} from the middle, an element`, figures, "ns");
  }
  const [hundred, longest] = [perElementNs[1]!, perElementNs.at(-1)!];
  rows.add(`${name}: an element of the longest ÷ one of 100`, longest / hundred, "×", atMost(1.5));
}

/**
 * Measures fields of a large hash, next to those of as many fields in small hashes. Both are larger than the
 * processor's caches.
 */
function measureHashes({ scale, rounds }: StoreSettings, rows: Rows): void {
  const count = Math.ceil(ELEMENTS_COUNT * scale);
  const smallCount = Math.min(SMALL_HASH_COUNT, Math.ceil(count / 4));
  const runner = newRunner();
  makeHash(runner, "large", count);
  for (let first = 0; first < count; first += smallCount) makeHash(runner, `small:${first / smallCount}`, smallCount);
  const random = new Random(SEED);
  // The fields differ, since a removed one cannot be removed again.
  const places = shuffled(count, random).subarray(0, Math.min(SAMPLE_COUNT * 5, count));
  const hashes: Record<string, (place: number) => readonly [key: string, field: string]> = {
    large: (place) => ["large", numbered("f", place)],
    small: (place) => [`small:${Math.floor(place / smallCount)}`, numbered("f", place % smallCount)],
    one: (place) => ["small:0", numbered("f", place % smallCount)],
  };
  const operations: Record<string, readonly string[]> = { hget: [], hset: ["w".repeat(20)], hdel: [] };
  for (const [operation, values] of Object.entries(operations)) {
    const meanUs: Record<string, number[]> = {};
    for (const [name, field] of Object.entries(hashes)) {
      const isRemoved = operation === "hdel";
      // A field of the one small hash can be removed once in each round.
      const used = name === "one" && isRemoved ? places.filter((place) => place < smallCount) : places;
      const frames = encodeRequests(used.length, (i) => [operation, ...field(used[i]!), ...values]);
      const restore = encodeRequests(used.length, (i) => ["hset", ...field(used[i]!), "v".repeat(20)]);
      meanUs[name] = [];
      for (let round = 0; round < rounds; round++) {
        meanUs[name].push(runner.runFrames(frames) / used.length * 1e3);
        if (isRemoved) runner.runFrames(restore);
      }
    }
    const [large, small, one] = [median(meanUs.large!), median(meanUs.small!), median(meanUs.one!)];
    rows.add(`${operation}, one hash of ${formatCount(count)} fields, mean`, large, "µs");
    const many = `${formatCount(Math.ceil(count / smallCount))} hashes of ${formatCount(smallCount)}`;
    rows.add(
      `${operation}, ${many}, mean`,
      small,
      "µs",
      undefined,
      `one such in the caches ${formatFigure(one, "µs")}`,
    );
    rows.add(`${operation}, the large one ÷ the small ones`, large / small, "×", atMost(2));
  }
}

/**
 * Measures members of a large set, next to those of as many members in small sets, and the longest operation of each
 * kind while a set grows and shrinks: adding a member can split a bucket, and removing one can join two.
 */
function measureSets({ scale, rounds }: StoreSettings, rows: Rows): void {
  const count = Math.ceil(ELEMENTS_COUNT * scale);
  const smallCount = Math.min(SMALL_HASH_COUNT, Math.ceil(count / 4));
  const smallName = (place: number) => `small:${Math.floor(place / smallCount)}`;
  const runner = newRunner();
  makeSet(runner, "large", count);
  runner.runAll(count, (index) => ["sadd", smallName(index), numbered("m", index % smallCount)]);
  const places = shuffled(count, new Random(SEED)).subarray(0, Math.min(SAMPLE_COUNT * 5, count));
  const sets: Record<string, (place: number) => readonly [key: string, member: string]> = {
    large: (place) => ["large", numbered("m", place)],
    small: (place) => [smallName(place), numbered("m", place % smallCount)],
  };
  for (const operation of ["sismember", "srem", "sadd"]) {
    const meanUs: Record<string, number[]> = {};
    for (const [name, member] of Object.entries(sets)) {
      const frames = encodeRequests(places.length, (i) => [operation, ...member(places[i]!)]);
      const other = operation === "srem" ? "sadd" : "srem";
      const undo = encodeRequests(places.length, (i) => [other, ...member(places[i]!)]);
      meanUs[name] = [];
      for (let round = 0; round < rounds; round++) {
        if (operation === "sadd") runner.runFrames(undo);
        meanUs[name].push(runner.runFrames(frames) / places.length * 1e3);
        if (operation === "srem") runner.runFrames(undo);
      }
    }
    const [large, small] = [median(meanUs.large!), median(meanUs.small!)];
    rows.add(`${operation}, one set of ${formatCount(count)} members, mean`, large, "µs");
    rows.add(`${operation}, sets of ${formatCount(smallCount)}, mean`, small, "µs");
    rows.add(`${operation}, the large one ÷ the small ones`, large / small, "×", atMost(2));
  }
  measureLongestOnSets(count, rounds, rows);
}

function measureLongestOnSets(count: number, rounds: number, rows: Rows): void {
  const order = shuffled(count, new Random(SEED));
  const holds: Record<string, Hold[]> = { sadd: [], srandmember: [], sscan: [], srem: [] };
  for (let round = 0; round < rounds; round++) {
    const runner = newRunner();
    const member = (index: number) => numbered("m", order[index]!);
    holds.sadd!.push(runner.longest(count, (index) => ["sadd", "set", member(index)]));
    holds.srandmember!.push(runner.longest(count, () => ["srandmember", "set"]));
    holds.sscan!.push(runner.longest(count, (index) => ["sscan", "set", Math.imul(index, 0x9e37_79b1) >>> 0]));
    holds.srem!.push(runner.longest(count, (index) => ["srem", "set", member(index)]));
  }
  for (const [operation, each] of Object.entries(holds)) {
    rows.addHold(`longest of ${formatCount(count)} ${operation}s on one set`, each, atMost(HOLD_MAX_MS));
  }
}

/** Returns the numbers below `count`, in an order that no cache predicts. */
function shuffled(count: number, random: Random): Uint32Array {
  const numbers = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [numbers[last], numbers[other]] = [numbers[other]!, numbers[last]!];
  }
  return numbers;
}

/** Measures the table of keys when it grows, is scanned, and shrinks. */
function measureIndex({ scale, rounds }: StoreSettings, rows: Rows): void {
  const count = Math.ceil(KEYS_COUNT * scale);
  const order = shuffled(count, new Random(SEED));
  const inserts: Hold[] = [];
  const scans: Hold[] = [];
  const removals: Hold[] = [];
  let peakBytes = 0;
  let leftBytes = 0;
  for (let round = 0; round < rounds; round++) {
    const runner = newRunner();
    inserts.push(runner.longest(count, (index) => ["set", keyName(index), "x".repeat(8)]));
    peakBytes = runner.store.statistics.tableBytes;
    scans.push(scanAll(runner));
    removals.push(runner.longest(count, (index) => ["remove", keyName(order[index]!)]));
    leftBytes = runner.store.statistics.tableBytes;
  }
  const keys = formatCount(count);
  rows.addHold(`longest of ${keys} inserts`, inserts, atMost(HOLD_MAX_MS));
  rows.addHold(`longest removal, until all of ${keys} are gone`, removals, atMost(HOLD_MAX_MS));
  rows.addHold(`longest scan of COUNT ${SCAN_COUNT_MAX} over ${keys} keys`, scans, atMost(HOLD_MAX_MS));
  rows.add(`tables of ${keys} keys`, peakBytes / 1e6, "MB");
  rows.add("tables after their removal", leftBytes / 1e6, "MB");
  rows.add("the latter of the former", leftBytes / peakBytes * 100, "%", atMost(25));
}

function keyName(number: number): string {
  return `key:${String(number).padStart(12, "0")}`;
}

/** Scans all keys. */
function scanAll(runner: CommandRunner): Stopwatch {
  const stopwatch = new Stopwatch();
  const decoder = new TextDecoder();
  let cursor = "0";
  do {
    const request = encodeRequests(1, () => ["scan", cursor, "COUNT", SCAN_COUNT_MAX]);
    stopwatch.start();
    const reply = runner.call(request);
    stopwatch.stop();
    const [next] = decodeReply(reply, FRAME_PREFIX_BYTES, reply.length) as Value[];
    cursor = decoder.decode(next as Uint8Array<ArrayBuffer>);
  } while (cursor !== "0");
  return stopwatch;
}

/** Measures the server's slices of freeing removed values and removing expired keys. */
function measureSlices({ scale, rounds }: StoreSettings, rows: Rows): void {
  const count = Math.ceil(ELEMENTS_COUNT * scale);
  const makers: Record<string, (runner: CommandRunner) => void> = {
    list: (runner) => makeList(runner, "large", count),
    hash: (runner) => makeHash(runner, "large", count),
    set: (runner) => makeSet(runner, "large", count),
    "hash among other keys": (runner) => makeHashAmongKeys(runner, count),
  };
  for (const [type, make] of Object.entries(makers)) {
    const removals: Hold[] = [];
    const slices: Slices[] = [];
    for (let round = 0; round < rounds; round++) {
      const runner = newRunner();
      make(runner);
      removals.push(runner.longest(1, () => ["remove", "large"]));
      slices.push(runSlices(FREEING_SLICE_MS, () => runner.store.freeRemoved(RECLAIM_STEPS_COUNT)));
    }
    const what = `${type} of ${formatCount(count)}`;
    rows.addHold(`${what}: remove`, removals, atMost(SLICE_MAX_MS));
    rows.addHold(`${what}: longest slice of freeing it`, slices, atMost(SLICE_MAX_MS), describe(slices));
  }
  const slices: Slices[] = [];
  for (let round = 0; round < rounds; round++) {
    const runner = newRunner();
    const { store } = runner;
    const deadlineMs = Date.now() + 3_600_000;
    runner.runAll(count, (index) => ["set", keyName(index), "x".repeat(32), "PXAT", deadlineMs]);
    store.nowMs = deadlineMs + 1_000;
    slices.push(runSlices(EXPIRY_SLICE_MS, () => store.expireDue(RECLAIM_STEPS_COUNT)));
  }
  const what = `${formatCount(count)} keys that expire at once: longest slice`;
  rows.addHold(what, slices, atMost(HOLD_MAX_MS), describe(slices));
}

/** Work that is split into slices. */
interface Slices extends Hold {
  readonly count: number;
  readonly totalMs: number;
}

function describe(slices: readonly Slices[]): string {
  const count = median(slices.map((each) => each.count));
  return `${count} slices, ${formatFigure(median(slices.map((each) => each.totalMs)), "ms")} in all`;
}

/** Calls `step` as the server does: for a slice, then again, until it returns that there is no more. */
function runSlices(sliceMs: number, step: () => boolean): Slices {
  const stopwatch = new Stopwatch();
  let count = 0;
  let totalMs = 0;
  let isMore: boolean;
  do {
    stopwatch.start();
    const endMs = performance.now() + sliceMs;
    do isMore = step(); while (isMore && performance.now() < endMs);
    totalMs += stopwatch.stop();
    count++;
  } while (isMore);
  const { ranMs, heldMs, clockMs } = stopwatch;
  return { ranMs, heldMs, clockMs, count, totalMs };
}

/** Creates a hash whose fields share their pages with other keys, so that freeing it frees no page by itself. */
function makeHashAmongKeys(runner: CommandRunner, count: number): void {
  const value = "v".repeat(20);
  runner.runAll(2 * count, (index) => {
    const number = numbered("f", index >>> 1);
    return index % 2 === 0 ? ["hset", "large", number, value] : ["set", number, `${value}${value}`];
  });
  // The hash must be the least recently used key.
  runner.runAll(count, (index) => ["get", numbered("f", index)]);
}

/** Measures a command that must make room. */
function measureEviction({ scale, rounds }: StoreSettings, rows: Rows): void {
  const count = Math.ceil(ELEMENTS_COUNT * scale);
  const limit = Math.max(EVICTING_LIMIT_MIN_BYTES, EVICTING_LIMIT_BYTES * scale);
  const makers: Record<string, (runner: CommandRunner) => void> = {
    list: (runner) => makeList(runner, "large", count),
    hash: (runner) => makeHash(runner, "large", count),
    set: (runner) => makeSet(runner, "large", count),
    "hash among other keys": (runner) => makeHashAmongKeys(runner, count),
  };
  for (const [type, make] of Object.entries(makers)) {
    const holds: Hold[] = [];
    for (let round = 0; round < rounds; round++) {
      const runner = newRunner(limit);
      make(runner);
      holds.push(evictOldest(runner));
    }
    const what = `${type} of ${formatCount(count)} has to go: longest set of 100 B`;
    rows.addHold(what, holds, atMost(SLICE_MAX_MS));
  }
  for (const size of LARGE_VALUE_SIZES.map((size) => Math.ceil(size * Math.min(1, scale)))) {
    const holds: Hold[] = [];
    for (let round = 0; round < rounds; round++) {
      const runner = newRunner(limit);
      fillUp(runner);
      holds.push(runner.longest(LARGE_VALUES_COUNT, (index) => ["set", `large:${index}`, "x".repeat(size)]));
    }
    rows.addHold(`values of 100 B have to go: longest set of ${formatCount(size)} B`, holds);
  }
}

/** Sets small strings until a key is evicted. */
function fillUp(runner: CommandRunner): void {
  const { store } = runner;
  while (store.statistics.evictedKeys === 0) setSmall(runner, FILLED_COUNT);
}

/** Sets small strings until the oldest key, a large one, is evicted and freed. Returns the longest set. */
function evictOldest(runner: CommandRunner): Hold {
  const { store } = runner;
  const isNearlyFull = () => {
    const { limitBytes, committedBytes } = store.statistics;
    return limitBytes - committedBytes < NEARLY_FULL_LEFT_BYTES;
  };
  // Fresh memory is not measured: the system takes up to a millisecond to provide a piece of it.
  while (!isNearlyFull()) setSmall(runner, FILLED_COUNT);
  const value = "x".repeat(100);
  const longest = { ranMs: 0, heldMs: 0, clockMs: 0 };
  for (let first = 0; store.statistics.evictedKeys < EVICTED_BEHIND_COUNT; first += SAMPLE_COUNT) {
    const hold = runner.longest(SAMPLE_COUNT, (index) => ["set", keyName(first + index), value]);
    longest.ranMs = Math.max(longest.ranMs, hold.ranMs);
    longest.heldMs = Math.max(longest.heldMs, hold.heldMs);
    longest.clockMs = Math.max(longest.clockMs, hold.clockMs);
  }
  return longest;
}

/** Sets new keys to strings of 100 bytes. */
function setSmall(runner: CommandRunner, count: number): void {
  const first = runner.store.size;
  const value = "x".repeat(100);
  runner.runAll(count, (index) => ["set", `filler:${first + index}`, value]);
}
