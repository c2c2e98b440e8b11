/**
 * The metrics of the data on disk. A proxy has them too, joined from what its servers report.
 *
 * Redis has fields for snapshots (`rdb_…`) and for a log (`aof_…`). inmem has both at the same time, so the fields of
 * both are about the one data folder.
 *
 * @module
 */

import type { Metric } from "../metrics/metric.ts";

/** The state of the data on disk. */
export interface PersistenceStatus {
  readonly enabled: boolean;
  readonly saving: boolean;
  /** The progress of the snapshot being taken. */
  readonly savingKeys: number;
  readonly savingBytes: number;
  readonly savingMs: number;
  /** The number of snapshots that were taken since the start. */
  readonly saves: number;
  /** When the last snapshot that was written or loaded was taken, in ms since 1970; 0 for never. */
  readonly lastSaveMs: number;
  readonly lastSaveKeys: number;
  readonly lastSaveBytes: number;
  /** How long the last snapshot took; 0 when none was taken since the start. */
  readonly lastSaveDurationMs: number;
  /** The reason why the last snapshot failed; empty when it succeeded. */
  readonly lastError: string;
  readonly changesSinceSave: number;
  /** The numbers of keys that the start has loaded, and has removed because they had expired. */
  readonly loadedKeys: number;
  readonly loadedExpiredKeys: number;
  readonly fsync: string | undefined;
  readonly logBytes: number;
  readonly logBatch: number;
  readonly logSyncedBatch: number;
  /** The reason why writes are refused; empty while they are accepted. */
  readonly refusal: string;
}

/** The facts about the data on disk. */
export interface PersistenceFacts {
  readonly persistence: PersistenceStatus;
  /** The number of keys in memory. */
  readonly data: { readonly keys: number };
}

const seconds = (ms: number) => Math.floor(ms / 1000);

/** The metrics of snapshots. */
const SNAPSHOT_METRICS: readonly Metric<PersistenceFacts>[] = [
  {
    section: "persistence",
    field: "loading",
    type: "gauge",
    help: "Always 0: clients are served only after the data is loaded.",
    total: "max",
    read: () => 0,
  },
  {
    section: "persistence",
    field: "persistence_enabled",
    name: "persistence_enabled",
    type: "gauge",
    help: "1 if data is kept on disk, otherwise 0. A proxy shows 1 if all its servers keep it.",
    total: "min",
    read: ({ persistence }) => Number(persistence.enabled),
  },
  {
    section: "persistence",
    field: "rdb_changes_since_last_save",
    name: "snapshot_changes",
    type: "gauge",
    help: "The number of changes since the last snapshot.",
    total: "sum",
    read: ({ persistence }) => persistence.changesSinceSave,
  },
  {
    section: "persistence",
    field: "rdb_bgsave_in_progress",
    name: "snapshot_in_progress",
    type: "gauge",
    help: "1 while a snapshot is being taken, otherwise 0.",
    total: "max",
    read: ({ persistence }) => Number(persistence.saving),
  },
  {
    section: "persistence",
    field: "rdb_last_save_time",
    name: "snapshot_timestamp_seconds",
    type: "gauge",
    help: "The time of the last snapshot in seconds since 1970; 0 for never. A proxy shows the earliest.",
    total: "min",
    read: ({ persistence }) => seconds(persistence.lastSaveMs),
  },
  {
    section: "persistence",
    field: "rdb_last_bgsave_status",
    type: "text",
    help: "`err` if the last snapshot failed, otherwise `ok`.",
    total: "worst",
    read: ({ persistence }) => persistence.lastError === "" ? "ok" : "err",
  },
  {
    section: "persistence",
    name: "snapshot_failed",
    type: "gauge",
    help: "1 if the last snapshot failed, otherwise 0.",
    read: ({ persistence }) => Number(persistence.lastError !== ""),
  },
  {
    section: "persistence",
    field: "rdb_last_bgsave_time_sec",
    type: "gauge",
    help: "How long the last snapshot took; -1 when none was taken since the start.",
    total: "max",
    read: ({ persistence }) => persistence.saves === 0 ? -1 : seconds(persistence.lastSaveDurationMs),
  },
  {
    section: "persistence",
    field: "rdb_current_bgsave_time_sec",
    type: "gauge",
    help: "How long the snapshot has taken so far; -1 when none is being taken.",
    total: "max",
    read: ({ persistence }) => persistence.saving ? seconds(persistence.savingMs) : -1,
  },
  {
    section: "persistence",
    field: "rdb_saves",
    name: "snapshots_total",
    type: "counter",
    help: "The number of snapshots that were taken.",
    total: "sum",
    read: ({ persistence }) => persistence.saves,
  },
  {
    section: "persistence",
    field: "rdb_last_load_keys_loaded",
    type: "gauge",
    help: "The number of keys that the start has loaded.",
    total: "sum",
    read: ({ persistence }) => persistence.loadedKeys,
  },
  {
    section: "persistence",
    field: "rdb_last_load_keys_expired",
    type: "gauge",
    help: "The number of keys that the start has removed because they had expired.",
    total: "sum",
    read: ({ persistence }) => persistence.loadedExpiredKeys,
  },
  {
    section: "persistence",
    field: "current_save_keys_processed",
    type: "gauge",
    help: "The number of keys in the snapshot that is being taken.",
    total: "sum",
    read: ({ persistence }) => persistence.savingKeys,
  },
  {
    section: "persistence",
    field: "current_save_keys_total",
    type: "gauge",
    help: "The number of keys that the snapshot will have; 0 when none is being taken.",
    total: "sum",
    read: ({ persistence, data }) => persistence.saving ? data.keys : 0,
  },
  {
    section: "persistence",
    field: "current_save_bytes",
    type: "gauge",
    help: "The size of the snapshot that is being taken.",
    total: "sum",
    read: ({ persistence }) => persistence.savingBytes,
  },
  {
    section: "persistence",
    field: "last_save_error",
    type: "text",
    help: "The reason why the last snapshot failed; empty when it succeeded.",
    total: "worst",
    read: ({ persistence }) => persistence.lastError,
  },
  {
    section: "persistence",
    field: "last_save_keys",
    type: "gauge",
    help: "The number of keys in the last snapshot.",
    total: "sum",
    read: ({ persistence }) => persistence.lastSaveKeys,
  },
  {
    section: "persistence",
    field: "last_save_bytes",
    name: "snapshot_size_bytes",
    type: "gauge",
    help: "The size of the last snapshot.",
    total: "sum",
    read: ({ persistence }) => persistence.lastSaveBytes,
  },
  {
    section: "persistence",
    field: "last_save_duration_ms",
    name: "snapshot_duration_seconds",
    type: "gauge",
    help: "How long the last snapshot took, in ms in `info`.",
    scale: 0.001,
    total: "max",
    read: ({ persistence }) => Math.round(persistence.lastSaveDurationMs),
  },
];

