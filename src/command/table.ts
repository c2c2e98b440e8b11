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
import * as blockingCommands from "./blocking.ts";
import * as channelCommands from "./channel.ts";
import * as connectionCommands from "./connection.ts";
import { config } from "./config.ts";
import type { CommandContext, Run } from "./context.ts";
import { type Command, runCommand } from "./run.ts";
import * as transactionCommands from "./transaction.ts";
import * as commandCommands from "./command_info.ts";
import * as expireCommands from "./expire.ts";
import * as floatCommands from "./float.ts";
import * as hashCommands from "./hash.ts";
import * as hashRandomCommands from "./hash_random.ts";
import * as hashScanCommands from "./hash_scan.ts";
import * as keyspaceCommands from "./keyspace.ts";
import * as listCommands from "./list.ts";
import * as listMoveCommands from "./list_move.ts";
import * as listSearchCommands from "./list_search.ts";
import * as objectCommands from "./object.ts";
import * as renameCommands from "./rename.ts";
import * as serverCommands from "./server.ts";
import { acceptsCount, CommandIndex, COMMANDS } from "./specification.ts";
import * as stringCommands from "./string.ts";
import * as stringFormCommands from "./string_forms.ts";
import * as stringRangeCommands from "./string_range.ts";

export type { CommandContext, Run } from "./context.ts";

const commands = joinCommands();
const commandIndex = new CommandIndex();

/** Joins specifications and functions by name; either without the other is a bug that ends the start. */
function joinCommands(): readonly Command[] {
  const runs = new Map<string, Run>(Object.entries({
    ...stringCommands,
    ...stringFormCommands,
    ...stringRangeCommands,
    ...floatCommands,
    ...listCommands,
    ...listMoveCommands,
    ...listSearchCommands,
    ...hashCommands,
    ...hashRandomCommands,
    ...hashScanCommands,
    ...keyspaceCommands,
    ...expireCommands,
    ...renameCommands,
    ...objectCommands,
    ...commandCommands,
    ...serverCommands,
    ...blockingCommands,
    ...channelCommands,
    ...connectionCommands,
    ...transactionCommands,
    config,
  }));
  const joined = COMMANDS.map((specification) => {
    const run = runs.get(specification.name);
    assert(run !== undefined, `command "${specification.name}" has no code`);
    runs.delete(specification.name);
    const { arity, open, grows, writes } = specification;
    return { run, arity, open, grows, writes, specification };
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
    spoilTransaction(context, request);
  }
  reply.end();
}

/** A request that could not be queued spoils the transaction; one of those that are never queued does not. */
function spoilTransaction({ client: { transaction } }: CommandContext, request: Request): void {
  if (transaction === undefined) return;
  const position = commandIndex.find(request.bytes, request.starts[0]!, request.lengths[0]!);
  const command = commands[position];
  const isQueued = command === undefined || !command.specification.unqueued ||
    !acceptsCount(command.arity, request.count);
  if (isQueued) transaction.isSpoilt = true;
}

function dispatch(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  const position = commandIndex.find(request.bytes, request.starts[0]!, request.lengths[0]!);
  if (position === -1) return refuseUnknown(context, request);
  const command = commands[position]!;
  if (!acceptsCount(command.arity, request.count)) throw wrongCount(request);
  if (!context.client.isPlain && !isRunNow(context, command, request, reply)) return;
  // No argument is longer than all of them together, so this settles it for nearly every request.
  if (request.size > KEY_SIZE_MAX_BYTES) checkSizes(command.specification, request);
  return runCommand(context, command, request, reply);
}

/**
 * A page in a browser may send HTTP to any port, and have commands in its body: as in Redis, who speaks HTTP is cut off.
 *
 * @throws {ReplyError} when it is just a command that does not exist
 */
function refuseUnknown({ client }: CommandContext, request: Request): Promise<void> {
  if (client.version === 0 || !(request.is(0, "host:") || request.is(0, "post"))) throw unknownCommand(request);
  client.closing = true;
  return Promise.reject(new ReplyError("ERR", "this is no HTTP server"));
}

/** Whether a connection that is not plain may run a command now; one that is queued was answered. */
function isRunNow({ client }: CommandContext, command: Command, request: Request, reply: Reply): boolean {
  const { specification, open } = command;
  if (!client.authenticated && !open) throw new ReplyError("NOAUTH", "Authentication required.");
  if (client.onlyListens && !specification.listens) {
    const name = request.text(0).toLowerCase();
    throw new ReplyError(
      "ERR",
      `Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
    );
  }
  const { transaction } = client;
  if (transaction === undefined || specification.unqueued) return true;
  if (specification.unqueueable) throw new ReplyError("ERR", "Command not allowed inside a transaction");
  checkSizes(specification, request);
  transaction.add(command, request);
  reply.status("QUEUED");
  return false;
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
