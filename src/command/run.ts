/**
 * Runs one command whose call is in order, now or out of the queue of a transaction, and answers when that fails.
 *
 * @module
 */

import { ReplyError, StoreFullError } from "../errors.ts";
import type { ReplyCode } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext, Run } from "./context.ts";
import type { CommandSpecification } from "./specification.ts";
import type { Subcommands } from "./subcommands.ts";

/** A command with its code. What every call looks at stands beside it: one object to reach, not two. */
export interface Command {
  readonly run: Run;
  readonly arity: number;
  readonly grows: boolean;
  readonly writes: boolean;
  /** Where it has commands of its own. */
  readonly subcommands: Subcommands<never> | undefined;
  readonly specification: CommandSpecification;
}

/** Answers what a command has thrown: a refusal in its own words, anything else as a bug of ours. */
export function refuse(context: CommandContext, reply: Reply, error: unknown): void {
  if (error instanceof ReplyError || error instanceof StoreFullError) {
    reply.error(error.code as ReplyCode, error.message);
  } else {
    context.reportBug(error);
    reply.error("ERR", "internal error");
  }
}

/** Makes room, runs, and tells those who watch what has changed. */
export function runCommand(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
): void | Promise<void> {
  if (command.writes && context.shared.refusal !== undefined) throw refusedWrite(context);
  if (command.grows) context.store.makeRoom(request.size, request.count);
  if (command.writes && context.shared.watches.count !== 0) return runWatched(context, command, request, reply);
  const run = command.run;
  return run(context, request, reply);
}

/** The refusal of a command that writes, while the log cannot be written. Nothing has changed. */
export function refusedWrite({ shared }: CommandContext): ReplyError {
  return new ReplyError("MISCONF", `Writes are refused, reads are not: ${shared.refusal}`);
}

function runWatched(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
): void | Promise<void> {
  const { store, shared: { watches } } = context;
  const { firstKey, lastKey, keyStep } = command.specification;
  const before = store.changes;
  // A flush leaves nothing to compare with.
  if (firstKey === 0) watches.touchAll();
  try {
    const { run } = command;
    return run(context, request, reply);
  } finally {
    // Where one of several keys was changed, all of them count as changed: a transaction is tried again, not lost.
    if (store.changes !== before && firstKey > 0) {
      const last = lastKey < 0 ? request.count + lastKey : lastKey;
      for (let i = firstKey; i <= last; i += keyStep) {
        watches.touch(request.bytes, request.starts[i]!, request.lengths[i]!);
      }
    }
  }
}
