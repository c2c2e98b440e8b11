/**
 * `deno task cluster`: three data servers and a proxy on loopback, until Ctrl-C.
 *
 * ```text
 * proxy 127.0.0.1:9450  ─┬─  server1 127.0.0.1:9451   data/server1
 *    follows             ├─  server2 127.0.0.1:9452   data/server2
 *    servers.json        └─  server3 127.0.0.1:9453   data/server3
 * ```
 *
 * Everything it makes is in this folder and ignored by git: `certs/` on the first run, `data/`, and `servers.json`,
 * which is its user's from then on: the proxy follows each change of it.
 *
 * A role that ends is reported and started again, at the same address (supervisor.ts).
 *
 * The children are in process groups of their own. So Ctrl-C reaches this program alone, which stops the proxy first
 * and the servers then, and no request meets a server that is gone.
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

const SERVERS_COUNT = 3;
/** Of each server. Three that each took most of the machine, as one alone does, would be too many. */
const MEMORY_LIMIT = "512mb";
/** Not the default port of `inmem server`, so that both can run. */
const PORT_DEFAULT = 9450;

/** What the proxy may be told about servers that are down. */
const ON_DOWN: readonly string[] = proxyOptions.options["on-down"].choices;

const HELP = `Runs three data servers and a proxy on loopback, until Ctrl-C.

Usage: deno task cluster [options]

  --port PORT       the proxy's port; the servers take the three behind it (default: ${PORT_DEFAULT}).
                    0: ports that are free, others each time; keys stored before are looked for on other servers then
  --directory DIR   where certificates, data and servers.json are (default: cluster/)
  --on-down CHOICE  what the proxy does with the keys of a server that is down: ${ON_DOWN.join(" or ")} (default: fail)
  --help            this text
`;

interface Options {
  port: number;
  directory: string;
  onDown: string;
}

/** Something that its user has to correct; the message says it all. */
class ClusterError extends Error {}

/** Reads the command line; `undefined` when it asks for help. */
function parseOptions(words: readonly string[]): Options | undefined {
  const args = parseArgs(words, {
    string: ["port", "directory", "on-down"],
    boolean: ["help"],
    default: { port: String(PORT_DEFAULT), directory: join(ROOT, "cluster"), "on-down": "fail" },
    unknown: (word) => {
      throw new TypeError(`Cannot understand "${word}": expected --port, --directory, --on-down or --help`);
    },
  });
  if (args.help) return undefined;
  const port = Number(args.port);
  if (!/^[0-9]{1,5}$/.test(args.port) || port > 65535 - SERVERS_COUNT) {
    throw new TypeError(`Cannot parse port "${args.port}": expected 0 to ${65535 - SERVERS_COUNT}`);
  }
  const onDown = args["on-down"];
  if (!ON_DOWN.includes(onDown)) {
    throw new TypeError(`Cannot use "${onDown}" for --on-down: expected ${ON_DOWN.join(" or ")}`);
  }
  return { port, directory: resolve(args.directory), onDown };
}

/** Makes the authority and the certificate of all four roles, unless they are there. */
async function makeCertificates(directory: string): Promise<void> {
  const { authority, cert, key } = certificatePaths(directory);
  const found = await Promise.all([authority, cert, key].map((path) => Deno.stat(path).then(() => true, () => false)));
  if (found.every(Boolean)) return;
  const [program, ...args] = inmemCommand("certs", directory);
  const { success, stderr } = await new Deno.Command(program!, { args, cwd: ROOT, stdin: "null" }).output();
  if (!success) throw new ClusterError(`Cannot make certificates: ${new TextDecoder().decode(stderr).trim()}`);
}

/**
 * Writes `servers.json`, unless there is one that names any of these servers: then it is its user's, and stays as it
 * is, whatever else is in it. One that names none of them is left over from other ports.
 */
async function writeServersFile(path: string, addresses: readonly string[]): Promise<void> {
  const present = await Deno.readTextFile(path).catch(() => "");
  if (addresses.some((address) => present.includes(`"${address}"`))) return;
  if (present.trim() !== "") console.error(`Writing ${path} anew: it names none of ${addresses.join(", ")}`);
  const lines = addresses.map((address) => `  ${JSON.stringify({ addr: address })}`);
  const temporary = `${path}.new`;
  await Deno.writeTextFile(temporary, `[\n${lines.join(",\n")}\n]\n`);
  await Deno.rename(temporary, path);
}

