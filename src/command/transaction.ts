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
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { checkMulti, checkUnspoilt, checkWatch, transactionFor } from "./admission.ts";
import type { CommandContext } from "./context.ts";
import { Transaction } from "./queue.ts";
import { type Command, refuse, refusedWrite, runCommand } from "./run.ts";

/** `multi` */
export function multi({ client }: CommandContext, _request: Request, reply: Reply): void {
  checkMulti(client);
  client.transaction = new Transaction();
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
  const { watches, waiters } = shared;
  const transaction = transactionFor("EXEC", client);
  const hasChanged = watches.hasChanged(client, store);
  shared.endTransaction(client);
  checkUnspoilt(transaction);
  if (hasChanged) {
    reply.nilArray();
    return;
  }
  const { commands, requests } = transaction;
  if (shared.refusal !== undefined && commands.some(({ writes }) => writes)) {
    throw new ReplyError("EXECABORT", `Transaction discarded because of: MISCONF ${refusedWrite(context).message}`);
  }
  client.executing = true;
  waiters.hold();
  try {
    reply.array(commands.length);
    for (let i = 0; i < commands.length; i++) {
      reply.openItem();
      runQueued(context, commands[i]!, requests[i]!, reply);
      reply.closeItem();
    }
  } finally {
    client.executing = false;
    waiters.release();
  }
  // One of the commands may have been to end this connection, or has sent it a message: both are looked at after a wait.
  if (client.closing || client.hasHeardItself) return Promise.resolve();
}

function runQueued(context: CommandContext, command: Command, request: Request, reply: Reply): void {
  try {
    // Nothing that can be queued waits: what could sees that a transaction is running.
    runCommand(context, command, request, reply);
  } catch (error) {
    refuse(context, reply, error);
  }
}
