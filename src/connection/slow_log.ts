/**
 * The command `slowlog`, which shows the commands that took longest lately (metrics/slow_log.ts).
 *
 * @module
 */

import { parseInteger64 } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { ConnectionContext } from "./context.ts";
import { runSubcommand, type Subcommands } from "./subcommands.ts";

/** The number of entries that `slowlog get` returns without a count, as in Redis. */
const ENTRIES_DEFAULT_COUNT = 10;

/** The subcommands of `slowlog`, by name. */
export const SLOWLOG_SUBCOMMANDS: Subcommands = {
  get: {
    arity: -2,
    run: get,
    help: [
      "GET [<count>]",
      "Return top <count> entries from the slowlog (default: 10, -1 mean all).",
      "Entries are made of:",
      "id, timestamp, time in microseconds, arguments array, client IP and port,",
      "client name",
    ],
  },
  len: { arity: 2, run: length, help: ["LEN", "Return the length of the slowlog."] },
  reset: { arity: 2, run: reset, help: ["RESET", "Reset the slowlog."] },
};

/** `slowlog get [count] | len | reset` shows the commands that took longest, or forgets them. */
export function slowlog(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  return runSubcommand(SLOWLOG_SUBCOMMANDS, context, request, reply);
}

/**
 * Returns the number of entries that `slowlog get` asks for.
 *
 * @throws {ReplyError} when it is wrong
 */
export function slowEntriesCount(request: Request): number {
  if (request.count === 2) return ENTRIES_DEFAULT_COUNT;
  if (request.count > 3) {
    throw new ReplyError("ERR", "unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP.");
  }
  const count = parseInteger64(request.bytes, request.start(2), request.length(2));
  if (count === undefined || count < -1n) {
    throw new ReplyError("ERR", "count should be greater than or equal to -1");
  }
  return count === -1n ? Infinity : Number(count);
}

function get({ shared: { instruments } }: ConnectionContext, request: Request, reply: Reply): void {
  const entries = instruments.slowLog.newest(slowEntriesCount(request));
  reply.array(entries.length);
  for (const { id, timeMs, durationUs, words, address, name } of entries) {
    reply.array(6);
    reply.integer(id);
    reply.integer(Math.floor(timeMs / 1000));
    reply.integer(durationUs);
    reply.array(words.length);
    for (const word of words) reply.bytes(word, 0, word.length);
    reply.text(address);
    reply.text(name);
  }
}

function length({ shared: { instruments } }: ConnectionContext, _request: Request, reply: Reply): void {
  reply.integer(instruments.slowLog.count);
}

function reset({ shared: { instruments } }: ConnectionContext, _request: Request, reply: Reply): void {
  instruments.slowLog.clear();
  reply.ok();
}
