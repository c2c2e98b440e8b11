/**
 * Transactions: `multi` begins to queue commands, and `exec` runs the queued commands with no other command in between.
 *
 * ```text
 * multi → OK   set a 1 → QUEUED   incr a → QUEUED   exec → [OK, 2]
 * ```
 *
 * A request that cannot be queued (an unknown command, a wrong number of arguments) spoils the transaction: `exec`
 * refuses to run it. When a queued command fails, `exec` replies with its error in its place, and still runs the
 * others.
 *
 * A transaction that takes long pauses between its commands and within them. Meanwhile other commands run, but none
 * that uses one of its keys (holds.ts). So the transaction is atomic for them, too.
 *
 * Every function exported here is the command of its name.
 *
 * @module
 */

import { type CommandSpecification, keysEnd } from "../catalog/specification.ts";
import { checkMulti, checkUnspoilt, checkWatch, transactionFor } from "../connection/admission.ts";
import type { UnfinishedSteps } from "../connection/client_state.ts";
import { ReplyError } from "../errors.ts";
import {
  BATCH_CLOCK_COUNT,
  LONG_ARGUMENTS_COUNT,
  NAME_OVERHEAD_BYTES,
  STEP_KEYS_COUNT,
  WATCHED_KEYS_MAX_COUNT,
} from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import { Request } from "../wire/request.ts";
import type { Command, CommandContext, Steps, Transaction } from "./context.ts";
import { KeySet } from "./holds.ts";
import { LogMark, LongTask, obstacle } from "./long_command.ts";
import { eachKey } from "./long_reply.ts";
import { RequestQueue } from "./queue.ts";
import { refuse, refusedWrite } from "./run.ts";
import { noteFailure, runCountedQueued } from "./timed.ts";

/** `multi` begins to queue the client's commands. */
export function multi({ client }: CommandContext, _request: Request, reply: Reply): void {
  checkMulti(client);
  client.transaction = new RequestQueue<Command>(client.account);
  reply.ok();
}

/** `discard` drops the queued commands. */
export function discard({ client, shared }: CommandContext, _request: Request, reply: Reply): void {
  transactionFor("DISCARD", client);
  shared.endTransaction(client);
  reply.ok();
}

/** `watch key [key …]` makes the next `exec` run nothing if one of the keys is changed before it. */
export function watch(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const { client } = context;
  checkWatch(client);
  if (client.watched.size + request.count - 1 > WATCHED_KEYS_MAX_COUNT) {
    throw new ReplyError("ERR", `a client may watch at most ${WATCHED_KEYS_MAX_COUNT} keys`);
  }
  client.checkCharge(request.size + (request.count - 1) * NAME_OVERHEAD_BYTES);
  if (request.count > LONG_ARGUMENTS_COUNT) return watchInSteps(context, request, reply);
  for (let i = 1; i < request.count; i++) watchKey(context, request, i);
  reply.ok();
}

function* watchInSteps(context: CommandContext, request: Request, reply: Reply): Steps {
  yield* eachKey(context, request, false, (index) => watchKey(context, request, index));
  reply.ok();
}

function watchKey({ client, shared, store }: CommandContext, request: Request, index: number): void {
  shared.watches.add(client, store, request.bytes, request.starts[index]!, request.lengths[index]!);
}

/** `unwatch` ends all watches of the client. */
export function unwatch({ client, shared }: CommandContext, _request: Request, reply: Reply): void {
  // In a transaction it is queued, and the watches have ended when it runs.
  shared.watches.forget(client);
  reply.ok();
}

/** `exec` runs the queued commands. */
export function exec(context: CommandContext, _request: Request, reply: Reply): void | Promise<void> {
  const { client, shared } = context;
  const transaction = transactionFor("EXEC", client);
  const isLong = transaction.count > LONG_ARGUMENTS_COUNT || transaction.keyCount > LONG_ARGUMENTS_COUNT;
  if (!transaction.isSpoilt && (isLong || shared.holds.count !== 0)) return execHolding(context, transaction, reply);
  try {
    if (!begin(context, transaction, reply)) return;
    const mark = new LogMark(context.log);
    const execution = new Execution(context, transaction, reply);
    // Nearly all transactions are short.
    if (!execution.run()) return finish(context, transaction, execution, mark);
    execution.end();
  } finally {
    if (!client.executing) transaction.free();
  }
  // A command may have ended this connection, or sent it a message: the session handles both after a wait.
  if (client.closing || client.hasHeardItself) return Promise.resolve();
}

/**
 * Ends the queueing.
 *
 * @returns whether to run the transaction; otherwise the reply is complete
 * @throws {ReplyError} when the transaction is refused
 */
function begin({ client, shared, store }: CommandContext, transaction: Transaction, reply: Reply): boolean {
  const { watches, refusal } = shared;
  const hasChanged = watches.hasChanged(client, store);
  // The caller still needs the queue.
  client.transaction = undefined;
  watches.forget(client);
  checkUnspoilt(transaction);
  if (hasChanged) {
    reply.nilArray();
    return false;
  }
  if (refusal !== undefined && transaction.writes) {
    throw new ReplyError("EXECABORT", `Transaction discarded because of: MISCONF ${refusedWrite(refusal).message}`);
  }
  return true;
}

/** Continues a transaction after its first slice. From now on it holds the keys of all its commands. */
async function finish(
  context: CommandContext,
  transaction: Transaction,
  execution: Execution,
  mark: LogMark,
): Promise<void> {
  const collection = new KeyCollection(context, transaction);
  while (!collection.step());
  await runHolding(context, transaction, execution, collection.keys, mark);
}

