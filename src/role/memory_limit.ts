/**
 * Divides the memory of the container, or of the machine, where options do not.
 *
 * ```text
 * server   [ data                     | clients | connections | runtime: RUNTIME_MEMORY_BYTES ]
 * proxy    [ clients                            | connections | runtime                       ]
 *          └──────────────────── what the control group allows, or the machine has ───────────┘
 * ```
 *
 * A process that exceeds its control group is killed without notice, so all parts together have to fit:
 *
 * - *runtime*: the program, the port of `--metrics`, the engine's heap with its garbage, a snapshot's buffers, and the
 *   part of the program's file that has to stay in memory, as measured in control groups of 128 to 512 MB.
 * - *data*: three quarters of all, or less, so that the runtime and at least an eighth for clients are left.
 * - *clients*: a quarter of data, within bounds, as far as there is room.
 * - *connections*: the cost of each idle connection. If 10,000 of them do not fit, `--max-clients` is lowered.
 *
 * A role refuses to start in a container in which not even the least of each part fits, and says what to do. An
 * explicit `--max-memory` is always obeyed; if it does not fit, that is logged.
 *
 * @module
 */

import { getHeapStatistics } from "node:v8";
import { StartError } from "../errors.ts";
import {
  CLIENT_HEAP_SHARE,
  CLIENT_MEMORY_DEFAULT_MAX_BYTES,
  CLIENT_MEMORY_DEFAULT_MIN_BYTES,
  CLIENT_MEMORY_DEFAULT_SHARE,
  CLIENT_MEMORY_MIN_BYTES,
  CLIENTS_MEMORY_MIN_SHARE,
  CONNECTION_MEMORY_BYTES,
  CONNECTIONS_MEMORY_MAX_SHARE,
  FREED_QUEUE_MAX_BYTES,
  HTTP_MEMORY_BYTES,
  MEMORY_LIMIT_DEFAULT_SHARE,
  MEMORY_LIMIT_MAX_BYTES,
  MEMORY_LIMIT_MIN_BYTES,
  PROXY_MEMORY_MIN_BYTES,
  QUEUE_MEMORY_MIN_BYTES,
  QUEUE_MEMORY_SHARE,
  RUNTIME_MEMORY_BYTES,
  SNAPSHOT_QUEUE_MAX_BYTES,
} from "../limits.ts";
import { PLATFORM } from "../operating_system.ts";
import { controlGroupLimit } from "./control_group.ts";
import { formatSize } from "./quantities.ts";
import { SystemLibrary } from "./system_library.ts";

/** The memory that the environment provides, in bytes. Tests replace it. */
export interface MemorySources {
  /** The machine's memory. */
  readonly machine: number;
  /** The limit of the control group; `Infinity` without a limit. */
  readonly group: number;
}

/** The requests of options; `undefined` for an absent option. */
export interface MemoryWishes {
  /** Bytes for data, by `--max-memory`. */
  readonly data?: number | undefined;
  /** Bytes that clients may hold, by `--max-client-memory`. */
  readonly clients?: number | undefined;
  /** The number of connections, by `--max-clients`. */
  readonly connections: number;
  /** Whether there is a port of `--metrics`. */
  readonly hasPort?: boolean;
}

