/**
 * The program of observer.ts: a well-behaved client that sets a key and gets it, and verifies the reply. It measures
 * how long it waits, and how long the main threads of the observed processes run meanwhile.
 *
 * ```text
 * round    read clocks · write SET + GET · read both replies · read clocks · pause of 1 ms
 * ```
 *
 * It also watches the memory of the observed processes. If together they use more than the guard allows, it kills the
 * largest.
 *
 * @module
 */

import { readJsonLines } from "../../../bench/support/peer.ts";
import { encodeText } from "../../../src/bytes.ts";
import type { Observation, ObserverJob, Target } from "./observer.ts";
import { residentBytes, ThreadClock } from "./process_account.ts";

/** The pause between two rounds, in ms: long enough to cause little load, short enough to see every long step. */
const PAUSE_MS = 1;
/** The number of keys that are used alternately. Some of them are on each server of a proxy. */
const KEYS_COUNT = 32;
const VALUE_FILL = "v".repeat(90);
/** The pause before a lost connection is opened again, in ms. */
const RECONNECT_MS = 50;
const SAMPLE_INTERVAL_MS = 50;
/** The number of failures that are reported with their text. */
const MESSAGES_MAX_COUNT = 3;

/** The rounds against one target, until they are stopped. */
class Watcher {
  readonly #target: Target;
  readonly #clocks: ThreadClock[];
  readonly #own = ThreadClock.own();
  readonly #caCerts: string[] | undefined;
  readonly #buffer = new Uint8Array(4096);
  readonly #sampler: number;
  #socket: Deno.TcpConn | Deno.TlsConn | undefined;
  #stopped = false;
  #number = 0;
  #found = noObservation();
  /** The start of the round in progress; `undefined` between two rounds. */
  #startedMs: number | undefined;
  #before: number[] = [];
  /** The time that all observed threads together had been ready without a core, before the round. */
  #readyBefore = 0;
  /** The time that this thread had been ready without a core when it ran last. */
  #delayed = 0;
  /** The value of `#delayed` before that. */
  #delayedBefore = 0;
  #marked: number[] = [];
  readonly ended: Promise<void>;

  constructor(target: Target) {
    this.#target = target;
    this.#clocks = target.pids.map((pid) => ThreadClock.of(pid));
    this.#caCerts = target.caFile === undefined ? undefined : [Deno.readTextFileSync(target.caFile)];
    this.#sampler = setInterval(() => this.#sample(), SAMPLE_INTERVAL_MS);
    this.mark();
    this.ended = this.#run();
  }

  /** Discards the measurements so far, except for a round in progress. */
  mark(): void {
    this.#found = noObservation();
    this.#marked = this.#readClocks();
    this.#sample();
  }

