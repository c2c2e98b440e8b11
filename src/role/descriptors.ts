/**
 * How the descriptors that the system allows (`ulimit -n`) are shared out.
 *
 * ```text
 * server   own files | clients | being told that they are too many, or being closed
 * proxy    own files | servers: shared | servers: of one client each | clients | being told, or closed
 * ```
 *
 * Where `--max-clients` asks for more than fits, it is lowered, as Redis does. The parts are kept apart when a connection is
 * accepted, so clients, authenticated or not, never take what a server needs for a snapshot, or a proxy to reach its servers.
 *
 * @module
 */

import { StartError } from "../errors.ts";
import {
  DEDICATED_CONNECTIONS_MAX_COUNT,
  OWN_DESCRIPTORS_COUNT,
  SERVER_EXTRA_CONNECTIONS_COUNT,
  SPARE_CONNECTIONS_MAX_COUNT,
  SPARE_CONNECTIONS_MIN_COUNT,
} from "../limits.ts";
import { SystemLibrary } from "./system_library.ts";

/** How a role's descriptors are shared out. */
export interface DescriptorPlan {
  /** Clients at once. */
  readonly maxClients: number;
  /** Connections from clients at once, with those that are no clients yet, or not any more. */
  readonly maxConnections: number;
  /** What an operator should know, a sentence each. */
  readonly warnings: readonly string[];
}

/** As {@linkcode DescriptorPlan}, for a proxy. */
export interface ProxyDescriptorPlan extends DescriptorPlan {
  /** Connections to each server that clients share, at most. */
  readonly sharedConnections: number;
  /** Connections to servers that clients have for themselves, of all servers. */
  readonly dedicatedConnections: number;
}

/**
 * Shares descriptors out for a server.
 *
 * @param limit descriptors that the process may have; `undefined` when the system does not tell
 * @throws {StartError} when there are too few for any client
 */
export function planServerDescriptors(maxClients: number, limit: number | undefined = readLimit()): DescriptorPlan {
  const connections = (limit ?? Infinity) - OWN_DESCRIPTORS_COUNT;
  return shareAmongClients(maxClients, connections, limit ?? Infinity);
}

/**
 * Shares descriptors out for a proxy.
 *
 * @param servers how many there are
 * @param shared connections to each of them that clients share, at most, as `--conns` asks for
 * @throws {StartError} when there are too few for any client
 */
export function planProxyDescriptors(
  maxClients: number,
  servers: number,
  shared: number,
  limit: number | undefined = readLimit(),
): ProxyDescriptorPlan {
  const rest = Math.max(0, (limit ?? Infinity) - OWN_DESCRIPTORS_COUNT);
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
  return { ...plan, warnings, sharedConnections, dedicatedConnections };
}

function shareAmongClients(maxClients: number, connections: number, limit: number): DescriptorPlan {
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

/** The process's limit; `undefined` where the system cannot be asked. */
function readLimit(): number | undefined {
  using library = SystemLibrary.open();
  return library?.descriptorLimit();
}
