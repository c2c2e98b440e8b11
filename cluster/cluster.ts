/**
 * `deno task cluster`: data servers, three by default, and a proxy on loopback, until Ctrl-C.
 *
 * ```text
 * proxy 127.0.0.1:9450  ─┬─  server1 127.0.0.1:9451   data/server1
 *    follows             ├─  server2 127.0.0.1:9452   data/server2
 *    servers.json        └─  server3 127.0.0.1:9453   data/server3
 * ```
 *
 * The page of each of them is 10 ports above: that of the proxy on 9460.
 *
 * All its files are in this folder and ignored by git: `certs/`, `data/`, and `servers.json`. The first run creates
 * them. After that `servers.json` belongs to the user, and the proxy follows each change of it.
 *
 * A role that ends is reported and started again at the same address (supervisor.ts).
 *
 * The children have separate process groups. Ctrl-C therefore reaches only this program. It stops the proxy first and
 * then the servers, so that no request is sent to a server that is gone.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { join, relative, resolve } from "@std/path";
import { messageOf } from "../src/errors.ts";
import { certificatePaths } from "../src/role/certs.ts";
import { proxyOptions } from "../src/role/option_tables.ts";
import { inmemCommand, RoleProcess, ROOT, STOP_TIMEOUT_MS } from "./role_process.ts";
import { Supervisor } from "./supervisor.ts";

const SERVERS_DEFAULT_COUNT = 3;
/** The memory of each server. Several servers that each took most of the machine, the default, would be too many. */
const MEMORY_LIMIT = "512mb";
/** The proxy's default port, which differs from that of `inmem server`, so that both can run. */
const PORT_DEFAULT = 9450;
/** The distance from the port of a role to the port of its page. */
const PAGE_OFFSET = 10;
/** The most servers, so that no port of a server is that of a page. */
const SERVERS_MAX_COUNT = PAGE_OFFSET - 1;
const PORT_MAX = 65535 - PAGE_OFFSET - SERVERS_MAX_COUNT;

/** The proxy's choices for servers that are down. */
const ON_DOWN: readonly string[] = proxyOptions.options["on-down"].choices;

const HELP = `Runs data servers and a proxy on loopback, until Ctrl-C.

Usage: deno task cluster [options]

  --port PORT       the proxy's port; the servers use the next ones (default: ${PORT_DEFAULT}).
                    The page of each is ${PAGE_OFFSET} ports above.
                    0: free ports, which change each time, so that older keys are looked for on other servers
  --servers COUNT   how many servers run: 1 to ${SERVERS_MAX_COUNT} (default: ${SERVERS_DEFAULT_COUNT})
  --directory DIR   the folder of certificates, data and servers.json (default: cluster/)
  --on-down CHOICE  what happens to the keys of a server that is down: ${ON_DOWN.join(" or ")} (default: fail)
  --help            print this text
`;

interface Options {
  port: number;
  serversCount: number;
  directory: string;
  onDown: string;
}

/** An error that the user has to correct. The message is complete. */
class ClusterError extends Error {}

/** Parses the command line; returns `undefined` when it asks for help. */
function parseOptions(words: readonly string[]): Options | undefined {
  const args = parseArgs(words, {
    string: ["port", "servers", "directory", "on-down"],
    boolean: ["help"],
    default: {
      port: String(PORT_DEFAULT),
      servers: String(SERVERS_DEFAULT_COUNT),
      directory: join(ROOT, "cluster"),
      "on-down": "fail",
    },
    unknown: (word) => {
      throw new TypeError(`Cannot understand "${word}": expected --port, --servers, --directory, --on-down or --help`);
    },
  });
  if (args.help) return undefined;
  const port = Number(args.port);
  if (!/^[0-9]{1,5}$/.test(args.port) || port > PORT_MAX) {
    throw new TypeError(`Cannot parse port "${args.port}": expected 0 to ${PORT_MAX}`);
  }
  const serversCount = Number(args.servers);
  if (!/^[0-9]$/.test(args.servers) || serversCount < 1) {
    throw new TypeError(`Cannot start "${args.servers}" servers: expected 1 to ${SERVERS_MAX_COUNT}`);
  }
  const onDown = args["on-down"];
  if (!ON_DOWN.includes(onDown)) {
    throw new TypeError(`Cannot use "${onDown}" for --on-down: expected ${ON_DOWN.join(" or ")}`);
  }
  return { port, serversCount, directory: resolve(args.directory), onDown };
}

