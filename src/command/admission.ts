/**
 * What a connection may run in the state that it is in: the same for a server and a proxy.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import type { Request } from "../wire/request.ts";
import { checkSizes, isOpen, unknownCommand, wrongCount } from "./call.ts";
import type { ClientState } from "./client_state.ts";
import { acceptsCount } from "./specification.ts";
import type { CommandSpecification } from "./specification.ts";
import { findSubcommand } from "./subcommands.ts";
import type { Subcommands } from "./subcommands.ts";

/**
 * Refuses what may not run, or not be queued, on a connection in its state.
 *
 * @param subcommands where the command has commands of its own
 * @throws {ReplyError}
 */
export function checkState(
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
  if (client.transaction !== undefined && specification.unqueueable) {
    throw new ReplyError("ERR", "Command not allowed inside a transaction");
  }
  checkSizes(specification, request);
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

/** The refusal of an `exec` that was refused itself, which ends its transaction all the same. */
export function discarded(error: ReplyError): ReplyError {
  const reason = error.code === "ERR" ? error.message : `${error.code} ${error.message}`;
  return new ReplyError("EXECABORT", `Transaction discarded because of: ${reason}`);
}
