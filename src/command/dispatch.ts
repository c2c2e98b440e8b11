/**
 * Runs requests: joins the table of commands with their functions, and checks each request before it runs.
 *
 * ```text
 * name known? → count of arguments right? → authenticated? → sizes within bounds? → room made? → run
 * ```
 *
 * Each check refuses a request before anything has changed. If a command throws a `ReplyError`, the reply is that
 * error. Any other exception is a bug, which is reported; its details are not part of the reply.
 *
 * @module
 */

import { checkSizes, wrongCount } from "../catalog/call.ts";
import { CommandIndex } from "../catalog/command_index.ts";
import { acceptsCount, COMMANDS } from "../catalog/specification.ts";
import type { CommandSpecification } from "../catalog/specification.ts";
import { noteIfAdmin } from "../connection/admin.ts";
import { admitSlowPath, unknown } from "../connection/admission.ts";
import { CONNECTION_COMMANDS, CONNECTION_SUBCOMMANDS } from "../connection/commands.ts";
import type { Subcommands } from "../connection/subcommands.ts";
import { assert, DelayedReplyError } from "../errors.ts";
import { ARGUMENTS_FEW_MAX_COUNT, KEY_SIZE_MAX_BYTES } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import * as blockingCommands from "./blocking.ts";
import type { Command, CommandContext, Run } from "./context.ts";
import * as expireCommands from "./expire.ts";
import * as floatCommands from "./float.ts";
import { flushslots } from "./flush_slots.ts";
import * as hashCommands from "./hash.ts";
import * as hashRandomCommands from "./hash_random.ts";
import * as hashScanCommands from "./hash_scan.ts";
import * as keyspaceCommands from "./keyspace.ts";
import * as listCommands from "./list.ts";
import * as listMoveCommands from "./list_move.ts";
import * as listSearchCommands from "./list_search.ts";
import { memory, MEMORY_SUBCOMMANDS, object, OBJECT_SUBCOMMANDS } from "./object.ts";
import * as renameCommands from "./rename.ts";
import { refuse, runCommand } from "./run.ts";
import * as serverCommands from "./server.ts";
import * as setCommands from "./set.ts";
import * as setAlgebraCommands from "./set_algebra.ts";
import * as setRandomCommands from "./set_random.ts";
import * as setScanCommands from "./set_scan.ts";
import * as stringCommands from "./string.ts";
import * as stringFormCommands from "./string_forms.ts";
import * as stringRangeCommands from "./string_range.ts";
import { beginTimed, endFailed, endTimed, NOT_TIMED, noteFailure, runCounted, timeRest } from "./timed.ts";
import * as topKeysCommands from "./top_keys.ts";
import * as transactionCommands from "./transaction.ts";

export type { CommandContext, Run } from "./context.ts";

// The engine folds a constant of this module, and none of another one.
const UNTIMED = NOT_TIMED;

const SUBCOMMANDS: Readonly<Record<string, Subcommands<never>>> = {
  ...CONNECTION_SUBCOMMANDS,
  memory: MEMORY_SUBCOMMANDS,
  object: OBJECT_SUBCOMMANDS,
};

const commands = joinCommands();
const commandIndex = new CommandIndex();

/** Joins specifications and functions by name. If one has no counterpart, that is a bug, and the program ends. */
function joinCommands(): readonly Command[] {
  const runs = new Map<string, Run>(Object.entries({
    ...CONNECTION_COMMANDS,
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
    ...setCommands,
    ...setAlgebraCommands,
    ...setRandomCommands,
    ...setScanCommands,
    ...keyspaceCommands,
    flushslots,
    ...expireCommands,
    ...renameCommands,
    object,
    memory,
    ...topKeysCommands,
    // This `client` replaces the one above, because it also sets the store's state.
    ...serverCommands,
    ...blockingCommands,
    ...transactionCommands,
  }));
  const joined = COMMANDS.map((specification) => {
    const run = runs.get(specification.name);
    assert(run !== undefined, `command "${specification.name}" has no code`);
    runs.delete(specification.name);
    const { position, arity, grows, writes, wakes, routing } = specification;
    const subcommands = Object.hasOwn(SUBCOMMANDS, specification.name) ? SUBCOMMANDS[specification.name] : undefined;
    assert(
      specification.hasSubcommands === (subcommands !== undefined),
      `command "${specification.name}" has subcommands in its syntax or in code, not in both`,
    );
    return {
      run: specification.admin === undefined ? run : noted(run, specification),
      position,
      arity,
      grows,
      writes,
      // A waiting command may be served long after it was dispatched, so it performs its duties itself (blocking.ts).
      wakes: routing === "wait" ? 0 : wakes,
      isPostponed: false,
      subcommands,
      specification,
    };
  });
  assert(runs.size === 0, `command "${runs.keys().next().value}" has no specification`);
  return joined;
}

/** Returns a function that logs an administrator's command before it runs. */
function noted(run: Run, specification: CommandSpecification): Run {
  return (context, request, reply) => {
    noteIfAdmin(context, specification, request);
    return run(context, request, reply);
  };
}

/**
 * Runs one request and completes its reply. When the request is refused, the reply is an error and nothing has changed.
 * Never throws.
 *
 * @param request borrowed until this returns, or until the returned promise resolves
 * @param reply contains exactly one more reply afterwards
 * @returns a promise only for a command that waits; until it resolves, no other code may use `reply`
 */
