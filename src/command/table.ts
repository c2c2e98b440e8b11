/**
 * Runs requests: joins the table of commands with their code, and guards the way to it.
 *
 * ```text
 * name known? → count of arguments right? → authenticated? → sizes within bounds? → room made? → run
 * ```
 *
 * Each step refuses before anything has changed. A command that throws a `ReplyError` is answered with it; any other
 * exception is a bug, which is reported and answered without its details.
 *
 * @module
 */

import { assert, ReplyError, StoreFullError } from "../errors.ts";
import type { ReplyCode } from "../errors.ts";
import { KEY_SIZE_MAX_BYTES } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { checkSizes, unknownCommand, wrongCount } from "./call.ts";
import type { CommandContext, Run } from "./context.ts";
import * as hashCommands from "./hash.ts";
import * as keyspaceCommands from "./keyspace.ts";
import * as listCommands from "./list.ts";
import * as serverCommands from "./server.ts";
import { acceptsCount, CommandIndex, COMMANDS } from "./specification.ts";
import type { CommandSpecification } from "./specification.ts";
import * as stringCommands from "./string.ts";

export type { CommandContext, Run } from "./context.ts";

/** A command with its code. What every call looks at stands beside it: one object to reach, not two. */
interface Command {
  readonly run: Run;
  readonly arity: number;
  readonly open: boolean;
  readonly grows: boolean;
  readonly specification: CommandSpecification;
}

const commands = joinCommands();
const commandIndex = new CommandIndex();

/** Joins specifications and functions by name; either without the other is a bug that ends the start. */
function joinCommands(): readonly Command[] {
  const runs = new Map<string, Run>(Object.entries({
    ...stringCommands,
    ...listCommands,
    ...hashCommands,
    ...keyspaceCommands,
    ...serverCommands,
  }));
  const joined = COMMANDS.map((specification) => {
    const run = runs.get(specification.name);
    assert(run !== undefined, `command "${specification.name}" has no code`);
    runs.delete(specification.name);
    const { arity, open, grows } = specification;
    return { run, arity, open, grows, specification };
  });
  assert(runs.size === 0, `command "${runs.keys().next().value}" has no specification`);
  return joined;
}

/**
 * Runs one request and completes its reply, which is an error when the request was refused; then nothing has changed.
 * Never throws.
 *
 * @param request borrowed until this returns, or until the returned promise resolves
 * @param reply holds exactly one reply more afterwards
 * @returns a promise only for a command that waits; until it resolves nothing else may use `reply`
 */
export function execute(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  reply.begin();
  try {
    const pending = dispatch(context, request, reply);
    if (pending !== undefined) return complete(pending, context, reply);
  } catch (error) {
    refuse(context, reply, error);
  }
  reply.end();
}

function dispatch(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  const position = commandIndex.find(request.bytes, request.starts[0]!, request.lengths[0]!);
  if (position === -1) throw unknownCommand(request);
  const command = commands[position]!;
  const run = command.run;
  if (!acceptsCount(command.arity, request.count)) throw wrongCount(request);
  if (!context.authenticated && !command.open) throw new ReplyError("NOAUTH", "Authentication required.");
  // No argument is longer than all of them together, so this settles it for nearly every request.
  if (request.size > KEY_SIZE_MAX_BYTES) checkSizes(command.specification, request);
  if (command.grows) context.store.makeRoom(request.size, request.count);
  return run(context, request, reply);
}

/** Waits for a command that has to, and completes its reply. */
async function complete(pending: Promise<void>, context: CommandContext, reply: Reply): Promise<void> {
  try {
    await pending;
  } catch (error) {
    refuse(context, reply, error);
  }
  reply.end();
}

function refuse(context: CommandContext, reply: Reply, error: unknown): void {
  if (error instanceof ReplyError || error instanceof StoreFullError) {
    reply.error(error.code as ReplyCode, error.message);
  } else {
    context.reportBug(error);
    reply.error("ERR", "internal error");
  }
}
