/**
 * The text of `info`: sections of `name:value` lines. A fact that Redis has too is named as in Redis, as monitoring
 * expects.
 *
 * Each role defines its own sections. The lines that all roles share are defined here.
 *
 * @module
 */

import { REDIS_VERSION } from "../catalog/specification.ts";
import { CLIENT_FIXED_BYTES } from "../limits.ts";
import { daysUntil, formatMoment } from "./expiry.ts";
import { VERSION } from "./version.ts";

/** The lines of one section, in order. */
export type InfoLines = Readonly<Record<string, string | number>>;

/** The functions that make a role's sections from its facts, by name in lower case, in the order of the output. */
export type InfoSections<Facts> = Readonly<Record<string, (facts: Facts) => InfoLines>>;

/** The facts that every role reports. */
export interface RoleFacts {
  readonly role: "server" | "proxy";
  /** The random id of this run, new with each start. */
  readonly runId: string;
  /** The address listened on. */
  readonly address: Deno.NetAddr;
  readonly uptimeMs: number;
  /**
   * The clients being served, and the connections since the start: all, those refused as too many, those whose
   * handshake failed, and those lost before they were accepted.
   */
  readonly clients: {
    readonly count: number;
    readonly accepted: number;
    readonly rejected: number;
    readonly handshakeFailures: number;
    readonly lost: number;
  };
  readonly maxClients: number;
  /** The memory that clients hold and may hold, in bytes. */
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
  /** The number of requests since the start. */
  readonly commands: number;
  /** When the listener's certificate expires, and the first authority that verifies servers. */
  readonly certificateExpiresMs?: number | undefined;
  readonly authorityExpiresMs?: number | undefined;
  /** The number of clients that were disconnected since the start because they did not read. */
  readonly cutClients: number;
  /** The number of wrong passwords since the start. */
  readonly failedLogins: number;
}

/** The names that mean all sections. */
const ALL = ["all", "default", "everything"];

/**
 * Writes sections, with `\r\n` after each line and an empty line between sections.
 *
 * @param wanted names in lower case; none means all; unknown ones are ignored
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

/** Returns the section `server`. */
export function serverLines(
  { role, runId, address, uptimeMs, certificateExpiresMs, authorityExpiresMs }: RoleFacts,
): InfoLines {
  return {
    inmem_version: VERSION,
    redis_version: REDIS_VERSION,
    redis_mode: "standalone",
    role,
    os: `${Deno.build.os} ${Deno.build.arch}`,
    process_id: Deno.pid,
    run_id: runId,
    tcp_port: address.port,
    uptime_in_seconds: Math.floor(uptimeMs / 1000),
    ...expiryLines("tls_certificate", certificateExpiresMs),
    ...expiryLines("tls_authority", authorityExpiresMs),
  };
}

/** Returns when a certificate expires, as a date and in whole days, which are below 0 once it has expired. */
function expiryLines(name: string, expiresMs: number | undefined): InfoLines {
  if (expiresMs === undefined) return {};
  return { [`${name}_expires`]: formatMoment(expiresMs), [`${name}_expires_in_days`]: daysUntil(expiresMs) };
}

/** Returns the section `replication`. No role has replicas, so clients that look for a writable server use this one. */
export function replicationLines(): InfoLines {
  return { role: "master", connected_slaves: 0, master_repl_offset: 0 };
}

/** Returns the section `clients`. */
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

/** Returns the memory of clients for the section `memory`. The fixed cost of connections is separate from the rest. */
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

/** Returns the lines that every role has in the section `memory`. */
export function processLines(): InfoLines {
  const { rss, heapUsed } = Deno.memoryUsage();
  return { used_memory_rss: rss, heap_memory: heapUsed };
}

/** Returns the lines that every role has in the section `stats`. */
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
