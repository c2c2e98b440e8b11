/**
 * Measures the cost of keeping data on disk, next to `redis-server` with the same safety: writing under each policy,
 * starting from a snapshot and from a log, and the effect of a snapshot on commands and memory.
 *
 * Both servers speak TLS. Each server has one core and the load has the other. A snapshot by fork also uses the other
 * core, as redis-server is meant to run. The policies are measured in rounds that change their order.
 *
 * The script measures and does not judge: its exit status is 0 even if a bound is missed. It is not a bench of
 * `deno bench`.
 *
 * ```sh
 * deno run -A bench/durability_bench.ts --only start --keys 1000000
 * ```
 *
 * This runs on Linux only. `INMEM_BIN=FILE` measures that binary instead of the sources.
 *
 * @module
 */

import { join } from "@std/path";
import { type CertificatePaths, makeCertificates } from "../src/role/certs.ts";
import { atLeast, atMost, type BoundRow, formatRows, median, Rows } from "./support/bound_row.ts";
import { ComparedServer } from "./support/compared_server.ts";
import { COMPARED_TESTS, comparedRedis, KEYS_COUNT, PIPELINES } from "./support/redis_benchmark.ts";
import { residentBytes } from "./support/resident_memory.ts";
import { type Latencies, loadKeys, peakBytes, readKeys, writeKeys } from "./support/disk_loads.ts";
import { InmemServer } from "./support/inmem.ts";
import { describeMachine } from "./support/machine.ts";
import { type Cores, divideCores } from "./support/cores.ts";
import { RedisServer } from "./support/redis_server.ts";
import { type Endpoint, RespConnection } from "./support/resp_connection.ts";
import { delay, runScript, type Script, type ScriptWords } from "./support/script.ts";

const PARTS = ["policies", "start", "snapshot"] as const;
const KEYS_DEFAULT = 5_000_000;
const FULL = { rounds: 3, runMs: 1_200, retries: 2, readMs: 5_000, leastRequests: 500, pipelines: PIPELINES };
const QUICK = { rounds: 1, runMs: 20, retries: 0, readMs: 200, leastRequests: 20, pipelines: [16] };
/** The longest time of a snapshot that is watched, in ms. */
const SNAPSHOT_MAX_MS = 120_000;
const POLL_MS = 20;

/** The policies, by both servers' names, and the bound for each pipeline. */
const POLICIES = [
  { inmem: "always", redis: "always", asked: new Map([[1, 1], [16, 1], [64, 1]]) },
  { inmem: "everysec", redis: "everysec", asked: new Map([[16, 1.5]]) },
  { inmem: "never", redis: "no", asked: new Map<number, number>() },
] as const;

const HELP = `Measures the cost of durability in inmem server, next to redis-server.

Usage: deno run -A bench/durability_bench.ts [options]

  --only PARTS     the parts to run, of ${PARTS.join(", ")} (default: all)
  --keys NUMBER    the number of keys for start and snapshot (default: ${KEYS_DEFAULT})
  --rounds NUMBER  the number of rounds of policies and starts; medians are printed (default: ${FULL.rounds})
  --quick          short runs, one round, few keys: the figures are not reliable
  --json           print the result as JSON
  --help           print this text
`;

/** The report, as `--json` prints it. */
export interface DurabilityReport {
  readonly machine: string;
  readonly cores: string;
  readonly redis: string;
  readonly keys: number;
  readonly rounds: number;
  readonly rows: readonly BoundRow[];
}

interface Options {
  readonly parts: readonly string[];
  readonly keys: number;
  readonly rounds: number;
  readonly runMs: number;
  readonly retries: number;
  readonly readMs: number;
  readonly leastRequests: number;
  readonly pipelines: readonly number[];
}

