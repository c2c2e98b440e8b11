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

/** Runs and counts a command, and returns what {@linkcode runCommand} returns. */
export function runCounted(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
): void | Promise<void> {
  if (--context.shared.untilTimed[command.position]! === 0) return runTimed(context, command, request, reply);
  const pending = runCommand(context, command, request, reply);
  if (pending !== undefined) return timeRest(context, command, request, pending);
}

/** Runs and counts a command of a transaction, whose remaining steps may be in `client.steps` afterwards. */
export function runCountedQueued(context: CommandContext, command: Command, request: Request, reply: Reply): void {
  const isLarge = request.size > KEY_SIZE_MAX_BYTES || request.count > ARGUMENTS_FEW_MAX_COUNT;
  if (isLarge) context.shared.instruments.commands.isolateNext(command.position);
  if (--context.shared.untilTimed[command.position]! === 0) return void runTimed(context, command, request, reply);
  runCommand(context, command, request, reply);
  if (context.client.steps === undefined) return;
  context.shared.instruments.commands.claimOne(command.position);
  timeSteps(context, command, request, performance.now() - SLICE_MS);
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

/** Runs a command whose countdown is over, and returns what {@linkcode runCommand} returns. */
export function runTimed(
  context: CommandContext,
  command: Command,
  request: Request,
  reply: Reply,
): void | Promise<void> {
  const { client, shared: { instruments: { commands } } } = context;
  const { position } = command;
  const weight = commands.claim(position);
  const startedMs = performance.now();
  let pending: void | Promise<void>;
  try {
    pending = runCommand(context, command, request, reply);
  } catch (error) {
    if (isRejection(error)) commands.unclaim(position, weight);
    else end(context, command, request, startedMs, weight);
    throw error;
  }
  // A command of a transaction leaves its steps to the transaction.
  const hasSteps = pending === undefined && client.steps !== undefined;
  if (hasSteps || pending !== undefined && command.specification.routing !== "wait") {
    commands.unclaim(position, weight - 1);
    if (pending !== undefined) return timePromise(context, command, request, pending, startedMs);
    return timeSteps(context, command, request, startedMs);
  }
  if (command.isPostponed) commands.unclaim(position, weight);
  else end(context, command, request, startedMs, weight);
  return pending;
}

/** Times the rest of a call that pauses although its countdown was not over. Until then it has run for a slice. */
export function timeRest(
  context: CommandContext,
  command: Command,
  request: Request,
  pending: Promise<void>,
): Promise<void> {
  if (command.specification.routing === "wait") return pending;
  context.shared.instruments.commands.claimOne(command.position);
  return timePromise(context, command, request, pending, performance.now() - SLICE_MS);
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
    else end(context, command, request, startedMs, 1);
    throw error;
  }
  if (performance.now() - pausedMs >= PAUSE_MIN_MS) return end(context, command, request, startedMs, 1);
  commands.unclaim(command.position, 1);
  const { client, shared: { instruments } } = context;
  if (instruments.monitors.count > 0) showRequest(instruments, command.specification, request, client);
}

/** Times a call of a transaction until its steps end. */
function timeSteps(context: CommandContext, command: Command, request: Request, startedMs: number): void {
  const { steps, after } = context.client.steps!;
  context.client.steps = {
    steps,
    after: () => {
      after?.();
      end(context, command, request, startedMs, 1);
    },
  };
}

/** Ends a timed call, which represents `weight` calls. */
function end(context: CommandContext, command: Command, request: Request, startedMs: number, weight: number): void {
  const { client, shared: { instruments, keys } } = context;
  const { position, specification } = command;
  const durationMs = performance.now() - startedMs;
  instruments.add(position, durationMs, weight);
  if (instruments.monitors.count > 0) showRequest(instruments, specification, request, client);
  noteDuration(instruments, specification, request, client, durationMs);
  keys.note(specification, request, client.isInternal || client.touchesNothing ? 0 : weight);
}
