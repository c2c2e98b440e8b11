/**
 * The commands on the server and the connection. Every function exported here is the command of its name.
 *
 * @module
 */

import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { checkAuthentication, wrongCount } from "./call.ts";
import type { CommandContext } from "./context.ts";

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

/** `auth [user] password`: a failure leaves the connection as it was. */
export function auth(context: CommandContext, request: Request, reply: Reply): void {
  checkAuthentication(request, context);
  context.authenticated = true;
  reply.ok();
}

/** `save` */
export async function save(context: CommandContext, _request: Request, reply: Reply): Promise<void> {
  await context.save();
  reply.ok();
}
