/**
 * The servers behind a proxy, as its `info cluster` reports them.
 *
 * @module
 */

import { decodeText } from "../../bytes.ts";
import type { Client } from "../../client/client.ts";
import { ReplyError } from "../../errors.ts";
import { SERVER_STATS_FRESH_MS, SERVER_STATS_MAX_AGE_MS, SERVER_STATS_WAIT_MS } from "../../limits.ts";

const ASK_AGAIN_MS = 50;

/** One server as `--json` prints it; `null` means unknown. */
export interface ServerRow {
  readonly address: string;
  readonly state: string;
  readonly weight: number;
  readonly slots: number;
  readonly slotsPercent: number;
  /** The number of its slots that the list assigns to another server; `null` when the proxy is older. */
  readonly slotsLent: number | null;
  readonly keys: number | null;
  readonly usedMemory: number | null;
  readonly opsPerSecond: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** The number of requests that got no reply. */
  readonly errors: number;
  readonly connections: number;
  /** The number of requests that wait for their reply. */
  readonly inFlight: number;
  /** The reason why the server is down. */
  readonly reason: string | null;
}

/** The part of a client that is needed to ask a proxy. */
export type Asker = Pick<Client, "address" | "send">;

/** The facts of one line, by the proxy's names. */
type Facts = ReadonlyMap<string, string>;

/**
 * Returns the servers.
 *
 * Keys and memory are the servers' own statistics, for which the proxy waits (proxy/backend/server_stats.ts).
 *
 * @throws {ReplyError} when the client's server is not a proxy, or refuses
 */
export async function askServers(client: Asker): Promise<ServerRow[]> {
  return (await askOnce(client)).map(rowOf);
}

/**
 * Returns the servers, with recent statistics of all of them if possible: while those of a slow server are missing, the
 * request is repeated, for a second at most.
 *
 * @throws {ReplyError} as {@linkcode askServers} does
 */
export async function askFreshServers(client: Asker): Promise<ServerRow[]> {
  const deadlineMs = performance.now() + SERVER_STATS_WAIT_MS;
  while (true) {
    const servers = await askOnce(client);
    const isFresh = servers.every((facts) => facts.get("state") !== "up" || ageOf(facts) <= 2 * SERVER_STATS_FRESH_MS);
    if (isFresh || performance.now() > deadlineMs) return servers.map(rowOf);
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

async function askOnce(client: Asker): Promise<Facts[]> {
  const value = await client.send(["info", "cluster"]);
  const text = value instanceof Uint8Array ? decodeText(value) : "";
  if (!/^cluster_servers:/m.test(text)) {
    throw new ReplyError("ERR", `${client.address} is not a proxy: it has no servers to show`);
  }
  return [...text.matchAll(/^server[0-9]+:(.*?)\r?$/gm)].map(([, line]) => {
    return new Map(
      line!.split(",").map((fact) => {
        const end = fact.indexOf("=");
        return [fact.slice(0, end), fact.slice(end + 1)];
      }),
    );
  });
}

function ageOf(facts: Facts): number {
  return numberOf(facts, "census_age_ms") ?? Infinity;
}

function rowOf(facts: Facts): ServerRow {
  const isKnown = ageOf(facts) <= SERVER_STATS_MAX_AGE_MS && facts.get("state") !== "down";
  return {
    address: facts.get("addr") ?? "",
    state: facts.get("state") ?? "",
    weight: numberOf(facts, "weight") ?? 0,
    slots: numberOf(facts, "slots") ?? 0,
    slotsPercent: numberOf(facts, "slots_percent") ?? 0,
    slotsLent: numberOf(facts, "slots_lent"),
    keys: isKnown ? numberOf(facts, "keys") : null,
    usedMemory: isKnown ? numberOf(facts, "used_memory") : null,
    opsPerSecond: numberOf(facts, "ops_per_sec"),
    p50Ms: numberOf(facts, "p50_ms"),
    p99Ms: numberOf(facts, "p99_ms"),
    errors: numberOf(facts, "failures") ?? 0,
    connections: numberOf(facts, "connections") ?? 0,
    inFlight: numberOf(facts, "in_flight") ?? 0,
    reason: facts.get("reason") ?? null,
  };
}

/** Returns a number; `null` when the proxy does not report it. */
function numberOf(facts: Facts, name: string): number | null {
  const text = facts.get(name);
  return text === undefined || text === "" ? null : Number(text);
}
