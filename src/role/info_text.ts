/**
 * The text of `info`: sections of `name:value` lines, named as monitoring for Redis expects where Redis has the fact.
 *
 * Each role brings its own sections; what all roles tell is here.
 *
 * @module
 */

import { REDIS_VERSION } from "../catalog/specification.ts";
import { CLIENT_FIXED_BYTES } from "../limits.ts";
import { daysUntil, formatMoment } from "./expiry.ts";
import { VERSION } from "./version.ts";

/** The lines of one section, in order. */
export type InfoLines = Readonly<Record<string, string | number>>;

/** How a role makes its sections from its facts, by name in lower case, in the order they are told. */
export type InfoSections<Facts> = Readonly<Record<string, (facts: Facts) => InfoLines>>;

/** What every role tells of itself. */
export interface RoleFacts {
  readonly role: string;
  /** See run_id.ts. */
  readonly runId: string;
  readonly port: number;
  readonly uptimeMs: number;
  /** Clients being served, and connections since the start: all, those that were too many, those without handshake, those gone before. */
  readonly clients: {
    readonly count: number;
    readonly accepted: number;
    readonly rejected: number;
    readonly handshakeFailures: number;
    readonly lost: number;
  };
  readonly maxClients: number;
  /** What clients hold, and may hold, in bytes. */
  readonly clientMemory: {
    readonly limitBytes: number;
    readonly usedBytes: number;
    readonly heapBytes: number;
    readonly peakBytes: number;
    readonly heldByKind: Readonly<Record<string, number>>;
    readonly largest: { readonly bytes: number; readonly owner: { readonly id: number } } | undefined;
    readonly refusals: number;
    readonly closed: number;
  };
  /** Requests since the start. */
  readonly commands: number;
  /** The last moment of the listener's certificate, and of the first authority that servers are verified against. */
  readonly certificateExpiresMs?: number | undefined;
  readonly authorityExpiresMs?: number | undefined;
  /** Clients that were cut off since the start because they did not read. */
  readonly cutClients: number;
  /** Wrong passwords since the start. */
  readonly failedLogins: number;
}

/** Names that mean all sections. */
const ALL = ["all", "default", "everything"];

/**
 * Writes sections, with `\r\n` behind each line and an empty line between sections.
 *
 * @param wanted names in lower case; none means all; unknown ones are left out
 */
export function formatInfo<Facts>(sections: InfoSections<Facts>, facts: Facts, wanted: readonly string[]): string {
  const wantsAll = wanted.length === 0 || wanted.some((name) => ALL.includes(name));
  const texts: string[] = [];
  for (const [name, makeLines] of Object.entries(sections)) {
    if (!wantsAll && !wanted.includes(name)) continue;
    const title = name[0]!.toUpperCase() + name.slice(1);
    const lines = Object.entries(makeLines(facts)).map(([key, value]) => `${key}:${value}\r\n`);
    texts.push(`# ${title}\r\n${lines.join("")}`);
  }
  return texts.join("\r\n");
}

/** Section `server`. */
export function serverLines(
  { role, runId, port, uptimeMs, certificateExpiresMs, authorityExpiresMs }: RoleFacts,
): InfoLines {
  return {
    inmem_version: VERSION,
    redis_version: REDIS_VERSION,
    redis_mode: "standalone",
    role,
    os: `${Deno.build.os} ${Deno.build.arch}`,
    process_id: Deno.pid,
    run_id: runId,
    tcp_port: port,
    uptime_in_seconds: Math.floor(uptimeMs / 1000),
    ...expiryLines("tls_certificate", certificateExpiresMs),
    ...expiryLines("tls_authority", authorityExpiresMs),
  };
}

/** When a certificate expires, as a date and in whole days; those are below 0 once it has. */
function expiryLines(name: string, expiresMs: number | undefined): InfoLines {
  if (expiresMs === undefined) return {};
  return { [`${name}_expires`]: formatMoment(expiresMs), [`${name}_expires_in_days`]: daysUntil(expiresMs) };
}

/** Section `replication`: no role has replicas, and clients that look for the one to write to take this one. */
export function replicationLines(): InfoLines {
  return { role: "master", connected_slaves: 0, master_repl_offset: 0 };
}

/** Section `clients`. */
export function clientsLines({ clients, maxClients, clientMemory }: RoleFacts): InfoLines {
  const { largest } = clientMemory;
  return {
    connected_clients: clients.count,
    maxclients: maxClients,
    largest_client_id: largest?.owner.id ?? 0,
    largest_client_memory: largest?.bytes ?? 0,
    clients_closed_for_memory: clientMemory.closed,
    requests_refused_for_memory: clientMemory.refusals,
  };
}

/** What clients hold, for section `memory`. Each connection's fixed cost is told apart from what it holds beside. */
export function clientMemoryLines({ clients, clientMemory }: RoleFacts): InfoLines {
  const lines: Record<string, number> = {
    mem_clients_normal: clientMemory.usedBytes,
    mem_clients_peak: clientMemory.peakBytes,
    maxmemory_clients: clientMemory.limitBytes,
    mem_clients_fixed: clients.count * CLIENT_FIXED_BYTES,
    mem_clients_heap: clientMemory.heapBytes,
  };
  for (const [kind, bytes] of Object.entries(clientMemory.heldByKind)) lines[`mem_clients_${kind}`] = bytes;
  return lines;
}

/** What every role has in section `memory`. */
export function processLines(): InfoLines {
  const { rss, heapUsed } = Deno.memoryUsage();
  return { used_memory_rss: rss, heap_memory: heapUsed };
}

/** What every role has in section `stats`. */
export function statsLines({ clients, commands, clientMemory, cutClients, failedLogins }: RoleFacts): InfoLines {
  return {
    total_connections_received: clients.accepted,
    rejected_connections: clients.rejected,
    handshake_failures: clients.handshakeFailures,
    connections_lost_before_accept: clients.lost,
    evicted_clients: clientMemory.closed,
    total_commands_processed: commands,
    client_output_buffer_limit_disconnections: cutClients,
    acl_access_denied_auth: failedLogins,
  };
}
