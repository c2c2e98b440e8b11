/**
 * The table of the metrics of a proxy: its own, those of its servers joined, and some for each of its servers.
 *
 * @module
 */

import { SLOTS_COUNT } from "../limits.ts";
import { type JoinedFacts, joinedRows } from "../metrics/joined.ts";
import type { Labelled, Metric } from "../metrics/metric.ts";
import type { ServerOverview } from "../metrics/overview.ts";
import { COMMAND_METRICS } from "../role/command_metrics.ts";
import { DATA_METRICS } from "../role/data_metrics.ts";
import { KEY_METRICS } from "../role/key_metrics.ts";
import { PERSISTENCE_METRICS } from "../role/persistence_metrics.ts";
import { PROBLEM_METRICS, type ProblemsFacts } from "../role/problem_metrics.ts";
import { REDIS_METRICS } from "../role/redis_metrics.ts";
import type { RoleFacts } from "../role/role_facts.ts";
import { CLIENT_METRICS, MEMORY_METRICS, PROCESS_METRICS } from "../role/role_metrics.ts";
import type { Pool } from "../route/pool.ts";
import type { Cluster } from "./backend/cluster.ts";

/** The facts that the metrics of a proxy are made from. */
export interface ProxyFacts extends RoleFacts, JoinedFacts, ProblemsFacts {
  /** The number of times that the list of servers was replaced. */
  readonly changes: number;
  /** The number of lost connections to servers on which the proxy received messages of channels. */
  readonly lostChannelLinks: number;
  /** The number of clients that were disconnected after such a loss. */
  readonly lostChannelClients: number;
  readonly cluster: Cluster;
  /** The servers, in the order of the cluster's pools. */
  readonly servers: readonly ServerOverview[];
}

/** The metrics of the proxy itself and of its list of servers. */
const ROUTING_METRICS: readonly Metric<ProxyFacts>[] = [
  {
    section: "stats",
    field: "channel_links_lost",
    name: "channel_links_lost_total",
    type: "counter",
    help: "The number of lost connections to servers on which messages of channels came.",
    read: ({ lostChannelLinks }) => lostChannelLinks,
  },
  {
    section: "stats",
    field: "channel_links_lost_disconnections",
    name: "clients_closed_for_channels_total",
    type: "counter",
    help: "The number of clients that were disconnected because they may have missed messages of channels.",
    read: ({ lostChannelClients }) => lostChannelClients,
  },
  {
    section: "cluster",
    field: "cluster_slots",
    name: "slots",
    type: "gauge",
    help: "The number of slots that keys are divided into.",
    read: () => SLOTS_COUNT,
  },
  {
    section: "cluster",
    field: "cluster_servers",
    name: "servers",
    type: "gauge",
    help: "The number of servers in the list.",
    read: ({ cluster }) => cluster.members.length,
  },
  {
    section: "cluster",
    field: "cluster_servers_up",
    name: "servers_up",
    type: "gauge",
    help: "The number of those servers that are up.",
    read: ({ cluster }) => {
      return cluster.pools.slice(0, cluster.members.length).filter((pool) => pool.state === "up").length;
    },
  },
  {
    section: "cluster",
    field: "cluster_slots_lent",
    name: "slots_lent",
    type: "gauge",
    help: "The number of slots whose owner is not the server that the list assigns.",
    read: ({ cluster }) => cluster.lent,
  },
  {
    section: "cluster",
    field: "cluster_servers_draining",
    name: "servers_draining",
    type: "gauge",
    help: "The number of servers that have left the list, and have requests in flight.",
    read: ({ cluster }) => cluster.draining.length,
  },
  {
    section: "cluster",
    field: "cluster_changes",
    name: "servers_changes_total",
    type: "counter",
    help: "The number of times that the list of servers was replaced.",
    read: ({ changes }) => changes,
  },
  {
    section: "cluster",
    field: "serverN",
    type: "lines",
    help: "The facts of one server. Keys and memory are from its last report, which is `census_age_ms` old.",
    lines: serverLines,
  },
];

