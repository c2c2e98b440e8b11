/**
 * What a proxy tells in `info`, beside what every role does.
 *
 * @module
 */

import { SLOTS_COUNT } from "../limits.ts";
import {
  clientMemoryLines,
  clientsLines,
  processLines,
  replicationLines,
  serverLines,
  statsLines,
} from "../role/info_text.ts";
import type { InfoLines, InfoSections, RoleFacts } from "../role/info_text.ts";
import type { Cluster } from "./backend/cluster.ts";
import type { ServerStats } from "./backend/server_stats.ts";

/** What a proxy tells of itself. */
export interface ProxyFacts extends RoleFacts {
  /** How often the list of servers was replaced. */
  readonly changes: number;
  readonly blockedClients: number;
  /** Connections on which it listened at a server and that were lost, and clients that had to leave because of that. */
  readonly lostChannelLinks: number;
  readonly lostChannelClients: number;
  readonly cluster: Cluster;
  readonly serverStats: ServerStats;
}

/** The sections in the order they are told. */
export const PROXY_SECTIONS: InfoSections<ProxyFacts> = {
  server: serverLines,
  clients: (facts) => ({ ...clientsLines(facts), blocked_clients: facts.blockedClients }),
  memory: (facts) => ({ ...clientMemoryLines(facts), ...processLines() }),
  stats: (facts) => ({ ...statsLines(facts), ...channelLines(facts) }),
  replication: replicationLines,
  cluster: clusterLines,
};

function channelLines({ lostChannelLinks, lostChannelClients }: ProxyFacts): InfoLines {
  return { channel_links_lost: lostChannelLinks, channel_links_lost_disconnections: lostChannelClients };
}

/**
 * One line a server, as Redis tells of its replicas: `server0:addr=…,state=up,…`. What is not known is left out.
 *
 * Latencies are as the proxy sees them, from the request's arrival at its queue to the reply. Keys and memory are what the
 * server has said of itself, `census_age_ms` ago.
 */
function clusterLines({ cluster, changes, serverStats }: ProxyFacts): InfoLines {
  const slots = cluster.countSlots();
  const lines: Record<string, string | number> = {
    cluster_slots: SLOTS_COUNT,
    cluster_servers: cluster.members.length,
    cluster_servers_up: cluster.pools.slice(0, cluster.members.length).filter((pool) => pool.state === "up").length,
    cluster_slots_lent: cluster.lent,
    cluster_servers_draining: cluster.draining.length,
    cluster_changes: changes,
  };
  cluster.pools.forEach((pool, index) => {
    const facts = {
      addr: pool.address,
      state: pool.state,
      // One that has left the list may have slots until those who get them are ready.
      weight: cluster.members[index]?.weight ?? 0,
      slots: slots[index]!,
      slots_percent: (slots[index]! * 100 / SLOTS_COUNT).toFixed(2),
      connections: pool.connections,
      dedicated: pool.dedicated,
      in_flight: pool.inFlight,
      requests: pool.requests,
      failures: pool.failures,
      timeouts: pool.timeouts,
      ops_per_sec: Math.round(pool.traffic.perSecond),
      p50_ms: pool.traffic.quantile(0.5)?.toFixed(3),
      p99_ms: pool.traffic.quantile(0.99)?.toFixed(3),
      ...serverStats.of(pool),
      // It stands last, and a comma would end it.
      reason: pool.problem.replace(/[,\r\n]+/g, ";") || undefined,
    };
    const known = Object.entries(facts).filter(([, value]) => value !== undefined);
    lines[`server${index}`] = known.map(([name, value]) => `${name}=${value}`).join(",");
  });
  return lines;
}
