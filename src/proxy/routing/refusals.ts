/**
 * Commands that a proxy refuses although a server does not. The rows of the commands contain the reasons.
 *
 * @module
 */

import type { CommandSpecification } from "../../catalog/specification.ts";
import { ReplyError } from "../../errors.ts";
import type { Request } from "../../wire/request.ts";

/** Returns the error for a command that no proxy can execute. */
export function cannotBeUsed(request: Request, reason: string): ReplyError {
  return new ReplyError("ERR", `'${request.text(0).toLowerCase()}' cannot be used through the proxy: ${reason}`);
}

/**
 * Throws if the row of the command says that a proxy refuses it.
 *
 * @throws {ReplyError}
 */
export function checkProxied({ proxy }: CommandSpecification, request: Request): void {
  const { refused, refusedArguments, refusedSubcommands } = proxy;
  if (refused !== undefined) throw cannotBeUsed(request, refused);
  if (request.count === 1) return;
  if (refusedArguments !== undefined) throw cannotBeUsed(request, refusedArguments);
  for (const [name, reason] of Object.entries(refusedSubcommands ?? {})) {
    if (request.is(1, name)) throw cannotBeUsed(request, reason);
  }
}
