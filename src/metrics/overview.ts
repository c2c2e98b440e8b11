/**
 * The state of a role at one moment, for people who look at it: the page, the problems, and what a proxy tells about
 * each of its servers.
 *
 * ```text
 * server.overview()   of itself; `servers` has one entry, which is the server
 * proxy.overview()    of itself; `servers` has an entry for each server, with what the server reported last
 * ```
 *
 * Everything in it is plain data, so that it can be written as JSON. A value is left out while it is not known.
 *
 * @module
 */

import type { Family } from "./families.ts";

/** The facts that a role tells those who observe it. */
export interface Observed {
  /** Returns the present state, with the last known values of servers. */
  overview(): Overview;
  /** Returns the metrics with their present values. */
  families(): Iterable<Family>;
  /**
   * Resolves when the values of servers are not older than a second, or after a bounded time. A server has nothing to
   * wait for.
   */
  refresh(): Promise<void>;
}

/** A key that is used often. */
export interface HotKeyOverview {
  /** The key as text (key_text.ts). */
  readonly name: string;
  readonly requestsPerSecond: number;
  /** The part of the server's uses of keys, from 0 to 1. */
  readonly share: number;
}

/** A key with a large value. */
export interface BigKeyOverview {
  /** The key as text (key_text.ts). */
  readonly name: string;
  readonly bytes: number;
  readonly elements: number;
  readonly type: string;
}

/** The state of one server. */
export interface ServerOverview {
  /** The address, as the list of servers has it. */
  readonly address: string;
  /** `up`, `down`, `suspect` or `draining`, as the proxy knows it. A server calls itself `up`. */
  readonly state: string;
  /** The reason why the server is not up. */
  readonly reason?: string;
  /** The number of slots that the server owns. */
  readonly slots: number;
  /** The number of those slots that the list assigns to another server. */
  readonly slotsLent: number;
  readonly keys?: number;
  readonly usedBytes?: number;
  /** The limit of the memory for data; left out when there is none. */
  readonly limitBytes?: number;
  /** Whether the least recently used keys make room when memory is full. Otherwise writes are refused then. */
  readonly evicts?: boolean;
  /** Requests a second: in a proxy, those that it sends to the server. */
  readonly opsPerSecond?: number;
  /** The median time for a request, and the time that 99 of 100 requests do not exceed. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** The numbers of keys that reading commands have found and not found, since the start. */
  readonly hits?: number;
  readonly misses?: number;
  readonly evictedKeys?: number;
  readonly expiredKeys?: number;
  readonly clients?: number;
  readonly maxClients?: number;
  readonly inputBytes?: number;
  readonly outputBytes?: number;
  /** The time until `client pause` ends, in ms; left out while clients are not paused. */
  readonly pausedForMs?: number;
  /** The reason why the server refuses writes; left out while it accepts them. */
  readonly writesRefused?: string;
  /** The reason why the last snapshot failed; left out when it succeeded. */
  readonly lastSaveFailed?: string;
  /** The whole days until the server's certificate expires; below 0 afterwards. */
  readonly certificateExpiresInDays?: number;
  /** The number of requests that the slow log has recorded, since the start. */
  readonly slowRequests?: number;
  /** The key that is used most. */
  readonly hotKey?: HotKeyOverview;
  /** The key with the largest value. */
  readonly bigKey?: BigKeyOverview;
  /** How old the server's own values are. */
  readonly ageMs?: number;
}

/** How serious a problem is: a critical one affects clients now. */
export type Severity = "critical" | "warning";

/** Something that an operator should look at. */
export interface Problem {
  /** A stable name, such as `server_down`. */
  readonly kind: string;
  readonly severity: Severity;
  /** The thing that has the problem: an address, a key, or the name of a command. */
  readonly subject: string;
  /** One sentence that says what is wrong and what to do. */
  readonly text: string;
}

/**
 * The state of a role. The counts of a proxy are those of its clients. Keys and memory are sums over its servers, and
 * are left out until one of them has reported.
 */
export interface Overview {
  readonly role: "server" | "proxy";
  readonly version: string;
  readonly runId: string;
  /** The address that clients connect to. */
  readonly address: string;
  /** The present, in ms since 1970. */
  readonly nowMs: number;
  readonly uptimeMs: number;
  readonly clients: number;
  readonly maxClients: number;
  /** The time until `client pause` ends, in ms; left out while clients are not paused. */
  readonly pausedForMs?: number;
  readonly opsPerSecond: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly hits?: number;
  readonly misses?: number;
  readonly keys?: number;
  readonly usedBytes?: number;
  readonly limitBytes?: number;
  readonly evictedKeys?: number;
  readonly expiredKeys?: number;
  /** The number of requests that the slow log has recorded, since the start. */
  readonly slowRequests?: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** The number of slots whose owner is not the server that the list assigns. */
  readonly slotsUnderWay: number;
  readonly certificateExpiresInDays?: number;
  /** The whole days until the authority expires that verifies servers. */
  readonly authorityExpiresInDays?: number;
  readonly servers: readonly ServerOverview[];
  readonly problems: readonly Problem[];
}
