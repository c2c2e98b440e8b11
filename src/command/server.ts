/**
 * The commands on the server. Every function exported here is the command of its name.
 *
 * @module
 */

import { wrongCount } from "../catalog/call.ts";
import { client as clientCommand } from "../connection/client.ts";
import { ReplyError } from "../errors.ts";
import { DEBUG_SLEEP_MAX_MS } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { syntaxError } from "./argument.ts";
import type { CommandContext } from "./context.ts";

/** Characters of a wrong subcommand that are quoted. */
const QUOTED_MAX_LENGTH = 128;

/** `save [path]` */
export async function save(context: CommandContext, request: Request, reply: Reply): Promise<void> {
  if (request.count > 2) throw wrongCount(request);
  if (request.count === 2) {
    checkLocal(context, "SAVE with a path");
    await context.save(request.text(1));
  } else {
    await context.save();
  }
  reply.ok();
}

/** `bgsave [schedule]` */
export function bgsave(context: CommandContext, request: Request, reply: Reply): void {
  if (request.count > 2 || (request.count === 2 && !request.is(1, "schedule"))) throw syntaxError();
  if (!context.beginSave()) throw new ReplyError("ERR", "Background save already in progress");
  reply.status("Background saving started");
}

/** `bgrewriteaof`: what makes the log short is a snapshot. */
export function bgrewriteaof(context: CommandContext, _request: Request, reply: Reply): void {
  if (!context.beginSave()) throw new ReplyError("ERR", "Background append only file rewriting already in progress");
  reply.status("Background append only file rewriting started");
}

/** `lastsave` */
export function lastsave({ lastSaveMs }: CommandContext, _request: Request, reply: Reply): void {
  reply.integer(Math.floor(lastSaveMs / 1000));
}

/** Refuses what only those may do who have an account on this machine. */
function checkLocal({ client }: CommandContext, what: string): void {
  if (/^(127\.|\[::1\]|\[::ffff:127\.)/.test(client.address)) return;
  throw new ReplyError("ERR", `${what} not allowed: it may be run from a local connection only`);
}

/** `client …`, of which one, `no-touch`, concerns the store. */
export function client(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  const pending = clientCommand(context, request, reply);
  context.store.touches = !context.client.touchesNothing;
  return pending;
}

/**
 * `debug sleep seconds`: holds the whole server, as in Redis, so that clients can be tested against one that hangs. Only where
 * an option enables it, and from the same machine, as with Redis's setting `local`.
 *
 * @throws {ReplyError}
 */
export function debug(context: CommandContext, request: Request, reply: Reply): void {
  if (!context.shared.enablesDebug) {
    throw new ReplyError("ERR", "DEBUG command not allowed: it is for tests, and needs --enable-debug-command");
  }
  checkLocal(context, "DEBUG command");
  if (request.count !== 3 || !request.is(1, "sleep")) {
    const subcommand = request.text(1).slice(0, QUOTED_MAX_LENGTH);
    throw new ReplyError(
      "ERR",
      `unknown subcommand or wrong number of arguments for '${subcommand}'. Try DEBUG HELP.`,
    );
  }
  const seconds = Math.min(DEBUG_SLEEP_MAX_MS / 1000, Number.parseFloat(request.text(2)));
  // What is no number is 0, as C reads it.
  if (seconds > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
  reply.ok();
}
