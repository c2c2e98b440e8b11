/**
 * A well-behaved client in a separate process, beside an attack. It measures how long it waits, and how long the main
 * threads of the observed processes run between two of its replies. observer_program.ts is the program of that process.
 *
 * ```text
 * begin    connect to a target, and continuously set and get
 * mark     discard the measurements so far
 * take     return the measurements since then
 * end      disconnect
 * ```
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { readJsonLines } from "../../../bench/support/peer.ts";
import { ROOT } from "../../../cluster/role_process.ts";

/** The role that is observed. */
export interface Target {
  readonly hostname: string;
  readonly port: number;
  /** The authority to trust; without it, the target speaks plaintext. */
  readonly caFile?: string;
  /** The processes whose main threads are timed, in the order of all measurements. */
  readonly pids: readonly number[];
  /** If the processes together use more memory than this, the largest is killed, to save the machine. */
  readonly guardBytes: number;
}

/** A job for an observer. */
export type ObserverJob = { readonly kind: "begin"; readonly target: Target } | {
  readonly kind: "mark" | "take" | "end";
};

/** The measurements of an observer. */
export interface Observation {
  /** The number of round trips that ended in any reply. */
  rounds: number;
  /** The number of replies that differ from what was set. */
  wrong: number;
  /** The number of error replies and lost connections. */
  errors: number;
  /** The texts of the first errors. */
  messages: string[];
  /** The longest round trip by the clock, in ms. */
  longestWaitMs: number;
  /** The longest time that a main thread has run during one round trip, in ms. */
  longestStepMs: number;
  /** The longest time within one round trip in which neither the observer nor a main thread ran or was ready, in ms. */
  longestStillMs: number;
  /** The time that each main thread has run, in ms. */
  cpuMs: number[];
  /** The largest observed resident memory of each process, in bytes. */
  peakBytes: number[];
  /** Whether a process was killed because of its memory. */
  killed: boolean;
}

const PROGRAM = fromFileUrl(new URL("observer_program.ts", import.meta.url));

/** A running observer. Disposing of it ends its process. */
export class Observer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #replies: AsyncGenerator<unknown, void>;
  #last: Promise<unknown> = Promise.resolve();

  /** Starts the process, which observes nothing yet. */
  constructor() {
    const options = ["run", "--quiet", "--no-prompt", "--lock=deno.lock", "--frozen", "-A"];
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...options, PROGRAM],
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#replies = readJsonLines(this.#child.stdout);
  }

  /** Begins to observe a target, until {@linkcode end}. */
  async begin(target: Target): Promise<void> {
    await this.#ask({ kind: "begin", target });
  }

  /** Discards the measurements so far. */
  async mark(): Promise<void> {
    await this.#ask({ kind: "mark" });
  }

  /** Returns the measurements since the last mark. */
  async take(): Promise<Observation> {
    return await this.#ask({ kind: "take" }) as Observation;
  }

  /** Stops observing the target. */
  async end(): Promise<void> {
    await this.#ask({ kind: "end" });
  }

  #ask(job: ObserverJob): Promise<unknown> {
    this.#last = this.#last.then(async () => {
      await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
      const { value, done } = await this.#replies.next();
      if (done) throw new Error("Cannot observe: the observer's process has ended");
      return value;
    });
    return this.#last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Closing its input ends the program.
    await this.#writer.close().catch(() => {});
    // The program prints nothing more, but its output must be read to the end before it closes.
    for await (const _ of this.#replies);
    await this.#child.status;
  }
}
