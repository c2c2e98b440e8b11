/**
 * A client in a process of its own, so that what it does is not in the event loop of the server that is measured here.
 *
 * It is told what to do by lines of JSON and answers each with one, in order; all the time it sends a `ping` every few
 * milliseconds, and notes how long the answer takes. peer_program.ts is its other end.
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { ROOT } from "../../cluster/role_process.ts";
import { readLines } from "../../src/shell/lines.ts";

/** What a peer can be told to do. */
export type Job =
  | { readonly kind: "pings" }
  | { readonly kind: "send"; readonly command: readonly string[] }
  | { readonly kind: "discard"; readonly command: readonly string[] }
  | { readonly kind: "scan"; readonly count: number }
  | { readonly kind: "echo"; readonly sizeBytes: number };

/** What a peer is started with. */
export interface PeerSettings {
  /** `host:port` of the server. */
  readonly addr: string;
  /** The authority to trust. */
  readonly caFile: string;
}

/** Round trips of pings. */
export interface Pings {
  readonly count: number;
  readonly longestMs: number;
}

const PROGRAM = fromFileUrl(new URL("peer_program.ts", import.meta.url));

/** A client that runs. Disposing of it ends its process. */
export class Peer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncGenerator<unknown, void>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#answers = readJsonLines(child.stdout);
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

  /** The round trips since this was asked last. */
  async pings(): Promise<Pings> {
    return await this.#ask({ kind: "pings" }) as Pings;
  }

  /** Has it send a command and take the reply. */
  async send(command: readonly string[]): Promise<void> {
    await this.#ask({ kind: "send", command });
  }

  /** Has it send a command, on a connection of its own, and read the reply without looking at it. Answers its length. */
  async discard(command: readonly string[]): Promise<number> {
    return await this.#ask({ kind: "discard", command }) as number;
  }

  /** Has it go through all keys, and answers how many it found. */
  async scan(count: number): Promise<number> {
    return await this.#ask({ kind: "scan", count }) as number;
  }

  /** Has it set and get a value of that size. Answers whether the same came back. */
  async echo(sizeBytes: number): Promise<boolean> {
    return await this.#ask({ kind: "echo", sizeBytes }) as boolean;
  }

  #ask(job: Job): Promise<unknown> {
    this.#last = this.#last.then(async () => {
      await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
      const { value, done } = await this.#answers.next();
      if (done) throw new Error("Cannot measure: the client's process has ended");
      return value;
    });
    return this.#last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Closing its input tells it to end.
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }
}

/** Yields what the lines of a stream say, one after another. */
export async function* readJsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void> {
  const decoder = new TextDecoder();
  for await (const lines of readLines(chunks)) {
    for (const line of lines) yield JSON.parse(decoder.decode(line));
  }
}
