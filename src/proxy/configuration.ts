/**
 * What `config` tells of a proxy. All of it is fixed at the start, by options.
 *
 * @module
 */

import type { Configuration, Parameter } from "../connection/configuration.ts";
import { VALUE_SIZE_MAX_BYTES } from "../limits.ts";

/** What it tells of. */
export interface ConfigurationFacts {
  readonly hostname: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly maxClients: number;
  readonly clientMemory: { readonly limitBytes: number };
}

/** The parameters of a proxy, by the names that Redis has for them; those that tools ask for are told as of a server. */
export function proxyConfiguration(
  { hostname, port, isTls, maxClients, clientMemory }: ConfigurationFacts,
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
  };
}
