/**
 * What a proxy tells in `info`, beside what every role does.
 *
 * @module
 */

import { clientsLines, processLines, serverLines, statsLines } from "../role/info_text.ts";
import type { InfoLines, InfoSections, RoleFacts } from "../role/info_text.ts";
import { SLOTS_COUNT } from "../limits.ts";
import type { Cluster } from "./cluster.ts";

/** What a proxy tells of itself. */
export interface ProxyFacts extends RoleFacts {
  /** How often the list of servers was replaced. */
  readonly changes: number;
  readonly blockedClients: number;
  readonly cluster: Cluster;
}

/** The sections in the order they are told. */
export const PROXY_SECTIONS: InfoSections<ProxyFacts> = {
  server: serverLines,
  clients: (facts) => ({ ...clientsLines(facts), blocked_clients: facts.blockedClients }),
  memory: processLines,
  stats: statsLines,
  cluster: clusterLines,
};

/** One line a server, as Redis tells of its replicas: `server0:addr=…,state=up,…`. */
function clusterLines({ cluster, changes }: ProxyFacts): InfoLines {
  const slots = cluster.countSlots();
  const lines: Record<string, string | number> = {
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
      dedicated: pool.dedicated,
      in_flight: pool.inFlight,
      requests: pool.requests,
      failures: pool.failures,
      timeouts: pool.timeouts,
    };
    lines[`server${index}`] = Object.entries(facts).map(([name, value]) => `${name}=${value}`).join(",");
  });
  return lines;
}
