/**
 * The parameters of a server for `config`: what Redis has, by Redis's names, and each setting that can change, by the
 * name of its option too.
 *
 * @module
 */

import type { Configuration } from "../connection/configuration.ts";
import { diagnosisSettings } from "../connection/diagnosis_settings.ts";
import {
  type Access,
  fixed,
  integerParameter,
  memoryParameter,
  saveParameter,
  wordParameter,
} from "../connection/parameter_kinds.ts";
import {
  CLIENT_MEMORY_MAX_BYTES,
  CLIENT_MEMORY_MIN_BYTES,
  CLIENTS_MAX_COUNT,
  MEMORY_LIMIT_MAX_BYTES,
  MEMORY_LIMIT_MIN_BYTES,
  SNAPSHOT_GROWTH_MAX_PERCENT,
  SNAPSHOT_GROWTH_MIN_BYTES,
  SNAPSHOT_INTERVAL_MAX_MS,
  VALUE_SIZE_MAX_BYTES,
} from "../limits.ts";
import type { Instruments } from "../metrics/instruments.ts";
import { type LiveSettings, optionParameters } from "../role/live_settings.ts";
import { serverOptions } from "../role/option_tables.ts";

/** The facts of a server that its parameters show. */
export interface ConfigurationFacts {
  readonly settings: {
    readonly hostname: string;
    readonly certificate?: unknown;
    readonly dataPath?: string | undefined;
  };
  readonly port: number;
  readonly instruments: Instruments;
  /** The settings that can change. */
  readonly live: LiveSettings;
}

/** Returns the parameters of a server. */
export function serverConfiguration({ settings, port, instruments, live }: ConfigurationFacts): Configuration {
  const isTls = settings.certificate !== undefined;
  // The compiler does not know the type of each value. The option's kind says it.
  const access = <T>(name: string): Access<T> => live[name] as unknown as Access<T>;
  return {
    bind: fixed(settings.hostname),
    port: fixed(isTls ? 0 : port),
    "tls-port": fixed(isTls ? port : 0),
    maxclients: integerParameter(1, CLIENTS_MAX_COUNT, access("max-clients")),
    "maxmemory-clients": memoryParameter(CLIENT_MEMORY_MIN_BYTES, CLIENT_MEMORY_MAX_BYTES, access("max-client-memory")),
    maxmemory: memoryParameter(MEMORY_LIMIT_MIN_BYTES, MEMORY_LIMIT_MAX_BYTES, access("max-memory")),
    "maxmemory-policy": wordParameter({ "allkeys-lru": "lru", noeviction: "none" }, access("eviction")),
    "proto-max-bulk-len": fixed(VALUE_SIZE_MAX_BYTES),
    databases: fixed(1),
    timeout: fixed(0),
    appendonly: fixed(settings.dataPath === undefined ? "no" : "yes"),
    appendfsync: wordParameter({ everysec: "everysec", always: "always", no: "never" }, access("fsync")),
    "auto-aof-rewrite-percentage": integerParameter(0, SNAPSHOT_GROWTH_MAX_PERCENT, access("snapshot-growth")),
    "auto-aof-rewrite-min-size": fixed(SNAPSHOT_GROWTH_MIN_BYTES),
    save: settings.dataPath === undefined
      ? fixed("")
      : saveParameter(access("snapshot-interval"), SNAPSHOT_INTERVAL_MAX_MS),
    dir: fixed(settings.dataPath ?? ""),
    ...diagnosisSettings(instruments),
    "lazyfree-lazy-eviction": fixed("yes"),
    "lazyfree-lazy-expire": fixed("yes"),
    "lazyfree-lazy-user-del": fixed("yes"),
    ...optionParameters(serverOptions, live),
  };
}
