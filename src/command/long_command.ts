/**
 * Commands that take long, in steps between which other clients' commands run.
 *
 * A command does its work at once where it is little. Where it is more it returns a generator, which yields about every
 * tenth of a millisecond, wherever nothing is half done. Nothing of the store outlives a `yield` but bytes and numbers: blocks
 * may move, so entries are looked up again.
 *
 * ```text
 * first slice ended in time?  → done: nearly always, and nobody has seen anything
 * else                        → its keys are held (holds.ts), its effects become one batch of the log (record_group.ts)
 *   pause → slice → pause → …   with the clock of its beginning, as if all of it was one moment
 * ```
 *
 * A command of very many keys holds them before it begins, since collecting them takes steps of its own.
 *
 * In a transaction the whole transaction holds the keys of all its commands (transaction.ts).
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

/** Thrown by a step that finds the value gone which it was reading: the command begins anew, and finds it absent. */
export class ValueGone extends Error {}

/** A command, as far as driving its steps needs to know it. */
export interface LongCommand {
  readonly run: Run;
  readonly writes: boolean;
  readonly specification: CommandSpecification;
}

/**
 * Runs steps to their end: at once, where that takes less than a slice.
 *
 * @param after called once when they have ended, whichever way
 * @returns a promise when it takes longer; until it resolves the request stays borrowed. In a transaction, nothing: what is
 * left stands in `client.steps` then
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
  const end = keysEnd(command.specification, request.count);
  const isOfMany = end > LONG_ARGUMENTS_COUNT;
  if (!isOfMany || !command.writes) {
    const mark = new LogMark(context.log);
    if (runSlice(run)) return;
    // Reads of many keys are not one moment: each slice of them is. What has no keys, such as `keys`, goes on with time.
    if (end === 0 || isOfMany) return readOn(run);
    const keys = new KeySet(end);
    keys.addKeys(context.store, command.specification, request, 0, end);
    return finish(run, keys, mark);
  }
  const keys = new KeySet(end);
  const collect = collecting(context, command.specification, request, keys, end);
  if (!context.slice(collect) || !isFree(context, keys)) return holdAndRun(run, keys, collect);
  const mark = new LogMark(context.log);
  if (!runSlice(run)) return finish(run, keys, mark);
}

/** One command that takes long. */
interface LongRun {
  readonly context: CommandContext;
  readonly command: LongCommand;
  readonly request: Request;
  readonly reply: Reply;
  readonly steps: Steps;
  readonly after: (() => void) | undefined;
}

/** Runs the first slice; whether the command has ended. */
function runSlice({ context, steps, after }: LongRun): boolean {
  let isDone = true;
  try {
    isDone = context.slice(() => steps.next().done === true);
    return isDone;
  } finally {
    if (isDone) after?.();
  }
}

/** Returns what collects the keys of a command of very many, some with each call, until it returns `true`. */
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

/** Goes on with a command that has just had its first slice. */
async function finish(run: LongRun, keys: KeySet, mark: LogMark): Promise<void> {
  const { context, command, request, steps, after } = run;
  const task = LongTask.begin(context, keys, command.writes, mark, request.size);
  try {
    await task.run(steps, after);
    return;
  } catch (error) {
    if (!(error instanceof ValueGone)) throw error;
  }
  await beginAnew(run);
}

/** Goes on with a command that only reads, and holds no keys. */
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
  await beginAnew(run);
}

/** Runs a command once more from its beginning, since keys that it was reading were removed. */
async function beginAnew({ context, command, request, reply }: LongRun): Promise<void> {
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
  const { context, request, steps, after } = run;
  do await context.pause("always"); while (!context.slice(collect));
  for (let wait = obstacle(context, keys); wait !== undefined; wait = obstacle(context, keys)) await wait;
  context.resume();
  const { refusal } = context.shared;
  if (refusal !== undefined) throw new ReplyError("MISCONF", `Writes are refused, reads are not: ${refusal}`);
  const task = LongTask.begin(context, keys, true, new LogMark(context.log), request.size);
  await task.run(steps, after);
}

/** Whether nothing is in the way of a long command that writes these keys. */
function isFree({ shared, log }: CommandContext, keys: KeySet): boolean {
  return shared.holds.inTheWayOf(keys, true) === undefined && log?.isMarkAwaited !== true;
}

/**
 * Returns what a long command that writes these keys has to wait for. It looks again afterwards, and begins in the same turn in
 * which there is nothing: others wait for the same.
 */
export function obstacle({ shared: { holds }, log }: CommandContext, keys: KeySet): Promise<void> | undefined {
  const hold = holds.inTheWayOf(keys, true);
  if (hold !== undefined) return holds.waitFor(hold, true, keys.isEverything);
  // A snapshot waits for a moment without long writes.
  return log?.marked;
}

/** Where the effects of a command begin in the log's records. */
export class LogMark {
  readonly #log: EffectLog | undefined;
  readonly #at: number;
  readonly #unasked: number;
  readonly #writes: number;

  /** Marks where the log is now. */
  constructor(log: EffectLog | undefined) {
    this.#log = log;
    this.#at = log?.position ?? 0;
    this.#unasked = log?.unasked ?? 0;
    this.#writes = log?.writes ?? 0;
  }

  /**
   * Makes a group of the effects since. Keys that have expired or were evicted before the first of them are not part of it.
   * Where one was evicted later, what there is stays in its order, and only what follows is of the group.
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

/** A command, or a transaction, between its first pause and its end. */
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
   * Holds keys, which are free, and collects effects.
   *
   * @param mark where its effects begin
   * @param expectedBytes of its effects
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
   * Pauses, then takes steps, and so on to their end, which is the end of the task.
   *
   * @param after called once, when the steps have ended, whichever way
   */
  async run(steps: Steps, after: (() => void) | undefined): Promise<void> {
    const step = () => steps.next().done === true;
    try {
      do await this.pause(); while (!this.#context.slice(() => this.enter(step)));
    } finally {
      // In the same turn: what others do from here on stands behind it in the log.
      steps.return();
      after?.();
      this.end();
    }
  }

  /** Lets others run. A write is carried out to its end though its client has left meanwhile. */
  async pause(): Promise<void> {
    await this.#context.pause(this.#writes ? "always" : "here");
    this.#context.store.nowMs = this.#nowMs;
  }

  /**
   * Runs a step, with its effects collected and the clock standing still.
   *
   * @throws {ValueGone} when keys were removed that it reads
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

  /** Lets the keys go, hands the effects to the log, and has clients served that wait for the keys. Safe to call twice. */
  end(): void {
    this.#group?.close();
    this.#hold.release();
    // Before anybody else may take what it has pushed.
    this.#context.shared.waiters.release();
  }
}
