/**
 * Starts the real program for the system tests, over TLS, and makes sure that all of it ends.
 *
 * `INMEM_BIN=FILE` tests that binary; without it the sources run under this Deno, with the permissions of deno.json.
 *
 * ```ts ignore
 * systemTest("a server answers", async (launcher) => {
 *   const server = await launcher.server();
 *   const { code, stdout } = await launcher.client(server, ["set", "x", "42"]);
 * });
 * ```
 *
 * @module
 */

import { fail } from "@std/assert";
import { join } from "@std/path";
import { describeStatus, inmemCommand, RoleProcess, ROOT } from "../../cluster/role_process.ts";
import { parseAddress } from "../../src/address.ts";
import { connect } from "../../src/client/client.ts";
import type { Client, ConnectOptions } from "../../src/client/client.ts";
import { certificatePaths } from "../../src/role/certs.ts";
import type { CertificatePaths } from "../../src/role/certs.ts";
import { writeCertificates } from "./certificates.ts";
import { RawClient } from "./raw_client.ts";

export { RoleProcess, ROOT } from "../../cluster/role_process.ts";

/** A program that was to end by itself is killed after this time, and its test fails. */
const RUN_TIMEOUT_MS = 60_000;

/** What a program that ended has left behind. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a program is run to its end. */
export interface RunOptions {
  /** What it reads from standard input; nothing without it. */
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Whatever a test process leaves running would outlive it: kill it when the test file is unloaded. */
const alive = new Set<RoleProcess>();
addEventListener("unload", () => {
  for (const role of alive) role.signal("SIGKILL");
});

/** Runs a program to its end. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [program, ...args] = command;
  const child = new Deno.Command(program!, {
    args,
    cwd: options.cwd ?? ROOT,
    env: { NO_COLOR: "1", ...options.env },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_TIMEOUT_MS);
  if (options.stdin !== undefined) void feed(child.stdin, options.stdin);
  try {
    const { code, signal, stdout, stderr } = await child.output();
    const text = new TextDecoder("utf-8", { ignoreBOM: true });
    const outcome = { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
    if (signal !== null) throw new Error(`"${args.join(" ")}" ended with signal ${signal}: ${outcome.stderr}`);
    return outcome;
  } finally {
    clearTimeout(timer);
  }
}

async function feed(stdin: WritableStream<Uint8Array>, input: string | Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
    await writer.close();
  } catch {
    // It ended before it had read everything; its status says why.
  }
}

/** Runs `inmem` with these words to its end. */
export function runInmem(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return run(inmemCommand(...words), options);
}

/** A role with its address. */
export interface Role {
  readonly process: RoleProcess;
  /** `host:port`. */
  readonly address: string;
}

/** A folder, certificates, and every process that a test starts. {@linkcode Launcher.end} ends them all. */
export class Launcher {
  /** A temporary folder, removed at the end. */
  readonly folder: string;
  readonly certificates: CertificatePaths;
  readonly #roles = new Set<RoleProcess>();
  readonly #clients = new Set<Client>();
  #folders = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.certificates = certificatePaths(join(folder, "certs"));
  }

  /** Makes the folder and puts certificates there. */
  static async create(): Promise<Launcher> {
    const launcher = new Launcher(await Deno.makeTempDir({ prefix: "inmem-test-" }));
    await writeCertificates(launcher.path("certs"), launcher.certificates);
    return launcher;
  }

  /** Options that name the certificate. */
  get identity(): string[] {
    return ["--cert", this.certificates.cert, "--key", this.certificates.key];
  }

  /** A path in the folder. */
  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** The path of a folder that does not exist yet. */
  newFolder(name = "data"): string {
    return this.path(`${name}-${++this.#folders}`);
  }

  /**
   * Starts `inmem` with these words and waits for nothing. It has to end in order.
   *
   * @param launcher words that run the command line behind them
   */
  start(
    name: string,
    words: readonly string[],
    env: Readonly<Record<string, string>> = {},
    launcher: readonly string[] = [],
  ): RoleProcess {
    const role = new RoleProcess(name, words, { env: { NO_COLOR: "1", ...env }, launcher });
    this.#roles.add(role);
    alive.add(role);
    role.status.finally(() => alive.delete(role));
    return role;
  }

