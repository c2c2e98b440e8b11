/**
 * The commands on the server. Every function exported here is the command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { client as clientCommand } from "./client.ts";
import type { CommandContext } from "./context.ts";

/** Characters of a wrong subcommand that are quoted. */
const QUOTED_MAX_LENGTH = 128;

/** `save` */
export async function save(context: CommandContext, _request: Request, reply: Reply): Promise<void> {
  await context.save();
  reply.ok();
}

/** `client …`, of which one, `no-touch`, concerns the store. */
export function client(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  const pending = clientCommand(context, request, reply);
  context.store.touches = !context.client.touchesNothing;
  return pending;
}

/**
 * `debug sleep seconds`: holds the whole server, as in Redis, so that clients can be tested against one that hangs. From the
 * same machine only, as with Redis's setting `local`.
 *
 * @throws {ReplyError}
 */
export function debug({ client }: CommandContext, request: Request, reply: Reply): void {
  if (!/^(127\.|\[::1\]|\[::ffff:127\.)/.test(client.address)) {
    throw new ReplyError("ERR", "DEBUG command not allowed: it may be run from a local connection only");
  }
  if (request.count !== 3 || !request.is(1, "sleep")) {
    const subcommand = request.text(1).slice(0, QUOTED_MAX_LENGTH);
    throw new ReplyError(
      "ERR",
      `unknown subcommand or wrong number of arguments for '${subcommand}'. Try DEBUG HELP.`,
    );
  }
  const seconds = Number.parseFloat(request.text(2));
  // What is no number is 0, as C reads it.
  if (seconds > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
  reply.ok();
}