  /** Returns the measurements since the last mark, including a round in progress. */
  take(): Observation {
    if (this.#startedMs !== undefined) this.#note();
    const now = this.#readClocks();
    const cpuMs = now.map((each, i) => each - this.#marked[i]!);
    this.#sample();
    return { ...this.#found, cpuMs };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#sampler);
    this.#disconnect();
    await this.ended;
    for (const clock of [...this.#clocks, this.#own]) clock[Symbol.dispose]();
  }

  #readClocks(): number[] {
    return this.#clocks.map((clock) => {
      clock.read();
      return clock.runningMs;
    });
  }

  /** Returns the time that all observed threads together had been ready without a core when their clocks were read. */
  #readyMs(): number {
    return this.#clocks.reduce((sum, { delayedMs }) => sum + delayedMs, 0);
  }

  #sample(): void {
    // The counter of a thread that has ended cannot be read any more, so its last reading must be recent.
    this.#readClocks();
    // A timer and a reply may have waited for a core together. Therefore the delay before this one is replaced, not
    // this one.
    this.#own.read();
    this.#delayedBefore = this.#delayed;
    this.#delayed = this.#own.delayedMs;
    const sizes = this.#target.pids.map((pid) => residentBytes(pid));
    sizes.forEach((bytes, i) => this.#found.peakBytes[i] = Math.max(this.#found.peakBytes[i] ?? 0, bytes));
    if (sizes.reduce((sum, bytes) => sum + bytes, 0) <= this.#target.guardBytes) return;
    this.#found.killed = true;
    try {
      Deno.kill(this.#target.pids[sizes.indexOf(Math.max(...sizes))]!, "SIGKILL");
    } catch {
      // The process has already ended.
    }
  }

  /** Includes the round in progress, or the one that has just ended, in the measurements. */
  #note(): void {
    const waitMs = performance.now() - this.#startedMs!;
    const ran = this.#readClocks().map((each, i) => each - this.#before[i]!);
    this.#own.read();
    // While this thread was ready without a core, the reply may have arrived already and the server may have continued.
    const lateMs = this.#own.delayedMs - this.#delayedBefore;
    const stepMs = Math.max(...ran) - lateMs;
    const stillMs = waitMs - lateMs - (this.#readyMs() - this.#readyBefore) - ran.reduce((sum, each) => sum + each, 0);
    this.#found.longestWaitMs = Math.max(this.#found.longestWaitMs, waitMs);
    this.#found.longestStepMs = Math.max(this.#found.longestStepMs, stepMs);
    this.#found.longestStillMs = Math.max(this.#found.longestStillMs, stillMs);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#round();
      } catch (error) {
        if (this.#stopped) break;
        this.#found.errors++;
        this.#addMessage(String(error));
        this.#disconnect();
        await pause(RECONNECT_MS);
      }
      this.#startedMs = undefined;
      await pause(PAUSE_MS);
    }
  }

  async #round(): Promise<void> {
    const number = this.#number++;
    const key = `observer:${number % KEYS_COUNT}`;
    const value = `${number}:${VALUE_FILL}`;
    const request = `*3\r\n$3\r\nset\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n` +
      `*2\r\n$3\r\nget\r\n$${key.length}\r\n${key}\r\n`;
    const expected = encodeText(`+OK\r\n$${value.length}\r\n${value}\r\n`);
    this.#before = this.#readClocks();
    this.#readyBefore = this.#readyMs();
    this.#own.read();
    this.#delayed = this.#delayedBefore = this.#own.delayedMs;
    this.#startedMs = performance.now();
    this.#socket ??= await this.#connect();
    await writeWhole(this.#socket, encodeText(request));
    const reply = await this.#read(this.#socket, expected.length);
    this.#note();
    this.#found.rounds++;
    if (reply.length === expected.length && reply.every((byte, i) => byte === expected[i])) return;
    const text = new TextDecoder().decode(reply).slice(0, 200);
    if (text.startsWith("-") || text.includes("\r\n-")) this.#found.errors++;
    else this.#found.wrong++;
    this.#addMessage(text);
    // The rest of this reply is unknown.
    this.#disconnect();
  }

  /** Reads `count` bytes, or fewer if an error arrives instead. The bytes are borrowed until the next read. */
  async #read(socket: Deno.Conn, count: number): Promise<Uint8Array> {
    let length = 0;
    while (length < count) {
      const read = await socket.read(this.#buffer.subarray(length));
      if (read === null) throw new Error("The observer's connection was ended");
      length += read;
      const isError = this.#buffer[0] === 0x2d || this.#buffer[5] === 0x2d || this.#buffer[6] === 0x2d;
      if (isError && this.#buffer[length - 1] === 0x0a) break;
    }
    return this.#buffer.subarray(0, length);
  }

  async #connect(): Promise<Deno.TcpConn | Deno.TlsConn> {
    const { hostname, port } = this.#target;
    if (this.#caCerts !== undefined) return await Deno.connectTls({ hostname, port, caCerts: this.#caCerts });
    const socket = await Deno.connect({ hostname, port });
    socket.setNoDelay(true);
    return socket;
  }

  #disconnect(): void {
    try {
      this.#socket?.close();
    } catch {
      // The other side has closed the connection.
    }
    this.#socket = undefined;
  }

  #addMessage(message: string): void {
    if (this.#found.messages.length < MESSAGES_MAX_COUNT) this.#found.messages.push(message);
  }
}

function noObservation(): Observation {
  return {
    rounds: 0,
    wrong: 0,
    errors: 0,
    messages: [],
    longestWaitMs: 0,
    longestStepMs: 0,
    longestStillMs: 0,
    cpuMs: [],
    peakBytes: [],
    killed: false,
  };
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

async function writeWhole(socket: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let start = 0; start < bytes.length;) start += await socket.write(bytes.subarray(start));
}

/** Gives this thread priority over all others if permitted: a reply that waits for a core is not the server's fault. */
function takePrecedence(): void {
  try {
    const { symbols } = Deno.dlopen("libc.so.6", {
      setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
    });
    symbols.setpriority(0, 0, -20);
  } catch {
    // The C library is another one. The delays are still subtracted.
  }
}

async function main(): Promise<void> {
  takePrecedence();
  let watcher: Watcher | undefined;
  for await (const line of readJsonLines(Deno.stdin.readable)) {
    const job = line as ObserverJob;
    let result: unknown = null;
    if (job.kind === "begin") watcher = new Watcher(job.target);
    else if (job.kind === "mark") watcher?.mark();
    else if (job.kind === "take") result = watcher?.take();
    else {
      await watcher?.stop();
      watcher = undefined;
    }
    console.log(JSON.stringify(result));
  }
  await watcher?.stop();
  Deno.exit(0);
}

if (import.meta.main) await main();
