/**
 * The facts that the metrics of every role are made from.
 *
 * @module
 */

import type { Instruments } from "../metrics/instruments.ts";
import type { CpuTime } from "./cpu_time.ts";

/** The facts that every role reports. */
export interface RoleFacts {
  readonly role: "server" | "proxy";
  /** The random id of this run, new with each start. */
  readonly runId: string;
  /** The address listened on. */
  readonly address: Deno.NetAddr;
  readonly uptimeMs: number;
  /**
   * The clients being served, and the connections since the start: all, those refused as too many, those whose
   * handshake failed, and those lost before they were accepted.
   */
  readonly clients: {
    readonly count: number;
    readonly accepted: number;
    readonly rejected: number;
    readonly handshakeFailures: number;
    readonly lost: number;
  };
  readonly maxClients: number;
  /** The number of clients that wait in a command. */
  readonly blockedClients: number;
  /** The commands that a pause of all clients holds back, and the time until its end in ms. */
  readonly pause: { readonly kind: "none" | "write" | "all"; readonly leftMs: number };
  /** The channels and patterns that clients listen to. */
  readonly channels: { readonly channelCount: number; readonly patternCount: number };
  /** The memory of the process and of its host, in bytes. */
  readonly process: { readonly rss: number; readonly heapUsed: number; readonly systemBytes: number };
  /** The time that the process has used of the processor. */
  readonly cpu: CpuTime;
  /** The observations of the requests: counts and durations of commands, rates, bytes, errors. */
  readonly instruments: Instruments;
  /** The memory that clients hold and may hold, in bytes. */
  readonly clientMemory: {
    readonly limitBytes: number;
    readonly usedBytes: number;
    readonly heapBytes: number;
    readonly peakBytes: number;
    readonly heldByKind: Readonly<Record<string, number>>;
    readonly largest: { readonly bytes: number; readonly owner: { readonly id: number } } | undefined;
    readonly refusals: number;
    readonly closed: number;
  };
  /** The number of requests since the start. */
  readonly commands: number;
  /** When the listener's certificate expires, and the first authority that verifies servers. */
  readonly certificateExpiresMs?: number | undefined;
  readonly authorityExpiresMs?: number | undefined;
  /** The number of clients that were disconnected since the start because they did not read. */
  readonly cutClients: number;
  /** The number of wrong passwords since the start. */
  readonly failedLogins: number;
}

/** The facts that a role adds to those that every role has in the same way. */
export type OwnFacts = Pick<RoleFacts, "blockedClients" | "pause" | "channels" | "authorityExpiresMs">;
