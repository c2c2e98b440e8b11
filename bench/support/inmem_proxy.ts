/**
 * `inmem proxy` as a child process, over TLS or without it on either side of it.
 *
 * @module
 */

import { RoleProcess } from "../../cluster/role_process.ts";
import { parseAddress } from "../../src/address.ts";
import type { CertificatePaths } from "../../src/role/certs.ts";
import type { Endpoint } from "./resp_connection.ts";

/** How a proxy is started. */
export interface InmemProxyOptions {
  /** Has clients speak TLS. Without them they speak plaintext. */
  readonly certificates?: CertificatePaths | undefined;
  /** The file of the authority that servers' certificates are of. Without it they are spoken to in plaintext. */
  readonly serversAuthority?: string | undefined;
}

/** A proxy that was started. Disposing of it ends the process. */
export class InmemProxy implements AsyncDisposable {
  readonly #process: RoleProcess;
  #endpoint: Endpoint | undefined;

  private constructor(process: RoleProcess) {
    this.#process = process;
  }

  /**
   * Starts a proxy before some servers, and waits until it listens: the sources, or the binary `INMEM_BIN`.
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

  /** The process's id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Where it listens. */
  get endpoint(): Endpoint {
    return this.#endpoint!;
  }

  /** Ends the process in order. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}

/** Writes a file that names some servers. */
export async function writeServersFile(path: string, addresses: readonly string[]): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify(addresses.map((addr) => ({ addr }))));
}