/** The metrics of the log. */
const LOG_METRICS: readonly Metric<PersistenceFacts>[] = [
  {
    section: "persistence",
    field: "aof_enabled",
    type: "gauge",
    help: "The same as `persistence_enabled`, as Redis names it.",
    total: "min",
    read: ({ persistence }) => Number(persistence.enabled),
  },
  {
    section: "persistence",
    field: "aof_fsync",
    type: "text",
    help: "When the log is synced to disk; empty without persistence.",
    total: "same",
    read: ({ persistence }) => persistence.fsync ?? "",
  },
  {
    section: "persistence",
    field: "aof_current_size",
    name: "log_size_bytes",
    type: "gauge",
    help: "The size of the log since the last snapshot.",
    total: "sum",
    read: ({ persistence }) => persistence.logBytes,
  },
  {
    section: "persistence",
    field: "aof_base_size",
    type: "gauge",
    help: "The same as `last_save_bytes`, as Redis names it.",
    total: "sum",
    read: ({ persistence }) => persistence.lastSaveBytes,
  },
  {
    section: "persistence",
    field: "aof_last_write_status",
    type: "text",
    help: "`err` while the log cannot be written, so that writes are refused; otherwise `ok`.",
    total: "worst",
    read: ({ persistence }) => persistence.refusal === "" ? "ok" : "err",
  },
  {
    section: "persistence",
    name: "writes_refused",
    type: "gauge",
    help: "1 while writes are refused because the log cannot be written, otherwise 0.",
    read: ({ persistence }) => Number(persistence.refusal !== ""),
  },
  {
    section: "persistence",
    field: "log_last_error",
    type: "text",
    help: "The reason why writes are refused; empty while they are accepted.",
    total: "worst",
    read: ({ persistence }) => persistence.refusal,
  },
  {
    section: "persistence",
    field: "log_batches",
    name: "log_batches_total",
    type: "counter",
    help: "The number of batches of changes in the log.",
    total: "sum",
    read: ({ persistence }) => persistence.logBatch,
  },
  {
    section: "persistence",
    field: "log_batches_synced",
    name: "log_batches_synced_total",
    type: "counter",
    help: "The number of those batches that are safely on disk.",
    total: "sum",
    read: ({ persistence }) => persistence.logSyncedBatch,
  },
];

/** The metrics of the data on disk. */
export const PERSISTENCE_METRICS: readonly Metric<PersistenceFacts>[] = [...SNAPSHOT_METRICS, ...LOG_METRICS];