/** Where a role listens, once it does. */
async function listeningAddress(role: Supervisor): Promise<string> {
  try {
    return await role.listening();
  } catch (error) {
    const reason = messageOf(error);
    throw new ClusterError(
      `${reason}\nIf the cluster runs already, stop it, or give this one its own --port and --directory. If it was killed, ` +
        `its servers and its proxy go on: end each by its process id`,
    );
  }
}

/** Four roles that are started and stopped together, and each kept running in between. */
class Cluster {
  readonly #options: Options;
  readonly #servers: Supervisor[] = [];
  #proxy?: Supervisor;
  #stopped = false;

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
    const { directory, port, onDown } = this.#options;
    const certificates = join(directory, "certs");
    const { authority, cert, key } = certificatePaths(certificates);
    await Deno.mkdir(directory, { recursive: true }).catch((error) => {
      throw new ClusterError(`Cannot make the folder "${directory}": ${messageOf(error)}`);
    });
    await makeCertificates(certificates);
    const identity = ["--cert", cert, "--key", key];
    for (let number = 1; number <= SERVERS_COUNT; number++) {
      const address = `127.0.0.1:${port === 0 ? 0 : port + number}`;
      const data = join(directory, "data", `server${number}`);
      const words = ["server", "--data", data, "--max-memory", MEMORY_LIMIT, ...identity];
      this.#servers.push(this.#supervise(`server${number}`, address, words));
    }
    const servers = await Promise.all(this.#servers.map(listeningAddress));
    const serversFile = join(directory, "servers.json");
    await writeServersFile(serversFile, servers);
    const words = ["proxy", ...identity, "--ca", authority, "--servers", serversFile, "--on-down", onDown];
    this.#proxy = this.#supervise("proxy", `127.0.0.1:${port}`, words);
    return { proxy: await listeningAddress(this.#proxy), servers };
  }

  #supervise(name: string, address: string, words: readonly string[]): Supervisor {
    // Stopped while it was starting: a role begun now would outlive the cluster.
    if (this.#stopped) throw new ClusterError("Stopped");
    const options = { detached: true, onLine: (line: string) => console.error(`${name.padEnd(7)} | ${line}`) };
    return new Supervisor({
      name,
      address,
      start: (address) => new RoleProcess(name, [...words, "--addr", address], options),
      report: (text) => console.error(text),
    });
  }

  /** The process ids of the servers. */
  get serverIds(): number[] {
    return this.#servers.map(({ pid }) => pid);
  }

  /** What it waits for while it stops, with process ids. */
  get ending(): string[] {
    const roles = [...this.#servers, ...this.#proxy === undefined ? [] : [this.#proxy]];
    return roles.filter(({ isEnding }) => isEnding).map(({ name, pid }) => `${name} (process ${pid})`);
  }

  /**
   * Stops the proxy, then the servers, and waits for their end.
   *
   * @returns the names of those that did not end in order
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

/** What somebody who has just cloned the repository may type now. */
function nextSteps(proxy: string, servers: readonly string[], ids: readonly number[], directory: string): string {
  const show = (path: string) => {
    const near = relative(Deno.cwd(), path);
    return near.startsWith("..") ? path : near;
  };
  const binary = Deno.env.get("INMEM_BIN");
  const program = binary ? `${show(resolve(binary))} client` : `npx -y deno@${Deno.version.deno} task client`;
  const client = `${program} --addr ${proxy} --ca ${show(certificatePaths(join(directory, "certs")).authority)}`;
  return `
A proxy listens on ${proxy}, in front of servers on ${servers.join(", ")}.
Talk to it from another terminal, in this folder:

  ${client} set greeting hello
  ${client} get greeting
  ${client}

The last one gives a prompt; "help" there lists the commands, "exit" leaves it.

End a server, such as by "kill ${ids[0]}": it is started again, and the proxy finds it.
Take a server out of ${show(join(directory, "servers.json"))}, or put it back: the proxy follows.
Ctrl-C stops everything; the data stays in ${show(join(directory, "data"))}.
`;
}

/** Runs until it is told to stop, or cannot start; returns the exit status. */
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
  const asked = Promise.withResolvers<void>();
  const cluster = new Cluster(options);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      asked.resolve();
      const { ending } = cluster;
      if (ending.length === 0) return;
      console.error(`Waiting for ${ending.join(", ")}: killed ${STOP_TIMEOUT_MS / 1000} s after it was told to stop`);
    });
  }
  const { directory } = options;
  const run = async () => {
    const { proxy, servers } = await cluster.start();
    console.log(nextSteps(proxy, servers, cluster.serverIds, directory));
    await asked.promise;
  };
  try {
    await Promise.race([run(), asked.promise]);
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
