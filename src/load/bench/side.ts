/**
 * One server under load: the connections to it, what is known about its keys, and its own figures.
 *
 * @module
 */

import { ConnectionError, InmemError, ProtocolError, ReplyError } from "../../errors.ts";
import { BENCH_CLEAN_KEYS_COUNT, BENCH_CONNECTING_MAX_COUNT, BENCH_WARM_UP_MS } from "../../limits.ts";
import { closeQuietly } from "../../net/abort.ts";
import { DescriptorLoop } from "../../net/descriptor_loop.ts";
import type { Socket } from "../../net/socket.ts";
import { cpuTime } from "../../role/cpu_time.ts";
import type { Value } from "../../wire/native/reply_reader.ts";
import { type BulkProtocol, type BulkSettings, lossMessage, openConnection } from "../bulk_connection.ts";
import type { BulkReply } from "../bulk_reply.ts";
import { BulkStream } from "../bulk_stream.ts";
import { driveDescriptors } from "./descriptor_driver.ts";
import { KeyStates } from "./key_states.ts";
import { Lane, weightOf } from "./lane.ts";
import { Run, type RunSettings } from "./run.ts";
import { driveSocket } from "./socket_driver.ts";
import type { Family, Workload } from "./workloads.ts";
import { KEY_PREFIX } from "./request_template.ts";

/** The settings of the load. */
export interface LoadSettings {
  readonly protocol: BulkProtocol;
  readonly clients: number;
  readonly pipeline: number;
  readonly requests: number;
  readonly durationMs: number;
  readonly valueSize: number;
  readonly keysCount: number;
}

/** What one run has measured. */
export interface Measurement {
  readonly requests: number;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** The share of the time in which this program used a processor. */
  readonly clientBusy: number;
  /** The share of the time in which the server's process did, by its `info`; `undefined` if it does not say. */
  readonly serverBusy: number | undefined;
}

/** A server under load. The caller disposes of it. */
export class Side implements AsyncDisposable {
  readonly address: string;
  readonly #settings: BulkSettings;
  readonly #load: LoadSettings;
  readonly #control: Control;
  readonly #sockets: readonly Socket[];
  readonly #lanes: readonly Lane[];
  readonly #loop: DescriptorLoop | undefined;
  readonly #states: KeyStates;
  /** The workloads that have filled their keys. */
  readonly #filled = new Set<Workload>();
  #isLost = false;

