/**
 * The sections of `info` on a proxy, which add lines to those that every role has.
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

/** The state of a proxy that `info` shows. */
export interface ProxyFacts extends RoleFacts {
  /** The number of times that the list of servers was replaced. */
  readonly changes: number;
  readonly blockedClients: number;
  /** The number of lost connections to servers on which the proxy received messages of channels. */
  readonly lostChannelLinks: number;
  /** The number of clients that were disconnected after such a loss. */
  readonly lostChannelClients: number;
  readonly cluster: Cluster;
  readonly serverStats: ServerStats;
}

/** The sections in their order in `info`. */
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
 * Returns the lines of the cluster, with one for each server in the form of Redis's replica lines:
 * `server0:addr=…,state=up,…`. Unknown fields are left out.
 *
 * Latencies are measured in the proxy, from a request's arrival in its queue to the reply. Keys and memory are from the
 * server's last report, which is `census_age_ms` old.
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
      // A server that was removed from the list may keep slots until the servers that get them are ready.
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
      // The reason is last, and must not contain the commas that separate fields.
      reason: pool.problem.replace(/[,\r\n]+/g, ";") || undefined,
    };
    const known = Object.entries(facts).filter(([, value]) => value !== undefined);
    lines[`server${index}`] = known.map(([name, value]) => `${name}=${value}`).join(",");
  });
  return lines;
}
