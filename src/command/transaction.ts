/**
 * Transactions: `multi` begins to queue, `exec` runs what was queued, with nothing in between.
 *
 * ```text
 * multi → OK   set a 1 → QUEUED   incr a → QUEUED   exec → [OK, 2]
 * ```
 *
 * A request that cannot be queued (unknown, wrong count of arguments) spoils the transaction: `exec` refuses to run it.
 * One that fails when it runs is answered with its error, and the others are run all the same.
 *
 * Every function exported here is the command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { NAME_OVERHEAD_BYTES } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import { Request } from "../wire/request.ts";
import { checkMulti, checkUnspoilt, checkWatch, transactionFor } from "./admission.ts";
import type { CommandContext } from "./context.ts";
import { Transaction } from "./queue.ts";
import { type Command, refuse, refusedWrite, runCommand } from "./run.ts";

/** `multi` */
export function multi({ client }: CommandContext, _request: Request, reply: Reply): void {
  checkMulti(client);
  client.transaction = new Transaction(client.account);
  reply.ok();
}

/** `discard` */
export function discard({ client, shared }: CommandContext, _request: Request, reply: Reply): void {
  transactionFor("DISCARD", client);
  shared.endTransaction(client);
  reply.ok();
}

/** `watch key [key …]` */
export function watch(context: CommandContext, request: Request, reply: Reply): void {
  const { client, shared, store } = context;
  checkWatch(client);
  client.checkCharge(request.size + (request.count - 1) * NAME_OVERHEAD_BYTES);
  for (let i = 1; i < request.count; i++) {
    shared.watches.add(client, store, request.bytes, request.starts[i]!, request.lengths[i]!);
  }
  reply.ok();
}

/** `unwatch` */
export function unwatch({ client, shared }: CommandContext, _request: Request, reply: Reply): void {
  // In a transaction it is queued, and its watches have ended when it runs.
  shared.watches.forget(client);
  reply.ok();
}

/** `exec` */
export function exec(context: CommandContext, _request: Request, reply: Reply): void | Promise<void> {
  const { client, shared, store } = context;
  const { watches } = shared;
  const transaction = transactionFor("EXEC", client);
  const hasChanged = watches.hasChanged(client, store);
  // The queue is needed still.
  client.transaction = undefined;
  watches.forget(client);
  try {
    checkUnspoilt(transaction);
    if (hasChanged) {
      reply.nilArray();
      return;
    }
    if (shared.refusal !== undefined && transaction.writes) {
      throw new ReplyError("EXECABORT", `Transaction discarded because of: MISCONF ${refusedWrite(context).message}`);
    }
    runAll(context, transaction, reply);
  } finally {
    transaction.free();
  }
  // One of the commands may have been to end this connection, which is looked at after a wait.
  if (client.closing) return Promise.resolve();
}

/** One is enough for all transactions, since it is borrowed only while a queued command runs. */
const queued = new Request();

function runAll(context: CommandContext, transaction: Transaction, reply: Reply): void {
  const { client, shared: { waiters } } = context;
  client.executing = true;
  waiters.hold();
  try {
    reply.array(transaction.count);
    for (let i = 0; i < transaction.count; i++) {
      reply.openItem();
      runQueued(context, transaction.load(i, queued), queued, reply);
      reply.closeItem();
    }
  } finally {
    client.executing = false;
    queued.letGo();
    waiters.release();
  }
}

function runQueued(context: CommandContext, command: Command, request: Request, reply: Reply): void {
  try {
    // Nothing that can be queued waits: what could sees that a transaction is running.
    runCommand(context, command, request, reply);
  } catch (error) {
    refuse(context, reply, error);
  }
}