function readOptions(words: ScriptWords): Options {
  const isQuick = words.has("quick");
  const size = isQuick ? QUICK : FULL;
  return {
    ...size,
    parts: words.some("only", PARTS),
    keys: words.number("keys", isQuick ? 20_000 : KEYS_DEFAULT, { min: 1_000, max: 100_000_000, integer: true }),
    rounds: words.number("rounds", size.rounds, { min: 1, max: 100, integer: true }),
  };
}

/** Either server, with a connection that speaks RESP. */
interface Started extends AsyncDisposable {
  readonly pid: number;
  readonly endpoint: Endpoint;
}

/** All measurements, in one temporary folder. */
class Measurement {
  readonly #options: Options;
  readonly #folder: string;
  readonly #certificates: CertificatePaths;
  readonly #cores: Cores;
  readonly #signal: AbortSignal;
  #folders = 0;

  constructor(
    options: Options,
    folder: string,
    certificates: CertificatePaths,
    cores: Cores,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#folder = folder;
    this.#certificates = certificates;
    this.#cores = cores;
    this.#signal = signal;
  }

  async run(): Promise<BoundRow[]> {
    const { parts } = this.#options;
    const rows: BoundRow[] = [];
    if (parts.includes("policies")) {
      for (const policy of POLICIES) rows.push(...await this.#measurePolicy(policy));
    }
    if (parts.includes("start")) rows.push(...await this.#measureStart());
    if (parts.includes("snapshot")) rows.push(...await this.#measureSnapshot());
    return rows;
  }

  #newFolder(): string {
    const path = join(this.#folder, `data-${++this.#folders}`);
    Deno.mkdirSync(path, { mode: 0o700 });
    return path;
  }

  #startInmem(data: string, fsync: string): Promise<InmemServer> {
    const words = ["--data", data, "--fsync", fsync, "--snapshot-growth", "0%", "--snapshot-interval", "0"];
    return InmemServer.start(this.#certificates, this.#cores.launcher, [...words, "--max-memory", "8gb"]);
  }

  #startRedis(data: string, appendonly: boolean, fsync: string): Promise<RedisServer> {
    const log = appendonly ? ["--appendonly", "yes", "--appendfsync", fsync] : ["--appendonly", "no"];
    return RedisServer.start(data, this.#signal, {
      certificates: this.#certificates,
      launcher: this.#cores.launcher,
      persistence: ["--save", "", "--auto-aof-rewrite-percentage", "0", ...log],
    });
  }

  async #measurePolicy(policy: (typeof POLICIES)[number]): Promise<BoundRow[]> {
    const { runMs, retries, keys, leastRequests, rounds, pipelines } = this.#options;
    const { authority } = this.#certificates;
    const settings = {
      authority,
      runMs,
      retries,
      keys: Math.min(keys, KEYS_COUNT),
      leastRequests,
      signal: this.#signal,
    };
    const rows = new Rows(`fsync ${policy.inmem}`);
    const test = COMPARED_TESTS[0]!;
    await using inmemServer = await this.#startInmem(this.#newFolder(), policy.inmem);
    await using redisServer = await this.#startRedis(this.#newFolder(), true, policy.redis);
    using inmem = await ComparedServer.of("inmem", inmemServer, settings);
    using redis = await ComparedServer.of("redis", redisServer, settings);
    for (const pipeline of pipelines) {
      const rates = new Map([[inmem, [] as number[]], [redis, [] as number[]]]);
      for (const server of rates.keys()) await server.warmUp(test, pipeline);
      for (let round = 0; round < rounds; round++) {
        const order = round % 2 === 0 ? [inmem, redis] : [redis, inmem];
        for (const server of order) rates.get(server)!.push((await server.run(test, pipeline)).requestsPerSecond);
      }
      const ratios = rates.get(inmem)!.map((rate, index) => rate / rates.get(redis)![index]!);
      const asked = policy.asked.get(pipeline);
      const texts = [inmem, redis].map((server) => `${Math.round(median(rates.get(server)!) / 1000)} k/s`);
      const note = `inmem ${texts[0]}, redis ${texts[1]}`;
      const bound = asked === undefined ? undefined : atLeast(asked);
      rows.add(`SET, pipeline ${pipeline}, inmem ÷ redis`, ratios, "×", bound, note);
    }
    return rows.rows;
  }

