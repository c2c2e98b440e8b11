/**
 * The commands on the server and the connection. Every function exported here is the command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { syntaxError, wrongCount } from "./argument.ts";
import type { CommandContext } from "./context.ts";

const DEFAULT_USER = "default";

/** `ping [text]` */
export function ping(_context: CommandContext, request: Request, reply: Reply): void {
  if (request.count > 2) throw wrongCount(request);
  if (request.count === 1) reply.status("PONG");
  else reply.bytes(request.bytes, request.starts[1]!, request.lengths[1]!);
}

/** `echo text` */
export function echo(_context: CommandContext, request: Request, reply: Reply): void {
  reply.bytes(request.bytes, request.starts[1]!, request.lengths[1]!);
}

/** `info [section …]` */
export function info(context: CommandContext, request: Request, reply: Reply): void {
  const sections: string[] = [];
  for (let i = 1; i < request.count; i++) sections.push(request.text(i).toLowerCase());
  reply.text(context.info(sections));
}

/**
 * `auth [user] password`
 *
 * A failure leaves the connection as it was. Where no password is set, the form with a user succeeds, as clients
 * that always send one expect, and the short form says that there is none.
 */
export function auth(context: CommandContext, request: Request, reply: Reply): void {
  if (request.count > 3) throw syntaxError();
  const user = request.count === 3 ? request.text(1) : DEFAULT_USER;
  if (!context.passwordRequired && request.count === 2) {
    throw new ReplyError(
      "ERR",
      "AUTH <password> called without any password configured for the default user. " +
        "Are you sure your configuration is correct?",
    );
  }
  const accepted = user === DEFAULT_USER &&
    (!context.passwordRequired || context.authenticate(user, request.text(request.count - 1)));
  if (!accepted) throw new ReplyError("WRONGPASS", "invalid username-password pair or user is disabled.");
  context.authenticated = true;
  reply.ok();
}

/** `save` */
export async function save(context: CommandContext, _request: Request, reply: Reply): Promise<void> {
  await context.save();
  reply.ok();
}
