/**
 * How the memory of the container, or of the machine, is shared out where options do not say.
 *
 * ```text
 * server   [ data                     | clients | connections | runtime: RUNTIME_MEMORY_BYTES ]
 * proxy    [ clients                            | connections | runtime                       ]
 *          └──────────────────── what the control group allows, or the machine has ───────────┘
 * ```
 *
 * A process that outgrows its control group is killed without a word, so everything together has to fit:
 *
 * - *runtime*: the program, the engine's heap with the garbage in it, a snapshot's buffers, and the part of the program's
 *   file that has to stay in memory. Measured in control groups of 128 to 512 MB.
 * - *data*: three quarters of all, or less, so that the runtime and at least an eighth for clients are left.
 * - *clients*: a quarter of data, within bounds, as far as there is room.
 * - *connections*: what each connection costs while it holds nothing. Where 10,000 of them do not fit, `--max-clients` is lowered.
 *
 * A container in which not even the least of each fits is refused at start, with what to do. An explicit `--max-memory` is obeyed
 * in any case; when it does not fit, that is logged.
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
  MEMORY_LIMIT_DEFAULT_SHARE,
  MEMORY_LIMIT_MAX_BYTES,
  MEMORY_LIMIT_MIN_BYTES,
  PROXY_MEMORY_MIN_BYTES,
  QUEUE_MEMORY_MIN_BYTES,
  QUEUE_MEMORY_SHARE,
  RUNTIME_MEMORY_BYTES,
  SNAPSHOT_QUEUE_MAX_BYTES,
} from "../limits.ts";
import { controlGroupLimit } from "./control_group.ts";
import { formatSize } from "./quantities.ts";
import { SystemLibrary } from "./system_library.ts";

/** What the environment tells; replaced in tests. All in bytes. */
export interface MemorySources {
  /** The machine's memory. */
  readonly machine: number;
  /** What the control group allows; `Infinity` without a limit. */
  readonly group: number;
}

/** What options ask for; `undefined` for what they do not say. */
export interface MemoryWishes {
  /** Bytes for data: `--max-memory`. */
  readonly data?: number | undefined;
  /** Bytes for what clients hold: `--max-client-memory`. */
  readonly clients?: number | undefined;
  /** Connections: `--max-clients`. */
  readonly connections: number;
}

