/**
 * Checks which commands a connection may run in its state, and in which order the commands on transactions may follow
 * each other. Server and proxy share these checks.
 *
 * @module
 */

import { parseInteger64 } from "../bytes.ts";
import { checkSizes, isOpen, unknownCommand, wrongCount } from "../catalog/call.ts";
import type { Group } from "../catalog/row.ts";
import { acceptsCount } from "../catalog/specification.ts";
import type { CommandSpecification } from "../catalog/specification.ts";
import { ReplyError } from "../errors.ts";
import { TRANSACTION_ARGUMENTS_MAX_COUNT } from "../limits.ts";
import type { Request } from "../wire/request.ts";
import type { ClientState, QueuedCommands } from "./client_state.ts";
import { findSubcommand } from "./subcommands.ts";
import type { Subcommands } from "./subcommands.ts";

/**
 * Refuses a command that may not run, or may not be queued, in the connection's state.
 *
 * @param subcommands the subcommands of the command, if it has any
 * @throws {ReplyError}
 */
function checkState(
  client: ClientState,
  specification: CommandSpecification,
  subcommands: Subcommands<never> | undefined,
  request: Request,
): void {
  if (!acceptsCount(specification.arity, request.count)) throw wrongCount(request);
  // `command` without a subcommand is valid, too.
  const isAlone = subcommands === undefined || request.count === 1;
  const subcommand = isAlone ? undefined : findSubcommand(subcommands, request);
  if (!client.authenticated && !isOpen(specification, client.version)) {
    throw new ReplyError("NOAUTH", "Authentication required.");
  }
  if (client.onlyListens && !specification.listens) {
    const name = request.text(0).toLowerCase() + (subcommand === undefined ? "" : `|${subcommand}`);
    throw new ReplyError(
      "ERR",
      `Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
    );
  }
  if (client.isMonitoring && usesKeyspace(specification)) {
    throw new ReplyError("ERR", "Replica can't interact with the keyspace");
  }
  if (client.transaction !== undefined && specification.inTransaction === "refused") {
    throw new ReplyError("ERR", "Command not allowed inside a transaction");
  }
  checkSizes(specification, request);
  // The check is done now, so that no command of the transaction runs.
  if (client.transaction !== undefined && specification.selectsDatabase) checkDatabase(client, request);
}

/** The groups of commands that a client which monitors may run. */
const WITHOUT_KEYS: readonly Group[] = ["transaction", "channel", "connection", "server"];

/** Returns whether a command reads or writes data, or publishes, which Redis counts as writing. */
function usesKeyspace({ group, routing }: CommandSpecification): boolean {
  return !WITHOUT_KEYS.includes(group) || routing === "publish";
}

/** The explanation in the error with which `select` ends the connection. */
const ONE_DATABASE =
  "there is one database, 0; the connection is closed, so that nothing is written to the wrong database";

/**
 * Refuses the index in argument 1 unless it is 0, and ends the connection. Otherwise, a client that ignores the error
 * would continue with its keys in database 0, among those of other clients.
 *
 * @throws {ReplyError}
 */
export function checkDatabase(client: ClientState, request: Request): void {
  if (request.integer(1) === 0) return;
  client.closing = true;
  const isInteger = parseInteger64(request.bytes, request.starts[1]!, request.lengths[1]!) !== undefined;
  const problem = isInteger ? "DB index is out of range" : "value is not an integer or out of range";
  throw new ReplyError("ERR", `${problem}: ${ONE_DATABASE}`);
}

/**
 * Returns the error for a command that does not exist. A page in a browser may send HTTP to any port, with commands in
 * the body. So, as in Redis, a client that speaks HTTP is disconnected.
 */
export function unknown(client: ClientState, request: Request): ReplyError {
  if (client.version === 0 || !(request.is(0, "host:") || request.is(0, "post"))) return unknownCommand(request);
  client.closing = true;
  return new ReplyError("ERR", "this is no HTTP server");
}

/**
 * Returns whether a request may run now, on a connection that is not on the fast path; if not, it was queued.
 *
 * @param specification `undefined` for a command that does not exist
 * @param queue queues the request in the client's transaction
 * @param discard ends the client's transaction and its watches
 * @throws {ReplyError} when the request may be neither run nor queued
 */
export function admitSlowPath(
  client: ClientState,
  specification: CommandSpecification | undefined,
  subcommands: Subcommands<never> | undefined,
  request: Request,
  queue: () => void,
  discard: () => void,
): boolean {
  const { transaction } = client;
  try {
    if (specification === undefined) throw unknown(client, request);
    checkState(client, specification, subcommands, request);
    if (transaction === undefined || specification.inTransaction === "atOnce") return true;
    checkQueued(request.count);
    queue();
    return false;
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error;
    if (specification?.transactionStep === "run") {
      // The transaction ends in either case.
      discard();
      const reason = error.code === "ERR" ? error.message : `${error.code} ${error.message}`;
      throw new ReplyError("EXECABORT", `Transaction discarded because of: ${reason}`);
    }
    // A request that cannot be queued spoils the transaction.
    if (transaction !== undefined) transaction.isSpoilt = true;
    throw error;
  }
}

/**
 * Checks the number of arguments of a command in a transaction.
 *
 * @throws {ReplyError} when there are too many
 */
function checkQueued(count: number): void {
  if (count <= TRANSACTION_ARGUMENTS_MAX_COUNT) return;
  throw new ReplyError(
    "ERR",
    `too many arguments for a command in a transaction: at most ${TRANSACTION_ARGUMENTS_MAX_COUNT - 1}`,
  );
}

/**
 * Checks that `multi` may be called.
 *
 * @throws {ReplyError} when it was called before
 */
export function checkMulti({ transaction }: ClientState): void {
  if (transaction !== undefined) throw new ReplyError("ERR", "MULTI calls can not be nested");
}

/**
 * Checks that `watch` may be called.
 *
 * @throws {ReplyError} when `multi` was called before
 */
export function checkWatch({ transaction }: ClientState): void {
  if (transaction !== undefined) throw new ReplyError("ERR", "WATCH inside MULTI is not allowed");
}

/**
 * Returns the queue of a client, for the command that ends the transaction.
 *
 * @throws {ReplyError} when `multi` was not called
 */
export function transactionFor<Queue extends QueuedCommands>(
  command: "EXEC" | "DISCARD",
  { transaction }: ClientState<Queue>,
): Queue {
  if (transaction === undefined) throw new ReplyError("ERR", `${command} without MULTI`);
  return transaction;
}

/**
 * Checks that every request of a transaction could be queued.
 *
 * @throws {ReplyError} when one could not
 */
export function checkUnspoilt({ isSpoilt }: QueuedCommands): void {
  if (isSpoilt) throw new ReplyError("EXECABORT", "Transaction discarded because of previous errors.");
}