/** Makes the authority and the certificate of all roles, unless they exist. */
async function makeCertificates(directory: string): Promise<void> {
  const { authority, cert, key } = certificatePaths(directory);
  const found = await Promise.all([authority, cert, key].map((path) => Deno.stat(path).then(() => true, () => false)));
  if (found.every(Boolean)) return;
  const [program, ...args] = inmemCommand("certs", directory);
  const { success, stderr } = await new Deno.Command(program!, { args, cwd: ROOT, stdin: "null" }).output();
  if (!success) throw new ClusterError(`Cannot make certificates: ${new TextDecoder().decode(stderr).trim()}`);
}

/**
 * Writes `servers.json`, unless there is one that names any of these servers, which then belongs to the user and is
 * kept unchanged. A file that names none of them is left over from other ports.
 */
async function writeServersFile(path: string, addresses: readonly string[]): Promise<void> {
  const present = await Deno.readTextFile(path).catch(() => "");
  const unnamed = addresses.filter((address) => !present.includes(`"${address}"`));
  if (unnamed.length > 0 && present.trim() !== "") {
    const isOther = unnamed.length === addresses.length;
    const list = unnamed.join(", ");
    console.error(isOther ? `Writing ${path} again: it names none of ${list}` : `${path} does not name ${list}`);
  }
  if (unnamed.length < addresses.length) return;
  const lines = addresses.map((address) => `  ${JSON.stringify({ addr: address })}`);
  const temporary = `${path}.new`;
  await Deno.writeTextFile(temporary, `[\n${lines.join(",\n")}\n]\n`);
  await Deno.rename(temporary, path);
}

/** Returns the address of a port of loopback; of a free one for port 0. */
function loopback(port: number, offset: number): string {
  return `127.0.0.1:${port === 0 ? 0 : port + offset}`;
}

/** Returns the address of a role, once it listens. */
async function listeningAddress(role: Supervisor): Promise<string> {
  try {
    return await role.listening();
  } catch (error) {
    const reason = messageOf(error);
    throw new ClusterError(
      `${reason}\nIf another cluster is running, stop it, or use another --port and --directory. If it was killed, ` +
        `its servers and its proxy still run: end each by its process id`,
    );
  }
}