  /** Loads both servers, and starts them from their data: from logs, then from snapshots. */
  async #measureStart(): Promise<BoundRow[]> {
    const { keys, rounds } = this.#options;
    const rows = new Rows("start");
    const [inmemData, redisData] = [this.#newFolder(), this.#newFolder()];
    await this.#load(() => this.#startInmem(inmemData, "never"), "log");
    await this.#load(() => this.#startRedis(redisData, true, "no"), "log");
    const fromLog = await this.#timeStarts(
      () => this.#startInmem(inmemData, "never"),
      () => this.#startRedis(redisData, true, "no"),
      rounds,
    );
    // redis-server reads either its log or its snapshot.
    const snapshotData = this.#newFolder();
    await this.#load(() => this.#startInmem(inmemData, "never"), "snapshot", 0);
    await this.#load(() => this.#startRedis(snapshotData, false, "no"), "snapshot");
    const fromSnapshot = await this.#timeStarts(
      () => this.#startInmem(inmemData, "never"),
      () => this.#startRedis(snapshotData, false, "no"),
      rounds,
    );
    const count = keys.toLocaleString("en");
    for (const [what, times, bound] of [["a snapshot", fromSnapshot, 1.5], ["a log", fromLog, 1]] as const) {
      const ratios = times.inmem.map((ms, index) => ms / times.redis[index]!);
      const seconds = (samples: readonly number[]) => `${(median(samples) / 1000).toFixed(2)} s`;
      const note = `inmem ${seconds(times.inmem)}, redis ${seconds(times.redis)}`;
      rows.add(`${count} keys from ${what}, time, inmem ÷ redis`, ratios, "×", atMost(bound), note);
    }
    return rows.rows;
  }

  /** Starts a server, loads the keys, and leaves them on disk. */
  async #load(start: () => Promise<Started>, as: "log" | "snapshot", keys = this.#options.keys): Promise<void> {
    await using server = await start();
    const connection = await RespConnection.connect(server.endpoint);
    await loadKeys(connection, keys, this.#signal);
    if (as === "snapshot") await connection.run([["SAVE"]]);
    connection.close();
  }

  /** Starts both servers several times, alternately, and returns the times until they reply, in ms. */
  async #timeStarts(
    inmem: () => Promise<Started>,
    redis: () => Promise<Started>,
    rounds: number,
  ): Promise<{ inmem: number[]; redis: number[] }> {
    const times = { inmem: [] as number[], redis: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      for (const [name, start] of [["inmem", inmem], ["redis", redis]] as const) {
        const begunMs = performance.now();
        await using server = await start();
        times[name].push(performance.now() - begunMs);
        const connection = await RespConnection.connect(server.endpoint);
        const [size] = await connection.run([["DBSIZE"]]);
        connection.close();
        if (size !== `:${this.#options.keys}`) throw new Error(`Cannot compare: ${name} has loaded ${size} keys`);
      }
    }
    return times;
  }

  /** Measures the effect of a snapshot on reads and memory. */
  async #measureSnapshot(): Promise<BoundRow[]> {
    const rows = new Rows("snapshot");
    {
      await using server = await this.#startInmem(this.#newFolder(), "everysec");
      await this.#watchSnapshot("inmem", server, rows);
    }
    await using server = await this.#startRedis(this.#newFolder(), true, "everysec");
    await this.#watchSnapshot("redis", server, rows);
    return rows.rows;
  }

  async #watchSnapshot(name: "inmem" | "redis", server: Started, rows: Rows): Promise<void> {
    const { keys, readMs, rounds } = this.#options;
    const { endpoint, pid } = server;
    const control = await RespConnection.connect(endpoint);
    await loadKeys(control, keys, this.#signal);
    const quiet = await residentBytes(pid);
    // The first snapshot runs code that is not compiled yet.
    let snapshot = await this.#bgsave(control, endpoint);
    await snapshot.done;

    const [without, within]: Latencies[][] = [[], []];
    const tookMs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      without!.push(await readKeys(endpoint, keys, readMs, () => false));
      snapshot = await this.#bgsave(control, endpoint);
      within!.push(await readKeys(endpoint, keys, SNAPSHOT_MAX_MS, snapshot.isOver));
      tookMs.push(await snapshot.done);
    }
    const isOurs = name === "inmem";
    rows.add(
      `${name}: p99.9 of GET during it ÷ without`,
      within!.map(({ p999 }, round) => p999 / without![round]!.p999),
      "×",
      isOurs ? atMost(2) : undefined,
      `${describeLatencies(within!)}; without: ${describeLatencies(without!)}`,
    );
    rows.add(`${name}: its duration during reads`, tookMs, "ms");

    snapshot = await this.#bgsave(control, endpoint);
    const [peak, written] = await Promise.all([
      peakBytes(pid, snapshot.isOver, this.#signal),
      writeKeys(endpoint, keys, snapshot.isOver),
    ]);
    const writtenMs = await snapshot.done;
    rows.add(
      `${name}: peak memory during it ÷ before, during writes`,
      peak / quiet,
      "×",
      isOurs ? atMost(1.1) : undefined,
      `${(quiet / 1e6).toFixed(0)} MB before; ${Math.round(written / writtenMs)} k writes/s meanwhile`,
    );
    control.close();
  }

  /** Begins a snapshot, and watches it from a separate connection. */
  async #bgsave(
    control: RespConnection,
    endpoint: Endpoint,
  ): Promise<{ isOver: () => boolean; done: Promise<number> }> {
    let isOver = false;
    const begunMs = performance.now();
    await control.run([["BGSAVE"]]);
    const done = (async () => {
      const connection = await RespConnection.connect(endpoint);
      try {
        while (/^rdb_bgsave_in_progress:1/m.test(await connection.readText(["INFO", "persistence"]))) {
          await delay(POLL_MS, this.#signal);
        }
      } finally {
        isOver = true;
        connection.close();
      }
      return performance.now() - begunMs;
    })();
    return { isOver: () => isOver, done };
  }
}

