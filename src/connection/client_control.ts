/**
 * The subcommands of `client` that hold back or drop: `client pause`, `unpause` and `reply`.
 *
 * @module
 */

import { parseInteger64 } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { ConnectionContext } from "./context.ts";
import { syntaxError } from "./integer_argument.ts";

/** `client pause milliseconds [WRITE|ALL]` holds back the commands of all clients, or those that write. */
export function pause({ shared }: ConnectionContext, request: Request, reply: Reply): void {
  if (request.count > 4) {
    throw new ReplyError("ERR", "unknown subcommand or wrong number of arguments for 'pause'. Try CLIENT HELP.");
  }
  const isWrite = request.count === 4 && request.is(3, "write");
  if (request.count === 4 && !isWrite && !request.is(3, "all")) {
    throw new ReplyError("ERR", "CLIENT PAUSE mode must be WRITE or ALL");
  }
  const durationMs = parseInteger64(request.bytes, request.start(2), request.length(2));
  if (durationMs === undefined) throw new ReplyError("ERR", "timeout is not an integer or out of range");
  if (durationMs < 0n) throw new ReplyError("ERR", "timeout is negative");
  shared.pause.begin(performance.now() + Number(durationMs), isWrite ? "write" : "all");
  reply.ok();
}

/** `client unpause` ends the pause. */
export function unpause({ shared }: ConnectionContext, _request: Request, reply: Reply): void {
  shared.pause.end();
  reply.ok();
}

/**
 * `client reply ON|OFF|SKIP` says which replies the client gets: all, none, or all but the next. Messages of channels,
 * and the confirmations of subscriptions, always come.
 *
 * In a transaction, OFF and SKIP are refused: Redis then leaves items out of the reply to `exec`, and the client takes
 * the replies after it for the missing ones.
 */
export function replyMode(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const { client } = context;
  const isOn = request.is(2, "on");
  if (!isOn && !request.is(2, "off") && !request.is(2, "skip")) throw syntaxError();
  if (client.executedCount >= 0) {
    if (!isOn || client.silence !== "none") {
      throw new ReplyError("ERR", "CLIENT REPLY cannot change what a transaction replies");
    }
  } else if (!isOn && client.version === 0) {
    throw new ReplyError("ERR", "each request of the native protocol has a reply");
  }
  if (isOn) {
    client.silence = "none";
    reply.ok();
  } else if (request.is(2, "off")) {
    client.silence = "all";
  } else if (client.silence !== "all") {
    client.silence = "next";
  }
  // After a wait, even the shortest, the connection looks at its state again.
  return client.executing ? undefined : Promise.resolve();
}
