/**
 * The metrics that every role has: the process, its clients, and the memory that clients hold.
 *
 * @module
 */

import { REDIS_VERSION } from "../catalog/specification.ts";
import { CLIENT_FIXED_BYTES } from "../limits.ts";
import type { Metric } from "../metrics/metric.ts";
import { daysUntil, formatMoment } from "./expiry.ts";
import type { RoleFacts } from "./role_facts.ts";
import { VERSION } from "./version.ts";

const OS = `${Deno.build.os} ${Deno.build.arch}`;

/** The metrics of the program and its host. */
export const PROCESS_METRICS: readonly Metric<RoleFacts>[] = [
  { section: "server", field: "inmem_version", type: "text", help: "The version of inmem.", read: () => VERSION },
  {
    section: "server",
    field: "redis_version",
    type: "text",
    help: "The version of Redis whose commands are implemented.",
    read: () => REDIS_VERSION,
  },
  {
    section: "server",
    field: "redis_mode",
    type: "text",
    help: "Always `standalone`: a client needs no knowledge of slots.",
    read: () => "standalone",
  },
  { section: "server", field: "role", type: "text", help: "`server` or `proxy`.", read: ({ role }) => role },
  { section: "server", field: "os", type: "text", help: "The operating system and the processor.", read: () => OS },
  { section: "server", field: "arch_bits", type: "text", help: "The size of a pointer in bits.", read: () => 64 },
  { section: "server", field: "process_id", type: "text", help: "The id of the process.", read: () => Deno.pid },
  {
    section: "server",
    field: "run_id",
    type: "text",
    help: "A random name of this run, new with each start.",
    read: ({ runId }) => runId,
  },
  {
    section: "server",
    field: "tcp_port",
    type: "text",
    help: "The port that clients connect to.",
    read: ({ address }) => address.port,
  },
  {
    section: "server",
    field: "server_time_usec",
    type: "text",
    help: "The time of the host, in microseconds since 1970.",
    read: () => Date.now() * 1000,
  },
  {
    section: "server",
    field: "uptime_in_seconds",
    name: "uptime_seconds",
    type: "gauge",
    help: "The time since the start.",
    read: ({ uptimeMs }) => Math.floor(uptimeMs / 1000),
  },
  {
    section: "server",
    field: "uptime_in_days",
    type: "text",
    help: "The whole days since the start.",
    read: ({ uptimeMs }) => Math.floor(uptimeMs / 86_400_000),
  },
  {
    name: "info",
    type: "gauge",
    help: "Always 1; the labels say which program this is.",
    labels: ["version", "role", "run_id", "os"],
    samples: ({ role, runId }) => [{ labels: { version: VERSION, role, run_id: runId, os: OS }, value: 1 }],
  },
  ...expiryMetrics("tls_certificate", "the certificate of the listener", (facts) => facts.certificateExpiresMs),
  ...expiryMetrics("tls_authority", "the first authority that verifies servers", (facts) => facts.authorityExpiresMs),
];

/** The metrics of the connections of clients. */
export const CLIENT_METRICS: readonly Metric<RoleFacts>[] = [
  {
    section: "clients",
    field: "connected_clients",
    name: "clients",
    type: "gauge",
    help: "The number of clients that are connected.",
    read: ({ clients }) => clients.count,
  },
  {
    section: "clients",
    field: "maxclients",
    name: "clients_limit",
    type: "gauge",
    help: "The most clients that may be connected at a time.",
    read: ({ maxClients }) => maxClients,
  },
  {
    section: "clients",
    field: "blocked_clients",
    name: "clients_blocked",
    type: "gauge",
    help: "The number of clients that wait in a command such as `blpop`.",
    read: ({ blockedClients }) => blockedClients,
  },
  {
    section: "clients",
    field: "paused_actions",
    type: "text",
    help: "The commands that `client pause` holds back: `none`, `write` or `all`.",
    read: ({ pause }) => pause.kind,
  },
  {
    section: "clients",
    field: "paused_timeout_milliseconds",
    name: "clients_paused_seconds",
    type: "gauge",
    scale: 0.001,
    help: "The time until `client pause` ends; 0 while clients are not paused.",
    read: ({ pause }) => pause.leftMs,
  },
  {
    section: "clients",
    field: "largest_client_id",
    type: "text",
    help: "The id of the client that holds the most memory; 0 when none holds any.",
    read: ({ clientMemory }) => clientMemory.largest?.owner.id ?? 0,
  },
  {
    section: "clients",
    field: "largest_client_memory",
    name: "client_memory_largest_bytes",
    type: "gauge",
    help: "The memory that one client holds at most.",
    read: ({ clientMemory }) => clientMemory.largest?.bytes ?? 0,
  },
  {
    section: "clients",
    field: "clients_closed_for_memory",
    name: "clients_closed_for_memory_total",
    type: "counter",
    help: "The number of clients that were disconnected because clients held too much memory.",
    read: ({ clientMemory }) => clientMemory.closed,
  },
  {
    section: "clients",
    field: "requests_refused_for_memory",
    name: "requests_refused_for_memory_total",
    type: "counter",
    help: "The number of requests that were refused because clients held too much memory.",
    read: ({ clientMemory }) => clientMemory.refusals,
  },
  {
    section: "stats",
    field: "total_connections_received",
    name: "connections_accepted_total",
    type: "counter",
    help: "The number of connections that were accepted, including rejected ones.",
    read: ({ clients }) => clients.accepted,
  },
  {
    section: "stats",
    field: "rejected_connections",
    name: "connections_rejected_total",
    type: "counter",
    help: "The number of connections that were rejected because there were too many.",
    read: ({ clients }) => clients.rejected,
  },
  {
    section: "stats",
    field: "handshake_failures",
    name: "handshake_failures_total",
    type: "counter",
    help: "The number of connections whose TLS handshake failed or took too long.",
    read: ({ clients }) => clients.handshakeFailures,
  },
  {
    section: "stats",
    field: "connections_lost_before_accept",
    name: "connections_lost_total",
    type: "counter",
    help: "The number of connections that were lost before they were accepted.",
    read: ({ clients }) => clients.lost,
  },
  {
    section: "stats",
    field: "evicted_clients",
    type: "counter",
    help: "The same as `clients_closed_for_memory`, as Redis names it.",
    read: ({ clientMemory }) => clientMemory.closed,
  },
  {
    section: "stats",
    field: "client_output_buffer_limit_disconnections",
    name: "clients_closed_for_output_total",
    type: "counter",
    help: "The number of clients that were disconnected because they did not read their replies.",
    read: ({ cutClients }) => cutClients,
  },
  {
    section: "stats",
    field: "acl_access_denied_auth",
    name: "failed_logins_total",
    type: "counter",
    help: "The number of wrong passwords.",
    read: ({ failedLogins }) => failedLogins,
  },
  {
    section: "stats",
    field: "pubsub_channels",
    name: "channels",
    type: "gauge",
    help: "The number of channels that clients listen to.",
    read: ({ channels }) => channels.channelCount,
  },
  {
    section: "stats",
    field: "pubsub_patterns",
    name: "channel_patterns",
    type: "gauge",
    help: "The number of patterns of channels that clients listen to.",
    read: ({ channels }) => channels.patternCount,
  },
  {
    section: "replication",
    field: "master_replid",
    type: "text",
    help: "The same as `run_id`, since nothing is replicated.",
    read: ({ runId }) => runId,
  },
];

