/**
 * The parameters that `config` returns on a proxy. Options set them at the start, and they do not change.
 *
 * The settings of diagnosis are an exception: `config set` changes them on the proxy and on all its servers.
 *
 * @module
 */

import type { Configuration, Parameter } from "../connection/configuration.ts";
import { diagnosisSettings } from "../connection/diagnosis_settings.ts";
import { VALUE_SIZE_MAX_BYTES } from "../limits.ts";
import type { Instruments } from "../metrics/instruments.ts";

/** The settings of a proxy from which its parameters are derived. */
export interface ConfigurationFacts {
  readonly hostname: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly maxClients: number;
  readonly clientMemory: { readonly limitBytes: number };
  readonly instruments: Instruments;
}

/**
 * Returns the parameters of a proxy by their names in Redis. Parameters that tools read, but for which a proxy has no
 * setting, have fixed values.
 */
export function proxyConfiguration(
  { hostname, port, isTls, maxClients, clientMemory, instruments }: ConfigurationFacts,
): Configuration {
  const fixed = (value: string | number): Parameter => ({ get: () => String(value) });
  return {
    bind: fixed(hostname),
    port: fixed(isTls ? 0 : port),
    "tls-port": fixed(isTls ? port : 0),
    maxclients: fixed(maxClients),
    "maxmemory-clients": fixed(clientMemory.limitBytes),
    "proto-max-bulk-len": fixed(VALUE_SIZE_MAX_BYTES),
    databases: fixed(1),
    timeout: fixed(0),
    appendonly: fixed("no"),
    save: fixed(""),
    ...diagnosisSettings(instruments),
  };
}
