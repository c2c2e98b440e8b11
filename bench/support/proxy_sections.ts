/**
 * The comparisons of `proxy_bench.ts`: the processes of each, and the compared sides.
 *
 * @module
 */

import { join } from "@std/path";
import { encodeText } from "../../src/bytes.ts";
import { slotOf } from "../../src/key_slot.ts";
import type { CertificatePaths } from "../../src/role/certs.ts";
import { ownersOf } from "../../src/route/slots.ts";
import { atLeast } from "./bound_row.ts";
import { CeilingServer } from "./ceiling.ts";
import { keyName } from "./disk_loads.ts";
import { InmemProxy, InmemServer, writeServersFile } from "./inmem.ts";
import { LoadedSide, type SideSettings } from "./loaded_side.ts";
import { compareSides, type ProxySection } from "./proxy_comparison.ts";
import { RedisServer, redisVersion } from "./redis_server.ts";
import type { Endpoint } from "./resp_connection.ts";
import { findTwemproxy, Twemproxy, type TwemproxyProgram } from "./twemproxy.ts";

const SERVERS_COUNT = 3;
const COMMANDS = ["GET", "SET"] as const;
/** The required requests per second through the proxy ÷ direct, for one pipeline. */
const ASKED = new Map([[16, atLeast(0.6)]]);

/** The settings that all comparisons share. */
export interface Site {
  /** The folder for the files of the processes. */
  readonly folder: string;
  readonly certificates: CertificatePaths;
  readonly keys: number;
  readonly pipelines: readonly number[];
  readonly rounds: number;
  readonly runMs: number;
}

/** The programs with which inmem is compared. */
export interface Comparators {
  readonly redis: string;
  readonly twemproxy: TwemproxyProgram;
}

/**
 * Looks for the programs.
 *
 * @throws {Error} when one is missing
 */
export async function findComparators(): Promise<Comparators> {
  const [redis, twemproxy] = await Promise.all([redisVersion(), findTwemproxy()]);
  if (redis === undefined) throw new Error("Cannot compare: there is no redis-server on PATH");
  if (twemproxy === undefined) throw new Error("Cannot compare: there is no nutcracker (twemproxy) on PATH");
  return { redis, twemproxy };
}

/** Compares `inmem proxy` with its servers direct, over TLS. */
export async function compareToDirect(site: Site, settings: SideSettings): Promise<ProxySection> {
  const { folder, certificates, keys } = site;
  await using stack = new AsyncDisposableStack();
  const servers: InmemServer[] = [];
  while (servers.length < SERVERS_COUNT) servers.push(stack.use(await InmemServer.start(certificates)));
  const addresses = servers.map(({ endpoint }) => addressOf(endpoint));
  const file = join(folder, "inmem-servers.json");
  await writeServersFile(file, addresses);
  const serversAuthority = certificates.authority;
  const proxy = stack.use(await InmemProxy.start(file, { certificates, serversAuthority }));

  const shares = shareKeys(addresses, keys);
  const targets = servers.map(({ endpoint }, index) => ({ endpoint, keys: shares[index]! }));
  const pids = servers.map(({ pid }) => pid);
  const direct = await LoadedSide.open("direct", { servers: pids }, targets, settings);
  const all = [{ endpoint: proxy.endpoint, keys: firstKeys(keys) }];
  const proxied = await LoadedSide.open("through inmem proxy", { proxy: [proxy.pid], servers: pids }, all, settings);
  const rows = await compareSides([direct, proxied], { ...site, commands: COMMANDS, asked: ASKED });
  return { title: `inmem proxy ÷ the same ${SERVERS_COUNT} inmem servers direct, TLS`, rows };
}

/** Compares `inmem proxy` with twemproxy, both before the same redis-servers. */
export async function compareToTwemproxy(
  site: Site,
  settings: SideSettings,
  { redis, twemproxy: program }: Comparators,
): Promise<ProxySection> {
  const { folder, certificates, keys } = site;
  const { signal } = settings;
  await using stack = new AsyncDisposableStack();
  const servers: RedisServer[] = [];
  while (servers.length < SERVERS_COUNT) servers.push(stack.use(await RedisServer.start(folder, signal)));
  const addresses = servers.map(({ endpoint }) => addressOf(endpoint));
  const file = join(folder, "redis-servers.json");
  await writeServersFile(file, addresses);
  const proxies = {
    "twemproxy": stack.use(await Twemproxy.start(program, folder, addresses, signal)),
    "inmem proxy": stack.use(await InmemProxy.start(file)),
    "inmem proxy, TLS": stack.use(await InmemProxy.start(file, { certificates })),
  };
  const sides: LoadedSide[] = [];
  for (const [name, { pid, endpoint }] of Object.entries(proxies)) {
    const processes = { proxy: [pid], servers: servers.map((server) => server.pid) };
    sides.push(await LoadedSide.open(name, processes, [{ endpoint, keys: firstKeys(keys) }], settings));
  }
  const rows = await compareSides(sides, { ...site, commands: COMMANDS });
  const versions = `twemproxy ${program.version}, ${SERVERS_COUNT} redis-servers ${redis}`;
  return { title: `inmem proxy ÷ ${versions}, plaintext unless TLS is named`, rows };
}

/** Measures the load generator alone: against a server that only counts commands. */
export async function measureLoad(site: Site, settings: SideSettings): Promise<ProxySection> {
  await using ceiling = await CeilingServer.start(site.certificates);
  const targets = [{ endpoint: ceiling.endpoint, keys: firstKeys(site.keys) }];
  const side = await LoadedSide.open("the load", { servers: [ceiling.pid] }, targets, settings);
  const rows = await compareSides([side], { ...site, commands: ["SET"] });
  return { title: "The load generator by itself: against a server that only counts commands, TLS", rows };
}

function addressOf({ hostname, port }: Endpoint): string {
  return `${hostname}:${port}`;
}

function firstKeys(count: number): number[] {
  return Array.from({ length: count }, (_, key) => key);
}

/** Returns the keys of each server. */
function shareKeys(addresses: readonly string[], count: number): number[][] {
  const owners = ownersOf(addresses.map((address) => ({ address, weight: 1 })));
  const shares: number[][] = addresses.map(() => []);
  for (let key = 0; key < count; key++) {
    const name = encodeText(keyName(key));
    shares[owners[slotOf(name, 0, name.length)]!]!.push(key);
  }
  return shares;
}
