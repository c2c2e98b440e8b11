/**
 * The commands about the role of a server, and about modules, of which there are none. Every exported function is the
 * command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { ConnectionContext } from "./context.ts";
import { runSubcommand, type Subcommands } from "./subcommands.ts";

/** `role` replies that this is a master, with no effects to follow and no replicas. A proxy replies the same. */
export function role(_context: ConnectionContext, _request: Request, reply: Reply): void {
  reply.array(3);
  reply.text("master");
  reply.integer(0);
  reply.array(0);
}

/** The subcommands of `module`, by name. */
export const MODULE_SUBCOMMANDS: Subcommands = {
  list: {
    arity: 2,
    run: (_context, _request, reply) => reply.array(0),
    help: ["LIST", "Return an empty list: there are no modules."],
  },
  load: { arity: -3, run: refuseModule, help: ["LOAD <path> [<arg> ...]", "Not here: this server has no modules."] },
  unload: { arity: 3, run: refuseModule, help: ["UNLOAD <name>", "Not here: this server has no modules."] },
};

function refuseModule(): never {
  throw new ReplyError("ERR", "MODULE command not allowed: this server has no modules");
}

/** `module list` replies with no modules. */
export function module(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  return runSubcommand(MODULE_SUBCOMMANDS, context, request, reply);
}