  private constructor(settings: BulkSettings, load: LoadSettings, control: Control, sockets: readonly Socket[]) {
    this.address = settings.address;
    this.#settings = settings;
    this.#load = load;
    this.#control = control;
    this.#sockets = sockets;
    this.#states = new KeyStates(Math.max(load.keysCount, load.clients));
    this.#lanes = sockets.map((_, i) => {
      return new Lane(load.protocol, this.#states, i, sockets.length, load.valueSize);
    });
    // Only a connection without TLS can be read without the runtime.
    this.#loop = sockets.every((socket) => !("handshake" in socket)) ? DescriptorLoop.open(sockets) : undefined;
  }

  /**
   * Connects, with one connection more than clients for what is not measured.
   *
   * @throws {ConnectionError} when a connection fails
   * @throws {ReplyError} when the password is refused
   */
  static async open(settings: BulkSettings, load: LoadSettings): Promise<Side> {
    const control = await Control.open(settings, load.protocol);
    const sockets: Socket[] = [];
    try {
      while (sockets.length < load.clients) {
        const length = Math.min(BENCH_CONNECTING_MAX_COUNT, load.clients - sockets.length);
        const opening = Array.from({ length }, () => openConnection(settings, load.protocol));
        const opened = await Promise.allSettled(opening);
        for (const each of opened) if (each.status === "fulfilled") sockets.push(each.value.socket);
        for (const each of opened) if (each.status === "rejected") throw each.reason;
      }
    } catch (error) {
      for (const socket of sockets) closeQuietly(socket);
      await control[Symbol.asyncDispose]();
      throw error;
    }
    return new Side(settings, load, control, sockets);
  }

  /** Whether the lanes are driven without the runtime's sockets. */
  get isDirect(): boolean {
    return this.#loop !== undefined;
  }

  /**
   * Deletes the keys of workloads.
   *
   * @throws {ReplyError} when the server refuses
   */
  async clean(workloads: readonly Workload[]): Promise<void> {
    const families = new Set(workloads.map(({ family }) => family));
    const suffixes = workloads.some(({ name }) => name === "mset") ? MSET_SUFFIXES : [""];
    for (const family of families) {
      await this.#control.deleteKeys(family, this.#states.keysCount, family === "string" ? suffixes : [""]);
      this.#states.counts(family).fill(0);
    }
    this.#filled.clear();
  }

  /**
   * Fills the keys that a workload needs, warms up, and measures a run.
   *
   * @throws {WrongReply} when a reply is not the expected one
   * @throws {ConnectionError} when a connection is lost
   * @param started is called with the run that is measured
   */
  async measure(workload: Workload, started: (run: Run) => void): Promise<Measurement> {
    const { before, usesUp } = workload;
    if (before !== undefined && (usesUp || !this.#filled.has(before))) {
      await this.#run({ workload: before, requests: Infinity, durationMs: Infinity, inOrder: true });
      this.#filled.add(before);
    }
    const { requests, durationMs } = this.#load;
    await this.#run({ workload, requests, durationMs: Math.min(durationMs, BENCH_WARM_UP_MS) });
    const serverBefore = await this.#control.cpuSeconds();
    const clientBefore = cpuTime();
    const begunMs = performance.now();
    const run = await this.#run({ workload, requests, durationMs }, started);
    const seconds = (performance.now() - begunMs) / 1000;
    const client = cpuTime();
    const server = await this.#control.cpuSeconds();
    const clientSeconds = client.userSeconds + client.systemSeconds - clientBefore.userSeconds -
      clientBefore.systemSeconds;
    const quantile = (fraction: number) => run.latencies.quantile(fraction) ?? 0;
    return {
      requests: run.repliedCount,
      seconds,
      requestsPerSecond: run.repliedCount / seconds,
      p50Ms: quantile(0.5),
      p90Ms: quantile(0.9),
      p99Ms: quantile(0.99),
      p999Ms: quantile(0.999),
      maxMs: run.maxMs,
      clientBusy: clientSeconds / seconds,
      serverBusy: serverBefore === undefined || server === undefined ? undefined : (server - serverBefore) / seconds,
    };
  }

  async #run(
    settings: Omit<RunSettings, "pipeline" | "weight">,
    started: (run: Run) => void = () => {},
  ): Promise<Run> {
    if (this.#isLost) throw new ConnectionError(this.address, `The connection to ${this.address} is closed`, false);
    const pipeline = settings.inOrder ? FILL_PIPELINE : this.#load.pipeline;
    const run = new Run({ ...settings, pipeline, weight: weightOf(settings.workload) });
    for (const lane of this.#lanes) lane.begin(run);
    started(run);
    const watch = this.#watch(run);
    try {
      if (this.#loop !== undefined) await driveDescriptors(this.#lanes, this.#loop, () => this.#isLost);
      else await Promise.all(this.#lanes.map((lane, i) => driveSocket(lane, this.#sockets[i]!)));
    } catch (error) {
      if (this.#isLost) throw lateError(this.address);
      this.#close();
      // The message of an inmem error is complete.
      if (error instanceof InmemError && !(error instanceof ProtocolError)) throw error;
      const message = lossMessage(this.address, this.#load.protocol, error);
      throw new ConnectionError(this.address, message, true, { cause: error });
    } finally {
      clearInterval(watch);
    }
    if (this.#isLost) throw lateError(this.address);
    return run;
  }

  /** Closes the connections when for the time limit no reply has come. */
  #watch(run: Run): ReturnType<typeof setInterval> | undefined {
    const { timeoutMs } = this.#settings;
    if (timeoutMs === Infinity) return undefined;
    let seenCount = -1;
    return setInterval(() => {
      if (run.repliedCount === seenCount) this.#close();
      seenCount = run.repliedCount;
    }, timeoutMs);
  }

  #close(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    for (const socket of this.#sockets) closeQuietly(socket);
  }

  /** Closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#loop?.[Symbol.dispose]();
    this.#close();
    await this.#control[Symbol.asyncDispose]();
  }
}

/** The number of requests in flight on each connection while keys are filled. */
const FILL_PIPELINE = 16;
const MSET_SUFFIXES = ["", ...Array.from({ length: 9 }, (_, i) => `:${i + 1}`)];

function lateError(address: string): ConnectionError {
  return new ConnectionError(address, `No answer from ${address} in time`, true);
}

/** The connection for requests that are not measured. */
class Control implements AsyncDisposable {
  #stream: BulkStream | undefined;
  #refusal: ReplyError | undefined;
  #last: Value = null;

  static async open(settings: BulkSettings, protocol: BulkProtocol): Promise<Control> {
    const control = new Control();
    control.#stream = await BulkStream.open(settings, protocol, control);
    try {
      // A server that requires a password, or still loads, refuses this.
      await control.deleteKeys("string", 1, [""]);
      return control;
    } catch (error) {
      await control[Symbol.asyncDispose]();
      throw error;
    }
  }

  take(reply: BulkReply): void {
    if (reply.isRefusal) this.#refusal ??= reply.refusal();
    else this.#last = reply.value() as Value;
  }

  /** Returns how many seconds the server's process has used the processor; `undefined` if it does not say. */
  async cpuSeconds(): Promise<number | undefined> {
    this.#stream!.add(["info", "cpu"]);
    await this.#drained();
    if (this.#refusal !== undefined || !(this.#last instanceof Uint8Array)) {
      this.#refusal = undefined;
      return undefined;
    }
    const text = new TextDecoder().decode(this.#last);
    const [user, system] = ["user", "sys"].map((name) => {
      return Number(new RegExp(`^used_cpu_${name}:([0-9.]+)\\r?$`, "m").exec(text)?.[1]);
    });
    const seconds = user! + system!;
    return Number.isNaN(seconds) ? undefined : seconds;
  }

  /** Deletes the keys of a family. */
  async deleteKeys(family: Family, keysCount: number, suffixes: readonly string[]): Promise<void> {
    const stream = this.#stream!;
    for (let first = 0; first < keysCount && this.#refusal === undefined; first += BENCH_CLEAN_KEYS_COUNT) {
      const request = ["del"];
      for (let key = first; key < Math.min(keysCount, first + BENCH_CLEAN_KEYS_COUNT); key++) {
        const name = `${KEY_PREFIX}:${family}:${String(key).padStart(9, "0")}`;
        for (const suffix of suffixes) request.push(name + suffix);
      }
      if (!stream.hasRoom) await stream.room();
      stream.add(request);
    }
    await this.#drained();
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  async #drained(): Promise<void> {
    await this.#stream!.drained();
    if (this.#stream!.lost !== undefined) throw this.#stream!.lost;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream?.close();
  }
}
