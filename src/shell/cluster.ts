/**
 * `cluster`: the servers behind a proxy, as a table.
 *
 * All facts come from the proxy's `info cluster`. Keys and memory are the servers' own statistics, for which the proxy
 * waits (proxy/backend/server_stats.ts). While those of a slow server are missing, the request is repeated, for a
 * second at most.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import type { Value } from "../client/client.ts";
import { ReplyError, UsageError } from "../errors.ts";
import { SERVER_STATS_FRESH_MS, SERVER_STATS_MAX_AGE_MS, SERVER_STATS_WAIT_MS } from "../limits.ts";
import { formatSize } from "../role/quantities.ts";
import { formatTable } from "../role/text_table.ts";
import { printable } from "../terminal/printable_text.ts";
import { toJson } from "./format.ts";
import type { Format } from "./format.ts";

const ASK_AGAIN_MS = 50;

/** One server as `--json` prints it; `null` means unknown. */
interface ServerRow {
  readonly address: string;
  readonly state: string;
  readonly weight: number;
  readonly slots: number;
  readonly slotsPercent: number;
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

/** The facts of one line, by the proxy's names. */
type Facts = ReadonlyMap<string, string>;

/**
 * Returns the table, including its last newline; in JSON one line.
 *
 * @param words the command as it was typed; it accepts `--json`, since it is written like a program's
 * @throws {UsageError} when there are other arguments
 * @throws {ReplyError} when the client's server is not a proxy, or refuses
 */
export async function clusterText(
  client: Asker,
  words: readonly (string | Uint8Array)[],
  format: Format,
): Promise<string> {
  const [option, ...others] = words.slice(1).map((word) => typeof word === "string" ? word : decodeText(word));
  if (others.length > 0 || (option !== undefined && option !== "--json")) {
    throw new UsageError('Cannot run "cluster" with these arguments: expected --json or none, other options before it');
  }
  const rows = (await askUntilFresh(client)).map(rowOf);
  return option === "--json" || format === "json" ? `${toJson({ servers: rows })}\n` : describe(rows);
}

/** The part of a client that is needed to ask a proxy. */
export interface Asker {
  readonly address: string;
  send(request: readonly string[]): Promise<Value>;
}

async function askUntilFresh(client: Asker): Promise<Facts[]> {
  const deadlineMs = performance.now() + SERVER_STATS_WAIT_MS;
  while (true) {
    const servers = await askOnce(client);
    const isFresh = servers.every((facts) => facts.get("state") !== "up" || ageOf(facts) <= 2 * SERVER_STATS_FRESH_MS);
    if (isFresh || performance.now() > deadlineMs) return servers;
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

const HEADING = [
  "server",
  "state",
  "weight",
  "slots",
  "keys",
  "memory",
  "ops/s",
  "p50",
  "p99",
  "errors",
  "connections",
];

function describe(rows: readonly ServerRow[]): string {
  const cells = rows.map((row) => [
    row.address,
    row.state,
    `${row.weight}`,
    `${row.slotsPercent.toFixed(2)} %`,
    show(row.keys, String),
    show(row.usedMemory, formatSize),
    show(row.opsPerSecond, String),
    show(row.p50Ms, formatMs),
    show(row.p99Ms, formatMs),
    `${row.errors}`,
    `${row.connections}`,
  ]);
  const reasons = rows.filter(({ reason }) => reason !== null).map(({ address, reason }) => {
    return `${address} is down: ${reason}\n`;
  });
  const notes = reasons.length === 0 ? "" : `\n${reasons.join("")}`;
  return printable(`${formatTable([HEADING, ...cells])}\n${notes}`);
}

function show(figure: number | null, format: (figure: number) => string): string {
  return figure === null ? "-" : format(figure);
}

function formatMs(durationMs: number): string {
  return `${durationMs.toFixed(2)} ms`;
}
