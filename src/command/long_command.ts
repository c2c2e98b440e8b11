/**
 * Commands that take long, in steps between which other clients' commands run.
 *
 * A command with little work does it immediately. A command with more work returns a generator, which yields about
 * every tenth of a millisecond, only where nothing is half done. Only bytes and numbers outlive a `yield`: blocks of
 * the store may move, so entries are looked up again.
 *
 * ```text
 * first slice ended in time?  → done; nearly always, and no other command has seen anything
 * else                        → its keys are held (holds.ts), its effects become one batch of the log (record_group.ts)
 *   pause → slice → pause → …   with the clock of its beginning, as if the command took no time
 * ```
 *
 * A command of very many keys holds them before it begins, because collecting them takes steps too. Only a read that a
 * proxy may split over several servers, such as `mget`, does not hold that many.
 *
 * A transaction holds the keys of all its commands (transaction.ts).
 *
 * @module
 */

import { type CommandSpecification, keysEnd } from "../catalog/specification.ts";
import { ReplyError } from "../errors.ts";
import { LONG_ARGUMENTS_COUNT, STEP_KEYS_COUNT } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext, Run, Steps } from "./context.ts";
import type { EffectGroup, EffectLog } from "./effect_log.ts";
import { type Hold, KeySet } from "./holds.ts";

/** Thrown by a step that finds the value that it was reading removed. The command starts again, and finds no value. */
export class ValueGone extends Error {}

/** The parts of a command that are needed to run its steps. */
export interface LongCommand {
  readonly run: Run;
  readonly writes: boolean;
  readonly specification: CommandSpecification;
}

/**
 * Runs steps to their end; immediately, if they take less than a slice.
 *
 * @param after called once when the steps have ended, successfully or not
 * @returns a promise when the steps take longer; until it resolves, the request stays borrowed. In a transaction it
 * returns nothing, and `client.steps` has the remaining steps
 */
export function runSteps(
  context: CommandContext,
  command: LongCommand,
  request: Request,
  reply: Reply,
  steps: Steps,
  after?: () => void,
): void | Promise<void> {
  const { client } = context;
  const run: LongRun = { context, command, request, reply, steps, after };
  if (client.executing) {
    if (!runSlice(run)) client.steps = { steps, after };
    return;
  }
  const end = keysEnd(command.specification, request);
  const isOfMany = end > LONG_ARGUMENTS_COUNT;
  // A read of many keys that a proxy may split is not atomic, only each of its slices.
  const isSplit = isOfMany && !command.writes && command.specification.routing !== "together";
  if (!isOfMany || isSplit) {
    const mark = new LogMark(context.log);
    if (runSlice(run)) return;
    // A command without keys, such as `keys`, sees time pass.
    if (end === 0 || isSplit) return readOn(run);
    const keys = new KeySet(end);
    keys.addKeys(context.store, command.specification, request, 0, end);
    return finish(run, keys, mark);
  }
  const keys = new KeySet(end);
  const collect = collecting(context, command.specification, request, keys, end);
  if (!context.slice(collect) || !isFree(context, keys, command.writes)) return holdAndRun(run, keys, collect);
  const mark = new LogMark(context.log);
  if (!runSlice(run)) return finish(run, keys, mark);
}

/** One run of a command that takes long. */
interface LongRun {
  readonly context: CommandContext;
  readonly command: LongCommand;
  readonly request: Request;
  readonly reply: Reply;
  readonly steps: Steps;
  readonly after: (() => void) | undefined;
}

/** Runs the first slice. Returns whether the command has ended. */
function runSlice({ context, steps, after }: LongRun): boolean {
  let isDone = true;
  try {
    isDone = context.slice(() => steps.next().done === true);
    return isDone;
  } finally {
    if (isDone) after?.();
  }
}

/** Returns a step that collects some of the keys of a command of very many, and returns `true` after the last ones. */
function collecting(
  { store }: CommandContext,
  specification: CommandSpecification,
  request: Request,
  keys: KeySet,
  end: number,
): () => boolean {
  let next = 0;
  return () => {
    next = keys.addKeys(store, specification, request, next, Math.min(end, next + STEP_KEYS_COUNT));
    return next >= end;
  };
}

/** Continues a command after its first slice. */
async function finish(run: LongRun, keys: KeySet, mark: LogMark): Promise<void> {
  const { context, command, request, steps, after } = run;
  const task = LongTask.begin(context, keys, command.writes, mark, request.size);
  try {
    await task.run(steps, after);
    return;
  } catch (error) {
    if (!(error instanceof ValueGone)) throw error;
  }
  await restart(run);
}

/** Continues a command that only reads and holds no keys. */
async function readOn(run: LongRun): Promise<void> {
  const { context, steps } = run;
  try {
    do await context.pause(); while (!context.slice(() => steps.next().done === true));
    return;
  } catch (error) {
    if (!(error instanceof ValueGone)) throw error;
  } finally {
    steps.return();
  }
  await restart(run);
}

/** Runs a command again from its beginning, because keys that it was reading were removed. */
async function restart({ context, command, request, reply }: LongRun): Promise<void> {
  const { holds } = context.shared;
  for (;;) {
    const hold = holds.inTheWay(command.specification, request);
    if (hold === undefined) break;
    await holds.waitFor(hold, false, false);
  }
  context.resume();
  reply.rollback();
  reply.begin();
  const result = command.run(context, request, reply);
  if (result === undefined || result instanceof Promise) return await result;
  return await runSteps(context, command, request, reply, result);
}

