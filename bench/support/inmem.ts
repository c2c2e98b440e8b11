/**
 * `inmem server` and `inmem proxy` as child processes.
 *
 * The server speaks TLS, persists nothing unless requested, and has one client of the library connected to it. The
 * proxy speaks TLS or plaintext on either side.
 *
 * @module
 */

import { RoleProcess } from "../../cluster/role_process.ts";
import { parseAddress } from "../../src/address.ts";
import { type Client, connect } from "../../src/mod.ts";
import type { CertificatePaths } from "../../src/role/certs.ts";
import type { Endpoint } from "./resp_connection.ts";

/** A running server, with one connection to it. Disposing of it ends the process. */
export class InmemServer implements AsyncDisposable {
  readonly #process: RoleProcess;
  #client: Client | undefined;
  #endpoint: Endpoint | undefined;

  private constructor(process: RoleProcess) {
    this.#process = process;
  }

  /**
   * Starts a server with a certificate, with a launcher such as `taskset`, and waits until it replies. It runs the
   * sources, or the binary `INMEM_BIN`.
   */
  static async start(
    { cert, key, authority }: CertificatePaths,
    launcher: readonly string[] = [],
    persistence: readonly string[] = ["--no-persist"],
  ): Promise<InmemServer> {
    const words = ["server", "--addr", "127.0.0.1:0", ...persistence, "--cert", cert, "--key", key];
    const process = new RoleProcess("inmem server", words, { launcher });
    const server = new InmemServer(process);
    try {
      const addr = await process.address();
      server.#endpoint = { ...parseAddress(addr), authority: await Deno.readTextFile(authority) };
      server.#client = await connect({ addr, caFile: authority });
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

  /** The address on which it listens. */
  get endpoint(): Endpoint {
    return this.#endpoint!;
  }

  /** Runs commands in one pipeline. */
  async run(commands: readonly (readonly string[])[]): Promise<void> {
    const client = this.#client!;
    await Promise.all(commands.map((command) => client.send(command)));
  }

  /** Returns the number of its keys. */
  keysCount(): Promise<number> {
    return this.#client!.size();
  }

  /** Returns the size of its data by its own account: with links, tables and rounding, without the runtime. */
  async usedBytes(): Promise<number> {
    return Number(await this.#fact("memory", "used_memory"));
  }

  /** Returns its version. */
  version(): Promise<string> {
    return this.#fact("server", "inmem_version");
  }

  async #fact(section: string, name: string): Promise<string> {
    const found = new RegExp(`^${name}:(.*)$`, "m").exec(await this.#client!.info(section));
    if (found === null) throw new Error(`Cannot find "${name}" in section "${section}" of info`);
    return found[1]!.trim();
  }

  /** Stops the process in order. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.close();
    await this.#process.stop();
  }
}

/** The options of a proxy. */
export interface InmemProxyOptions {
  /** The certificate for clients. Without it, clients use plaintext. */
  readonly certificates?: CertificatePaths | undefined;
  /** The file of the authority of the servers' certificates. Without it, servers use plaintext. */
  readonly serversAuthority?: string | undefined;
}

/** A running proxy. Disposing of it ends the process. */
export class InmemProxy implements AsyncDisposable {
  readonly #process: RoleProcess;
  #endpoint: Endpoint | undefined;

  private constructor(process: RoleProcess) {
    this.#process = process;
  }

  /**
   * Starts a proxy before some servers, and waits until it listens. It runs the sources, or the binary `INMEM_BIN`.
   *
   * @param serversFile the file that names the servers
   */
  static async start(serversFile: string, options: InmemProxyOptions = {}): Promise<InmemProxy> {
    const { certificates, serversAuthority } = options;
    const words = ["proxy", "--addr", "127.0.0.1:0", "--servers", serversFile];
    if (certificates === undefined) words.push("--plaintext");
    else words.push("--cert", certificates.cert, "--key", certificates.key);
    if (serversAuthority === undefined) words.push("--servers-plaintext");
    else words.push("--ca", serversAuthority);
    const proxy = new InmemProxy(new RoleProcess("inmem proxy", words));
    try {
      const authority = certificates === undefined ? undefined : await Deno.readTextFile(certificates.authority);
      proxy.#endpoint = { ...parseAddress(await proxy.#process.address()), authority };
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

  /** The address on which it listens. */
  get endpoint(): Endpoint {
    return this.#endpoint!;
  }

  /** Stops the process in order. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}

/** Writes a file that names some servers. */
export async function writeServersFile(path: string, addresses: readonly string[]): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify(addresses.map((addr) => ({ addr }))));
}
