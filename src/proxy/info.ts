/**
 * The text of the proxy's own `info`: sections of `name:value` lines, named as the server's where they mean the same.
 *
 * @module
 */

import { SLOTS_COUNT } from "../limits.ts";
import type { Cluster } from "./cluster.ts";

/** What a proxy tells of itself. */
export interface ProxyFacts {
  readonly version: string;
  readonly port: number;
  readonly uptimeMs: number;
  readonly clients: number;
  readonly maxClients: number;
  /** Connections accepted since the start, and those refused. */
  readonly connections: number;
  readonly rejected: number;
  readonly commands: number;
  /** How often the list of servers was replaced. */
  readonly changes: number;
  readonly cluster: Cluster;
}

type Lines = Record<string, string | number>;

const SECTIONS: Readonly<Record<string, (facts: ProxyFacts) => Lines>> = {
  server: serverLines,
  clients: clientsLines,
  memory: memoryLines,
  stats: statsLines,
  cluster: clusterLines,
};

/** Names that mean all sections. */
const ALL = ["all", "default", "everything"];

/**
 * The text of `info`, with `\r\n` behind each line and an empty line between sections.
 *
 * @param sections names in lower case; none means all; unknown ones are left out
 */
export function formatInfo(facts: ProxyFacts, sections: readonly string[]): string {
  const wantsAll = sections.length === 0 || sections.some((name) => ALL.includes(name));
  const texts: string[] = [];
  for (const [name, makeLines] of Object.entries(SECTIONS)) {
    if (!wantsAll && !sections.includes(name)) continue;
    const title = name[0]!.toUpperCase() + name.slice(1);
    const lines = Object.entries(makeLines(facts)).map(([key, value]) => `${key}:${value}\r\n`);
    texts.push(`# ${title}\r\n${lines.join("")}`);
  }
  return texts.join("\r\n");
}

function serverLines({ version, port, uptimeMs }: ProxyFacts): Lines {
  return {
    inmem_version: version,
    role: "proxy",
    os: `${Deno.build.os} ${Deno.build.arch}`,
    process_id: Deno.pid,
    tcp_port: port,
    uptime_in_seconds: Math.floor(uptimeMs / 1000),
  };
}

function clientsLines({ clients, maxClients }: ProxyFacts): Lines {
  return { connected_clients: clients, maxclients: maxClients };
}

function memoryLines(): Lines {
  const { rss, heapUsed } = Deno.memoryUsage();
  return { used_memory_rss: rss, heap_memory: heapUsed };
}

function statsLines({ connections, rejected, commands }: ProxyFacts): Lines {
  return {
    total_connections_received: connections,
    rejected_connections: rejected,
    total_commands_processed: commands,
  };
}

/** One line a server, as Redis tells of its replicas: `server0:addr=…,state=up,…`. */
function clusterLines({ cluster, changes }: ProxyFacts): Lines {
  const slots = cluster.countSlots();
  const lines: Lines = {
    cluster_slots: SLOTS_COUNT,
    cluster_servers: cluster.pools.length,
    cluster_servers_up: cluster.pools.filter((pool) => pool.state === "up").length,
    cluster_servers_draining: cluster.draining.length,
    cluster_changes: changes,
  };
  cluster.pools.forEach((pool, index) => {
    const facts = {
      addr: pool.address,
      state: pool.state,
      weight: cluster.members[index]!.weight,
      slots: slots[index]!,
      connections: pool.connections,
      in_flight: pool.inFlight,
      requests: pool.requests,
      failures: pool.failures,
      timeouts: pool.timeouts,
    };
    lines[`server${index}`] = Object.entries(facts).map(([name, value]) => `${name}=${value}`).join(",");
  });
  return lines;
}