/** Servers and a proxy that are started and stopped together, and kept running in between. */
class Cluster {
  readonly #options: Options;
  readonly #servers: Supervisor[] = [];
  #proxy?: Supervisor;
  #stopped = false;
  /** The URL of the page of each role, by the role's name. */
  readonly #pages = new Map<string, string>();

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * Starts everything.
   *
   * @returns the addresses of the proxy and of the servers
   * @throws {ClusterError} when one of them cannot start
   */
  async start(): Promise<{ proxy: string; servers: string[] }> {
    const { directory, onDown, serversCount } = this.#options;
    const certificates = join(directory, "certs");
    const { authority, cert, key } = certificatePaths(certificates);
    await Deno.mkdir(directory, { recursive: true }).catch((error) => {
      throw new ClusterError(`Cannot make the folder "${directory}": ${messageOf(error)}`);
    });
    await makeCertificates(certificates);
    const identity = ["--cert", cert, "--key", key];
    for (let number = 1; number <= serversCount; number++) {
      const data = join(directory, "data", `server${number}`);
      const words = ["server", "--data", data, "--max-memory", MEMORY_LIMIT, ...identity];
      this.#servers.push(this.#supervise(`server${number}`, number, words));
    }
    const servers = await Promise.all(this.#servers.map(listeningAddress));
    const serversFile = join(directory, "servers.json");
    await writeServersFile(serversFile, servers);
    const words = ["proxy", ...identity, "--ca", authority, "--servers", serversFile, "--on-down", onDown];
    this.#proxy = this.#supervise("proxy", 0, words);
    return { proxy: await listeningAddress(this.#proxy), servers };
  }

  #supervise(name: string, number: number, words: readonly string[]): Supervisor {
    // The cluster was stopped while it was starting, and a role that starts now would outlive it.
    if (this.#stopped) throw new ClusterError("Stopped");
    const { port } = this.#options;
    const start = (address: string) => {
      // A role that is started again keeps the address of its page.
      const page = this.#pages.get(name);
      const metrics = page === undefined ? loopback(port, number + PAGE_OFFSET) : new URL(page).host;
      const role = new RoleProcess(name, [...words, "--addr", address, "--metrics", metrics], {
        detached: true,
        onLine: (line) => {
          if (role.page !== undefined) this.#pages.set(name, role.page);
          console.error(`${name.padEnd(7)} | ${line}`);
        },
      });
      return role;
    };
    return new Supervisor({
      name,
      address: loopback(port, number),
      start,
      report: (text) => console.error(text),
    });
  }

  /** The URL of the page of each role, by the role's name. */
  get pages(): ReadonlyMap<string, string> {
    return this.#pages;
  }

  /** The process ids of the servers. */
  get serverIds(): number[] {
    return this.#servers.map(({ pid }) => pid);
  }

  /** The processes that it waits for while it stops, with their ids. */
  get ending(): string[] {
    const roles = [...this.#servers, ...this.#proxy === undefined ? [] : [this.#proxy]];
    return roles.filter(({ isEnding }) => isEnding).map(({ name, pid }) => `${name} (process ${pid})`);
  }

  /**
   * Stops the proxy, then the servers, and waits for their end.
   *
   * @returns the names of the roles that did not end in order
   */
  async stop(): Promise<string[]> {
    this.#stopped = true;
    const failed: string[] = [];
    const stop = async (role: Supervisor) => {
      if (!await role.stop()) failed.push(role.name);
    };
    if (this.#proxy) await stop(this.#proxy);
    await Promise.all(this.#servers.map(stop));
    return failed;
  }
}

/** Returns the commands that a new user may type next. */
function nextSteps(
  proxy: string,
  servers: readonly string[],
  ids: readonly number[],
  pages: ReadonlyMap<string, string>,
  directory: string,
): string {
  const show = (path: string) => {
    const near = relative(Deno.cwd(), path);
    return near.startsWith("..") ? path : near;
  };
  const binary = Deno.env.get("INMEM_BIN");
  const client = binary ? `${quoted(show(resolve(binary)))} client` : `npx -y deno@${Deno.version.deno} task -q client`;
  const authority = show(certificatePaths(join(directory, "certs")).authority);
  return `
A proxy listens on ${proxy}, for the servers on ${servers.join(", ")}.
Talk to it from another terminal, in this folder:

  export INMEM_ADDR=${proxy} INMEM_CA=${quoted(authority)}
  ${client} set greeting hello
  ${client} get greeting
  ${client}

The last one shows a prompt, where "help" lists the commands and "exit" ends.

Watch the cluster in a browser, which asks first whether to trust a certificate of your own:

  ${pages.get("proxy")}

Kill a server, for example with "kill ${ids[0]}": it is started again, and the proxy finds it.
Remove a server from ${show(join(directory, "servers.json"))}, or add it again: the proxy follows.
Ctrl-C stops everything; the data stays in ${show(join(directory, "data"))}.
`;
}

/** Returns a path as a shell reads it. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/** Runs until it is stopped, or cannot start. Returns the exit status. */
async function main(): Promise<number> {
  let options: Options | undefined;
  try {
    options = parseOptions(Deno.args);
  } catch (error) {
    console.error(messageOf(error));
    return 2;
  }
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  const stopRequest = Promise.withResolvers<void>();
  const cluster = new Cluster(options);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      stopRequest.resolve();
      const { ending } = cluster;
      if (ending.length === 0) return;
      console.error(`Waiting for ${ending.join(", ")}: killed ${STOP_TIMEOUT_MS / 1000} s after the request to stop`);
    });
  }
  const { directory } = options;
  const run = async () => {
    const { proxy, servers } = await cluster.start();
    console.log(nextSteps(proxy, servers, cluster.serverIds, cluster.pages, directory));
    await stopRequest.promise;
  };
  try {
    await Promise.race([run(), stopRequest.promise]);
  } catch (error) {
    console.error(messageOf(error));
    await cluster.stop();
    return 1;
  }
  const failed = await cluster.stop();
  if (failed.length > 0) console.error(`Not stopped in order: ${failed.join(", ")}; see the lines above`);
  return failed.length === 0 ? 0 : 1;
}

Deno.exit(await main());
