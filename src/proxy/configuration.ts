/**
 * The parameters that `config` shows and changes on a proxy.
 *
 * The settings of diagnosis are changed on the proxy and on all its servers. The limits of clients are changed on the
 * proxy only, since the servers have other clients.
 *
 * @module
 */

import type { Configuration } from "../connection/configuration.ts";
import { diagnosisSettings } from "../connection/diagnosis_settings.ts";
import { type Access, fixed, integerParameter, memoryParameter } from "../connection/parameter_kinds.ts";
import {
  CLIENT_MEMORY_MAX_BYTES,
  CLIENT_MEMORY_MIN_BYTES,
  CLIENTS_MAX_COUNT,
  VALUE_SIZE_MAX_BYTES,
} from "../limits.ts";
import type { Instruments } from "../metrics/instruments.ts";
import { type LiveSettings, optionParameters } from "../role/live_settings.ts";
import { proxyOptions } from "../role/option_tables.ts";

/** The settings of a proxy from which its parameters are derived. */
export interface ConfigurationFacts {
  readonly hostname: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly instruments: Instruments;
  /** The settings that can change. */
  readonly live: LiveSettings;
}

/**
 * Returns the parameters of a proxy by their names in Redis and by the names of its options. Parameters that tools
 * read, but for which a proxy has no setting, have fixed values.
 */
export function proxyConfiguration({ hostname, port, isTls, instruments, live }: ConfigurationFacts): Configuration {
  // The options of both settings are numbers.
  const access = (name: string): Access<number> => live[name] as unknown as Access<number>;
  return {
    bind: fixed(hostname),
    port: fixed(isTls ? 0 : port),
    "tls-port": fixed(isTls ? port : 0),
    maxclients: integerParameter(1, CLIENTS_MAX_COUNT, access("max-clients")),
    "maxmemory-clients": memoryParameter(CLIENT_MEMORY_MIN_BYTES, CLIENT_MEMORY_MAX_BYTES, access("max-client-memory")),
    "proto-max-bulk-len": fixed(VALUE_SIZE_MAX_BYTES),
    databases: fixed(1),
    timeout: fixed(0),
    appendonly: fixed("no"),
    save: fixed(""),
    ...diagnosisSettings(instruments),
    ...optionParameters(proxyOptions, live),
  };
}
