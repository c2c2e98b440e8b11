/**
 * What a connection may run in the state that it is in, and in which order the commands on transactions may follow each
 * other: the same for a server and a proxy.
 *
 * @module
 */

import { parseInteger64 } from "../bytes.ts";
import { checkSizes, isOpen, unknownCommand, wrongCount } from "../catalog/call.ts";
import { acceptsCount } from "../catalog/specification.ts";
import type { CommandSpecification } from "../catalog/specification.ts";
import { ReplyError } from "../errors.ts";
import { TRANSACTION_ARGUMENTS_MAX_COUNT } from "../limits.ts";
import type { Request } from "../wire/request.ts";
import type { ClientState, QueuedCommands } from "./client_state.ts";
import { findSubcommand } from "./subcommands.ts";
import type { Subcommands } from "./subcommands.ts";

/**
 * Refuses what may not run, or not be queued, on a connection in its state.
 *
 * @param subcommands where the command has commands of its own
 * @throws {ReplyError}
 */
function checkState(
  client: ClientState,
  specification: CommandSpecification,
  subcommands: Subcommands<never> | undefined,
  request: Request,
): void {
  if (!acceptsCount(specification.arity, request.count)) throw wrongCount(request);
  // `command` alone is a command as well.
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
  if (client.transaction !== undefined && specification.inTransaction === "refused") {
    throw new ReplyError("ERR", "Command not allowed inside a transaction");
  }
  checkSizes(specification, request);
  // At once, so that nothing of the transaction is run.
  if (client.transaction !== undefined && specification.selectsDatabase) checkDatabase(client, request);
}

/** Why `select` ends the connection. */
const ONE_DATABASE =
  "there is one database, 0; the connection is closed, so that nothing is written to the wrong database";

/**
 * Refuses the index in argument 1 unless it is 0, and has the connection end. A client that overlooks the refusal would
 * go on with its keys in database 0, among those of others.
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
 * The refusal of a command that does not exist. A page in a browser may send HTTP to any port, and have commands in its
 * body: as in Redis, who speaks HTTP is cut off.
 */
export function unknown(client: ClientState, request: Request): ReplyError {
  if (client.version === 0 || !(request.is(0, "host:") || request.is(0, "post"))) return unknownCommand(request);
  client.closing = true;
  return new ReplyError("ERR", "this is no HTTP server");
}

/**
 * Whether a request on a connection that is not plain may be run now; else it was queued.
 *
 * @param specification `undefined` for a command that does not exist
 * @param queue queues it in the client's transaction
 * @param discard ends the client's transaction and its watches
 * @throws {ReplyError} when it may be neither run nor queued
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
      // The transaction ends in any case.
      discard();
      const reason = error.code === "ERR" ? error.message : `${error.code} ${error.message}`;
      throw new ReplyError("EXECABORT", `Transaction discarded because of: ${reason}`);
    }
    // What cannot be queued spoils the transaction.
    if (transaction !== undefined) transaction.isSpoilt = true;
    throw error;
  }
}

/** @throws {ReplyError} when a command has too many arguments for a transaction */
function checkQueued(count: number): void {
  if (count <= TRANSACTION_ARGUMENTS_MAX_COUNT) return;
  throw new ReplyError(
    "ERR",
    `too many arguments for a command in a transaction: at most ${TRANSACTION_ARGUMENTS_MAX_COUNT - 1}`,
  );
}

/** @throws {ReplyError} when `multi` was called before */
export function checkMulti({ transaction }: ClientState): void {
  if (transaction !== undefined) throw new ReplyError("ERR", "MULTI calls can not be nested");
}

/** @throws {ReplyError} when `multi` was called before */
export function checkWatch({ transaction }: ClientState): void {
  if (transaction !== undefined) throw new ReplyError("ERR", "WATCH inside MULTI is not allowed");
}

/**
 * What a client has queued, for the command that ends it.
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

/** @throws {ReplyError} when a request could not be queued */
export function checkUnspoilt({ isSpoilt }: QueuedCommands): void {
  if (isSpoilt) throw new ReplyError("EXECABORT", "Transaction discarded because of previous errors.");
}
