/**
 * The load generator: a separate program that speaks RESP with or without TLS, on its own core if the machine has one.
 *
 * It is our own for two reasons. redis-benchmark first requests the configuration of its target, and waits forever for
 * a reply that twemproxy does not send. And all its connections go to one server. Jobs are sent to the program as lines
 * of JSON, and it replies to each with one line, in order. load_program.ts is the program.
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { ROOT, V8_FLAGS } from "../../cluster/role_process.ts";
import type { LoadCommand } from "./load_requests.ts";
import { readJsonLines } from "./peer.ts";
import type { Endpoint } from "./resp_connection.ts";

const PROGRAM = fromFileUrl(new URL("load_program.ts", import.meta.url));

/** One of the servers over which the connections are spread. */
export interface LoadTarget {
  readonly endpoint: Endpoint;
  /** The numbers of the keys that are requested from it. */
  readonly keys: readonly number[];
}

/** The settings of one run. */
export interface LoadRun {
  readonly command: LoadCommand;
  readonly pipeline: number;
  readonly durationMs: number;
}

/** The results of a run. */
export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** The time from sending a pipeline until reading a reply to it. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/** A job for the program. */
export type LoadJob =
  | {
    readonly kind: "open";
    readonly name: string;
    readonly targets: readonly LoadTarget[];
    readonly connections: number;
  }
  | { readonly kind: "fill"; readonly name: string }
  | { readonly kind: "run"; readonly name: string; readonly run: LoadRun };

/** The reply to a job. */
export interface LoadReply {
  readonly result?: LoadResult;
  /** The reason why it could not be done. */
  readonly problem?: string;
}

/** A running generator. Disposing of it ends its process. */
export class LoadGenerator implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #replies: AsyncGenerator<unknown, void>;

  /** Starts a generator, which ends at the latest when `signal` is aborted. */
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
    this.#replies = readJsonLines(this.#child.stdout);
  }

  /** The id of the process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Connects, with an equal number of connections to each target, or one more. They stay open. */
  async open(name: string, targets: readonly LoadTarget[], connections: number): Promise<void> {
    await this.#ask({ kind: "open", name, targets, connections });
  }

  /** Sets all keys, on the connections of that name. */
  async fill(name: string): Promise<void> {
    await this.#ask({ kind: "fill", name });
  }

  /**
   * Generates load, on the connections of that name.
   *
   * @throws {Error} when a reply is wrong, or does not arrive
   */
  async run(name: string, run: LoadRun): Promise<LoadResult> {
    return (await this.#ask({ kind: "run", name, run })).result!;
  }

  async #ask(job: LoadJob): Promise<LoadReply> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
    const { value, done } = await this.#replies.next();
    if (done) throw new Error("Cannot measure: the load generator's process has ended");
    const reply = value as LoadReply;
    if (reply.problem !== undefined) throw new Error(reply.problem);
    return reply;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Closing its input ends the program.
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }
}