export function execute(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  reply.begin();
  let command: Command | undefined;
  let startedMs = UNTIMED;
  try {
    command = admit(context, request, reply);
    if (command !== undefined) {
      if (--context.shared.untilTimed[command.position]! === 0) {
        beginTimed(context, command).next();
        startedMs = performance.now();
      }
      const pending = runCommand(context, command, request, reply);
      if (pending !== undefined) return complete(context, command, request, reply, pending, startedMs);
      if (startedMs !== UNTIMED) endTimed(context, command, request, performance.now() - startedMs).next();
    }
  } catch (error) {
    return fail(context, command, request, reply, error, startedMs);
  }
  reply.end();
}

/**
 * Completes the reply with the error of a request that was refused or has failed.
 *
 * @param command `undefined` when the request was refused before its command could run
 */
function fail(
  context: CommandContext,
  command: Command | undefined,
  request: Request,
  reply: Reply,
  error: unknown,
  startedMs: number,
): void | Promise<void> {
  if (command === undefined) {
    noteRejection(context, request);
  } else {
    endFailed(context, command, request, error, startedMs);
    if (error instanceof DelayedReplyError && error.delayMs > 0) return failLater(context, command, reply, error);
    noteFailure(context, command, error);
  }
  refuse(context, reply, error);
  reply.end();
  if (context.client.closing) return Promise.resolve();
}

/**
 * Finds the command of a request, and refuses requests that must not run.
 *
 * @returns `undefined` if the reply was already written
 */
function admit(context: CommandContext, request: Request, reply: Reply): Command | undefined {
  const position = commandIndex.find(request.bytes, request.starts[0]!, request.lengths[0]!);
  if (!context.client.isFastPath) return runOrQueue(context, commands[position], request, reply);
  if (position === -1) throw unknown(context.client, request);
  const command = commands[position]!;
  if (!acceptsCount(command.arity, request.count)) throw wrongCount(request);
  // No argument is longer than all of them together, so this check suffices for nearly every request.
  if (request.size > KEY_SIZE_MAX_BYTES || request.count > ARGUMENTS_FEW_MAX_COUNT) {
    checkSizes(command.specification, request);
    context.shared.instruments.commands.isolateNext(position);
  }
  return command;
}

/**
 * Does the same for a connection that is not on the fast path. This is a separate function because the variables that a
 * closure captures are allocated at each call.
 */
function runOrQueue(
  { client, shared }: CommandContext,
  command: Command | undefined,
  request: Request,
  reply: Reply,
): Command | undefined {
  if (client.isPaused && isHeldBack(client, command, shared, request)) return heldBack(command!);
  const queue = () => {
    client.transaction!.add(command!, request);
    reply.status("QUEUED");
  };
  const discard = () => shared.endTransaction(client);
  const isRun = admitSlowPath(client, command?.specification, command?.subcommands, request, queue, discard);
  return isRun ? command : undefined;
}

/** Counts a request that was refused before its command could run. */
function noteRejection({ shared }: CommandContext, request: Request): void {
  const position = commandIndex.find(request.bytes, request.starts[0]!, request.lengths[0]!);
  if (position !== -1) shared.instruments.commands.reject(position);
}

/** Returns whether a request must wait for the end of a pause. A request that is wrong gets its error immediately. */
function isHeldBack(
  client: CommandContext["client"],
  command: Command | undefined,
  { pause }: CommandContext["shared"],
  request: Request,
): boolean {
  return command !== undefined && acceptsCount(command.arity, request.count) &&
    pause.holdsBack(client, command.specification, request);
}

/** Returns a command that waits until clients are not paused any more, and then runs `command`. */
function heldBack(command: Command): Command {
  const run: Run = (context, request, reply) => runAfterPause(context, command, request, reply);
  // The time for which it waits does not count.
  const specification: CommandSpecification = { ...command.specification, routing: "wait" };
  return { ...command, specification, writes: false, grows: false, wakes: 0, isPostponed: true, run };
}

async function runAfterPause(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
): Promise<void> {
  const { client, shared } = context;
  while (isHeldBack(client, command, shared, request)) {
    const held = shared.pause.hold();
    try {
      await context.block(() => {
        client.waiter = held;
        return held.ended;
      });
    } finally {
      client.waiter = undefined;
      held.end();
    }
    if (held.refusal !== undefined) throw held.refusal;
  }
  context.resume();
  // The call is counted, and timed, when it runs.
  shared.instruments.commands.uncount(command.position);
  try {
    const admitted = runOrQueue(context, command, request, reply);
    if (admitted !== undefined) await runCounted(context, admitted, request, reply);
  } catch (error) {
    if (error instanceof DelayedReplyError) await new Promise((resolve) => setTimeout(resolve, error.delayMs));
    throw error;
  }
}

/** Completes the reply with `error` after its delay. */
async function failLater(
  context: CommandContext,
  command: Command,
  reply: Reply,
  error: DelayedReplyError,
): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, error.delayMs));
  noteFailure(context, command, error);
  refuse(context, reply, error);
  reply.end();
}

/** Waits for a command's promise, and completes its reply. */
async function complete(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
  pending: Promise<void>,
  startedMs: number,
): Promise<void> {
  try {
    await timeRest(context, command, request, pending, startedMs);
  } catch (error) {
    noteFailure(context, command, error);
    refuse(context, reply, error);
  }
  reply.end();
}
