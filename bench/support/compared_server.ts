/**
 * One of the compared servers, and runs of redis-benchmark against it.
 *
 * @module
 */

import { commandsOf, type ComparedTest, type Dataset, runBenchmark, VALUE_BYTES } from "./redis_benchmark.ts";
import { CONNECTIONS_COUNT } from "./comparison_report.ts";
import type { Run, SideName } from "./comparison_report.ts";
import { delay } from "./script.ts";
import { machineTimeMs, ownTimeMs, processorTimeMs } from "./processor_time.ts";
import { type Endpoint, RespConnection } from "./resp_connection.ts";

/** The number of commands of a dataset that are sent at a time. */
const LOAD_BATCH_COUNT = 1_000;
/** The share of a core above which other processes disturb a run. */
const OTHERS_BUSY_MAX = 0.05;
/** How long other processes are watched, in ms. */
const WATCH_MS = 200;
/** The longest wait before a disturbed run is repeated, in ms. */
const WAIT_MAX_MS = 15_000;

/** A server that was started. */
export interface StartedServer {
  readonly pid: number;
  readonly endpoint: Endpoint;
}

/** The settings that all runs share. */
export interface RunSettings {
  /** The file of the authority to trust. */
  readonly authority: string;
  /** The duration of a run, in ms. */
  readonly runMs: number;
  /** The number of repetitions of a disturbed run. */
  readonly retries: number;
  /** Numbers in keys and fields are below this. */
  readonly keys: number;
  /** The number of requests of the first run of a test, and the least of any run, for each command in a pipeline. */
  readonly leastRequests: number;
  readonly signal: AbortSignal;
}

/** A server and its measured rates. Disposing of it ends the connection; the starter owns the server. */
export class ComparedServer implements Disposable {
  readonly name: SideName;
  /** The connection for tests that redis-benchmark lacks. */
  readonly connection: RespConnection;
  readonly #server: StartedServer;
  readonly #settings: RunSettings;
  /** The highest observed requests per second of each test. */
  readonly #rates = new Map<string, number>();
  #holds: Dataset | undefined;

  private constructor(name: SideName, server: StartedServer, connection: RespConnection, settings: RunSettings) {
    this.name = name;
    this.connection = connection;
    this.#server = server;
    this.#settings = settings;
  }

  /** Connects to a server. */
  static async of(name: SideName, server: StartedServer, settings: RunSettings): Promise<ComparedServer> {
    return new ComparedServer(name, server, await RespConnection.connect(server.endpoint), settings);
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }

  /** Runs a test until its code is compiled and the number of requests of a run is known. */
  async warmUp(test: ComparedTest, pipeline: number): Promise<void> {
    await this.#run(test, pipeline, this.#settings.leastRequests * pipeline);
    await this.#run(test, pipeline, this.#requestsOf(test, pipeline, this.#settings.runMs / 4));
  }

  /** Runs a test after its warm-up, until a run is not disturbed; otherwise the least disturbed run counts. */
  async run(test: ComparedTest, pipeline: number): Promise<Run> {
    let best: Run | undefined;
    for (let left = this.#settings.retries; left >= 0; left--) {
      const run = await this.#run(test, pipeline, this.#requestsOf(test, pipeline, this.#settings.runMs));
      if (best === undefined || run.othersBusy < best.othersBusy) best = run;
      if (best.othersBusy <= OTHERS_BUSY_MAX || left === 0) break;
      await this.#waitForOthers();
    }
    return best!;
  }

  async #waitForOthers(): Promise<void> {
    const { pid } = this.#server;
    for (let waitedMs = 0; waitedMs < WAIT_MAX_MS; waitedMs += WATCH_MS) {
      const before = await timesMs(pid);
      await delay(WATCH_MS, this.#settings.signal);
      if (busyBetween(before, await timesMs(pid)).othersBusy <= OTHERS_BUSY_MAX) return;
    }
  }

  /**
   * Returns the number of requests that take this time: a multiple of the pipeline, since redis-benchmark sends no
   * less.
   */
  #requestsOf(test: ComparedTest, pipeline: number, timeMs: number): number {
    const rate = this.#rates.get(keyOf(test, pipeline))!;
    return Math.max(this.#settings.leastRequests, Math.ceil(rate * timeMs / 1000 / pipeline)) * pipeline;
  }

  async #run(test: ComparedTest, pipeline: number, requests: number): Promise<Run> {
    const { authority, keys, signal } = this.#settings;
    const { pid, endpoint } = this.#server;
    await this.#load(test.dataset);
    const before = await timesMs(pid);
    const requestsPerSecond = await runBenchmark({
      port: endpoint.port,
      authority,
      connections: CONNECTIONS_COUNT,
      keys,
      valueBytes: VALUE_BYTES,
      requests,
      pipeline,
      tests: test.tests,
    }, signal);
    const after = await timesMs(pid);
    // A disturbed run does not show how many requests fill the time.
    const key = keyOf(test, pipeline);
    this.#rates.set(key, Math.max(requestsPerSecond, this.#rates.get(key) ?? 0));
    const serverNs = (after.server - before.server) * 1e6 / requests;
    return { requests, requestsPerSecond, serverNs, ...busyBetween(before, after) };
  }

  /** Loads a dataset and nothing else. Lists grow in a test, so "nothing" must be loaded too. */
  async #load(dataset: Dataset): Promise<void> {
    if (this.name === "ceiling" || (dataset === this.#holds && dataset !== "nothing")) return;
    await this.connection.run([["FLUSHALL"]]);
    let batch: (readonly string[])[] = [];
    for (const command of commandsOf(dataset, this.#settings.keys)) {
      if (batch.push(command) < LOAD_BATCH_COUNT) continue;
      await this.connection.run(batch);
      batch = [];
    }
    if (batch.length > 0) await this.connection.run(batch);
    this.#holds = dataset;
  }
}

function keyOf(test: ComparedTest, pipeline: number): string {
  return `${test.name} ${pipeline}`;
}

/** Times in ms, since each began. */
interface Times {
  readonly clock: number;
  readonly server: number;
  /** The time of this process and of its ended children. */
  readonly own: number;
  /** The time of processes that are neither the server's nor ours. */
  readonly others: number;
}

async function timesMs(pid: number): Promise<Times> {
  const [machine, own, server] = await Promise.all([machineTimeMs(), ownTimeMs(), processorTimeMs(pid)]);
  return { clock: performance.now(), server, own, others: machine - own - server };
}

function busyBetween(before: Times, after: Times): Pick<Run, "serverBusy" | "loadBusy" | "othersBusy"> {
  const elapsed = after.clock - before.clock;
  return {
    serverBusy: (after.server - before.server) / elapsed,
    loadBusy: (after.own - before.own) / elapsed,
    othersBusy: Math.max(0, after.others - before.others) / elapsed,
  };
}
