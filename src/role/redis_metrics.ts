/**
 * Fields that monitoring of Redis reads, about things that inmem does not have: replicas, child processes, scripts.
 * Their values never change, and they are the truth.
 *
 * Fields about how Redis works inside are left out, such as those of its allocator and of its event loop.
 *
 * @module
 */

import type { Metric, Section } from "../metrics/metric.ts";
import type { RoleFacts } from "./role_facts.ts";

/** The fields that are always the same, with their values, by what inmem does not have. */
const FIXED: readonly (readonly [what: string, section: Section, fields: Readonly<Record<string, string | number>>])[] =
  [
    ["file of settings", "server", { config_file: "" }],
    ["process that supervises it", "server", { process_supervised: "no" }],
    ["threads for sockets", "server", { io_threads_active: 0 }],
    ["connections between servers of a cluster", "clients", { cluster_connections: 0 }],
    ["tracking of what clients cache", "clients", { tracking_clients: 0 }],
    ["scripts", "memory", {
      used_memory_lua: 0,
      used_memory_lua_human: "0B",
      used_memory_scripts: 0,
      used_memory_scripts_human: "0B",
      used_memory_scripts_eval: 0,
      used_memory_functions: 0,
      used_memory_vm_eval: 0,
      used_memory_vm_functions: 0,
      used_memory_vm_total: 0,
      used_memory_vm_total_human: "0B",
      number_of_cached_scripts: 0,
      number_of_functions: 0,
      number_of_libraries: 0,
    }],
    ["buffers that eviction does not count", "memory", { mem_not_counted_for_evict: 0 }],
    ["replicas", "memory", { mem_replication_backlog: 0, mem_clients_slaves: 0, mem_total_replication_buffers: 0 }],
    ["thread that moves values", "memory", { active_defrag_running: 0 }],
    ["connections between servers of a cluster", "memory", { mem_cluster_links: 0 }],
    ["loading while clients are served", "persistence", { async_loading: 0 }],
    ["child processes", "persistence", {
      current_cow_peak: 0,
      current_cow_size: 0,
      current_cow_size_age: 0,
      current_fork_perc: "0.00",
      rdb_last_cow_size: 0,
      aof_rewrite_in_progress: 0,
      aof_rewrite_scheduled: 0,
      aof_last_rewrite_time_sec: -1,
      aof_current_rewrite_time_sec: -1,
      aof_last_bgrewrite_status: "ok",
      aof_rewrites: 0,
      aof_rewrites_consecutive_failures: 0,
      aof_last_cow_size: 0,
      module_fork_in_progress: 0,
      module_fork_last_cow_size: 0,
    }],
    ["replicas", "stats", {
      total_net_repl_input_bytes: 0,
      total_net_repl_output_bytes: 0,
      instantaneous_input_repl_kbps: "0.00",
      instantaneous_output_repl_kbps: "0.00",
      sync_full: 0,
      sync_partial_ok: 0,
      sync_partial_err: 0,
      slave_expires_tracked_keys: 0,
    }],
    ["child processes", "stats", { latest_fork_usec: 0, total_forks: 0 }],
    ["moving of keys between servers by `migrate`", "stats", { migrate_cached_sockets: 0 }],
    ["tracking of what clients cache", "stats", {
      tracking_total_keys: 0,
      tracking_total_items: 0,
      tracking_total_prefixes: 0,
    }],
    ["thread that moves values", "stats", {
      active_defrag_hits: 0,
      active_defrag_misses: 0,
      active_defrag_key_hits: 0,
      active_defrag_key_misses: 0,
      total_active_defrag_time: 0,
      current_active_defrag_time: 0,
    }],
    ["threads for sockets", "stats", { io_threaded_reads_processed: 0, io_threaded_writes_processed: 0 }],
    ["values in the form of `dump`", "stats", { dump_payload_sanitizations: 0 }],
    ["channels that belong to slots", "stats", { pubsubshard_channels: 0 }],
    ["replicas, so clients that look for a writable server use this one", "replication", { role: "master" }],
    ["replicas", "replication", {
      connected_slaves: 0,
      master_failover_state: "no-failover",
      master_replid2: "0".repeat(40),
      master_repl_offset: 0,
      second_repl_offset: -1,
      repl_backlog_active: 0,
      repl_backlog_size: 0,
      repl_backlog_first_byte_offset: 0,
      repl_backlog_histlen: 0,
    }],
    ["child processes", "cpu", { used_cpu_sys_children: "0.000000", used_cpu_user_children: "0.000000" }],
    ["cluster that its clients know of", "cluster", { cluster_enabled: 0 }],
  ];

/** The fields of things that inmem does not have. */
export const REDIS_METRICS: readonly Metric<RoleFacts>[] = [
  ...FIXED.flatMap(([what, section, fields]) => {
    return Object.entries(fields).map(([field, value]): Metric<RoleFacts> => {
      return {
        section,
        field,
        type: "text",
        help: `Always ${value === "" ? "empty" : `\`${value}\``}: inmem has no ${what}.`,
        read: () => value,
      };
    });
  }),
];
