/**
 * The state of a proxy and of its servers at one moment.
 *
 * State, slots and speed of a server are what the proxy sees. Everything else is what the server reported last.
 *
 * @module
 */

import type { Report } from "../metrics/joined.ts";
import type { Overview, ServerOverview } from "../metrics/overview.ts";
import { problemsOf } from "../metrics/problems.ts";
import { roleOverview } from "../role/role_overview.ts";
import type { Pool } from "../route/pool.ts";
import type { Cluster } from "./backend/cluster.ts";
import type { ServerReport } from "./backend/server_stats.ts";
import type { ProxyFacts } from "./metrics.ts";

/** Returns the overview of a proxy. */
export function proxyOverview(facts: ProxyFacts): Overview {
  const { cluster, servers } = facts;
  const overview = {
    ...roleOverview(facts),
    keys: sumOf(servers, "keys"),
    usedBytes: sumOf(servers, "usedBytes"),
    limitBytes: sumOf(servers, "limitBytes"),
    hits: sumOf(servers, "hits"),
    misses: sumOf(servers, "misses"),
    evictedKeys: sumOf(servers, "evictedKeys"),
    expiredKeys: sumOf(servers, "expiredKeys"),
    slotsUnderWay: cluster.lent,
    servers,
  };
  return { ...overview, problems: problemsOf(overview) };
}

/** Returns the states of the servers, in the order of the cluster's pools. */
export function serverOverviews(cluster: Cluster, reported: readonly (ServerReport | undefined)[]): ServerOverview[] {
  const lent = cluster.countLent();
  const slots = cluster.countSlots();
  return cluster.pools.map((pool, index) => ({
    ...seenOf(pool),
    slots: slots[index]!,
    slotsLent: lent[index]!,
    ...reported[index] !== undefined && reportedBy(reported[index]),
  }));
}

/** Returns what the proxy sees of a server. */
function seenOf(pool: Pool): Omit<ServerOverview, "slots" | "slotsLent"> {
  const { address, state, problem, traffic } = pool;
  return {
    address,
    state,
    ...problem !== "" && { reason: problem },
    opsPerSecond: traffic.perSecond,
    p50Ms: traffic.quantile(0.5),
    p99Ms: traffic.quantile(0.99),
  };
}

/** Returns what a server reported about itself. */
function reportedBy({ report, ageMs }: ServerReport): Partial<ServerOverview> {
  const number = (field: string) => numberOf(report, field);
  const limitBytes = number("maxmemory");
  const text = (field: string) => report.get(field) || undefined;
  return {
    // A server without keys has no line for them.
    keys: number("db0.keys") ?? 0,
    usedBytes: number("used_memory"),
    // Redis calls no limit 0.
    limitBytes: limitBytes === 0 ? undefined : limitBytes,
    evicts: report.get("maxmemory_policy") !== "noeviction",
    hits: number("keyspace_hits"),
    misses: number("keyspace_misses"),
    evictedKeys: number("evicted_keys"),
    expiredKeys: number("expired_keys"),
    clients: number("connected_clients"),
    maxClients: number("maxclients"),
    inputBytes: number("total_net_input_bytes"),
    outputBytes: number("total_net_output_bytes"),
    pausedForMs: number("paused_timeout_milliseconds") || undefined,
    writesRefused: text("log_last_error"),
    lastSaveFailed: text("last_save_error"),
    certificateExpiresInDays: number("tls_certificate_expires_in_days"),
    slowRequests: number("slow_commands"),
    ...standoutsIn(report),
    ageMs,
  };
}

/** Returns the keys that stand out in a report. */
function standoutsIn(report: Report): Pick<ServerOverview, "hotKey" | "bigKey"> {
  const number = (field: string) => numberOf(report, field) ?? 0;
  const [hot, big] = [report.get("hot_key"), report.get("big_key")];
  return {
    ...hot !== undefined && {
      hotKey: { name: hot, requestsPerSecond: number("hot_key_requests_per_sec"), share: number("hot_key_share") },
    },
    ...big !== undefined && {
      bigKey: {
        name: big,
        bytes: number("big_key_bytes"),
        elements: number("big_key_elements"),
        type: report.get("big_key_type") ?? "",
      },
    },
  };
}

function numberOf(report: Report, field: string): number | undefined {
  const text = report.get(field);
  return text === undefined ? undefined : Number(text);
}

type SummedProperty = "keys" | "usedBytes" | "limitBytes" | "hits" | "misses" | "evictedKeys" | "expiredKeys";

/** Returns the sum of a property over the servers that report it; `undefined` when none does. */
function sumOf(servers: readonly ServerOverview[], name: SummedProperty): number | undefined {
  let sum: number | undefined;
  for (const { [name]: value } of servers) if (value !== undefined) sum = (sum ?? 0) + value;
  return sum;
}
