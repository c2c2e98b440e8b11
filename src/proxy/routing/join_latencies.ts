/**
 * Joins what the servers reply to `latency`, together with the events of the proxy itself.
 *
 * | subcommand | the servers are asked for | reply |
 * |---|---|---|
 * | `latest` | `latest` | one row for each event: the latest, and the longest of all |
 * | `history` | `history` | the samples of all by time; the longest of each second |
 * | `graph` | `history` | a drawing of these |
 * | `doctor` | `doctor` | one report after another |
 * | `histogram` | `histogram` | the sums of calls, and of calls up to each bound |
 *
 * @module
 */

import { decodeText } from "../../bytes.ts";
import { noSamples } from "../../connection/latency.ts";
import { LATENCY_SAMPLES_MAX_COUNT } from "../../limits.ts";
import type { LatencyEvents, LatencySample } from "../../metrics/latency_events.ts";
import { doctorReport, drawHistory } from "../../metrics/latency_report.ts";
import type { Request } from "../../wire/request.ts";
import type { Join, JoinedPart } from "./join.ts";

/** A question to all servers, and how to join their replies. */
export interface LatencyQuestion {
  /** The request to the servers; `undefined` for that of the client. */
  readonly words: readonly string[] | undefined;
  readonly join: Join;
}

/**
 * Returns what to ask all servers for.
 *
 * @param addresses the servers, in the order in which they are asked
 * @param own the events of the proxy
 */
export function latencyQuestion(request: Request, addresses: readonly string[], own: LatencyEvents): LatencyQuestion {
  if (request.is(1, "latest")) return { words: undefined, join: joinLatest(own) };
  if (request.is(1, "doctor")) return { words: undefined, join: joinReports(addresses, own) };
  if (request.is(1, "histogram")) return { words: undefined, join: joinHistograms };
  const name = request.text(2);
  if (request.is(1, "history")) return { words: undefined, join: joinHistories(name, own) };
  return { words: ["latency", "history", name], join: joinGraph(request, name, own) };
}

/** Reads a text. A text for people has its format in front in RESP3. */
function readText({ bytes, reader }: JoinedPart): string {
  const length = reader.skip();
  return decodeText(bytes, reader.contentStart, length).replace(/^txt:/, "");
}

/** An event, as `latency latest` shows it. */
interface Latest {
  second: number;
  latestMs: number;
  maxMs: number;
}

function joinLatest(own: LatencyEvents): Join {
  // deno-lint-ignore require-yield -- there are few kinds of events
  return function* (parts, reply) {
    const events = new Map<string, Latest>();
    const add = (name: string, second: number, latestMs: number, maxMs: number) => {
      const known = events.get(name);
      const isNewer = known === undefined || second > known.second ||
        second === known.second && latestMs > known.latestMs;
      const newest = isNewer ? { second, latestMs } : known;
      events.set(name, { ...newest, maxMs: Math.max(maxMs, known?.maxMs ?? 0) });
    };
    for (const { name, samples, maxMs } of own.all) {
      add(name, samples.at(-1)!.second, samples.at(-1)!.durationMs, maxMs);
    }
    for (const part of parts) {
      const { reader } = part;
      for (let left = reader.array(); left > 0; left--) {
        reader.array();
        add(readText(part), Number(reader.integer()), Number(reader.integer()), Number(reader.integer()));
      }
    }
    reply.array(events.size);
    for (const [name, { second, latestMs, maxMs }] of events) {
      reply.array(4);
      reply.text(name);
      for (const value of [second, latestMs, maxMs]) reply.integer(value);
    }
  };
}

/** Returns the samples of all servers and of the proxy by time, the longest of each second. */
function mergeSamples(parts: readonly JoinedPart[], name: string, own: LatencyEvents): LatencySample[] {
  const longest = new Map<number, number>();
  const add = (second: number, durationMs: number) => {
    longest.set(second, Math.max(durationMs, longest.get(second) ?? 0));
  };
  for (const { second, durationMs } of own.find(name)?.samples ?? []) add(second, durationMs);
  for (const { reader } of parts) {
    for (let left = reader.array(); left > 0; left--) {
      reader.array();
      add(Number(reader.integer()), Number(reader.integer()));
    }
  }
  const samples = [...longest].sort(([a], [b]) => a - b).map(([second, durationMs]) => ({ second, durationMs }));
  return samples.slice(-LATENCY_SAMPLES_MAX_COUNT);
}

function joinHistories(name: string, own: LatencyEvents): Join {
  // deno-lint-ignore require-yield -- each server has few samples
  return function* (parts, reply) {
    const samples = mergeSamples(parts, name, own);
    reply.array(samples.length);
    for (const { second, durationMs } of samples) {
      reply.array(2);
      reply.integer(second);
      reply.integer(durationMs);
    }
  };
}

function joinGraph(request: Request, name: string, own: LatencyEvents): Join {
  // The request is gone when the replies come.
  const missing = noSamples(request);
  // deno-lint-ignore require-yield -- each server has few samples
  return function* (parts, reply) {
    const samples = mergeSamples(parts, name, own);
    if (samples.length === 0) throw missing;
    const maxMs = Math.max(...samples.map(({ durationMs }) => durationMs));
    reply.verbatim(drawHistory({ name, samples, maxMs }, Date.now()));
  };
}

function joinReports(addresses: readonly string[], own: LatencyEvents): Join {
  // deno-lint-ignore require-yield -- a report is short
  return function* (parts, reply) {
    const reports = parts.map((part, i) => `Server ${addresses[i]}:\n${readText(part)}`);
    reports.push(`The proxy itself:\n${doctorReport(own.all, own.thresholdMs, Date.now())}`);
    reply.verbatim(reports.join("\n"));
  };
}

/** The calls of one command, and how many took at most each bound. */
interface Calls {
  count: number;
  /** The pairs of bound and count of each server: a bound is left out if it has the count of the one before. */
  readonly histograms: [boundUs: number, count: number][][];
}

function* joinHistograms(parts: readonly JoinedPart[], reply: Parameters<Join>[1]): ReturnType<Join> {
  const commands = new Map<string, Calls>();
  for (const part of parts) {
    const { reader } = part;
    for (let left = reader.map(); left > 0; left--) {
      const name = readText(part);
      const calls = commands.get(name) ?? { count: 0, histograms: [] };
      commands.set(name, calls);
      reader.map();
      readText(part);
      calls.count += Number(reader.integer());
      readText(part);
      calls.histograms.push(
        Array.from({ length: reader.map() }, () => [Number(reader.integer()), Number(reader.integer())]),
      );
    }
    yield;
  }
  reply.map(commands.size);
  for (const [name, { count, histograms }] of commands) {
    const bounds = [...new Set(histograms.flat().map(([boundUs]) => boundUs))].sort((a, b) => a - b);
    reply.text(name);
    reply.map(2);
    reply.text("calls");
    reply.integer(count);
    reply.text("histogram_usec");
    reply.map(bounds.length);
    for (const boundUs of bounds) {
      reply.integer(boundUs);
      reply.integer(histograms.reduce((sum, pairs) => sum + countUpTo(pairs, boundUs), 0));
    }
  }
}

/** Returns the count of the largest bound that does not exceed this one. */
function countUpTo(pairs: readonly [boundUs: number, count: number][], boundUs: number): number {
  return pairs.findLast(([bound]) => bound <= boundUs)?.[1] ?? 0;
}
