/**
 * The commands that concern only the connection, and `info`. Every function exported here is the command of its name.
 *
 * @module
 */

import { copyBytes } from "../bytes.ts";
import { checkAuthentication, checkCredentials, wrongCount } from "../catalog/call.ts";
import { REDIS_VERSION } from "../catalog/specification.ts";
import { ReplyError } from "../errors.ts";
import { LONG_BYTES, STEP_BYTES } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { checkDatabase } from "./admission.ts";
import { checkClientName } from "./client.ts";
import type { ConnectionContext } from "./context.ts";
import { inSlices } from "./in_slices.ts";

/** `ping [text]` replies with PONG or the text; on a connection that may only listen, with a message. */
export function ping(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const { count } = request;
  if (count > 2) throw wrongCount(request);
  if (!context.client.onlyListens) {
    if (count > 1) return replyText(context, request, reply);
    reply.status("PONG");
    return;
  }
  reply.array(2);
  reply.text("pong");
  if (count > 1) return replyText(context, request, reply);
  reply.text("");
}

/** `echo text` replies with the text. */
export function echo(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  return replyText(context, request, reply);
}

/** Replies with argument 1, in slices if it is long. */
function replyText(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const { bytes, starts, lengths } = request;
  const [start, length] = [starts[1]!, lengths[1]!];
  if (length <= LONG_BYTES) return reply.bytes(bytes, start, length);
  reply.announce(1, length);
  reply.openBytes(length);
  let at = 0;
  return inSlices(context, () => {
    const part = Math.min(STEP_BYTES, length - at);
    const to = reply.piece(part);
    copyBytes(bytes, start + at, reply.buffer, to, part);
    at += part;
    if (at < length) return false;
    reply.closeBytes();
    return true;
  });
}

/** `info [section …]` replies with facts about the role. */
export function info({ role }: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const sections: string[] = [];
  for (let i = 1; i < request.count; i++) sections.push(request.text(i).toLowerCase());
  const write = () => reply.verbatim(role.info(sections));
  const refreshing = role.refreshInfo?.(sections);
  return refreshing === undefined ? write() : refreshing.then(write);
}

/** `auth [user] password` authenticates the connection. A failure does not change its state. */
export function auth(context: ConnectionContext, request: Request, reply: Reply): void {
  checkAuthentication(request, context.client, context.role);
  context.client.authenticated = true;
  reply.ok();
}

/**
 * `hello [2|3 [auth user password] [setname name]]` chooses a version of RESP, and replies with facts about the role.
 */
export function hello(context: ConnectionContext, request: Request, reply: Reply): void {
  const { client } = context;
  if (client.version === 0) {
    throw new ReplyError("NOPROTO", "hello chooses a version of RESP, which is not spoken here");
  }
  let version = client.version;
  if (request.count > 1) {
    const wanted = request.integer(1);
    if (Number.isNaN(wanted)) throw new ReplyError("ERR", "Protocol version is not an integer or out of range");
    if (wanted !== 2 && wanted !== 3) throw new ReplyError("NOPROTO", "unsupported protocol version");
    version = wanted;
  }
  let name: string | undefined;
  let authenticated = client.authenticated;
  for (let i = 2; i < request.count; i++) {
    if (request.is(i, "auth") && i + 2 < request.count) {
      checkCredentials(request.text(i + 1), request.text(i + 2), client, context.role);
      authenticated = true;
      i += 2;
    } else if (request.is(i, "setname") && i + 1 < request.count) {
      name = checkClientName(request.text(++i));
    } else {
      throw new ReplyError("ERR", `Syntax error in HELLO option '${request.text(i)}'`);
    }
  }
  if (!authenticated) {
    throw new ReplyError(
      "NOAUTH",
      "HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be " +
        "used to authenticate the client and select the RESP protocol version at the same time",
    );
  }
  client.authenticated = true;
  if (name !== undefined) client.name = name;
  context.speak(version);
  reply.map(7);
  reply.text("server");
  reply.text("inmem");
  reply.text("version");
  reply.text(REDIS_VERSION);
  reply.text("proto");
  reply.integer(version);
  reply.text("id");
  reply.integer(client.id);
  reply.text("mode");
  reply.text("standalone");
  reply.text("role");
  reply.text("master");
  reply.text("modules");
  reply.array(0);
}

/** `select index` accepts only database 0. Any other index ends the connection. */
export function select({ client }: ConnectionContext, request: Request, reply: Reply): void {
  checkDatabase(client, request);
  reply.ok();
}

/** `quit` ends the connection after all replies are written. */
export function quit({ client }: ConnectionContext, _request: Request, reply: Reply): Promise<void> {
  client.closing = true;
  reply.ok();
  return Promise.resolve();
}

/** `reset` restores the initial state of the connection. */
export function reset(context: ConnectionContext, _request: Request, reply: Reply): void {
  const { client, shared } = context;
  shared.reset(client);
  client.name = "";
  client.touchesNothing = client.isKept = false;
  client.silence = "none";
  client.authenticated = !context.role.passwordRequired;
  if (client.version !== 0) context.speak(2);
  reply.status("RESET");
}

/** `swapdb index index` does nothing, since there is only database 0. */
export function swapdb(_context: ConnectionContext, request: Request, reply: Reply): void {
  const [first, second] = [request.integer(1), request.integer(2)];
  if (Number.isNaN(first)) throw new ReplyError("ERR", "invalid first DB index");
  if (Number.isNaN(second)) throw new ReplyError("ERR", "invalid second DB index");
  if (first !== 0 || second !== 0) throw new ReplyError("ERR", "DB index is out of range");
  reply.ok();
}

/** `time` replies with the seconds since 1970 and the microseconds of the second, as exactly as the clock allows. */
export function time(_context: ConnectionContext, _request: Request, reply: Reply): void {
  const nowMs = Date.now();
  reply.array(2);
  reply.text(String(Math.floor(nowMs / 1000)));
  reply.text(String(nowMs % 1000 * 1000));
}
