/**
 * Runs `redis-server` on a loopback port, without TLS and without persistence, for the conformance tests.
 *
 * @module
 */

import { freePort } from "../../bench/support/program.ts";
import { RespClient } from "../support/resp_client.ts";

const START_TIMEOUT_MS = 10_000;

/** Returns the version of the `redis-server` on PATH, or `undefined` when there is none. */
export { redisVersion } from "../../bench/support/redis_server.ts";
import { pause } from "../support/pause.ts";

/** A `redis-server` process that accepts connections on `port`. Disposing of it ends the process. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #process: Deno.ChildProcess;
  readonly #folder: string;

  private constructor(port: number, process: Deno.ChildProcess, folder: string) {
    this.port = port;
    this.#process = process;
    this.#folder = folder;
  }

  /** Starts the process, with additional words for its command line, and waits until it replies. */
  static async start(...words: string[]): Promise<RedisServer> {
    const folder = await Deno.makeTempDir({ prefix: "inmem-redis-" });
    const port = freePort();
    const endpoint = ["--bind", "127.0.0.1", "--port", String(port)];
    const process = new Deno.Command("redis-server", {
      args: [...endpoint, "--save", "", "--appendonly", "no", "--dir", folder, "--loglevel", "warning", ...words],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    const server = new RedisServer(port, process, folder);
    try {
      await server.#whenAnswering();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** Saves the data, and returns the RDB file. */
  async save(): Promise<Uint8Array<ArrayBuffer>> {
    using client = await RespClient.connect(this.port);
    await client.call("SAVE");
    return await Deno.readFile(`${this.#folder}/dump.rdb`);
  }

  async #whenAnswering(): Promise<void> {
    for (const endsMs = performance.now() + START_TIMEOUT_MS;;) {
      try {
        using client = await RespClient.connect(this.port);
        await client.call("PING");
        return;
      } catch (error) {
        if (performance.now() > endsMs) throw error;
        await pause(10);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // The process has already ended.
    }
    await this.#process.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}
