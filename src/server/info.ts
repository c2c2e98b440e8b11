/**
 * The text of `info`: sections of `name:value` lines, named as monitoring for Redis expects where Redis has the fact.
 *
 * @module
 */

import type { Store } from "../store/store.ts";
import type { PersistenceStatus } from "./persistence.ts";

/** What a server tells of itself. */
export interface ServerFacts {
  readonly version: string;
  readonly port: number;
  readonly uptimeMs: number;
  /** Clients being served. */
  readonly clients: number;
  readonly maxClients: number;
  /** Connections accepted since the start, and those refused since there were too many. */
  readonly connections: number;
  readonly rejected: number;
  readonly handshakeFailures: number;
  readonly commands: number;
  readonly evicts: boolean;
  readonly store: Store;
  readonly persistence: PersistenceStatus;
}

type Lines = Record<string, string | number>;

/** The sections in the order they are told. */
const SECTIONS: Readonly<Record<string, (facts: ServerFacts) => Lines>> = {
  server: serverLines,
  clients: clientsLines,
  memory: memoryLines,
  persistence: persistenceLines,
  stats: statsLines,
  keyspace: keyspaceLines,
};

/** Names that mean all sections. */
const ALL = ["all", "default", "everything"];

/**
 * The text of `info`, with `\r\n` behind each line and an empty line between sections.
 *
 * @param sections names in lower case; none means all; unknown ones are left out
 */
export function formatInfo(facts: ServerFacts, sections: readonly string[]): string {
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

function serverLines({ version, port, uptimeMs }: ServerFacts): Lines {
  return {
    inmem_version: version,
    role: "server",
    os: `${Deno.build.os} ${Deno.build.arch}`,
    process_id: Deno.pid,
    tcp_port: port,
    uptime_in_seconds: Math.floor(uptimeMs / 1000),
  };
}

function clientsLines({ clients, maxClients }: ServerFacts): Lines {
  return { connected_clients: clients, maxclients: maxClients };
}

function memoryLines({ store, evicts }: ServerFacts): Lines {
  const { usedBytes, committedBytes, limitBytes, tableBytes } = store.statistics;
  const { rss, heapUsed } = Deno.memoryUsage();
  return {
    used_memory: usedBytes,
    maxmemory: limitBytes,
    maxmemory_policy: evicts ? "allkeys-lru" : "noeviction",
    committed_memory: committedBytes,
    index_memory: tableBytes,
    used_memory_rss: rss,
    mem_fragmentation_ratio: (committedBytes / Math.max(1, usedBytes)).toFixed(2),
    heap_memory: heapUsed,
  };
}

function persistenceLines({ persistence }: ServerFacts): Lines {
  return {
    persistence_enabled: Number(persistence.enabled),
    rdb_changes_since_last_save: persistence.changesSinceSave,
    rdb_bgsave_in_progress: Number(persistence.saving),
    rdb_last_save_time: Math.floor(persistence.lastSaveMs / 1000),
    rdb_last_bgsave_status: persistence.lastError === "" ? "ok" : "err",
    last_save_error: persistence.lastError.replace(/[\r\n]+/g, " "),
    last_save_keys: persistence.lastSaveKeys,
    last_save_bytes: persistence.lastSaveBytes,
    last_save_duration_ms: Math.round(persistence.lastSaveDurationMs),
  };
}

function statsLines({ connections, rejected, handshakeFailures, commands, store }: ServerFacts): Lines {
  const { evictedKeys, expiredKeys } = store.statistics;
  return {
    total_connections_received: connections,
    rejected_connections: rejected,
    handshake_failures: handshakeFailures,
    total_commands_processed: commands,
    evicted_keys: evictedKeys,
    expired_keys: expiredKeys,
  };
}

function keyspaceLines({ store }: ServerFacts): Lines {
  const { keys, keysWithDeadline } = store.statistics;
  return keys === 0 ? {} : { db0: `keys=${keys},expires=${keysWithDeadline}` };
}
