/**
 * The command `latency`, which shows what took long (metrics/latency_events.ts), and how long commands take.
 *
 * @module
 */

import { NAMED_COMMANDS } from "../catalog/command_facts.ts";
import { COMMANDS } from "../catalog/specification.ts";
import { ReplyError } from "../errors.ts";
import { BUCKET_BOUNDS_US, type CommandStats } from "../metrics/command_stats.ts";
import { doctorReport, drawHistory } from "../metrics/latency_report.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { ConnectionContext } from "./context.ts";
import { runSubcommand, type Subcommands } from "./subcommands.ts";

/** The subcommands of `latency`, by name. */
export const LATENCY_SUBCOMMANDS: Subcommands = {
  doctor: { arity: 2, run: doctor, help: ["DOCTOR", "Return a human readable latency analysis report."] },
  graph: { arity: 3, run: graph, help: ["GRAPH <event>", "Return an ASCII latency graph for the <event> class."] },
  history: {
    arity: 3,
    run: history,
    help: ["HISTORY <event>", "Return time-latency samples for the <event> class."],
  },
  latest: { arity: 2, run: latest, help: ["LATEST", "Return the latest latency samples for all events."] },
  reset: {
    arity: -2,
    run: reset,
    help: [
      "RESET [<event> ...]",
      "Reset latency data of one or more <event> classes.",
      "(default: reset all data for all event classes)",
    ],
  },
  histogram: {
    arity: -2,
    run: histogram,
    help: [
      "HISTOGRAM [COMMAND ...]",
      "Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
      "If no commands are specified then all histograms are replied.",
    ],
  },
};

/**
 * `latency latest | history event | graph event | reset [event …] | doctor | histogram [command …]` shows what took
 * long, and how long commands take.
 */
export function latency(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  return runSubcommand(LATENCY_SUBCOMMANDS, context, request, reply);
}

function latest({ shared: { instruments } }: ConnectionContext, _request: Request, reply: Reply): void {
  const { all } = instruments.latency;
  reply.array(all.length);
  for (const { name, samples, maxMs } of all) {
    const { second, durationMs } = samples.at(-1)!;
    reply.array(4);
    reply.text(name);
    reply.integer(second);
    reply.integer(durationMs);
    reply.integer(maxMs);
  }
}

function history({ shared: { instruments } }: ConnectionContext, request: Request, reply: Reply): void {
  const samples = instruments.latency.find(request.text(2))?.samples ?? [];
  reply.array(samples.length);
  for (const { second, durationMs } of samples) {
    reply.array(2);
    reply.integer(second);
    reply.integer(durationMs);
  }
}

function reset({ shared: { instruments } }: ConnectionContext, request: Request, reply: Reply): void {
  const { latency } = instruments;
  let count = request.count === 2 ? latency.reset() : 0;
  for (let i = 2; i < request.count; i++) count += latency.reset(request.text(i));
  reply.integer(count);
}

function graph({ shared: { instruments } }: ConnectionContext, request: Request, reply: Reply): void {
  const found = instruments.latency.find(request.text(2));
  if (found === undefined) throw noSamples(request);
  reply.verbatim(drawHistory(found, Date.now()));
}

/** Returns the error for an event that has not occurred. */
export function noSamples(request: Request): ReplyError {
  return new ReplyError("ERR", `No samples available for event '${request.text(2)}'`);
}

function doctor({ shared: { instruments } }: ConnectionContext, _request: Request, reply: Reply): void {
  const { latency: { all, thresholdMs } } = instruments;
  reply.verbatim(doctorReport(all, thresholdMs, Date.now()));
}

/** Replies with the calls of commands, and how many took at most each time. */
function histogram({ shared: { instruments } }: ConnectionContext, request: Request, reply: Reply): void {
  const { commands } = instruments;
  const positions = request.count === 2 ? COMMANDS.map((_, position) => position) : namedPositions(request);
  const called = positions.filter((position) => commands.calls(position) > 0);
  reply.map(called.length);
  for (const position of called) {
    reply.text(COMMANDS[position]!.name);
    replyHistogram(commands, position, reply);
  }
}

/** Returns the positions of the commands that a request names, each once. Unknown names are passed over. */
function namedPositions(request: Request): number[] {
  const positions = new Set<number>();
  for (let i = 2; i < request.count; i++) {
    const found = NAMED_COMMANDS.find(({ name }) => request.is(i, name));
    if (found !== undefined) positions.add(COMMANDS.indexOf(found.specification));
  }
  return [...positions];
}

/** Writes the bounds up to which there are more durations than up to the one before, as Redis does. */
function replyHistogram(commands: CommandStats, position: number, reply: Reply): void {
  const counts = commands.buckets(position);
  const pairs: [boundUs: number, count: number][] = [];
  for (const [i, boundUs] of BUCKET_BOUNDS_US.entries()) {
    const count = Math.round(counts[i]!);
    if (count > (pairs.at(-1)?.[1] ?? 0)) pairs.push([boundUs, count]);
  }
  reply.map(2);
  reply.text("calls");
  reply.integer(commands.calls(position));
  reply.text("histogram_usec");
  reply.map(pairs.length);
  for (const [boundUs, count] of pairs) {
    reply.integer(boundUs);
    reply.integer(count);
  }
}
