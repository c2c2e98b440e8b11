/**
 * The sections of a server's `info`, in addition to those of every role.
 *
 * @module
 */

import {
  clientMemoryLines,
  clientsLines,
  processLines,
  replicationLines,
  serverLines,
  statsLines,
} from "../role/info_text.ts";
import type { InfoLines, InfoSections, RoleFacts } from "../role/info_text.ts";
import type { Store } from "../store/store.ts";
import type { PersistenceStatus } from "./persistence.ts";

/** The facts of a server for `info`. */
export interface ServerFacts extends RoleFacts {
  /** The number of clients that wait for an element of a list. */
  readonly blockedClients: number;
  readonly store: Store;
  readonly persistence: PersistenceStatus;
}

/** The sections, in their order. */
export const SERVER_SECTIONS: InfoSections<ServerFacts> = {
  server: serverLines,
  clients: (facts) => ({ ...clientsLines(facts), blocked_clients: facts.blockedClients }),
  memory: memoryLines,
  persistence: persistenceLines,
  stats: (facts) => ({ ...statsLines(facts), ...storeLines(facts) }),
  replication: replicationLines,
  keyspace: keyspaceLines,
};

function memoryLines(facts: ServerFacts): InfoLines {
  const { store } = facts;
  const { usedBytes, committedBytes, limitBytes, tableBytes, accountBytes } = store.statistics;
  return {
    used_memory: usedBytes,
    used_memory_dataset: usedBytes - tableBytes,
    used_memory_overhead: tableBytes + accountBytes,
    maxmemory: limitBytes,
    maxmemory_policy: store.room.evicts ? "allkeys-lru" : "noeviction",
    committed_memory: committedBytes,
    index_memory: tableBytes,
    mem_fragmentation_bytes: committedBytes - usedBytes,
    mem_fragmentation_ratio: (committedBytes / Math.max(1, usedBytes)).toFixed(2),
    ...clientMemoryLines(facts),
    ...processLines(),
  };
}

function persistenceLines({ persistence, store }: ServerFacts): InfoLines {
  return {
    loading: 0,
    persistence_enabled: Number(persistence.enabled),
    rdb_changes_since_last_save: persistence.changesSinceSave,
    rdb_bgsave_in_progress: Number(persistence.saving),
    rdb_current_bgsave_time_sec: persistence.saving ? Math.floor(persistence.savingMs / 1000) : -1,
    current_save_keys_processed: persistence.savingKeys,
    current_save_keys_total: persistence.saving ? store.size : 0,
    current_save_bytes: persistence.savingBytes,
    rdb_last_save_time: Math.floor(persistence.lastSaveMs / 1000),
    rdb_last_bgsave_status: persistence.lastError === "" ? "ok" : "err",
    last_save_error: persistence.lastError.replace(/[\r\n]+/g, " "),
    last_save_keys: persistence.lastSaveKeys,
    last_save_bytes: persistence.lastSaveBytes,
    last_save_duration_ms: Math.round(persistence.lastSaveDurationMs),
    aof_enabled: Number(persistence.enabled),
    aof_fsync: persistence.fsync ?? "",
    aof_current_size: persistence.logBytes,
    aof_base_size: persistence.lastSaveBytes,
    aof_last_write_status: persistence.refusal === "" ? "ok" : "err",
    log_last_error: persistence.refusal.replace(/[\r\n]+/g, " "),
    log_batches: persistence.logBatch,
    log_batches_synced: persistence.logSyncedBatch,
  };
}

function storeLines({ store }: ServerFacts): InfoLines {
  const { evictedKeys, expiredKeys } = store.statistics;
  return { evicted_keys: evictedKeys, expired_keys: expiredKeys };
}

function keyspaceLines({ store }: ServerFacts): InfoLines {
  const { keys, keysWithDeadline } = store.statistics;
  return keys === 0 ? {} : { db0: `keys=${keys},expires=${keysWithDeadline}` };
}
