/**
 * Runs twemproxy (the program is called `nutcracker`) as a child process on a free loopback port, before servers that
 * speak plaintext, the only protocol that it supports. Its home is https://github.com/twitter/twemproxy.
 *
 * @module
 */

import { join } from "@std/path";
import { connectWithin, endProcess, freePort } from "./program.ts";
import type { Endpoint } from "./resp_connection.ts";

const HOSTNAME = "127.0.0.1";
const START_TIMEOUT_MS = 10_000;
/** The names of the program. Debian has it in a folder that is often not on PATH. */
const PROGRAMS = ["nutcracker", "/usr/sbin/nutcracker"];

/** The twemproxy of this machine. */
export interface TwemproxyProgram {
  readonly path: string;
  readonly version: string;
}

/** Finds the program; `undefined` when there is none. */
export async function findTwemproxy(): Promise<TwemproxyProgram | undefined> {
  for (const path of PROGRAMS) {
    try {
      const { stdout, stderr } = await new Deno.Command(path, { args: ["--version"] }).output();
      // It prints its version on standard error.
      const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
      return { path, version: /nutcracker-([0-9.]+)/.exec(text)?.[1] ?? "of an unknown version" };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

/** Returns its configuration: keys are spread by the distribution for which it is known. */
function configurationOf(port: number, addresses: readonly string[]): string {
  const servers = addresses.map((address) => `    - ${address}:1`).join("\n");
  return `measured:
  listen: ${HOSTNAME}:${port}
  hash: fnv1a_64
  distribution: ketama
  redis: true
  preconnect: true
  auto_eject_hosts: false
  servers:
${servers}
`;
}

/** A running twemproxy. Disposing of it ends the process. */
export class Twemproxy implements AsyncDisposable {
  /** The address on which it listens. */
  readonly endpoint: Endpoint;
  readonly #process: Deno.ChildProcess;

  private constructor(endpoint: Endpoint, process: Deno.ChildProcess) {
    this.endpoint = endpoint;
    this.#process = process;
  }

  /**
   * Starts a twemproxy before servers at these addresses, and waits until it replies.
   *
   * @param folder where it writes its configuration and its log
   */
  static async start(
    { path }: TwemproxyProgram,
    folder: string,
    addresses: readonly string[],
    signal: AbortSignal,
  ): Promise<Twemproxy> {
    const port = freePort();
    const file = join(folder, "nutcracker.yml");
    await Deno.writeTextFile(file, configurationOf(port, addresses));
    const log = ["--output", join(folder, "nutcracker.log"), "--pid-file", join(folder, "nutcracker.pid")];
    const statistics = ["--stats-addr", HOSTNAME, "--stats-port", String(freePort())];
    const process = new Deno.Command(path, {
      args: ["--conf-file", file, "--verbose", "4", ...log, ...statistics],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const proxy = new Twemproxy({ hostname: HOSTNAME, port }, process);
    try {
      // PING needs no server.
      (await connectWithin(START_TIMEOUT_MS, "nutcracker", proxy.endpoint, process, signal)).close();
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
    return proxy;
  }

  /** The id of the process. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#process);
  }
}
