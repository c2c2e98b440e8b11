/**
 * Runs one command whose call is in order, now or from the queue of a transaction, and replies with the error if it
 * fails.
 *
 * This module performs the duties that a row of the catalog declares, so that no command has to remember them:
 *
 * | duty | row | when |
 * |---|---|---|
 * | makes room | `grows` | before the command |
 * | marks watched keys as changed | `keys` | after it, if it has changed anything |
 * | serves clients that wait for a list | `wakes` | after it, if it has changed anything |
 *
 * The last two cost a command a look at two counters, which nearly always are 0. The default TTL (`creates`) is not
 * performed here, because a key and its deadline are one effect of the log.
 *
 * @module
 */

import { keysEnd } from "../catalog/specification.ts";
import { assert, ReplyError, StoreFullError } from "../errors.ts";
import type { ReplyCode } from "../errors.ts";
import { LONG_ARGUMENTS_COUNT, LONG_BYTES } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { Command, CommandContext, Run, Steps } from "./context.ts";
import type { Hold } from "./holds.ts";
import { runSteps } from "./long_command.ts";

/**
 * Replies with the error that a command has thrown: a refusal with its own message, anything else as an internal error.
 */
export function refuse(context: CommandContext, reply: Reply, error: unknown): void {
  const { errors } = context.shared.instruments;
  if (error instanceof ReplyError || error instanceof StoreFullError) {
    reply.error(error.code as ReplyCode, error.message);
    errors.note(error.code);
  } else {
    context.role.reportBug(error);
    reply.error("ERR", "internal error");
    errors.note("ERR");
  }
}

/**
 * Makes room, runs the command, and performs its duties afterwards.
 *
 * @returns a promise when the command has to wait or takes long; in a transaction, its remaining steps are then in
 * `client.steps`
 */
export function runCommand(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
): void | Promise<void> {
  const { shared } = context;
  if (shared.holds.count !== 0) {
    const waiting = waitForHolds(context, command, request, reply);
    if (waiting !== undefined) return waiting;
  }
  if (command.writes) {
    // A transaction that has begun runs completely: it was checked before.
    if (shared.refusal !== undefined && !context.client.executing) throw refusedWrite(shared.refusal);
    if (command.grows) {
      if (request.size > LONG_BYTES || request.count > LONG_ARGUMENTS_COUNT) {
        return runGrowing(context, command, request, reply);
      }
      context.store.room.make(request.size, request.count);
    }
    if (isObserved(context, command)) return runInRoom(context, command, request, reply);
  }
  const result = command.run(context, request, reply);
  if (result !== undefined) return continueRun(context, command, request, reply, result);
}

// Rare steps have their own functions, so that a whole command fits into the loop that runs it, when that is compiled.

/** Returns a promise if the command has to wait for long commands, otherwise `undefined`. */
function waitForHolds(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
): Promise<void> | undefined {
  const { shared: { holds }, client, log } = context;
  if (!client.executing) {
    const hold = holds.inTheWay(command.specification, request);
    if (hold !== undefined) return waitAndRun(context, command, request, reply, hold);
    if (log?.isMarkAwaited === true && mayTakeLong(command, request)) {
      return waitForMark(context, command, request, reply);
    }
  }
  // A flush waits only for exclusive holds.
  if (command.writes && command.specification.firstKey === 0) holds.breakShared();
  return undefined;
}

/** Makes room for a large request, and runs it. */
function runGrowing(context: CommandContext, command: Command, request: Request, reply: Reply): void | Promise<void> {
  if (!context.store.room.makePart(request.size, request.count)) {
    return makeRoomAndRun(context, command, request, reply);
  }
  context.store.room.make(request.size, request.count);
  return runInRoom(context, command, request, reply);
}

/** Continues a command that waits or takes steps. */
function continueRun(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
  result: Promise<void> | Steps,
): void | Promise<void> {
  return result instanceof Promise ? result : runSteps(context, command, request, reply, result);
}

/** Returns whether a command may write in steps. */
function mayTakeLong({ writes, specification }: Command, request: Request): boolean {
  const isLarge = request.size > LONG_BYTES || request.count > LONG_ARGUMENTS_COUNT;
  return writes && (isLarge || specification.mayTakeLong);
}

/**
 * Waits for a snapshot that waits until the running long commands end. If others began meanwhile, it would wait
 * forever.
 */
