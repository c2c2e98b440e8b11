/**
 * A well-behaved client in a process of its own, beside an attack: what it has to wait, and how long the observed
 * processes' main threads run between two of its replies. observer_program.ts is its other end.
 *
 * ```text
 * begin    connect to a target, and go on setting and getting
 * mark     forget what was seen so far
 * take     tell what was seen since
 * end      disconnect
 * ```
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { readJsonLines } from "../../../bench/support/peer.ts";
import { ROOT } from "../../../cluster/role_process.ts";

/** What is observed. */
export interface Target {
  readonly hostname: string;
  readonly port: number;
  /** The authority to trust; without it the target speaks plaintext. */
  readonly caFile?: string;
  /** Processes whose main threads are timed; their order is that of all figures. */
  readonly pids: readonly number[];
  /** The largest process is killed when together they take more memory, to save the machine. */
  readonly guardBytes: number;
}

/** What an observer can be told to do. */
export type ObserverJob = { readonly kind: "begin"; readonly target: Target } | {
  readonly kind: "mark" | "take" | "end";
};

/** What an observer has seen. */
export interface Observation {
  /** Round trips that ended in some reply. */
  rounds: number;
  /** Replies that were not what was set. */
  wrong: number;
  /** Error replies, and connections that were lost. */
  errors: number;
  /** What the first of them said. */
  messages: string[];
  /** The longest round trip, by the clock. */
  longestWaitMs: number;
  /** The most that one of the main threads has run during one round trip. */
  longestStepMs: number;
  /** The most of one round trip in which nobody ran or was ready to: neither the observer nor a main thread. */
  longestStillMs: number;
  /** Time that each main thread has run. */
  cpuMs: number[];
  /** The most resident memory of each process that was seen. */
  peakBytes: number[];
  /** Whether a process was killed for its memory. */
  killed: boolean;
}

const PROGRAM = fromFileUrl(new URL("observer_program.ts", import.meta.url));

/** An observer that runs. Disposing of it ends its process. */
export class Observer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncGenerator<unknown, void>;
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
    this.#answers = readJsonLines(this.#child.stdout);
  }

  /** Begins to observe a target, and goes on until {@linkcode end}. */
  async begin(target: Target): Promise<void> {
    await this.#ask({ kind: "begin", target });
  }

  /** Forgets what was seen so far. */
  async mark(): Promise<void> {
    await this.#ask({ kind: "mark" });
  }

  /** Returns what was seen since the last mark. */
  async take(): Promise<Observation> {
    return await this.#ask({ kind: "take" }) as Observation;
  }

  /** Observes the target no more. */
  async end(): Promise<void> {
    await this.#ask({ kind: "end" });
  }

  #ask(job: ObserverJob): Promise<unknown> {
    this.#last = this.#last.then(async () => {
      await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
      const { value, done } = await this.#answers.next();
      if (done) throw new Error("Cannot observe: the observer's process has ended");
      return value;
    });
    return this.#last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Closing its input tells it to end.
    await this.#writer.close().catch(() => {});
    // It says nothing more, but its output is closed only once that was read.
    for await (const _ of this.#answers);
    await this.#child.status;
  }
}
