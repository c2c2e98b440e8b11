/**
 * `redis-server` as a child process on a free loopback port, without persistence unless requested.
 *
 * @module
 */

import type { CertificatePaths } from "../../src/role/certs.ts";
import { connectWithin, endProcess, freePort } from "./program.ts";
import type { Endpoint, RespConnection } from "./resp_connection.ts";

const HOSTNAME = "127.0.0.1";
const START_TIMEOUT_MS = 120_000;

const NO_PERSISTENCE = ["--save", "", "--appendonly", "no"];

/** Returns the version of the `redis-server` on PATH, or `undefined` when there is none. */
export async function redisVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command("redis-server", { args: ["--version"], stderr: "null" }).output();
    return /\bv=([0-9.]+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "of an unknown version";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The options of a server. */
export interface RedisServerOptions {
  /** The certificate, with which it speaks only TLS. */
  readonly certificates?: CertificatePaths;
  /** Words that run the following command line, such as those of `taskset`. */
  readonly launcher?: readonly string[];
  /** The options of redis-server for persistence; none by default. */
  readonly persistence?: readonly string[];
}

/** A running server, with one connection to it. Disposing of it ends the process. */
export class RedisServer implements AsyncDisposable {
  /** The address on which it listens. */
  readonly endpoint: Endpoint;
  readonly #process: Deno.ChildProcess;
  #connection: RespConnection | undefined;

  private constructor(endpoint: Endpoint, process: Deno.ChildProcess) {
    this.endpoint = endpoint;
    this.#process = process;
  }

  /**
   * Starts a server and waits until it replies.
   *
   * @param folder its working folder, where it writes only if it persists
   */
  static async start(folder: string, signal: AbortSignal, options: RedisServerOptions = {}): Promise<RedisServer> {
    const { certificates, launcher = [], persistence = NO_PERSISTENCE } = options;
    const authority = certificates === undefined ? undefined : await Deno.readTextFile(certificates.authority);
    // redis-server cannot choose a port itself, so the system provides a free one, which is released again.
    const port = freePort();
    const [program, ...args] = [...launcher, "redis-server", ...listeningOptions(port, certificates)];
    const process = new Deno.Command(program!, {
      args: [...args, ...persistence, "--dir", folder, "--loglevel", "warning"],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    const server = new RedisServer({ hostname: HOSTNAME, port, authority }, process);
    try {
      server.#connection = await connectWithin(START_TIMEOUT_MS, "redis-server", server.endpoint, process, signal);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** The id of the process. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Runs commands in one pipeline. */
  async run(commands: readonly (readonly string[])[]): Promise<void> {
    await this.#connection!.run(commands);
  }

  /** Returns the number of its keys. */
  async keysCount(): Promise<number> {
    const [reply] = await this.#connection!.run([["DBSIZE"]]);
    return Number(reply!.slice(1));
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection?.close();
    await endProcess(this.#process);
  }
}

function listeningOptions(port: number, certificates: CertificatePaths | undefined): string[] {
  if (certificates === undefined) return ["--bind", HOSTNAME, "--port", String(port)];
  const { cert, key, authority } = certificates;
  const files = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", authority];
  const endpoint = ["--bind", HOSTNAME, "--port", "0", "--tls-port", String(port)];
  return [...endpoint, ...files, "--tls-auth-clients", "no"];
}