  async #started(process: RoleProcess): Promise<Role> {
    return { process, address: await process.address() };
  }

  /** Starts a server on a free port, without persistence unless the words ask for it, and waits until it listens. */
  server(
    words: readonly string[] = [],
    env?: Readonly<Record<string, string>>,
    launcher?: readonly string[],
  ): Promise<Role> {
    const where = words.includes("--addr") ? [] : ["--addr", "127.0.0.1:0"];
    const persists = words.some((word) => ["--data", "--backup", "--no-persist"].includes(word));
    const identity = words.includes("--cert") || words.includes("--plaintext") ? [] : this.identity;
    const all = ["server", ...where, ...identity, ...(persists ? [] : ["--no-persist"]), ...words];
    return this.#started(this.start("server", all, env, launcher));
  }

  /** Starts a proxy on a free port, in front of the servers in a file, and waits until it listens. */
  proxy(
    serversFile: string,
    words: readonly string[] = [],
    env?: Readonly<Record<string, string>>,
    launcher?: readonly string[],
  ): Promise<Role> {
    const where = words.includes("--addr") ? [] : ["--addr", "127.0.0.1:0"];
    const trust = ["--ca", this.certificates.authority, "--servers", serversFile];
    const identity = words.includes("--plaintext") ? [] : this.identity;
    return this.#started(this.start("proxy", ["proxy", ...where, ...identity, ...trust, ...words], env, launcher));
  }

  /** Writes a `servers.json` of these addresses in place, and returns its path. */
  async serversFile(addresses: readonly string[], path = this.path("servers.json")): Promise<string> {
    await Deno.writeTextFile(path, serversJson(addresses));
    return path;
  }

  /** Starts three servers, and a proxy in front of them. With `persists`, the servers have a data folder each. */
  async cluster(persists = false): Promise<{ servers: Role[]; proxy: Role; file: string }> {
    const words = Array.from({ length: 3 }, () => persists ? ["--data", this.newFolder()] : []);
    const servers = await Promise.all(words.map((each) => this.server(each)));
    const file = await this.serversFile(servers.map(({ address }) => address));
    return { servers, proxy: await this.proxy(file), file };
  }

  /** Runs `inmem client` against a role to its end. */
  client(role: Pick<Role, "address">, words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const { authority } = this.certificates;
    return runInmem(["client", "--addr", role.address, "--ca", authority, ...words], options);
  }

  /** Connects with the library. The launcher closes the client. */
  async connect(role: Pick<Role, "address">, options: ConnectOptions = {}): Promise<Client> {
    const client = await connect({ addr: role.address, caFile: this.certificates.authority, ...options });
    this.#clients.add(client);
    return client;
  }

  /** Opens a bare TLS connection, for bytes that no client of ours would send. */
  async raw(role: Pick<Role, "address">): Promise<RawClient> {
    return await RawClient.connect(parseAddress(role.address), [await Deno.readTextFile(this.certificates.authority)]);
  }

  /**
   * Ends everything in order: clients, proxies, servers.
   *
   * @returns what each process that did not end with status 0 has said last
   */
  async end(): Promise<string[]> {
    await Promise.all([...this.#clients].map((client) => client.close()));
    const failures: string[] = [];
    const stop = async (role: RoleProcess) => {
      const status = await role.stop();
      if (!status.success) failures.push(`${role.name} ended with ${describeStatus(status)}${role.lastLines(30)}`);
    };
    const roles = [...this.#roles];
    await Promise.all(roles.filter(({ name }) => name === "proxy").map(stop));
    await Promise.all(roles.filter(({ name }) => name !== "proxy").map(stop));
    await Deno.remove(this.folder, { recursive: true });
    return failures;
  }

  /** Stops a role in order and answers its status. Its data can be used again then. */
  stop(role: Role): Promise<Deno.CommandStatus> {
    return role.process.stop();
  }

  /** Lets a process end as it likes: its status is no failure any more. For those that were meant to fail. */
  forgive(process: RoleProcess): void {
    this.#roles.delete(process);
  }
}

/** What a test does with a launcher. */
export type SystemTestBody = (launcher: Launcher, test: Deno.TestContext) => Promise<void>;

/** Options of {@linkcode Deno.test} that system tests use. */
export type SystemTestOptions = Pick<Deno.TestDefinition, "ignore" | "sanitizeOps" | "sanitizeResources">;

/**
 * A test with a launcher, which is ended whatever happens. It fails as well when a process has not ended in order; after
 * another failure that is told on standard error only, since it follows from it.
 */
export function systemTest(name: string, body: SystemTestBody): void;
/** The same with options, which stand where {@linkcode Deno.test} has them. */
export function systemTest(name: string, options: SystemTestOptions, body: SystemTestBody): void;
export function systemTest(
  name: string,
  ...rest: [body: SystemTestBody] | [options: SystemTestOptions, body: SystemTestBody]
): void {
  const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
  Deno.test(name, options, async (test) => {
    const launcher = await Launcher.create();
    let passed = false;
    try {
      await body(launcher, test);
      passed = true;
    } finally {
      const failures = await launcher.end();
      if (!passed) console.error(failures.join("\n"));
      else if (failures.length > 0) fail(failures.join("\n"));
    }
  });
}

/** The text of a `servers.json`. */
export function serversJson(addresses: readonly string[]): string {
  return JSON.stringify(addresses.map((addr) => ({ addr })), null, 2);
}
