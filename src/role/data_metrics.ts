/**
 * The metrics of the data of a server. A proxy has them too, joined from what its servers report.
 *
 * @module
 */

import type { Metric } from "../metrics/metric.ts";

/** The facts about data: sizes in bytes, and counts since the start. */
export interface DataFacts {
  readonly data: {
    readonly usedBytes: number;
    readonly peakBytes: number;
    /** The memory that the store used before it had any key. */
    readonly startupBytes: number;
    readonly committedBytes: number;
    readonly limitBytes: number;
    readonly tableBytes: number;
    readonly accountBytes: number;
    readonly evicts: boolean;
    readonly keys: number;
    readonly keysWithDeadline: number;
    /** The mean of the times to live of the keys that have one. */
    readonly meanTtlMs: number;
    readonly evictedKeys: number;
    readonly expiredKeys: number;
    readonly hits: number;
    readonly misses: number;
  };
}

/** Returns a part of a whole as Redis writes it. */
function percent(part: number, whole: number): string | undefined {
  return whole === 0 ? undefined : `${(part * 100 / whole).toFixed(2)}%`;
}

/** The metrics of data in memory. */
export const DATA_METRICS: readonly Metric<DataFacts>[] = [
  {
    section: "memory",
    field: "used_memory",
    name: "memory_used_bytes",
    type: "gauge",
    help: "The memory that the data takes, including the tables that find keys.",
    human: true,
    total: "sum",
    read: ({ data }) => data.usedBytes,
  },
  {
    section: "memory",
    field: "used_memory_peak",
    name: "memory_used_peak_bytes",
    type: "gauge",
    help: "The most memory that the data has taken. The sum of a proxy is of the peaks, which were not at one time.",
    human: true,
    total: "sum",
    read: ({ data }) => data.peakBytes,
  },
  {
    section: "memory",
    field: "used_memory_peak_perc",
    type: "text",
    help: "`used_memory` as a part of the peak.",
    derive: (of) => percent(of("used_memory"), of("used_memory_peak")),
  },
  {
    section: "memory",
    field: "used_memory_overhead",
    name: "memory_overhead_bytes",
    type: "gauge",
    help: "The memory of the tables that find keys, and of the accounts of the allocator.",
    total: "sum",
    read: ({ data }) => data.tableBytes + data.accountBytes,
  },
  {
    section: "memory",
    field: "used_memory_startup",
    type: "gauge",
    help: "The memory that was used before there was any key.",
    total: "sum",
    read: ({ data }) => data.startupBytes,
  },
  {
    section: "memory",
    field: "used_memory_dataset",
    name: "memory_dataset_bytes",
    type: "gauge",
    help: "The memory of keys and values, without the tables that find keys.",
    total: "sum",
    read: ({ data }) => data.usedBytes - data.tableBytes,
  },
  {
    section: "memory",
    field: "used_memory_dataset_perc",
    type: "text",
    help: "`used_memory_dataset` as a part of `used_memory`.",
    derive: (of) => percent(of("used_memory_dataset"), of("used_memory")),
  },
  {
    section: "memory",
    field: "maxmemory",
    name: "memory_limit_bytes",
    type: "gauge",
    help: "The most memory that the data may take.",
    human: true,
    total: "sum",
    read: ({ data }) => data.limitBytes,
  },
  {
    section: "memory",
    field: "maxmemory_policy",
    type: "text",
    help: "What happens when memory is full: `allkeys-lru` evicts keys, `noeviction` refuses writes.",
    total: "same",
    read: ({ data }) => data.evicts ? "allkeys-lru" : "noeviction",
  },
  {
    section: "memory",
    field: "committed_memory",
    name: "memory_committed_bytes",
    type: "gauge",
    help: "The memory of the pages that the data is in, including the free places between values.",
    total: "sum",
    read: ({ data }) => data.committedBytes,
  },
  {
    section: "memory",
    field: "index_memory",
    name: "memory_index_bytes",
    type: "gauge",
    help: "The memory of the tables that find keys and fields.",
    total: "sum",
    read: ({ data }) => data.tableBytes,
  },
  {
    section: "memory",
    field: "mem_fragmentation_bytes",
    type: "gauge",
    help: "`committed_memory` without `used_memory`: the free places between values.",
    total: "sum",
    read: ({ data }) => data.committedBytes - data.usedBytes,
  },
  {
    section: "memory",
    field: "mem_fragmentation_ratio",
    type: "text",
    help: "`committed_memory` divided by `used_memory`.",
    derive: (of) => of("used_memory") === 0 ? undefined : (of("committed_memory") / of("used_memory")).toFixed(2),
  },
  {
    section: "memory",
    field: "mem_allocator",
    type: "text",
    help: "The allocator of the data, which is inmem's own.",
    total: "same",
    read: () => "inmem-arena",
  },
  {
    section: "stats",
    field: "expired_keys",
    name: "keys_expired_total",
    type: "counter",
    help: "The number of keys that were removed because their time to live was over.",
    total: "sum",
    read: ({ data }) => data.expiredKeys,
  },
  {
    section: "stats",
    field: "evicted_keys",
    name: "keys_evicted_total",
    type: "counter",
    help: "The number of keys that were removed because memory was full.",
    total: "sum",
    read: ({ data }) => data.evictedKeys,
  },
  {
    section: "stats",
    field: "keyspace_hits",
    name: "keyspace_hits_total",
    type: "counter",
    help: "The number of keys that reading commands have found.",
    total: "sum",
    read: ({ data }) => data.hits,
  },
  {
    section: "stats",
    field: "keyspace_misses",
    name: "keyspace_misses_total",
    type: "counter",
    help: "The number of keys that reading commands have not found.",
    total: "sum",
    read: ({ data }) => data.misses,
  },
  {
    section: "keyspace",
    field: "db0.keys",
    name: "keys",
    type: "gauge",
    help: "The number of keys.",
    total: "sum",
    read: ({ data }) => data.keys,
  },
  {
    section: "keyspace",
    field: "db0.expires",
    name: "keys_with_ttl",
    type: "gauge",
    help: "The number of keys that have a time to live.",
    total: "sum",
    read: ({ data }) => data.keysWithDeadline,
  },
  {
    section: "keyspace",
    field: "db0.avg_ttl",
    name: "key_ttl_mean_seconds",
    type: "gauge",
    help: "The mean time to live of the keys that have one, in ms in `info`.",
    scale: 0.001,
    total: { meanBy: "db0.expires" },
    read: ({ data }) => data.meanTtlMs,
  },
];