/** Returns the median over the rounds of each figure. */
function describeLatencies(rounds: readonly Latencies[]): string {
  const texts = ([["p50", "p50"], ["p99", "p99"], ["p99.9", "p999"], ["max", "max"]] as const).map(([name, key]) => {
    return `${name} ${median(rounds.map((round) => round[key])).toFixed(2)}`;
  });
  return `${texts.join(", ")} ms`;
}

/** Measures in a temporary folder. The folder and the servers are removed afterwards. */
async function measure(options: Options, signal: AbortSignal): Promise<DurabilityReport> {
  const redis = await comparedRedis();
  const machine = describeMachine();
  const cores = await divideCores();
  const folder = await Deno.makeTempDir({ prefix: "inmem-durability-" });
  try {
    const { paths } = await makeCertificates(join(folder, "certs"), []);
    const rows = await new Measurement(options, folder, paths, cores, signal).run();
    const { keys, rounds } = options;
    return { machine, cores: cores.description, redis, keys, rounds, rows };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function formatReport({ machine, cores, redis, keys, rounds, rows }: DurabilityReport): string {
  const facts = `${keys.toLocaleString("en")} keys of 16 B with 32 B, TLS, medians of ${rounds} rounds`;
  return `${formatRows(rows)}\n\n${facts}; redis-server ${redis}; ${cores}\n${machine}`;
}

const SCRIPT: Script<Options, DurabilityReport> = {
  help: HELP,
  values: ["only", "keys", "rounds"],
  flags: ["quick"],
  read: readOptions,
  measure,
  format: formatReport,
};

if (import.meta.main) Deno.exitCode = await runScript(SCRIPT, Deno.args);
