/**
 * Times some calls of commands. The caller counts each call down, and counts itself by that (metrics/command_stats.ts).
 *
 * ```text
 * countdown   not over ── run ──────────────────► nothing else
 *                          └─ pauses ───────────► its time up to the end, which represents this call
 *             over ────── clock ─ run ─ clock ──► its time, which represents the calls since the last timed one
 *                                  └─ pauses ───► its time up to the end, which represents this call
 * ```
 *
 * So no slow call is missed: a call that takes longer than one slice pauses. The time of a call is the time until its
 * reply is complete, with its pauses and its waits for other commands. The time for which a command such as `blpop`
 * waits for an element does not count.
 *
 * {@linkcode end} is the place of everything that observes single calls.
 *
 * @module
 */

import { noteDuration, showRequest } from "../connection/observation.ts";
import { ReplyError, StoreFullError } from "../errors.ts";
import { ARGUMENTS_FEW_MAX_COUNT, KEY_SIZE_MAX_BYTES, SLICE_MS } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { Command, CommandContext } from "./context.ts";
import { runCommand } from "./run.ts";

/**
 * The least time for which a command pauses. A promise that resolves sooner only lets the session look at its state.
 */
const PAUSE_MIN_MS = 0.5;

/** The beginning of a call that is not timed. */
export const NOT_TIMED: number = 0;

/** Counts a call. Returns when it began if it is timed, otherwise {@linkcode NOT_TIMED}. */
function count(context: CommandContext, command: Command): number {
  if (--context.shared.untilTimed[command.position]! !== 0) return NOT_TIMED;
  beginTimed(context, command).next();
  return performance.now();
}

/** Runs and counts a command, and returns what {@linkcode runCommand} returns. */
export function runCounted(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
): void | Promise<void> {
  const startedMs = count(context, command);
  let pending: void | Promise<void>;
  try {
    pending = runCommand(context, command, request, reply);
  } catch (error) {
    endFailed(context, command, request, error, startedMs);
    throw error;
  }
  if (pending !== undefined) return timeRest(context, command, request, pending, startedMs);
  if (startedMs !== NOT_TIMED) endTimed(context, command, request, performance.now() - startedMs).next();
}

/** Runs and counts a command of a transaction, whose remaining steps may be in `client.steps` afterwards. */
export function runCountedQueued(context: CommandContext, command: Command, request: Request, reply: Reply): void {
  const isLarge = request.size > KEY_SIZE_MAX_BYTES || request.count > ARGUMENTS_FEW_MAX_COUNT;
  if (isLarge) context.shared.instruments.commands.isolateNext(command.position);
  const startedMs = count(context, command);
  try {
    runCommand(context, command, request, reply);
  } catch (error) {
    endFailed(context, command, request, error, startedMs);
    throw error;
  }
  if (context.client.steps !== undefined) timeSteps(context, command, request, startedMs);
  else if (startedMs !== NOT_TIMED) endTimed(context, command, request, performance.now() - startedMs).next();
}

/** Counts a call that has failed, or that was refused before the command itself ran. */
export function noteFailure({ shared }: CommandContext, { position }: Command, error: unknown): void {
  const { commands } = shared.instruments;
  if (isRejection(error)) commands.rejectCounted(position);
  else commands.failed[position]! += 1;
}

/** Returns whether a command that has thrown this error did not run. */
function isRejection(error: unknown): boolean {
  return error instanceof StoreFullError || error instanceof ReplyError && error.code === "MISCONF";
}

// The engine copies a function into its caller if it was often called at first, as these two are. Then it has less room
// for the commands in the loop that runs them, which makes each 5 % slower. It never copies a generator. These do not
// yield. The command itself is run by the same code whether or not it is timed, and the clock is read there, since code
// that runs rarely is slow.

/** Begins a call whose countdown is over, before the clock is read. */
// deno-lint-ignore require-yield
export function* beginTimed({ shared }: CommandContext, { position }: Command): Generator<never, void, void> {
  shared.instruments.commands.begin(position);
}

/** Ends a timed call that has not paused. */
// deno-lint-ignore require-yield
export function* endTimed(
  context: CommandContext,
  command: Command,
  request: Request,
  durationMs: number,
): Generator<never, void, void> {
  end(context, command, request, durationMs, context.shared.instruments.commands.claim(command.position));
}

/** Ends a call that has thrown an error, if it is timed. */
export function endFailed(
  context: CommandContext,
  command: Command,
  request: Request,
  error: unknown,
  startedMs: number,
): void {
  if (startedMs === NOT_TIMED || isRejection(error)) return;
  endTimed(context, command, request, performance.now() - startedMs).next();
}

/**
 * Times a call that pauses until its end. If its countdown was not over, it is assumed to have run for a slice so far.
 *
 * @param startedMs when it began, or {@linkcode NOT_TIMED}
 */
export function timeRest(
  context: CommandContext,
  command: Command,
  request: Request,
  pending: Promise<void>,
  startedMs: number,
): Promise<void> {
  if (command.specification.routing === "wait") {
    const isOver = startedMs !== NOT_TIMED && !command.isPostponed;
    if (isOver) endTimed(context, command, request, performance.now() - startedMs).next();
    return pending;
  }
  context.shared.instruments.commands.claimOne(command.position);
  return timePromise(context, command, request, pending, sinceMs(startedMs));
}

/** Returns when a call that pauses began. */
function sinceMs(startedMs: number): number {
  return startedMs === NOT_TIMED ? performance.now() - SLICE_MS : startedMs;
}

/** Times a call until its promise resolves. */
async function timePromise(
  context: CommandContext,
  command: Command,
  request: Request,
  pending: Promise<void>,
  startedMs: number,
): Promise<void> {
  const { commands } = context.shared.instruments;
  const pausedMs = performance.now();
  try {
    await pending;
  } catch (error) {
    if (isRejection(error)) commands.unclaim(command.position, 1);
    else end(context, command, request, performance.now() - startedMs, 1);
    throw error;
  }
  if (performance.now() - pausedMs >= PAUSE_MIN_MS) {
    return end(context, command, request, performance.now() - startedMs, 1);
  }
  commands.unclaim(command.position, 1);
  const { client, shared: { instruments } } = context;
  if (instruments.monitors.count > 0) showRequest(instruments, command.specification, request, client);
}

/** Times a call of a transaction until its steps end. */
function timeSteps(context: CommandContext, command: Command, request: Request, startedMs: number): void {
  const { steps, after } = context.client.steps!;
  const begunMs = sinceMs(startedMs);
  context.shared.instruments.commands.claimOne(command.position);
  context.client.steps = {
    steps,
    after: () => {
      after?.();
      end(context, command, request, performance.now() - begunMs, 1);
    },
  };
}

/** Ends a timed call, which represents `weight` calls. */
function end(context: CommandContext, command: Command, request: Request, durationMs: number, weight: number): void {
  const { client, shared: { instruments, keys } } = context;
  const { position, specification } = command;
  instruments.add(position, durationMs, weight);
  if (instruments.monitors.count > 0) showRequest(instruments, specification, request, client);
  noteDuration(instruments, specification, request, client, durationMs);
  keys.note(specification, request, client.isInternal || client.touchesNothing ? 0 : weight);
}