/** Collects the keys of a command of very many, holds them, and runs it. */
async function holdAndRun(run: LongRun, keys: KeySet, collect: () => boolean): Promise<void> {
  const { context, command: { writes } } = run;
  do await context.pause(writes ? "always" : "here"); while (!context.slice(collect));
  for (;;) {
    const wait = obstacle(context, keys, writes);
    if (wait === undefined) break;
    await wait;
  }
  context.resume();
  const { refusal } = context.shared;
  if (writes && refusal !== undefined) {
    throw new ReplyError("MISCONF", `Writes are refused, reads are not: ${refusal}`);
  }
  await finish(run, keys, new LogMark(context.log));
}

/** Returns whether a long command with these keys does not have to wait. */
function isFree({ shared, log }: CommandContext, keys: KeySet, writes: boolean): boolean {
  return shared.holds.inTheWayOf(keys, writes) === undefined && !(writes && log?.isMarkAwaited === true);
}

/**
 * Returns a promise that a long command with these keys has to wait for, or `undefined`. After waiting, the caller
 * checks again, and begins in the same turn of the event loop in which there is no obstacle: other commands may wait
 * for the same keys.
 */
export function obstacle(
  { shared: { holds }, log }: CommandContext,
  keys: KeySet,
  writes: boolean,
): Promise<void> | undefined {
  const hold = holds.inTheWayOf(keys, writes);
  if (hold !== undefined) return holds.waitFor(hold, writes, keys.isEverything);
  // A snapshot waits for a moment without long writes.
  return writes ? log?.marked : undefined;
}

/** The position in the log's records at which the effects of a command begin. */
export class LogMark {
  readonly #log: EffectLog | undefined;
  readonly #at: number;
  readonly #unasked: number;
  readonly #writes: number;

  /** Marks the current position of the log. */
  constructor(log: EffectLog | undefined) {
    this.#log = log;
    this.#at = log?.position ?? 0;
    this.#unasked = log?.unasked ?? 0;
    this.#writes = log?.writes ?? 0;
  }

  /**
   * Opens a group that begins with the effects since the mark. Keys that expired or were evicted before the first of
   * these effects are not part of it. If a key was evicted later, the effects up to now keep their order, and the group
   * contains only the following ones.
   */
  openGroup(expectedBytes: number): EffectGroup | undefined {
    const log = this.#log;
    return log?.openGroup(this.#begin(log), expectedBytes);
  }

  #begin(log: EffectLog): number {
    if (log.unasked === this.#unasked) return this.#at;
    return log.unaskedWrites === this.#writes ? log.unaskedEnd : log.position;
  }
}

/** A command or a transaction, between its first pause and its end. */
export class LongTask {
  readonly #context: CommandContext;
  readonly #hold: Hold;
  readonly #group: EffectGroup | undefined;
  readonly #nowMs: number;
  readonly #writes: boolean;

  private constructor(context: CommandContext, hold: Hold, group: EffectGroup | undefined, writes: boolean) {
    this.#context = context;
    this.#hold = hold;
    this.#group = group;
    this.#nowMs = context.store.nowMs;
    this.#writes = writes;
  }

  /**
   * Holds the keys, which are free, and begins to collect effects.
   *
   * @param mark the position at which its effects begin
   * @param expectedBytes the expected size of its effects
   */
  static begin(
    context: CommandContext,
    keys: KeySet,
    writes: boolean,
    mark: LogMark,
    expectedBytes: number,
  ): LongTask {
    const hold = context.shared.holds.acquire(keys, writes);
    const group = writes ? mark.openGroup(expectedBytes) : undefined;
    return new LongTask(context, hold, group, writes);
  }

  /**
   * Alternates pauses and steps until the steps end, then ends the task.
   *
   * @param after called once when the steps have ended, successfully or not
   */
  async run(steps: Steps, after: (() => void) | undefined): Promise<void> {
    const step = () => steps.next().done === true;
    try {
      do await this.pause(); while (!this.#context.slice(() => this.enter(step)));
    } finally {
      // In the same turn of the event loop: effects of other commands come after this one's in the log.
      steps.return();
      after?.();
      this.end();
    }
  }

  /** Lets other commands run. A write continues to its end even if its client leaves meanwhile. */
  async pause(): Promise<void> {
    await this.#context.pause(this.#writes ? "always" : "here");
    this.#context.store.nowMs = this.#nowMs;
  }

  /**
   * Runs a step. Its effects are collected, and the clock has the time at which the task began.
   *
   * @throws {ValueGone} when keys that it reads were removed
   */
  enter<T>(step: () => T): T {
    if (this.#hold.isBroken) throw new ValueGone();
    const { store, shared: { holds } } = this.#context;
    store.nowMs = this.#nowMs;
    this.#group?.enter();
    try {
      return holds.runStep(this.#hold, step);
    } finally {
      this.#group?.leave();
    }
  }

  /**
   * Releases the keys, passes the effects to the log, and serves the clients that wait for the keys. Safe to call
   * twice.
   */
  end(): void {
    this.#group?.close();
    this.#hold.release();
    // Before another command can take the elements that this one has pushed.
    this.#context.shared.waiters.release();
  }
}