async function waitForMark(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
): Promise<void> {
  await context.log?.marked;
  context.resume();
  return await runCommand(context, command, request, reply);
}

/** Runs a command that does not have to wait, and that has room. */
function runInRoom(context: CommandContext, command: Command, request: Request, reply: Reply): void | Promise<void> {
  const run = command.run;
  if (command.writes && isObserved(context, command)) return runObserved(context, command, request, reply, run);
  const result = run(context, request, reply);
  if (result !== undefined) return continueRun(context, command, request, reply, result);
}

async function waitAndRun(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
  hold: Hold,
): Promise<void> {
  const { specification, writes } = command;
  await context.shared.holds.waitFor(hold, writes, writes && specification.firstKey === 0);
  context.resume();
  return await runCommand(context, command, request, reply);
}

/** Makes room in steps for a large request, and runs it. */
function makeRoomAndRun(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
): void | Promise<void> {
  const { store } = context;
  const step = () => store.room.makePart(request.size, request.count);
  if (context.slice(step)) {
    store.room.make(request.size, request.count);
    return runInRoom(context, command, request, reply);
  }
  if (!context.client.executing) return makeRoomFirst(context, command, request, reply, step);
  const run: Run = (context, request, reply) => runAfterRoom(context, command, request, reply);
  return runObserved(context, command, request, reply, run);
}

async function makeRoomFirst(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
  step: () => boolean,
): Promise<void> {
  const { store } = context;
  do await context.pause("always"); while (!context.slice(step));
  const hold = context.shared.holds.inTheWay(command.specification, request);
  if (hold !== undefined) return await waitAndRun(context, command, request, reply, hold);
  if (context.shared.refusal !== undefined) throw refusedWrite(context.shared.refusal);
  // Other commands may have used some of the room, so little is left to do.
  store.room.make(request.size, request.count);
  return await runInRoom(context, command, request, reply);
}

/** Makes room like {@linkcode makeRoomFirst}, but in steps of a transaction. */
function* runAfterRoom(context: CommandContext, command: Command, request: Request, reply: Reply): Steps {
  const { store } = context;
  while (!store.room.makePart(request.size, request.count)) yield;
  store.room.make(request.size, request.count);
  const result = command.run(context, request, reply);
  assert(!(result instanceof Promise), "nothing waits in a transaction");
  if (result !== undefined) yield* result;
}

/** Returns the error for a command that writes while the log cannot be written. Nothing has changed. */
export function refusedWrite(refusal: string): ReplyError {
  return new ReplyError("MISCONF", `Writes are refused, reads are not: ${refusal}`);
}

/** Returns whether clients watch keys, or wait for a list that the command may make. */
function isObserved({ shared: { watches, waiters } }: CommandContext, { wakes }: Command): boolean {
  return watches.count !== 0 || wakes !== 0 && waiters.count !== 0;
}

/** Runs a command, and performs its duties once it has ended or failed. */
function runObserved(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
  run: Run,
): void | Promise<void> {
  const { store, shared: { watches } } = context;
  const before = store.changes;
  // After a flush there is nothing to compare with.
  if (command.specification.firstKey === 0) watches.touchAll();
  const after = () => {
    if (store.changes === before) return;
    touchKeys(context, command, request);
    if (command.wakes !== 0) wake(context, request, command.wakes);
  };
  let result: ReturnType<Run>;
  try {
    result = run(context, request, reply);
  } catch (error) {
    after();
    throw error;
  }
  if (result !== undefined && !(result instanceof Promise)) {
    return runSteps(context, command, request, reply, result, after);
  }
  after();
  return result;
}

/**
 * Serves the clients that wait for the key in argument `index`, if it holds a list now. That may change any list, so it
 * is the last thing that happens for a command.
 */
export function wake({ shared: { waiters } }: CommandContext, request: Request, index: number): void {
  waiters.pushed(request.bytes, request.starts[index]!, request.lengths[index]!);
}

/**
 * Marks all keys of a request as changed if one of them was: a transaction is then retried without need, which is
 * harmless.
 */
function touchKeys({ shared: { watches } }: CommandContext, { specification }: Command, request: Request): void {
  if (watches.count === 0) return;
  const end = keysEnd(specification, request);
  for (let i = specification.firstKey; i < end; i += specification.keyStep) {
    watches.touch(request.bytes, request.starts[i]!, request.lengths[i]!);
  }
}
