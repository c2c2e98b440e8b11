/**
 * The common parts of the measurements of durability: many keys in a server, and reading them one after another.
 *
 * @module
 */

import { residentBytes } from "./resident_memory.ts";
import { delay } from "./script.ts";
import { encodeCommands, RespConnection } from "./resp_connection.ts";
import type { Endpoint } from "./resp_connection.ts";

const BATCH_COUNT = 5_000;
const VALUE = "x".repeat(32);
/** The number of requests that are created before they are timed. */
const PREPARED_COUNT = 4_096;
const POLL_MS = 10;

/** Returns the name of a key, of 16 bytes. */
export function keyName(key: number): string {
  return `key:${String(key).padStart(12, "0")}`;
}

/** Sets `count` keys to values of 32 bytes. */
export async function loadKeys(connection: RespConnection, count: number, signal: AbortSignal): Promise<void> {
  for (let first = 0; first < count; first += BATCH_COUNT) {
    signal.throwIfAborted();
    const length = Math.min(BATCH_COUNT, count - first);
    await connection.run(Array.from({ length }, (_, index) => ["SET", keyName(first + index), VALUE]));
  }
}

/** The times of single requests, in ms. */
export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Reads keys at random, one after another, until `isOver` returns true or the time is up. */
export async function readKeys(
  endpoint: Endpoint,
  count: number,
  durationMs: number,
  isOver: () => boolean,
): Promise<Latencies> {
  const connection = await RespConnection.connect(endpoint);
  const requests = Array.from({ length: PREPARED_COUNT }, () => {
    return encodeCommands([["GET", keyName(Math.floor(Math.random() * count))]]);
  });
  const times: number[] = [];
  try {
    const endsMs = performance.now() + durationMs;
    for (let i = 0; performance.now() < endsMs && !isOver(); i++) {
      const begunMs = performance.now();
      await connection.skipValue(requests[i % PREPARED_COUNT]!);
      times.push(performance.now() - begunMs);
    }
  } finally {
    connection.close();
  }
  return summarize(times);
}

function summarize(times: number[]): Latencies {
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { count: times.length, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}

/** Writes to keys at random, 16 at a time, until `isOver` returns true. Returns the number of writes. */
export async function writeKeys(endpoint: Endpoint, count: number, isOver: () => boolean): Promise<number> {
  const connection = await RespConnection.connect(endpoint);
  let written = 0;
  try {
    while (!isOver()) {
      const key = () => keyName(Math.floor(Math.random() * count));
      await connection.run(Array.from({ length: 16 }, () => ["SET", key(), VALUE]));
      written += 16;
    }
  } finally {
    connection.close();
  }
  return written;
}

/**
 * Returns the most memory that a process and its children occupy until `isOver` returns true, in bytes. Of a child,
 * only unshared memory counts.
 */
export async function peakBytes(pid: number, isOver: () => boolean, signal: AbortSignal): Promise<number> {
  let peak = 0;
  while (!isOver()) {
    let bytes = await residentBytes(pid);
    for (const child of await childrenOf(pid)) bytes += await privateBytes(child);
    peak = Math.max(peak, bytes);
    await delay(POLL_MS, signal);
  }
  return peak;
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
  return text.split(" ").map(Number).filter((child) => child > 0);
}

async function privateBytes(pid: number): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/smaps_rollup`).catch(() => "");
  return Number(/^Private_Dirty:\s*([0-9]+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
