/**
 * Divides the descriptors that the system allows (`ulimit -n`).
 *
 * ```text
 * server   own files | port of --metrics | clients | being refused or closed
 * proxy    own files | port of --metrics | servers: shared, dedicated | clients | being refused or closed
 * ```
 *
 * If `--max-clients` is larger than what fits, it is lowered, as in Redis. The parts are enforced when a connection is
 * accepted. Clients, authenticated or not, therefore never take the descriptors that a server needs for a snapshot or a
 * proxy for its servers.
 *
 * @module
 */

import { StartError } from "../errors.ts";
import {
  DEDICATED_CONNECTIONS_MAX_COUNT,
  HTTP_CONNECTIONS_MAX_COUNT,
  HTTP_SPARE_CONNECTIONS_COUNT,
  OWN_DESCRIPTORS_COUNT,
  SERVER_EXTRA_CONNECTIONS_COUNT,
  SPARE_CONNECTIONS_MAX_COUNT,
  SPARE_CONNECTIONS_MIN_COUNT,
} from "../limits.ts";
import { SystemLibrary } from "./system_library.ts";

/** How a role's descriptors are divided. */
export interface DescriptorPlan {
  /** The most clients at the same time. */
  readonly maxClients: number;
  /** The most connections from clients at the same time, including those that are not clients yet or not any more. */
  readonly maxConnections: number;
  /** The most connections to the port of `--metrics`; 0 without it. */
  readonly portConnections: number;
  /** The warnings for the operator, one sentence each. */
  readonly warnings: readonly string[];
}

/** How a proxy's descriptors are divided. */
export interface ProxyDescriptorPlan extends DescriptorPlan {
  /** The most connections to each server that clients share. */
  readonly sharedConnections: number;
  /** The most dedicated connections of single clients, to all servers together. */
  readonly dedicatedConnections: number;
}

/**
 * Divides descriptors for a server.
 *
 * @param hasPort whether there is a port of `--metrics`
 * @param limit the number of descriptors that the process may have; `undefined` when unknown
 * @throws {StartError} when there are too few for any client
 */
export function planServerDescriptors(
  maxClients: number,
  hasPort = false,
  limit: number | undefined = readLimit(),
): DescriptorPlan {
  const rest = Math.max(0, (limit ?? Infinity) - OWN_DESCRIPTORS_COUNT);
  const portConnections = shareOfPort(hasPort, rest);
  return { ...shareAmongClients(maxClients, rest - portConnections, limit ?? Infinity), portConnections };
}

/**
 * Divides descriptors for a proxy.
 *
 * @param servers the number of servers
 * @param shared the most connections to each of them that clients share, by `--conns`
 * @param hasPort whether there is a port of `--metrics`
 * @throws {StartError} when there are too few for any client
 */
export function planProxyDescriptors(
  maxClients: number,
  servers: number,
  shared: number,
  hasPort = false,
  limit: number | undefined = readLimit(),
): ProxyDescriptorPlan {
  const all = Math.max(0, (limit ?? Infinity) - OWN_DESCRIPTORS_COUNT);
  const portConnections = shareOfPort(hasPort, all);
  const rest = all - portConnections;
  const each = shared + SERVER_EXTRA_CONNECTIONS_COUNT;
  const forServers = Math.min(servers * each, Math.floor(rest / 2));
  const fitting = Math.floor(forServers / Math.max(1, servers)) - SERVER_EXTRA_CONNECTIONS_COUNT;
  const sharedConnections = Math.max(1, Math.min(shared, fitting));
  const left = rest - forServers;
  const dedicatedConnections = Math.min(DEDICATED_CONNECTIONS_MAX_COUNT * Math.max(1, servers), Math.floor(left / 4));
  const plan = shareAmongClients(maxClients, left - dedicatedConnections, limit ?? Infinity);
  const warnings = [...plan.warnings];
  if (sharedConnections < shared) {
    warnings.push(
      `--conns is ${sharedConnections} instead of ${shared}: the system allows ${limit} descriptors (ulimit -n)`,
    );
  }
  return { ...plan, warnings, portConnections, sharedConnections, dedicatedConnections };
}

/** Returns the most connections to the port of `--metrics`: a quarter where descriptors are few. */
function shareOfPort(hasPort: boolean, rest: number): number {
  const wanted = HTTP_CONNECTIONS_MAX_COUNT + HTTP_SPARE_CONNECTIONS_COUNT;
  return hasPort ? Math.min(wanted, Math.floor(rest / 4)) : 0;
}

function shareAmongClients(
  maxClients: number,
  connections: number,
  limit: number,
): Omit<DescriptorPlan, "portConnections"> {
  const eighth = Math.floor(connections / 8);
  const spare = Math.min(Math.max(eighth, SPARE_CONNECTIONS_MIN_COUNT), SPARE_CONNECTIONS_MAX_COUNT);
  const fitting = connections - spare;
  if (fitting < 1) {
    throw new StartError(
      `Cannot serve clients with ${limit} descriptors: expected a higher limit (ulimit -n), such as 1024`,
    );
  }
  if (fitting >= maxClients) return { maxClients, maxConnections: connections, warnings: [] };
  const warning =
    `--max-clients is ${fitting} instead of ${maxClients}: the system allows ${limit} descriptors (ulimit -n), ` +
    `of which ${limit - fitting} are kept for other purposes`;
  return { maxClients: fitting, maxConnections: connections, warnings: [warning] };
}

/** Returns the process's limit; `undefined` where the system cannot be asked. */
function readLimit(): number | undefined {
  using library = SystemLibrary.open();
  return library?.descriptorLimit();
}
