/**
 * Starts the real program for the system tests, over TLS, and ensures that all of its processes end.
 *
 * `INMEM_BIN=FILE` tests that binary. Without it, the sources run under this Deno, with the permissions of deno.json.
 *
 * ```ts ignore
 * systemTest("a server replies", async (launcher) => {
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

/** The time after which a program that should have ended is killed, in ms. Its test fails. */
const RUN_TIMEOUT_MS = 60_000;

/** The outcome of a program that has ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The options of a program that runs until it ends. */
export interface RunOptions {
  /** The content of its standard input; empty by default. */
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/**
 * The processes that still run. They would outlive the test process, so they are killed when the test file is unloaded.
 */
const alive = new Set<RoleProcess>();
addEventListener("unload", () => {
  for (const role of alive) role.signal("SIGKILL");
});

/** Runs a program until it ends. */
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
    // The program ended before it had read everything. Its status says why.
  }
}

/** Runs `inmem` with these words until it ends. */
export function runInmem(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return run(inmemCommand(...words), options);
}

/** A role and its address. */
export interface Role {
  readonly process: RoleProcess;
  /** The address, as `host:port`. */
  readonly address: string;
}

/** Returns the address of the port of metrics of a role that was started with `--metrics`. */
export function metricsOf(role: Role): string {
  const { page, name } = role.process;
  if (page === undefined) throw new Error(`The ${name} has no port for metrics${role.process.lastLines()}`);
  return new URL(page).host;
}

/** A folder, certificates, and every process that a test starts. {@linkcode Launcher.end} ends them all. */
export class Launcher {
  /** A temporary folder, which is removed at the end. */
  readonly folder: string;
  readonly certificates: CertificatePaths;
  readonly #roles = new Set<RoleProcess>();
  readonly #clients = new Set<Client>();
  #folders = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.certificates = certificatePaths(join(folder, "certs"));
  }

  /** Creates the folder with its certificates. */
  static async create(): Promise<Launcher> {
    const launcher = new Launcher(await Deno.makeTempDir({ prefix: "inmem-test-" }));
    await writeCertificates(launcher.path("certs"), launcher.certificates);
    return launcher;
  }

  /** The options that name the certificate. */
  get identity(): string[] {
    return ["--cert", this.certificates.cert, "--key", this.certificates.key];
  }

  /** Returns a path in the folder. */
  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** Returns the path of a folder that does not exist yet. */
  newFolder(name = "data"): string {
    return this.path(`${name}-${++this.#folders}`);
  }

  /**
   * Starts `inmem` with these words without waiting. It must end in order.
   *
   * @param launcher words that run the following command line
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

  /** Starts a server on a free port, without persistence unless the words specify it, and waits until it listens. */
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

  /** Starts three servers, and a proxy in front of them. With `persists`, each server has a data folder. */
  async cluster(persists = false): Promise<{ servers: Role[]; proxy: Role; file: string }> {
    const words = Array.from({ length: 3 }, () => persists ? ["--data", this.newFolder()] : []);
    const servers = await Promise.all(words.map((each) => this.server(each)));
    const file = await this.serversFile(servers.map(({ address }) => address));
    return { servers, proxy: await this.proxy(file), file };
  }

  /** Runs `inmem client` against a role until it ends. */
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

  /** Opens a bare TLS connection, for bytes that our clients never send. */
  async raw(role: Pick<Role, "address">): Promise<RawClient> {
    return await RawClient.connect(parseAddress(role.address), [await Deno.readTextFile(this.certificates.authority)]);
  }

  /**
   * Ends everything in order: clients, proxies, servers.
   *
   * @returns the last output of each process that did not end with status 0
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

  /** Stops a role in order and returns its status. After that its data can be used again. */
  stop(role: Role): Promise<Deno.CommandStatus> {
    return role.process.stop();
  }

  /** Accepts any exit status of a process that is expected to fail. */
  forgive(process: RoleProcess): void {
    this.#roles.delete(process);
  }
}

/** The body of a test with a launcher. */
export type SystemTestBody = (launcher: Launcher, test: Deno.TestContext) => Promise<void>;

/** The options of {@linkcode Deno.test} that system tests use. */
export type SystemTestOptions = Pick<Deno.TestDefinition, "ignore" | "sanitizeOps" | "sanitizeResources">;

/**
 * Defines a test with a launcher, which is always ended. The test also fails when a process has not ended in order.
 * After another failure this is only printed on standard error, since it follows from it.
 */
export function systemTest(name: string, body: SystemTestBody): void;
/** Defines such a test with options, in the same place as for {@linkcode Deno.test}. */
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

/** Returns the text of a `servers.json`. */
export function serversJson(addresses: readonly string[]): string {
  return JSON.stringify(addresses.map((addr) => ({ addr })), null, 2);
}