/** How memory is shared out. */
export interface MemoryPlan {
  /** Bytes for data; 0 for a proxy. */
  readonly data: number;
  /** Where that comes from, for the log, such as `75 % of the container's 2gb`. */
  readonly reason: string;
  /** Bytes that all clients may hold together. */
  readonly clients: number;
  /** Clients at once. */
  readonly connections: number;
  /** Connections at once, with those that are no clients yet: `Infinity` where 10,000 clients fit. */
  readonly maxConnections: number;
  /** Bytes of a snapshot that may wait for the disk. */
  readonly snapshotQueue: number;
  /** Bytes of freed buffers that may wait until their memory is returned to the system. */
  readonly freedQueue: number;
  /** What an operator should know, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Shares memory out for a server.
 *
 * @throws {StartError} when the container, or the machine, is too small for any data, unless `--max-memory` is given
 */
export function planServerMemory(wishes: MemoryWishes, sources: MemorySources = readSources()): MemoryPlan {
  const { available, owner } = availableMemory(sources);
  const { data, reason } = wishes.data === undefined
    ? defaultDataLimit(available, owner, wishes.clients)
    : { data: wishes.data, reason: "--max-memory" };
  const rest = available - RUNTIME_MEMORY_BYTES - data;
  const least = wishes.clients ?? Math.floor(available * CLIENTS_MEMORY_MIN_SHARE);
  const warnings: string[] = [];
  if (rest < least) {
    warnings.push(
      `The ${owner}'s ${formatSize(available)} may not be enough: --max-memory takes ${
        formatSize(data)
      }, clients up to ` +
        `${formatSize(least)}, and the runtime about ${
          formatSize(RUNTIME_MEMORY_BYTES)
        }; the system may end this process`,
    );
  }
  const shares = shareAmongClients(Math.max(rest, least), defaultClientMemoryLimit(data), wishes);
  warnings.push(...tellFewer(shares.connections, wishes, available, owner));
  return { data, reason, ...shares, ...boundQueues(available), warnings };
}

/**
 * Shares memory out for a proxy, which holds no data.
 *
 * @throws {StartError} when the container, or the machine, is too small for any client
 */
export function planProxyMemory(wishes: MemoryWishes, sources: MemorySources = readSources()): MemoryPlan {
  const { available, owner } = availableMemory(sources);
  const rest = available - RUNTIME_MEMORY_BYTES;
  if (available < PROXY_MEMORY_MIN_BYTES) {
    throw new StartError(
      `Cannot run in the ${owner}'s ${formatSize(available)} of memory: expected ${
        formatSize(PROXY_MEMORY_MIN_BYTES)
      } ` +
        "or more, or the system may end this process at any time",
    );
  }
  const warnings: string[] = [];
  if (wishes.clients !== undefined && wishes.clients > rest) {
    warnings.push(
      `The ${owner}'s ${formatSize(available)} may not be enough: --max-client-memory takes ` +
        `${formatSize(wishes.clients)}, and the runtime about ${formatSize(RUNTIME_MEMORY_BYTES)}; ` +
        "the system may end this process",
    );
  }
  const least = Math.floor(available * CLIENTS_MEMORY_MIN_SHARE);
  const shares = shareAmongClients(Math.max(rest, least), defaultClientMemoryLimit(available), wishes);
  warnings.push(...tellFewer(shares.connections, wishes, available, owner));
  return { data: 0, reason: "", ...shares, ...boundQueues(available), warnings };
}

/**
 * The limit for data when `--max-memory` is absent.
 *
 * @throws {StartError} when nothing is left for data
 */
function defaultDataLimit(
  available: number,
  owner: string,
  clients: number | undefined,
): Pick<MemoryPlan, "data" | "reason"> {
  const percent = Math.round(MEMORY_LIMIT_DEFAULT_SHARE * 100);
  const share = Math.floor(available * MEMORY_LIMIT_DEFAULT_SHARE);
  const forClients = clients ?? Math.floor(available * CLIENTS_MEMORY_MIN_SHARE);
  const left = available - RUNTIME_MEMORY_BYTES - forClients;
  const data = Math.min(share, left, MEMORY_LIMIT_MAX_BYTES);
  if (data < MEMORY_LIMIT_MIN_BYTES) {
    const needed = clients === undefined
      ? (MEMORY_LIMIT_MIN_BYTES + RUNTIME_MEMORY_BYTES) / (1 - CLIENTS_MEMORY_MIN_SHARE)
      : MEMORY_LIMIT_MIN_BYTES + RUNTIME_MEMORY_BYTES + clients;
    throw new StartError(
      `Cannot choose a memory limit: the ${owner}'s ${
        formatSize(available)
      } leave no room for data beside the runtime ` +
        `(about ${formatSize(RUNTIME_MEMORY_BYTES)}) and clients (${formatSize(forClients)}): expected ` +
        `${formatSize(Math.ceil(needed / MEGABYTE) * MEGABYTE)} or more, or --max-memory SIZE to run at your own risk`,
    );
  }
  const whole = `the ${owner}'s ${formatSize(available)}`;
  if (data === MEMORY_LIMIT_MAX_BYTES) {
    return { data, reason: `the most possible; the ${owner} has ${formatSize(available)}` };
  }
  if (data === share) return { data, reason: `${percent} % of ${whole}` };
  const kept = `${formatSize(RUNTIME_MEMORY_BYTES)} for the runtime and ${formatSize(forClients)} for clients`;
  return { data, reason: `what ${whole} leave after ${kept}` };
}

const MEGABYTE = 1024 * 1024;

/** Shares what is left between what clients hold and what their connections cost. */
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

/** Bounds what waits in queues of the runtime's part: a share of a small container. */
function boundQueues(available: number): Pick<MemoryPlan, "snapshotQueue" | "freedQueue"> {
  const share = Math.max(QUEUE_MEMORY_MIN_BYTES, Math.floor(available * QUEUE_MEMORY_SHARE));
  return {
    snapshotQueue: Math.min(share, SNAPSHOT_QUEUE_MAX_BYTES),
    freedQueue: Math.min(share, FREED_QUEUE_MAX_BYTES),
  };
}

function tellFewer(connections: number, wishes: MemoryWishes, available: number, owner: string): string[] {
  if (connections >= wishes.connections) return [];
  return [
    `--max-clients is ${connections} instead of ${wishes.connections}: more connections do not fit into the ${owner}'s ` +
    formatSize(available),
  ];
}

/** The memory of the control group, or of the machine where that is less or there is no limit. */
function availableMemory({ machine, group }: MemorySources): { available: number; owner: string } {
  return group < machine ? { available: group, owner: "container" } : { available: machine, owner: "machine" };
}

/** Returns what all clients may hold together unless options say: a quarter of `ofBytes`, within bounds. */
export function defaultClientMemoryLimit(ofBytes: number): number {
  const share = Math.floor(ofBytes * CLIENT_MEMORY_DEFAULT_SHARE);
  return Math.min(Math.max(share, CLIENT_MEMORY_DEFAULT_MIN_BYTES), CLIENT_MEMORY_DEFAULT_MAX_BYTES);
}

/** What the objects of all clients may take of the engine's heap. */
export function clientHeapLimit(): number {
  return Math.floor(getHeapStatistics().heap_size_limit * CLIENT_HEAP_SHARE);
}

/** Reads what this process has. Where the system does not tell of a control group, the machine's memory counts. */
function readSources(): MemorySources {
  using library = SystemLibrary.open();
  const group = library === undefined ? Infinity : controlGroupLimit((path) => library.readFile(path));
  return { machine: Deno.systemMemoryInfo().total, group };
}
