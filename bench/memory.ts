/**
 * Measures resident bytes per key: `inmem server` next to `redis-server`, each in a separate process.
 *
 * Every figure is a difference. A server is started and warmed up, so that its code is compiled and its buffers exist.
 * Its resident memory is read before and after it is loaded, each time when it has stopped changing. So the runtime
 * itself is not counted, and everything that the data causes is: tables, rounding, the allocator's slack, and the
 * growth of the runtime's heap. Rounds alternate which side goes first, and the medians are printed.
 *
 * The growth of the runtime's heap is random: between two collections it gathers up to 20 MB of garbage, sooner with
 * more bytes. So inmem's figures vary by some MB divided by the number of keys. Its own account does not vary and is
 * printed beside them.
 *
 * ```sh
 * deno run -A bench/memory.ts --rounds 1 --scale 0.1
 * ```
 *
 * This runs on Linux only. `INMEM_BIN=FILE` measures that binary instead of the sources.
 *
 * @module
 */

import { join } from "@std/path";
import { UsageError } from "../src/errors.ts";
import { type CertificatePaths, makeCertificates } from "../src/role/certs.ts";
import { formatTable } from "../src/role/text_table.ts";
import { settledResidentBytes } from "./support/resident_memory.ts";
import { InmemServer } from "./support/inmem.ts";
import { type Load, LOADS } from "./support/loads.ts";
import { describeMachine } from "./support/machine.ts";
import { RedisServer, redisVersion } from "./support/redis_server.ts";
import { delay, runScript, type Script, type ScriptWords } from "./support/script.ts";

const ROUNDS_DEFAULT = 3;
/** The number of commands in a pipeline. They and their replies fit into the sockets' buffers. */
const BATCH_COUNT = 500;
/** The number of commands until code is compiled and the heap's young part has grown, by 6 to 10 MB together. */
const WARM_UP_COMMANDS_COUNT = 200_000;
const WARM_UP_KEYS_COUNT = 8;
/** How long resident memory must stay the same, in ms. */
const QUIET_MS = 300;
/**
 * The shortest time between the load and the reading at full size, in ms. redis-server's allocator returns freed memory
 * in steps over 10 s (`dirty_decay_ms` of jemalloc), and seems settled between them.
 */
const GIVING_BACK_MS = 12_000;

const HELP = `Measures resident bytes per key: inmem server next to redis-server.

Usage: deno run -A bench/memory.ts [options]

  --rounds NUMBER  the number of rounds; medians are printed (default: ${ROUNDS_DEFAULT})
  --scale FACTOR   a factor for the keys (default: 1); the smaller, the more the runtime's own heap matters
  --json           print the result as JSON
  --help           print this text
`;

interface Options {
  readonly rounds: number;
  readonly scale: number;
}

/** A server that is measured. */
interface MeasuredServer extends AsyncDisposable {
  readonly pid: number;
  run(commands: readonly (readonly string[])[]): Promise<void>;
  keysCount(): Promise<number>;
}

/** The memory of one load on both sides, in bytes per key. */
export interface MemoryRow {
  readonly load: string;
  readonly keys: number;
  readonly redisBytes: number;
  readonly inmemBytes: number;
  readonly ratio: number;
  readonly wantedRatio: number;
  /** The bytes by inmem's own account: its data with links, tables and rounding, without the runtime. */
  readonly inmemUsedBytes: number;
}

/** The report, as `--json` prints it. */
export interface MemoryReport {
  readonly machine: string;
  readonly redis: string;
  readonly inmem: string;
  readonly rounds: number;
  readonly scale: number;
  readonly rows: readonly MemoryRow[];
}

/** The bytes per key of each round. */
interface Samples {
  readonly redis: number[];
  readonly inmem: number[];
  readonly inmemUsed: number[];
}

function readOptions(words: ScriptWords): Options {
  return {
    rounds: words.number("rounds", ROUNDS_DEFAULT, { min: 1, max: 100, integer: true }),
    scale: words.number("scale", 1, { min: 0.001, max: 20 }),
  };
}

/** The loads, run against one new server after another. */
class Measurement {
  readonly #options: Options;
  readonly #folder: string;
  readonly #certificates: CertificatePaths;
  readonly #signal: AbortSignal;
  #inmemVersion = "";

  constructor(options: Options, folder: string, certificates: CertificatePaths, signal: AbortSignal) {
    this.#options = options;
    this.#folder = folder;
    this.#certificates = certificates;
    this.#signal = signal;
  }

