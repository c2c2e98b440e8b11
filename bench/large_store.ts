/**
 * Measures the cost of size: reading keys at random while the store grows to 50 M keys, and the pauses of loading them.
 *
 * It runs in this process, without a network: read batches of `get` and `set` through the command layer as the server
 * runs them (support/command_layer.ts). A batch of 64 is typical of pipelines or many clients; one at a time is the
 * other extreme. Keys and values have 8 bytes each. Loading runs batch by batch, as the event loop would. A `get` that
 * arrives meanwhile waits for the running batch, and that time is counted.
 *
 * ```sh
 * deno run -A bench/large_store.ts --scale 0.1
 * ```
 *
 * @module
 */

import { formatTable } from "../src/role/text_table.ts";
import { KeyedFrames, makeContext, Runner } from "./support/command_layer.ts";
import { describeMachine } from "./support/machine.ts";
import { runScript, type Script } from "./support/script.ts";

/** The numbers of keys at which is measured. The ratio is that of the last to the one before. */
const KEYS_COUNTS = [100_000, 1_000_000, 50_000_000];
const BYTES_PER_KEY = 80;
/** The memory for the store's fixed parts, and for the pages that it keeps free. */
const BYTES_BESIDES = 64 * 1024 * 1024;
const VALUE = "8 bytes!";
const BATCH_COUNT = 64;
/** The number of requests in one read of a busy connection, of 64 KiB. */
const LOAD_BATCH_COUNT = 2_000;
/** The number of frames that are created before the clock starts. */
const READ_FRAMES_COUNT = BATCH_COUNT * 64;
/** The number of batches in one task of the event loop. A task takes a millisecond, which would be most of the time. */
const BATCHES_A_TURN = 8;
const GETS_COUNT = 640_000;
const ROUNDS_COUNT = 5;

const HELP = `Measures random reads from a store of up to ${KEYS_COUNTS.at(-1)!.toLocaleString("en")} keys.

Usage: deno run -A bench/large_store.ts [options]

  --scale FACTOR  a factor for the keys and reads (default: 1, which needs 4 GB and two minutes)
  --json          print the result as JSON
  --help          print this text
`;

/** The results for one number of keys. Times are in ns per command, the least of several rounds. */
export interface SizeRow {
  readonly keys: number;
  readonly getBatchedNs: number;
  readonly getAloneNs: number;
  readonly bytesPerKey: number;
}

/** The report, as `--json` prints it. */
export interface LargeStoreReport {
  readonly machine: string;
  readonly rows: readonly SizeRow[];
  /** The time of a get with the most keys, as a multiple of that with fewer. */
  readonly batchedRatio: number;
  readonly aloneRatio: number;
  /** The time of a set while loading, in ns. */
  readonly setNs: number;
  /** The longest time for which loading has held the event loop, in ms. */
  readonly longestHoldMs: number;
  /** The wait of nearly all gets while loading, in ms. */
  readonly getP9999Ms: number;
  readonly getP50Ms: number;
}

/** A store that is filled with the keys 0, 1, 2 … and read at random. */
class LargeStore {
  readonly #runner: Runner;
  readonly #sets = new KeyedFrames("set", "", [VALUE], LOAD_BATCH_COUNT);
  readonly #gets = new KeyedFrames("get", "", [], READ_FRAMES_COUNT);
  readonly #get = new KeyedFrames("get", "", [], 1);
  /** The durations of batches of sets, in ms. */
  readonly holdsMs: number[] = [];
  #count = 0;

  constructor(memoryLimitBytes: number) {
    this.#runner = new Runner(makeContext(memoryLimitBytes));
  }

  /** Sets keys until there are `keysCount`. */
  async load(keysCount: number): Promise<void> {
    while (this.#count < keysCount) {
      // The event loop runs, as in a server, since the thread that prepares memory reports to it.
      if (this.holdsMs.length % BATCHES_A_TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      this.#sets.fill(() => this.#count++ % keysCount);
      const begunMs = performance.now();
      this.#runner.run(this.#sets.bytes);
      this.#getOne();
      this.holdsMs.push(performance.now() - begunMs);
    }
    this.#count = keysCount;
  }

  #getOne(): void {
    this.#get.fill(() => this.#any());
    this.#runner.run(this.#get.bytes);
  }