/** How memory is divided. */
export interface MemoryPlan {
  /** Bytes for data; 0 for a proxy. */
  readonly data: number;
  /** The origin of the limit for data, for the log, such as `75 % of the container's 2gb`. */
  readonly reason: string;
  /** Bytes that all clients together may hold. */
  readonly clients: number;
  /** The most clients at the same time. */
  readonly connections: number;
  /**
   * The most connections at the same time, including those that are not clients yet; `Infinity` where 10,000 clients
   * fit.
   */
  readonly maxConnections: number;
  /** Bytes of a snapshot that may wait for the disk. */
  readonly snapshotQueue: number;
  /** Bytes of freed buffers that may wait until their memory is returned to the system. */
  readonly freedQueue: number;
  /** The warnings for the operator, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Divides memory for a server.
 *
 * @throws {StartError} when the container, or the machine, is too small for any data, unless `--max-memory` is given
 */
export function planServerMemory(wishes: MemoryWishes, sources: MemorySources = readSources()): MemoryPlan {
  const { available, owner } = availableMemory(sources);
  const runtime = runtimeBytes(wishes);
  const { data, reason } = wishes.data === undefined
    ? defaultDataLimit(available, owner, runtime, wishes.clients)
    : { data: wishes.data, reason: "--max-memory" };
  const rest = available - runtime - data;
  const least = wishes.clients ?? Math.floor(available * CLIENTS_MEMORY_MIN_SHARE);
  const warnings: string[] = [];
  if (rest < least) {
    warnings.push(
      `The ${owner}'s ${formatSize(available)} may not be enough: --max-memory takes ${
        formatSize(data)
      }, clients up to ` +
        `${formatSize(least)}, and the runtime about ${formatSize(runtime)}; the system may end this process`,
    );
  }
  const shares = shareAmongClients(Math.max(rest, least), defaultClientMemoryLimit(data), wishes);
  warnings.push(...warnOfFewer(shares.connections, wishes, available, owner));
  return { data, reason, ...shares, ...boundQueues(available), warnings };
}

/**
 * Divides memory for a proxy, which holds no data.
 *
 * @throws {StartError} when the container, or the machine, is too small for any client
 */
export function planProxyMemory(wishes: MemoryWishes, sources: MemorySources = readSources()): MemoryPlan {
  const { available, owner } = availableMemory(sources);
  const runtime = runtimeBytes(wishes);
  const rest = available - runtime;
  const needed = PROXY_MEMORY_MIN_BYTES - RUNTIME_MEMORY_BYTES + runtime;
  if (available < needed) {
    throw new StartError(
      `Cannot run in the ${owner}'s ${formatSize(available)} of memory: expected ${formatSize(needed)} ` +
        "or more, or the system may end this process at any time",
    );
  }
  const warnings: string[] = [];
  if (wishes.clients !== undefined && wishes.clients > rest) {
    warnings.push(
      `The ${owner}'s ${formatSize(available)} may not be enough: --max-client-memory takes ` +
        `${formatSize(wishes.clients)}, and the runtime about ${formatSize(runtime)}; ` +
        "the system may end this process",
    );
  }
  const least = Math.floor(available * CLIENTS_MEMORY_MIN_SHARE);
  const shares = shareAmongClients(Math.max(rest, least), defaultClientMemoryLimit(available), wishes);
  warnings.push(...warnOfFewer(shares.connections, wishes, available, owner));
  return { data: 0, reason: "", ...shares, ...boundQueues(available), warnings };
}

/**
 * Returns the limit for data without `--max-memory`.
 *
 * @throws {StartError} when nothing is left for data
 */
function defaultDataLimit(
  available: number,
  owner: string,
  runtime: number,
  clients: number | undefined,
): Pick<MemoryPlan, "data" | "reason"> {
  const percent = Math.round(MEMORY_LIMIT_DEFAULT_SHARE * 100);
  const share = Math.floor(available * MEMORY_LIMIT_DEFAULT_SHARE);
  const forClients = clients ?? Math.floor(available * CLIENTS_MEMORY_MIN_SHARE);
  const left = available - runtime - forClients;
  const data = Math.min(share, left, MEMORY_LIMIT_MAX_BYTES);
  if (data < MEMORY_LIMIT_MIN_BYTES) {
    const needed = clients === undefined
      ? (MEMORY_LIMIT_MIN_BYTES + runtime) / (1 - CLIENTS_MEMORY_MIN_SHARE)
      : MEMORY_LIMIT_MIN_BYTES + runtime + clients;
    throw new StartError(
      `Cannot choose a memory limit: the ${owner}'s ${
        formatSize(available)
      } leave no room for data beside the runtime ` +
        `(about ${formatSize(runtime)}) and clients (${formatSize(forClients)}): expected ` +
        `${formatSize(Math.ceil(needed / MEGABYTE) * MEGABYTE)} or more, or --max-memory SIZE to run at your own risk`,
    );
  }
  const whole = `the ${owner}'s ${formatSize(available)}`;
  if (data === MEMORY_LIMIT_MAX_BYTES) {
    return { data, reason: `the most possible; the ${owner} has ${formatSize(available)}` };
  }
  if (data === share) return { data, reason: `${percent} % of ${whole}` };
  const kept = `${formatSize(runtime)} for the runtime and ${formatSize(forClients)} for clients`;
  return { data, reason: `what ${whole} leave after ${kept}` };
}

/** Returns the memory that is kept for the runtime, and for the port of `--metrics`. */
function runtimeBytes({ hasPort = false }: MemoryWishes): number {
  return RUNTIME_MEMORY_BYTES + (hasPort ? HTTP_MEMORY_BYTES : 0);
}

const MEGABYTE = 1024 * 1024;

/** Divides the rest between the data that clients hold and the cost of their connections. */
function shareAmongClients(
  rest: number,
  usual: number,
  { clients, connections }: MemoryWishes,
): Pick<MemoryPlan, "clients" | "connections" | "maxConnections"> {
  const wanted = connections * CONNECTION_MEMORY_BYTES;
  const share = clients === undefined
    ? Math.min(wanted, Math.floor(rest * CONNECTIONS_MEMORY_MAX_SHARE))
    : Math.min(wanted, Math.max(rest - clients, Math.floor(rest * CONNECTIONS_MEMORY_MAX_SHARE)));
  const fitting = Math.max(1, Math.floor(share / CONNECTION_MEMORY_BYTES));
  return {
    clients: clients ?? Math.max(CLIENT_MEMORY_MIN_BYTES, Math.min(usual, rest - share)),
    connections: fitting,
    // Handshakes take memory, too.
    maxConnections: fitting < connections ? 2 * fitting : Infinity,
  };
}

/** Bounds the queues in the runtime's part by a share of a small container. */
function boundQueues(available: number): Pick<MemoryPlan, "snapshotQueue" | "freedQueue"> {
  const share = Math.max(QUEUE_MEMORY_MIN_BYTES, Math.floor(available * QUEUE_MEMORY_SHARE));
  return {
    snapshotQueue: Math.min(share, SNAPSHOT_QUEUE_MAX_BYTES),
    freedQueue: Math.min(share, FREED_QUEUE_MAX_BYTES),
  };
}

function warnOfFewer(connections: number, wishes: MemoryWishes, available: number, owner: string): string[] {
  if (connections >= wishes.connections) return [];
  return [
    `--max-clients is ${connections} instead of ${wishes.connections}: more connections do not fit into the ${owner}'s ` +
    formatSize(available),
  ];
}

/** Returns the memory of the control group, or of the machine if that is less or there is no limit. */
function availableMemory({ machine, group }: MemorySources): { available: number; owner: string } {
  return group < machine ? { available: group, owner: "container" } : { available: machine, owner: "machine" };
}

/** Returns the default limit of what all clients together may hold: a quarter of `ofBytes`, within bounds. */
export function defaultClientMemoryLimit(ofBytes: number): number {
  const share = Math.floor(ofBytes * CLIENT_MEMORY_DEFAULT_SHARE);
  return Math.min(Math.max(share, CLIENT_MEMORY_DEFAULT_MIN_BYTES), CLIENT_MEMORY_DEFAULT_MAX_BYTES);
}

/** Returns the limit of the engine's heap for the objects of all clients. */
export function clientHeapLimit(): number {
  return Math.floor(getHeapStatistics().heap_size_limit * CLIENT_HEAP_SHARE);
}

/** Reads the memory of this process. Where the control group is unknown, the machine's memory counts. */
function readSources(): MemorySources {
  using library = PLATFORM.has("controlGroups") ? SystemLibrary.open() : undefined;
  const group = library === undefined ? Infinity : controlGroupLimit((path) => library.readFile(path));
  return { machine: Deno.systemMemoryInfo().total, group };
}