/** The metrics of each server, with what they are made from. */
const SERVER_SAMPLES: readonly Labelled<ProxyFacts>[] = [
  gauge("up", "1 while the server is up, otherwise 0.", ({ state }) => Number(state === "up")),
  gauge("slots", "The number of slots that the server owns.", ({ slots }) => slots),
  gauge("slots_lent", "The number of its slots that the list assigns to another one.", ({ slotsLent }) => slotsLent),
  gauge("connections", "The number of shared connections to the server.", (_, pool) => pool.connections),
  gauge("connections_dedicated", "The number of connections of single clients.", (_, pool) => pool.dedicated),
  gauge("requests_in_flight", "The number of requests that wait for a reply.", (_, pool) => pool.inFlight),
  counter("requests", "The number of requests that were sent to the server.", (_, pool) => pool.requests),
  counter("failures", "The number of requests that got no reply.", (_, pool) => pool.failures),
  counter("timeouts", "The number of requests whose reply took too long.", (_, pool) => pool.timeouts),
  gauge("report_age_seconds", "The age of the server's own values, which follow.", ({ ageMs }) => seconds(ageMs)),
  gauge("keys", "The number of keys of the server.", ({ keys }) => keys),
  gauge("memory_used_bytes", "The memory that its data takes.", ({ usedBytes }) => usedBytes),
  gauge("memory_limit_bytes", "The most memory that its data may take.", ({ limitBytes }) => limitBytes),
  gauge("clients", "The number of its clients, including proxies.", ({ clients }) => clients),
  gauge("writes_refused", "1 while the server refuses writes, otherwise 0.", isSet("writesRefused")),
  gauge("snapshot_failed", "1 if its last snapshot failed, otherwise 0.", isSet("lastSaveFailed")),
  counter("keyspace_hits", "The number of keys that reading commands have found.", ({ hits }) => hits),
  counter("keyspace_misses", "The number of keys that they have not found.", ({ misses }) => misses),
  counter(
    "slow_commands",
    "The number of commands that its slow log has recorded.",
    ({ slowRequests }) => slowRequests,
  ),
  counter("keys_evicted", "The number of keys removed because memory was full.", ({ evictedKeys }) => evictedKeys),
  counter("keys_expired", "The number of keys removed because of their age.", ({ expiredKeys }) => expiredKeys),
  {
    name: "server_latency_seconds",
    type: "gauge",
    help: "The time from a request's arrival in the queue to the server until its reply, in the last 10 to 20 s.",
    labels: ["server", "percentile"],
    *samples({ servers }) {
      for (const { address, p50Ms, p99Ms } of servers) {
        if (p50Ms !== undefined) yield { labels: { server: address, percentile: "50" }, value: p50Ms / 1000 };
        if (p99Ms !== undefined) yield { labels: { server: address, percentile: "99" }, value: p99Ms / 1000 };
      }
    },
  },
];

/** The metrics of a proxy. */
export const PROXY_METRICS: readonly Metric<ProxyFacts>[] = [
  ...PROCESS_METRICS,
  ...CLIENT_METRICS,
  ...COMMAND_METRICS,
  ...joinedRows(DATA_METRICS),
  ...MEMORY_METRICS,
  ...joinedRows(PERSISTENCE_METRICS),
  ...joinedRows(KEY_METRICS),
  ...REDIS_METRICS,
  ...ROUTING_METRICS,
  ...SERVER_SAMPLES,
  ...PROBLEM_METRICS,
];

type ReadServer = (server: ServerOverview, pool: Pool) => number | undefined;

function gauge(name: string, help: string, read: ReadServer): Labelled<ProxyFacts> {
  return ofServers({ name: `server_${name}`, type: "gauge", help }, read);
}

function counter(name: string, help: string, read: ReadServer): Labelled<ProxyFacts> {
  return ofServers({ name: `server_${name}_total`, type: "counter", help }, read);
}

function ofServers(
  definition: Pick<Labelled<ProxyFacts>, "name" | "type" | "help">,
  read: ReadServer,
): Labelled<ProxyFacts> {
  return {
    ...definition,
    labels: ["server"],
    *samples({ servers, cluster }) {
      for (let index = 0; index < servers.length; index++) {
        const value = read(servers[index]!, cluster.pools[index]!);
        if (value !== undefined) yield { labels: { server: servers[index]!.address }, value };
      }
    },
  };
}

/** Returns whether a server that has reported has a reason in a property. */
function isSet(property: "writesRefused" | "lastSaveFailed"): ReadServer {
  return (server) => server.ageMs === undefined ? undefined : Number(server[property] !== undefined);
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

/**
 * Returns a line for each server in the form of Redis's replica lines: `server0:addr=…,state=up,…`. Unknown facts are
 * left out.
 *
 * Latencies are measured in the proxy, from a request's arrival in its queue to the reply.
 */
function* serverLines({ cluster, servers }: ProxyFacts): Generator<[string, string]> {
  for (const [index, pool] of cluster.pools.entries()) {
    const server = servers[index]!;
    const facts = {
      addr: pool.address,
      state: pool.state,
      // A server that was removed from the list may keep slots until the servers that get them are ready.
      weight: cluster.members[index]?.weight ?? 0,
      slots: server.slots,
      slots_percent: (server.slots * 100 / SLOTS_COUNT).toFixed(2),
      slots_lent: server.slotsLent,
      connections: pool.connections,
      dedicated: pool.dedicated,
      in_flight: pool.inFlight,
      requests: pool.requests,
      failures: pool.failures,
      timeouts: pool.timeouts,
      ops_per_sec: Math.round(pool.traffic.perSecond),
      p50_ms: server.p50Ms?.toFixed(3),
      p99_ms: server.p99Ms?.toFixed(3),
      keys: server.keys,
      used_memory: server.usedBytes,
      census_age_ms: server.ageMs,
      // The reason is last, and must not contain the commas that separate facts.
      reason: pool.problem.replace(/[,\r\n]+/g, ";") || undefined,
    };
    const known = Object.entries(facts).filter(([, value]) => value !== undefined);
    yield [`server${index}`, known.map(([name, value]) => `${name}=${value}`).join(",")];
  }
}
