/**
 * The state of a proxy and of its servers at one moment.
 *
 * State, slots and speed of a server are what the proxy sees. Everything else is what the server reported last.
 *
 * @module
 */

import type { Overview, ServerOverview } from "../metrics/overview.ts";
import type { RoleOverview } from "../role/role_overview.ts";
import type { Pool } from "../route/pool.ts";
import type { Cluster } from "./backend/cluster.ts";
import type { ServerStats } from "./backend/server_stats.ts";

/** Returns the overview of a proxy from its parts. */
export function proxyOverview(role: RoleOverview, cluster: Cluster, stats: ServerStats): Overview {
  const lent = cluster.countLent();
  const slots = cluster.countSlots();
  const servers = cluster.pools.map((pool, index) => serverOverview(pool, slots[index]!, lent[index]!, stats));
  return {
    ...role,
    keys: sumOf(servers, "keys"),
    usedBytes: sumOf(servers, "usedBytes"),
    slotsUnderWay: lent.reduce((sum, count) => sum + count, 0),
    servers,
    problems: [],
  };
}

function serverOverview(pool: Pool, slots: number, slotsLent: number, stats: ServerStats): ServerOverview {
  const { address, state, problem, traffic } = pool;
  const { keys, used_memory, census_age_ms } = stats.of(pool);
  return {
    address,
    state,
    ...problem !== "" && { reason: problem },
    slots,
    slotsLent,
    keys,
    usedBytes: used_memory,
    opsPerSecond: traffic.perSecond,
    p50Ms: traffic.quantile(0.5),
    p99Ms: traffic.quantile(0.99),
    ageMs: census_age_ms,
  };
}

/** Returns the sum of a count over the servers that report it; `undefined` when none does. */
function sumOf(servers: readonly ServerOverview[], name: "keys" | "usedBytes"): number | undefined {
  let sum: number | undefined;
  for (const { [name]: value } of servers) if (value !== undefined) sum = (sum ?? 0) + value;
  return sum;
}
