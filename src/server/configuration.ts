/**
 * The parameters of a server for `config`. The eviction policy and the settings of diagnosis can be changed. Options
 * fix all others at the start.
 *
 * @module
 */

import type { Configuration, Parameter } from "../connection/configuration.ts";
import { diagnosisSettings } from "../connection/diagnosis_settings.ts";
import { SNAPSHOT_GROWTH_MIN_BYTES, VALUE_SIZE_MAX_BYTES } from "../limits.ts";
import type { Instruments } from "../metrics/instruments.ts";
import type { Store } from "../store/store.ts";

/** The facts of a server that its parameters show. */
export interface ConfigurationFacts {
  readonly settings: {
    readonly hostname: string;
    readonly certificate?: unknown;
    readonly dataPath?: string | undefined;
    readonly fsync?: string;
    readonly snapshotGrowthPercent?: number;
    readonly snapshotIntervalMs?: number;
    readonly maxClients: number;
  };
  readonly store: Store;
  readonly port: number;
  readonly clientMemory: { readonly limitBytes: number };
  readonly instruments: Instruments;
}

/** Returns the parameters of a server. */
export function serverConfiguration(
  { settings, store, port, clientMemory, instruments }: ConfigurationFacts,
): Configuration {
  const fixed = (value: string | number): Parameter => ({ get: () => String(value) });
  const intervalMs = settings.dataPath === undefined ? 0 : settings.snapshotIntervalMs ?? 0;
  const isTls = settings.certificate !== undefined;
  return {
    bind: fixed(settings.hostname),
    port: fixed(isTls ? 0 : port),
    "tls-port": fixed(isTls ? port : 0),
    maxclients: fixed(settings.maxClients),
    "maxmemory-clients": fixed(clientMemory.limitBytes),
    maxmemory: fixed(store.statistics.limitBytes),
    "maxmemory-policy": {
      get: () => store.room.evicts ? "allkeys-lru" : "noeviction",
      set: (value) => {
        if (value !== "allkeys-lru" && value !== "noeviction") {
          return "argument must be one of the following: allkeys-lru, noeviction";
        }
        store.room.evicts = value === "allkeys-lru";
        return undefined;
      },
    },
    "proto-max-bulk-len": fixed(VALUE_SIZE_MAX_BYTES),
    databases: fixed(1),
    timeout: fixed(0),
    appendonly: fixed(settings.dataPath === undefined ? "no" : "yes"),
    appendfsync: fixed(settings.fsync === "never" ? "no" : settings.fsync ?? "everysec"),
    "auto-aof-rewrite-percentage": fixed(settings.snapshotGrowthPercent ?? 0),
    "auto-aof-rewrite-min-size": fixed(SNAPSHOT_GROWTH_MIN_BYTES),
    save: fixed(intervalMs > 0 ? `${Math.ceil(intervalMs / 1000)} 1` : ""),
    dir: fixed(settings.dataPath ?? ""),
    ...diagnosisSettings(instruments),
    "lazyfree-lazy-eviction": fixed("yes"),
    "lazyfree-lazy-expire": fixed("yes"),
    "lazyfree-lazy-user-del": fixed("yes"),
  };
}