/** Runs a transaction of many keys, or one that may have to wait for others. It holds its keys before it begins. */
async function execHolding(context: CommandContext, transaction: Transaction, reply: Reply): Promise<void> {
  const collection = new KeyCollection(context, transaction);
  const { keys } = collection;
  try {
    while (!context.slice(collection.step)) await context.pause("always");
    for (let wait = obstacle(context, keys, true); wait !== undefined; wait = obstacle(context, keys, true)) await wait;
    context.resume();
    if (!begin(context, transaction, reply)) return;
    const execution = new Execution(context, transaction, reply);
    await runHolding(context, transaction, execution, keys, new LogMark(context.log));
  } finally {
    transaction.free();
  }
}

/** Collects the keys of all commands of a transaction, in steps. */
class KeyCollection {
  readonly keys: KeySet;
  readonly #store: Store;
  readonly #transaction: Transaction;
  /** The command that was loaded from the queue, and the argument to continue at. */
  readonly #request = new Request();
  #specification: CommandSpecification | undefined;
  #argument = 0;
  #next = 0;

  constructor({ store }: CommandContext, transaction: Transaction) {
    this.#store = store;
    this.#transaction = transaction;
    this.keys = new KeySet(transaction.keyCount);
  }

  /** Collects some keys. Returns whether they were the last ones. */
  readonly step = (): boolean => {
    const { count } = this.#transaction;
    for (let left = STEP_KEYS_COUNT; left > 0 && this.#next < count; left--) {
      const specification = this.#specification ??= this.#begin();
      const end = keysEnd(specification, this.#request);
      const to = Math.min(end, this.#argument + left);
      left -= Math.max(0, to - this.#argument);
      this.#argument = this.keys.addKeys(this.#store, specification, this.#request, this.#argument, to);
      if (this.#argument < end) continue;
      this.#specification = undefined;
      this.#next++;
    }
    if (this.#next < count) return false;
    this.#request.release();
    return true;
  };

  /** Loads the next command from the queue. */
  #begin(): CommandSpecification {
    const { specification } = this.#transaction.load(this.#next, this.#request);
    this.#argument = 0;
    // The command concerns all keys; `flushall` is one.
    if (specification.writes && specification.firstKey === 0) this.keys.isEverything = true;
    return specification;
  }
}

async function runHolding(
  context: CommandContext,
  transaction: Transaction,
  execution: Execution,
  keys: KeySet,
  mark: LogMark,
): Promise<void> {
  const task = LongTask.begin(context, keys, true, mark, transaction.size);
  try {
    while (!task.enter(() => execution.run())) await task.pause();
  } finally {
    execution.end();
    transaction.free();
    task.end();
  }
}

/** Requests into which queued ones are loaded, and which no transaction is using. */
const spareRequests: Request[] = [];
const SPARE_REQUESTS_MAX_COUNT = 16;

/** The run of one transaction, in as many slices as it needs. The caller must call {@linkcode end} afterwards. */
class Execution {
  readonly #context: CommandContext;
  readonly #transaction: Transaction;
  readonly #reply: Reply;
  #next = 0;
  /** Keys of lists that got elements while clients wait for them. They are served at the end. */
  #pushed: readonly string[] = [];
  /** The request that is running. Its steps borrow it while they pause. */
  readonly #request = spareRequests.pop() ?? new Request();
  /** The command of that request. */
  #command!: Command;

  constructor(context: CommandContext, transaction: Transaction, reply: Reply) {
    this.#context = context;
    this.#transaction = transaction;
    this.#reply = reply;
    reply.array(transaction.count);
  }

  /** Runs commands for one slice. Returns whether all have run. */
  run(): boolean {
    const { client, shared: { waiters } } = this.#context;
    client.executing = true;
    client.executedCount = this.#transaction.count;
    waiters.hold(this.#pushed);
    let isDone = false;
    try {
      return isDone = this.#context.slice(this.#runSome);
    } finally {
      // Both stay set during a pause: no other command of this client runs.
      client.executing = !isDone;
      if (isDone) client.executedCount = -1;
      if (isDone) waiters.release();
      else this.#pushed = waiters.suspend();
    }
  }

  /** Releases what the run has used. */
  end(): void {
    this.#request.release();
    if (spareRequests.length < SPARE_REQUESTS_MAX_COUNT) spareRequests.push(this.#request);
  }

  /** Runs some commands, or some steps of one. Returns whether all have run. */
  readonly #runSome = (): boolean => {
    const { client } = this.#context;
    const { count } = this.#transaction;
    if (client.steps !== undefined) {
      this.#takeSteps(client.steps);
      return this.#next === count;
    }
    const stop = Math.min(count, this.#next + BATCH_CLOCK_COUNT);
    while (this.#next < stop && client.steps === undefined) {
      this.#reply.openItem();
      this.#runQueued(this.#next);
      if (client.steps === undefined) this.#close();
    }
    return this.#next === count;
  };

  #runQueued(index: number): void {
    this.#command = this.#transaction.load(index, this.#request);
    try {
      // A queued command never waits: it sees that a transaction is running.
      runCountedQueued(this.#context, this.#command, this.#request, this.#reply);
    } catch (error) {
      this.#context.client.steps = undefined;
      this.#refuse(error);
    }
  }

  #refuse(error: unknown): void {
    noteFailure(this.#context, this.#command, error);
    refuse(this.#context, this.#reply, error);
  }

  /** Runs a step of the command that has not ended. */
  #takeSteps({ steps, after }: UnfinishedSteps): void {
    const { client } = this.#context;
    let isDone = true;
    try {
      isDone = steps.next().done === true;
    } catch (error) {
      this.#refuse(error);
    } finally {
      if (isDone) {
        client.steps = undefined;
        after?.();
        this.#close();
      }
    }
  }

  /** Completes the reply to one command. */
  #close(): void {
    this.#reply.closeItem();
    this.#next++;
  }
}
