/**
 * What size costs: reading keys at random while the store grows to 50 M of them, and what loading them holds up.
 *
 * In this process, without a network: read batches of `get` and `set` through the command layer as the server runs them
 * (support/command_layer.ts). A batch of 64 is what clients send that pipeline or of which there are many; one at a time
 * is the other end. Keys and values have 8 bytes each. Loading goes on batch by batch, as the event loop would take them;
 * a `get` that arrives meanwhile waits for the batch that runs, so that much is counted to its time.
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

/** Numbers of keys at which is measured. The ratio is that of the last to the one before. */
const KEYS_COUNTS = [100_000, 1_000_000, 50_000_000];
const BYTES_PER_KEY = 80;
/** The store's fixed parts, and the room that it keeps free. */
const BYTES_BESIDES = 64 * 1024 * 1024;
const VALUE = "8 bytes!";
const BATCH_COUNT = 64;
/** About what one read of a busy connection holds: 64 KiB. */
const LOAD_BATCH_COUNT = 2_000;
/** Frames that are made before the clock starts. */
const READ_FRAMES_COUNT = BATCH_COUNT * 64;
/** Batches between two turns of the event loop: a turn takes a millisecond, which would be most of the time. */
const BATCHES_A_TURN = 8;
const GETS_COUNT = 640_000;
const ROUNDS_COUNT = 5;

const HELP = `Measures reading at random from a store of up to ${KEYS_COUNTS.at(-1)!.toLocaleString("en")} keys.

Usage: deno run -A bench/large_store.ts [options]

  --scale FACTOR  of the numbers of keys and reads (default: 1, which needs 4 GB and two minutes)
  --json          the result as JSON
  --help          this text
`;

/** Reading at one number of keys. Times in ns a command, the least of several rounds. */
export interface SizeRow {
  readonly keys: number;
  readonly getBatchedNs: number;
  readonly getAloneNs: number;
  readonly bytesPerKey: number;
}

/** What `--json` prints. */
export interface LargeStoreReport {
  readonly machine: string;
  readonly rows: readonly SizeRow[];
  /** The time of a get among the most keys, as a multiple of that among fewer. */
  readonly batchedRatio: number;
  readonly aloneRatio: number;
  /** A set while loading, in ns. */
  readonly setNs: number;
  /** The longest time that loading has held the event loop, and what nearly all gets meanwhile have waited, in ms. */
  readonly longestHoldMs: number;
  readonly getP9999Ms: number;
  readonly getP50Ms: number;
}

/** A store that is filled with the keys 0, 1, 2 … and read at random. */
class LargeStore {
  readonly #runner: Runner;
  readonly #sets = new KeyedFrames("set", "", [VALUE], LOAD_BATCH_COUNT);
  readonly #gets = new KeyedFrames("get", "", [], READ_FRAMES_COUNT);
  readonly #get = new KeyedFrames("get", "", [], 1);
  /** How long batches of sets took, in ms. */
  readonly holdsMs: number[] = [];
  #count = 0;

  constructor(memoryLimitBytes: number) {
    this.#runner = new Runner(makeContext(memoryLimitBytes));
  }

  /** Sets keys until there are `keysCount`. */
  async load(keysCount: number): Promise<void> {
    while (this.#count < keysCount) {
      // The event loop turns, as in a server: whoever makes memory ready beside this has to hear of it.
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

  /** A key at random. */
  #any(): number {
    return (Math.random() * this.#count) | 0;
  }

  /** Reads `count` keys at random, `size` at a time; answers what one took, in ns. Making the frames is not counted. */
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

  /** Bytes that the store uses a key, its tables included. */
  get bytesPerKey(): number {
    const { usedBytes, keys } = this.#runner.context.store.statistics;
    return usedBytes / keys;
  }

  /** Asserts that nothing was evicted, which would spoil every figure. */
  check(): void {
    const { keys, evictedKeys } = this.#runner.context.store.statistics;
    if (keys !== this.#count || evictedKeys > 0) {
      throw new Error(`The store holds ${keys} keys: expected ${this.#count}`);
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
    ["keys", "get, batches of 64", "get, one at a time", "bytes a key"],
    ...report.rows.map(({ keys, getBatchedNs, getAloneNs, bytesPerKey }) => [
      keys.toLocaleString("en"),
      `${getBatchedNs.toFixed(0)} ns`,
      `${getAloneNs.toFixed(0)} ns`,
      bytesPerKey.toFixed(1),
    ]),
    ["the most ÷ fewer", report.batchedRatio.toFixed(2), report.aloneRatio.toFixed(2), ""],
  ]);
  return `${table}

Loading: ${report.setNs.toFixed(0)} ns a set; the longest batch of ${LOAD_BATCH_COUNT} held the event loop for ${
    report.longestHoldMs.toFixed(1)
  } ms.
A get behind it: p50 ${report.getP50Ms.toFixed(2)} ms, p99.99 ${report.getP9999Ms.toFixed(2)} ms.
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
