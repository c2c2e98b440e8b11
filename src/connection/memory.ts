/**
 * The command `memory`, as far as it is about all data of a role: a server's own, or that of all servers of a proxy.
 *
 * The figures are those of `info`, under the names that they have in Redis's `memory stats`, so both always agree. What
 * Redis reports of its allocator, and of parts that do not exist here, is left out.
 *
 * @module
 */

import { assert } from "../errors.ts";
import { parseReport, type Report } from "../metrics/joined.ts";
import { memoryReport } from "../metrics/problems.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { ConnectionContext } from "./context.ts";
import { runSubcommand, type Subcommands } from "./subcommands.ts";

/** The sections of `info` that have these figures. */
const SECTIONS: readonly string[] = ["memory", "keyspace"];

/** The subcommands of `memory`, by name. A server has its own function for `usage`. */
export const MEMORY_SUBCOMMANDS = {
  doctor: { arity: 2, run: doctor, help: ["DOCTOR", "Return memory problems reports."] },
  "malloc-stats": {
    arity: 2,
    run: allocatorStatistics,
    help: ["MALLOC-STATS", "Return internal statistics report from the memory allocator."],
  },
  purge: {
    arity: 2,
    run: purge,
    help: ["PURGE", "Attempt to purge dirty pages for reclamation by the allocator."],
  },
  stats: { arity: 2, run: stats, help: ["STATS", "Return information about the memory usage of the server."] },
  usage: {
    arity: -3,
    run: () => assert(false, "a server that owns the key runs this"),
    help: [
      "USAGE <key> [SAMPLES <count>]",
      "Return memory in bytes used by <key> and its value. Nested values are",
      "sampled up to <count> times (default: 5, 0 means sample all).",
    ],
  },
} as const satisfies Subcommands;

/** `memory stats | doctor | malloc-stats | purge` shows how much memory is used, and what is wrong with it. */
export function memory(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  return runSubcommand(MEMORY_SUBCOMMANDS, context, request, reply);
}

/** Replies with Redis's figures as far as they exist here. */
function stats({ role }: ConnectionContext, _request: Request, reply: Reply): void | Promise<void> {
  return whenFresh(role, () => {
    const figures = figuresOf(parseReport(role.info(SECTIONS)));
    reply.map(figures.length);
    for (const [name, value] of figures) {
      reply.text(name);
      if (Number.isInteger(value) && !/percentage|ratio|^fragmentation$/.test(name)) reply.integer(value);
      else reply.double(value);
    }
  });
}

/** Returns the figures of `memory stats`. A proxy whose servers have not reported has none of most of them. */
function figuresOf(report: Report): readonly (readonly [name: string, value: number])[] {
  const figures: (readonly [string, number])[] = [];
  const number = (field: string) => report.has(field) ? Number(report.get(field)) : undefined;
  const add = (name: string, value: number | undefined) => {
    if (value !== undefined) figures.push([name, value]);
  };
  const used = number("used_memory");
  const committed = number("committed_memory");
  const keys = number("db0.keys") ?? (used === undefined ? undefined : 0);
  const dataset = number("used_memory_dataset");
  const peak = number("used_memory_peak");
  const startup = number("used_memory_startup") ?? 0;
  add("peak.allocated", peak);
  add("total.allocated", used);
  add("startup.allocated", number("used_memory_startup"));
  add("clients.normal", number("mem_clients_normal"));
  add("overhead.total", number("used_memory_overhead"));
  add("keys.count", keys);
  if (used === undefined) return figures;
  add("keys.bytes-per-key", keys === 0 ? 0 : Math.floor((used - startup) / keys!));
  add("dataset.bytes", dataset);
  if (dataset !== undefined) add("dataset.percentage", dataset / Math.max(1, used - startup) * 100);
  if (peak !== undefined) add("peak.percentage", peak === 0 ? 100 : used / peak * 100);
  add("allocator.allocated", used);
  add("allocator.active", committed);
  if (committed === undefined) return figures;
  add("allocator-fragmentation.ratio", used === 0 ? 1 : committed / used);
  add("allocator-fragmentation.bytes", committed - used);
  return figures;
}

/** Replies with the problems of memory, each with what to do about it. */
function doctor({ role }: ConnectionContext, _request: Request, reply: Reply): void | Promise<void> {
  return whenFresh(role, () => {
    reply.verbatim(
      memoryReport(role.problems()) ??
        "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n",
    );
  });
}

/** Calls `write` when a proxy's servers have reported; immediately on a server. */
function whenFresh(role: ConnectionContext["role"], write: () => void): void | Promise<void> {
  const refreshing = role.refreshInfo?.(SECTIONS);
  return refreshing === undefined ? write() : refreshing.then(write);
}

function allocatorStatistics(_context: ConnectionContext, _request: Request, reply: Reply): void {
  reply.text("Stats not supported for the current allocator");
}

/** Does nothing: free pages are used again as they are. */
function purge(_context: ConnectionContext, _request: Request, reply: Reply): void {
  reply.ok();
}