  /** Runs everything and returns the report. */
  async run(redis: string): Promise<MemoryReport> {
    const { rounds, scale } = this.#options;
    const loads = LOADS.map((load) => ({ ...load, keysCount: Math.ceil(load.keysCount * scale) }));
    const samples = loads.map((): Samples => ({ redis: [], inmem: [], inmemUsed: [] }));
    for (let round = 0; round < rounds; round++) {
      for (const [index, load] of loads.entries()) {
        const sides = [
          () => this.#measureRedis(load, samples[index]!),
          () => this.#measureInmem(load, samples[index]!),
        ];
        if (round % 2 === 1) sides.reverse();
        for (const measure of sides) await measure();
      }
    }
    const rows = loads.map((load, index) => makeRow(load, samples[index]!));
    return { machine: describeMachine(), redis, inmem: this.#inmemVersion, rounds, scale, rows };
  }

  async #measureRedis(load: Load, samples: Samples): Promise<void> {
    await using server = await RedisServer.start(this.#folder, this.#signal);
    samples.redis.push(await this.#load(server, load));
  }

  async #measureInmem(load: Load, samples: Samples): Promise<void> {
    await using server = await InmemServer.start(this.#certificates);
    this.#inmemVersion = await server.version();
    samples.inmem.push(await this.#load(server, load));
    samples.inmemUsed.push(await server.usedBytes() / load.keysCount);
  }

  /** Loads a server that was just started. Returns the resident bytes that a key has added. */
  async #load(server: MeasuredServer, load: Load): Promise<number> {
    // A small load is for trying the script out.
    const share = Math.min(1, this.#options.scale);
    await this.#runBatches(server, warmUpCommands(load, share * WARM_UP_COMMANDS_COUNT));
    const quietMs = share * QUIET_MS;
    const before = await settledResidentBytes(server.pid, quietMs, this.#signal);
    await this.#runBatches(server, commandsOf(load, load.keysCount));
    await delay(share * GIVING_BACK_MS, this.#signal);
    const after = await settledResidentBytes(server.pid, quietMs, this.#signal);
    const keysCount = await server.keysCount();
    if (keysCount !== load.keysCount) {
      throw new Error(`Cannot measure bytes per key: expected ${load.keysCount} keys, found ${keysCount}`);
    }
    return (after - before) / keysCount;
  }

  async #runBatches(server: MeasuredServer, commands: Iterable<readonly string[]>): Promise<void> {
    let batch: (readonly string[])[] = [];
    for (const command of commands) {
      batch.push(command);
      if (batch.length < BATCH_COUNT) continue;
      this.#signal.throwIfAborted();
      await server.run(batch);
      batch = [];
    }
    if (batch.length > 0) await server.run(batch);
  }
}

/** Yields the commands that create `keysCount` keys. */
function* commandsOf(load: Load, keysCount: number): Generator<readonly string[]> {
  for (let part = 0; part < load.commandsPerKey; part++) {
    for (let key = 0; key < keysCount; key++) yield load.command(key, part);
  }
}

/**
 * Yields at least `count` commands of the load's kind, on a few keys that are removed repeatedly. Flushing frees them
 * immediately, where a removed list would be freed later: the load must not find memory left by the warm-up.
 */
function* warmUpCommands(load: Load, count: number): Generator<readonly string[]> {
  for (let done = 0; done < count; done += WARM_UP_KEYS_COUNT * load.commandsPerKey) {
    yield* commandsOf(load, WARM_UP_KEYS_COUNT);
    yield ["FLUSHALL"];
  }
}

function makeRow(load: Load, samples: Samples): MemoryRow {
  const redisBytes = median(samples.redis);
  const inmemBytes = median(samples.inmem);
  return {
    load: load.name,
    keys: load.keysCount,
    redisBytes,
    inmemBytes,
    ratio: inmemBytes / redisBytes,
    wantedRatio: load.wantedRatio,
    inmemUsedBytes: median(samples.inmemUsed),
  };
}

/** Returns the median of some numbers. */
function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

function formatReport({ machine, redis, inmem, rounds, rows }: MemoryReport): string {
  const heading = ["resident bytes per key", "keys", "redis", "inmem", "inmem ÷ redis", "wanted", "used by inmem"];
  const table = formatTable([
    heading,
    ...rows.map((row) => [
      row.load,
      row.keys.toLocaleString("en"),
      row.redisBytes.toFixed(1),
      row.inmemBytes.toFixed(1),
      row.ratio.toFixed(2),
      `≤ ${row.wantedRatio.toFixed(2)}`,
      row.inmemUsedBytes.toFixed(1),
    ]),
  ]);
  const versions = `inmem ${inmem}, redis-server ${redis}, medians of ${rounds} rounds`;
  return `${table}\n\n${versions}\n${machine}`;
}

/** Measures in a temporary folder. The folder and the servers are removed afterwards. */
async function measure(options: Options, signal: AbortSignal): Promise<MemoryReport> {
  const redis = await redisVersion();
  if (redis === undefined) throw new UsageError("Cannot compare: there is no redis-server on PATH");
  const folder = await Deno.makeTempDir({ prefix: "inmem-memory-" });
  try {
    const { paths } = await makeCertificates(join(folder, "certs"), []);
    return await new Measurement(options, folder, paths, signal).run(redis);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const SCRIPT: Script<Options, MemoryReport> = {
  help: HELP,
  values: ["rounds", "scale"],
  read: readOptions,
  measure,
  format: formatReport,
};

if (import.meta.main) Deno.exitCode = await runScript(SCRIPT, Deno.args);