  /** Returns a random key. */
  #any(): number {
    return (Math.random() * this.#count) | 0;
  }

  /**
   * Reads `count` keys at random, `size` at a time, and returns the time of one, in ns. Creating the frames is not
   * counted.
   */
  read(count: number, size: number): number {
    const { bytes, frameSize } = this.#gets;
    let ms = 0;
    for (let left = count; left > 0; left -= READ_FRAMES_COUNT) {
      this.#gets.fill(() => this.#any());
      const begunMs = performance.now();
      for (let at = 0; at < bytes.length; at += size * frameSize) this.#runner.run(bytes, at, at + size * frameSize);
      ms += performance.now() - begunMs;
    }
    return ms / (Math.ceil(count / READ_FRAMES_COUNT) * READ_FRAMES_COUNT) * 1e6;
  }

  /** The bytes that the store uses per key, with its tables. */
  get bytesPerKey(): number {
    const { usedBytes, keys } = this.#runner.context.store.statistics;
    return usedBytes / keys;
  }

  /** Asserts that nothing was evicted, which would invalidate every figure. */
  check(): void {
    const { keys, evictedKeys } = this.#runner.context.store.statistics;
    if (keys !== this.#count || evictedKeys > 0) {
      throw new Error(`The store has ${keys} keys: expected ${this.#count}`);
    }
  }
}

async function measure(scale: number): Promise<LargeStoreReport> {
  const counts = KEYS_COUNTS.map((count) => Math.ceil(count * scale));
  const store = new LargeStore(Math.ceil(counts.at(-1)! * BYTES_PER_KEY) + BYTES_BESIDES);
  const rows: SizeRow[] = [];
  let loadMs = 0;
  for (const keys of counts) {
    const begunMs = performance.now();
    await store.load(keys);
    loadMs += performance.now() - begunMs;
    store.check();
    const batched: number[] = [];
    const alone: number[] = [];
    for (let round = 0; round < ROUNDS_COUNT; round++) {
      batched.push(store.read(GETS_COUNT * scale, BATCH_COUNT));
      alone.push(store.read(GETS_COUNT * scale, 1));
    }
    rows.push({
      keys,
      getBatchedNs: Math.min(...batched),
      getAloneNs: Math.min(...alone),
      bytesPerKey: store.bytesPerKey,
    });
  }
  const holds = Float64Array.from(store.holdsMs).sort();
  const [few, many] = rows.slice(-2) as [SizeRow, SizeRow];
  return {
    machine: describeMachine(),
    rows,
    batchedRatio: many.getBatchedNs / few.getBatchedNs,
    aloneRatio: many.getAloneNs / few.getAloneNs,
    setNs: loadMs / many.keys * 1e6,
    longestHoldMs: holds.at(-1)!,
    getP9999Ms: holds[Math.floor(holds.length * 0.9999)]!,
    getP50Ms: holds[holds.length >>> 1]!,
  };
}

function formatReport(report: LargeStoreReport): string {
  const table = formatTable([
    ["keys", "get, batches of 64", "get, one at a time", "bytes per key"],
    ...report.rows.map(({ keys, getBatchedNs, getAloneNs, bytesPerKey }) => [
      keys.toLocaleString("en"),
      `${getBatchedNs.toFixed(0)} ns`,
      `${getAloneNs.toFixed(0)} ns`,
      bytesPerKey.toFixed(1),
    ]),
    ["the most ÷ fewer", report.batchedRatio.toFixed(2), report.aloneRatio.toFixed(2), ""],
  ]);
  return `${table}

Loading: ${report.setNs.toFixed(0)} ns per set; the longest batch of ${LOAD_BATCH_COUNT} held the event loop for ${
    report.longestHoldMs.toFixed(1)
  } ms.
A get that waits for it: p50 ${report.getP50Ms.toFixed(2)} ms, p99.99 ${report.getP9999Ms.toFixed(2)} ms.
${report.machine}`;
}

const SCRIPT: Script<number, LargeStoreReport> = {
  help: HELP,
  values: ["scale"],
  read: (words) => words.number("scale", 1, { min: 0.001, max: 1.5 }),
  measure,
  format: formatReport,
};

if (import.meta.main) Deno.exitCode = await runScript(SCRIPT, Deno.args);
