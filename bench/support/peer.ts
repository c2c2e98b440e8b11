/**
 * A client in a separate process, so that its work is not in the event loop of the measured server.
 *
 * Jobs are sent to it as lines of JSON, and it replies to each with one line, in order. It sends a `ping` every few
 * milliseconds, and measures the round trip. peer_program.ts is its program.
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { ROOT } from "../../cluster/role_process.ts";
import { readLines } from "../../src/shell/lines.ts";

/** A job for a peer. */
export type Job =
  | { readonly kind: "pings" }
  | { readonly kind: "send"; readonly command: readonly string[] }
  | { readonly kind: "discard"; readonly command: readonly string[] }
  | { readonly kind: "scan"; readonly count: number }
  | { readonly kind: "echo"; readonly sizeBytes: number };

/** The settings of a peer. */
export interface PeerSettings {
  /** The address of the server, as `host:port`. */
  readonly addr: string;
  /** The authority to trust. */
  readonly caFile: string;
}

/** The round trips of pings. */
export interface Pings {
  readonly count: number;
  readonly longestMs: number;
}

const PROGRAM = fromFileUrl(new URL("peer_program.ts", import.meta.url));

/** A running client. Disposing of it ends its process. */
export class Peer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #replies: AsyncGenerator<unknown, void>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#replies = readJsonLines(child.stdout);
  }

  /** Starts a client of the server at `addr`, and waits until it is connected. */
  static async start(settings: PeerSettings): Promise<Peer> {
    const options = ["run", "--quiet", "--no-prompt", "--lock=deno.lock", "--frozen", "-A"];
    const child = new Deno.Command(Deno.execPath(), {
      args: [...options, PROGRAM, JSON.stringify(settings)],
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const peer = new Peer(child);
    await peer.pings();
    return peer;
  }

  /** Returns the round trips since the last call. */
  async pings(): Promise<Pings> {
    return await this.#ask({ kind: "pings" }) as Pings;
  }

  /** Sends a command and waits for the reply. */
  async send(command: readonly string[]): Promise<void> {
    await this.#ask({ kind: "send", command });
  }

  /** Sends a command, on a separate connection, and reads the reply without decoding it. Returns its length. */
  async discard(command: readonly string[]): Promise<number> {
    return await this.#ask({ kind: "discard", command }) as number;
  }

  /** Scans all keys, and returns their number. */
  async scan(count: number): Promise<number> {
    return await this.#ask({ kind: "scan", count }) as number;
  }

  /** Sets and gets a value of that size. Returns whether both are equal. */
  async echo(sizeBytes: number): Promise<boolean> {
    return await this.#ask({ kind: "echo", sizeBytes }) as boolean;
  }

  #ask(job: Job): Promise<unknown> {
    this.#last = this.#last.then(async () => {
      await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
      const { value, done } = await this.#replies.next();
      if (done) throw new Error("Cannot measure: the client's process has ended");
      return value;
    });
    return this.#last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Closing its input ends the program.
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }
}

/** Yields the values of the lines of a stream. */
export async function* readJsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void> {
  const decoder = new TextDecoder();
  for await (const lines of readLines(chunks)) {
    for (const line of lines) yield JSON.parse(decoder.decode(line));
  }
}
