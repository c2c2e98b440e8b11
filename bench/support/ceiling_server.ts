/**
 * The ceiling program as a child process.
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { ROOT, V8_FLAGS } from "../../cluster/role_process.ts";
import type { CertificatePaths } from "../../src/role/certs.ts";
import { readJsonLines } from "./peer.ts";
import type { Endpoint } from "./resp_connection.ts";

const PROGRAM = fromFileUrl(new URL("ceiling_program.ts", import.meta.url));

/** A ceiling that runs. Disposing of it ends its process. */
export class CeilingServer implements AsyncDisposable {
  /** Where it listens. */
  readonly endpoint: Endpoint;
  readonly #process: Deno.ChildProcess;

  private constructor(endpoint: Endpoint, process: Deno.ChildProcess) {
    this.endpoint = endpoint;
    this.#process = process;
  }

  /** Starts one with that certificate, under a launcher such as `taskset`, and waits until it listens. */
  static async start(
    { cert, key, authority }: CertificatePaths,
    launcher: readonly string[] = [],
  ): Promise<CeilingServer> {
    const caCert = await Deno.readTextFile(authority);
    const options = ["run", "--quiet", V8_FLAGS, "--no-prompt", "--lock=deno.lock", "--frozen", "-A"];
    const [program, ...args] = [...launcher, Deno.execPath(), ...options, PROGRAM, cert, key];
    const process = new Deno.Command(program!, { args, cwd: ROOT, stdin: "null", stdout: "piped" }).spawn();
    const lines = readJsonLines(process.stdout);
    const { value: port, done } = await lines.next();
    await lines.return();
    if (done) throw new Error("Cannot start the ceiling program: it ended at once");
    return new CeilingServer({ hostname: "127.0.0.1", port: port as number, authority: caCert }, process);
  }

  /** The process's id. */
  get pid(): number {
    return this.#process.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await this.#process.status;
  }
}
