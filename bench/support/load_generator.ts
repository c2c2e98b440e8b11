/**
 * The load generator: a program of its own, which speaks RESP over TLS or without it, and has a core to itself as far as the
 * machine has one.
 *
 * It is our own since redis-benchmark asks what it measures for its configuration first, and waits for ever for an answer
 * that twemproxy does not give; and since it has all connections go to one server. It is told what to do by lines of JSON,
 * and answers each with one, in order. load_program.ts is its other end.
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { ROOT, V8_FLAGS } from "../../cluster/role_process.ts";
import type { LoadCommand } from "./load_requests.ts";
import { readJsonLines } from "./peer.ts";
import type { Endpoint } from "./resp_connection.ts";

const PROGRAM = fromFileUrl(new URL("load_program.ts", import.meta.url));

/** One of the servers that the connections are spread over. */
export interface LoadTarget {
  readonly endpoint: Endpoint;
  /** The numbers of the keys that are asked of it. */
  readonly keys: readonly number[];
}

/** One run. */
export interface LoadRun {
  readonly command: LoadCommand;
  readonly pipeline: number;
  readonly durationMs: number;
}

/** What a run has shown. */
export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Time from the moment that a pipeline was sent until a reply to it was read. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/** What the program can be told to do. */
export type LoadJob =
  | {
    readonly kind: "open";
    readonly name: string;
    readonly targets: readonly LoadTarget[];
    readonly connections: number;
  }
  | { readonly kind: "fill"; readonly name: string }
  | { readonly kind: "run"; readonly name: string; readonly run: LoadRun };

/** The answer to a job. */
export interface LoadAnswer {
  readonly result?: LoadResult;
  /** Why it could not be done. */
  readonly problem?: string;
}

/** A generator that runs. Disposing of it ends its process. */
export class LoadGenerator implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncGenerator<unknown, void>;

  /** Starts one, which lives until `signal` is aborted at the latest. */
  constructor(signal: AbortSignal) {
    const options = ["run", "--quiet", V8_FLAGS, "--no-prompt", "--lock=deno.lock", "--frozen", "-A"];
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...options, PROGRAM],
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
      signal,
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#answers = readJsonLines(this.#child.stdout);
  }

  /** The process's id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Connects: to each target with as many connections as to the others, or one more. They stay. */
  async open(name: string, targets: readonly LoadTarget[], connections: number): Promise<void> {
    await this.#ask({ kind: "open", name, targets, connections });
  }

  /** Sets all keys, on the connections of that name. */
  async fill(name: string): Promise<void> {
    await this.#ask({ kind: "fill", name });
  }

  /**
   * Makes load, on the connections of that name.
   *
   * @throws {Error} when a reply is wrong, or does not come
   */
  async run(name: string, run: LoadRun): Promise<LoadResult> {
    return (await this.#ask({ kind: "run", name, run })).result!;
  }

  async #ask(job: LoadJob): Promise<LoadAnswer> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("Cannot measure: the load generator's process has ended");
    const answer = value as LoadAnswer;
    if (answer.problem !== undefined) throw new Error(answer.problem);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Closing its input tells it to end.
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }
}
