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

import { ReplyError } from "../errors.ts";
import { LONG_ARGUMENTS_COUNT, STEP_KEYS_COUNT } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext, Run } from "./context.ts";
import type { EffectGroup, EffectLog } from "./effect_log.ts";
import { type Hold, keysEnd, KeySet } from "./holds.ts";
import type { CommandSpecification } from "./specification.ts";

/** The steps of a command that takes long. See the module's comment. */
export type Steps = Generator<void, void, void>;

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
  const { client, shared } = context;
  const run: LongRun = { context, command, request, reply, steps, after };
  if (client.executing) {
    if (!runSlice(run)) client.steps = { steps, after };
    return;
  }
  const end = keysEnd(command.specification, request);
  // Reads of many keys are not one moment: each slice of them is.
  const keys = new KeySet(command.writes || end <= LONG_ARGUMENTS_COUNT ? end : 0);
  if (!command.writes || end <= LONG_ARGUMENTS_COUNT) {
    const mark = new LogMark(context.log);
    if (runSlice(run)) return;
    if (!keys.isBitmap && end <= LONG_ARGUMENTS_COUNT) {
      keys.addKeys(context.store, command.specification, request, 0, end);
    }
    return finish(run, keys, mark);
  }
  const collect = collecting(context, command.specification, request, keys, end);
  if (!context.slice(collect) || shared.holds.inTheWayOf(keys, true) !== undefined || context.log?.isMarkAwaited) {
    return holdAndRun(run, keys, collect);
  }
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
  const { context, command, request, reply, steps, after } = run;
  // What has no keys, such as `keys`, goes on with time.
  if (!command.writes && keys.hashes.length === 0) return await readOn(run);
  const task = LongTask.begin(context, keys, command.writes, mark, request.size);
  try {
    await task.run(steps, after);
    return;
  } catch (error) {
    if (!(error instanceof ValueGone)) throw error;
  }
  reply.retract();
  reply.begin();
  const result = command.run(context, request, reply);
  if (result === undefined || result instanceof Promise) return result;
  return await runSteps(context, command, request, reply, result);
}

async function readOn({ context, steps }: LongRun): Promise<void> {
  try {
    do await context.pause(); while (!context.slice(() => steps.next().done === true));
  } finally {
    steps.return();
  }
}

/** Collects the keys of a command of very many, holds them, and runs it. */
async function holdAndRun(run: LongRun, keys: KeySet, collect: () => boolean): Promise<void> {
  const { context, request, steps, after } = run;
  do await context.pause(true); while (!context.slice(collect));
  await isFree(context, keys, true);
  const { refusal } = context.shared;
  if (refusal !== undefined) throw new ReplyError("MISCONF", `Writes are refused, reads are not: ${refusal}`);
  const task = LongTask.begin(context, keys, true, new LogMark(context.log), request.size);
  await task.run(steps, after);
}

/** Waits until nothing is in the way of whoever uses these keys. */
export async function isFree(context: CommandContext, keys: KeySet, writes: boolean): Promise<void> {
  const { holds } = context.shared;
  for (let hold = holds.inTheWayOf(keys, writes); hold !== undefined; hold = holds.inTheWayOf(keys, writes)) {
    await holds.waitFor(hold, writes, keys.isEverything);
  }
  // A snapshot waits for a moment without long writes.
  while (writes && context.log?.isMarkAwaited) await context.log.marked;
}

/** Where the effects of a command begin in the log's records. */
export class LogMark {
  readonly #log: EffectLog | undefined;
  readonly #at: number;
  readonly #unasked: number;

  /** Marks where the log is now. */
  constructor(log: EffectLog | undefined) {
    this.#log = log;
    this.#at = log?.position ?? 0;
    this.#unasked = log?.unasked ?? 0;
  }

  /**
   * Makes a group of the effects since. Where a key was evicted or has expired among them, what there is stays in its order,
   * and only what follows is of the group.
   */
  openGroup(expectedBytes: number): EffectGroup | undefined {
    const log = this.#log;
    return log?.openGroup(log.unasked === this.#unasked ? this.#at : log.position, expectedBytes);
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
    await this.#context.pause(this.#writes);
    this.#context.store.nowMs = this.#nowMs;
  }

  /** Runs a step, with its effects collected and the clock standing still. */
  enter<T>(step: () => T): T {
    this.#context.store.nowMs = this.#nowMs;
    this.#group?.enter();
    try {
      return step();
    } finally {
      this.#group?.leave();
    }
  }

  /** Lets the keys go, and hands the effects to the log. Safe to call twice. */
  end(): void {
    this.#group?.close();
    this.#hold.release();
  }
}