/** The metrics of the memory of the process, and of the part that clients hold. */
export const MEMORY_METRICS: readonly Metric<RoleFacts>[] = [
  {
    section: "memory",
    field: "used_memory_rss",
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "The memory of this process that is in the host's memory.",
    human: true,
    read: ({ process }) => process.rss,
  },
  {
    section: "memory",
    field: "heap_memory",
    name: "process_heap_bytes",
    type: "gauge",
    help: "The heap of the JavaScript engine in use.",
    read: ({ process }) => process.heapUsed,
  },
  {
    section: "memory",
    field: "total_system_memory",
    name: "system_memory_bytes",
    type: "gauge",
    help: "The memory of the host.",
    human: true,
    read: ({ process }) => process.systemBytes,
  },
  {
    section: "memory",
    field: "mem_clients_normal",
    name: "client_memory_used_bytes",
    type: "gauge",
    help: "The memory that clients hold, apart from the fixed part of a connection.",
    read: ({ clientMemory }) => clientMemory.usedBytes,
  },
  {
    section: "memory",
    field: "mem_clients_peak",
    name: "client_memory_peak_bytes",
    type: "gauge",
    help: "The most memory that clients have held.",
    read: ({ clientMemory }) => clientMemory.peakBytes,
  },
  {
    section: "memory",
    field: "maxmemory_clients",
    name: "client_memory_limit_bytes",
    type: "gauge",
    help: "The most memory that clients may hold.",
    read: ({ clientMemory }) => clientMemory.limitBytes,
  },
  {
    section: "memory",
    field: "mem_clients_fixed",
    name: "client_memory_fixed_bytes",
    type: "gauge",
    help: "The memory of the connections themselves.",
    read: ({ clients }) => clients.count * CLIENT_FIXED_BYTES,
  },
  {
    section: "memory",
    field: "mem_clients_heap",
    name: "client_memory_heap_bytes",
    type: "gauge",
    help: "The part of the memory of clients that is in the heap of the JavaScript engine.",
    read: ({ clientMemory }) => clientMemory.heapBytes,
  },
  {
    section: "memory",
    field: "mem_clients_KIND",
    type: "lines",
    help: "The memory that clients hold, by what it is for: " +
      "`request`, `replies`, `transaction`, `messages`, `objects`, `results`.",
    lines: ({ clientMemory }) => {
      return Object.entries(clientMemory.heldByKind).map(([kind, bytes]) => [`mem_clients_${kind}`, bytes] as const);
    },
  },
  {
    name: "client_memory_held_bytes",
    type: "gauge",
    help: "The memory that clients hold, by what it is for.",
    labels: ["kind"],
    samples: ({ clientMemory }) => {
      return Object.entries(clientMemory.heldByKind).map(([kind, value]) => ({ labels: { kind }, value }));
    },
  },
];

/** Returns when a certificate expires: as a date, in whole days, and for Prometheus as a time. */
function expiryMetrics(
  field: string,
  thing: string,
  expiresMsOf: (facts: RoleFacts) => number | undefined,
): Metric<RoleFacts>[] {
  const valueOf = <T>(convert: (ms: number) => T) => (facts: RoleFacts) => {
    const ms = expiresMsOf(facts);
    return ms === undefined ? undefined : convert(ms);
  };
  return [
    {
      section: "server",
      field: `${field}_expires`,
      type: "text",
      help: `The date on which ${thing} expires.`,
      read: valueOf(formatMoment),
    },
    {
      section: "server",
      field: `${field}_expires_in_days`,
      type: "text",
      help: `The whole days until ${thing} expires; below 0 afterwards.`,
      read: valueOf((ms) => daysUntil(ms)),
    },
    {
      section: "server",
      name: `${field}_expiry_timestamp_seconds`,
      type: "gauge",
      help: `The time at which ${thing} expires, in seconds since 1970.`,
      read: valueOf((ms) => ms / 1000),
    },
  ];
}
