/**
 * The commands on the server itself. Every function exported here is the command of its name.
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

/** The number of characters of a wrong subcommand that an error quotes. */
const QUOTED_MAX_LENGTH = 128;

/** `save [path]` writes a snapshot, and replies when it is on disk. */
export async function save(context: CommandContext, request: Request, reply: Reply): Promise<void> {
  if (request.count > 2) throw wrongCount(request);
  if (request.count === 2) {
    checkLocal(context, "SAVE with a path");
    await context.role.save(request.text(1));
  } else {
    await context.role.save();
  }
  reply.ok();
}

/** `bgsave [schedule]` begins a snapshot. */
export function bgsave(context: CommandContext, request: Request, reply: Reply): void {
  if (request.count > 2 || (request.count === 2 && !request.is(1, "schedule"))) throw syntaxError();
  if (!context.role.beginSave()) throw new ReplyError("ERR", "Background save already in progress");
  reply.status("Background saving started");
}

/** `bgrewriteaof` begins a snapshot, which is how the log is shortened here. */
export function bgrewriteaof(context: CommandContext, _request: Request, reply: Reply): void {
  if (!context.role.beginSave()) {
    throw new ReplyError("ERR", "Background append only file rewriting already in progress");
  }
  reply.status("Background append only file rewriting started");
}

/** `lastsave` replies with the time of the last snapshot, in seconds since 1970. */
export function lastsave({ role }: CommandContext, _request: Request, reply: Reply): void {
  reply.integer(Math.floor(role.lastSaveMs / 1000));
}

/**
 * Refuses a client on another machine.
 *
 * @throws {ReplyError} when the connection is not local
 */
function checkLocal({ client }: CommandContext, what: string): void {
  if (/^(127\.|\[::1\]|\[::ffff:127\.)/.test(client.address)) return;
  throw new ReplyError("ERR", `${what} not allowed: it may be run from a local connection only`);
}

/** `client …` shows or changes connections. One of its subcommands, `no-touch`, changes the store's state. */
export function client(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  const pending = clientCommand(context, request, reply);
  context.store.touches = !context.client.touchesNothing;
  return pending;
}

/**
 * `debug sleep seconds` blocks the whole server, as in Redis, so that clients can be tested against a server that
 * hangs. It has to be enabled by an option, and the connection has to be local, as with Redis's setting `local`.
 *
 * @throws {ReplyError} when it is not allowed
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
  // A text that is not a number is 0, as C reads it.
  if (seconds > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
  reply.ok();
}
