/**
 * What is attacked: a server, or a proxy in front of two servers.
 *
 * | place | what runs | memory for data | for clients |
 * |---|---|---|---|
 * | `server` | a server in plaintext | 256 MB | 256 MB |
 * | `tls` | a server over TLS | 256 MB | 256 MB |
 * | `data` | a server in plaintext with a data folder | 256 MB | 256 MB |
 * | `small` | a server in plaintext | 64 MB | 64 MB |
 * | `heap` | a server in plaintext whose V8 heap ends at 700 MB | 256 MB | 256 MB |
 * | `proxy` | a proxy in front of two servers, in plaintext | 256 MB each | 256 MB each |
 * | `remap` | the same with `--on-down remap` | 256 MB each | 256 MB each |
 *
 * @module
 */

import { parseAddress } from "../../../src/address.ts";
import { type Launcher, type Role, runInmem } from "../../support/launcher.ts";
import type { Address } from "./attack_connection.ts";
import { residentBytes } from "./process_account.ts";

/** The places in which attacks run, in this order. */
export const PLACES = ["server", "tls", "data", "small", "heap", "proxy", "remap"] as const;
/** The place in which an attack runs. */
export type Place = typeof PLACES[number];

const MB = 1024 * 1024;
/** The memory of a role besides data and clients, in bytes: the runtime, code, and garbage. */
const RUNTIME_BYTES = 150 * MB;

/** The time after SIGTERM at which a role is killed, in ms. */
const STOP_TIMEOUT_MS = 8_000;

/** One process, with the bound of its memory. */
interface Member {
  readonly role: Role;
  /** The bound of its resident memory; `undefined` without a limit for clients. */
  readonly boundBytes: number | undefined;
}

/** Whether the roles have the option that bounds all clients' memory. Older versions lack it. */
export interface Abilities {
  readonly server: boolean;
  readonly proxy: boolean;
}

/** Finds out whether the roles have the option that bounds all clients' memory. */
export async function readAbilities(): Promise<Abilities> {
  const has = async (role: string) => (await runInmem([role, "--help"])).stdout.includes("--max-client-memory");
  return { server: await has("server"), proxy: await has("proxy") };
}

/** The processes of a place. */
export class Deployment {
  readonly #launcher: Launcher;
  /** The processes. Clients connect to the first one. */
  readonly members: readonly Member[];
  readonly address: Address;
  /** The resident bytes of all processes before the first attack. */
  readonly idleBytes: number;

  private constructor(launcher: Launcher, readonly place: Place, members: readonly Member[], caCerts?: string[]) {
    this.#launcher = launcher;
    this.members = members;
    this.address = { ...parseAddress(members[0]!.role.address), caCerts };
    this.idleBytes = this.residentBytes();
  }

  /** Starts the processes of a place, and waits until they listen. */
  static async start(launcher: Launcher, place: Place, abilities: Abilities): Promise<Deployment> {
    if (place === "proxy" || place === "remap") return await Deployment.#startProxy(launcher, place, abilities);
    const limit = place === "small" ? 64 : 256;
    const words = ["--max-memory", `${limit}mb`];
    if (abilities.server) words.push("--max-client-memory", `${limit}mb`);
    if (place !== "tls") words.push("--plaintext");
    if (place === "data") words.push("--data", launcher.newFolder());
    const env = place === "heap" ? { DENO_V8_FLAGS: "--max-old-space-size=700" } : undefined;
    const role = await launcher.server(words, env);
    const boundBytes = abilities.server ? 2 * limit * MB + RUNTIME_BYTES : undefined;
    const caCerts = place === "tls" ? [await Deno.readTextFile(launcher.certificates.authority)] : undefined;
    return new Deployment(launcher, place, [{ role, boundBytes }], caCerts);
  }

  static async #startProxy(launcher: Launcher, place: Place, abilities: Abilities): Promise<Deployment> {
    const servers = await Promise.all([1, 2].map(() => Deployment.start(launcher, "server", abilities)));
    const members = servers.flatMap((each) => each.members);
    const file = await launcher.serversFile(
      members.map(({ role }) => role.address),
      `${launcher.newFolder("servers")}.json`,
    );
    const words = ["--addr", "127.0.0.1:0", "--servers", file, "--plaintext", "--servers-plaintext"];
    if (abilities.proxy) words.push("--max-client-memory", "256mb");
    if (place === "remap") words.push("--on-down", "remap");
    const process = launcher.start("proxy", ["proxy", ...words]);
    const role = { process, address: await process.address() };
    const boundBytes = abilities.proxy ? 256 * MB + RUNTIME_BYTES : undefined;
    return new Deployment(launcher, place, [{ role, boundBytes }, ...members]);
  }

  /** The ids of the processes. */
  get pids(): number[] {
    return this.members.map(({ role }) => role.process.pid);
  }

  /** Returns the current resident bytes of all processes. */
  residentBytes(): number {
    return this.pids.reduce((sum, pid) => sum + residentBytes(pid), 0);
  }

  /** The lines that the processes have logged. */
  get lines(): string[] {
    return this.members.flatMap(({ role }) => role.process.lines);
  }

  /**
   * Stops the processes in order, within a short time, or else by force. Returns a description of those that did not
   * end in order.
   */
  async stop(): Promise<string[]> {
    const failures: string[] = [];
    for (const { role } of this.members) {
      this.#launcher.forgive(role.process);
      role.process.signal("SIGTERM");
      const timer = setTimeout(() => role.process.signal("SIGKILL"), STOP_TIMEOUT_MS);
      const { signal, code } = await role.process.status;
      clearTimeout(timer);
      if (signal !== null || code !== 0) failures.push(signal ?? `exit ${code}`);
    }
    return failures;
  }

  /** Kills the processes. */
  async kill(): Promise<void> {
    for (const { role } of this.members) {
      this.#launcher.forgive(role.process);
      await role.process.kill();
    }
  }
}
