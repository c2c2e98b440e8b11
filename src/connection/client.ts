/**
 * The subcommands of `client`: information about connections, and settings of one. Every exported function but
 * `checkClientName` is the command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { CLIENT_NAME_MAX_BYTES } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { pause, replyMode, unpause } from "./client_control.ts";
import { describeClient } from "./client_facts.ts";
import { ClientFilter } from "./client_filter.ts";
import type { ClientState } from "./client_state.ts";
import type { ConnectionContext } from "./context.ts";
import { inSlices } from "./in_slices.ts";
import { roundedInteger, syntaxError } from "./integer_argument.ts";
import { runSubcommand } from "./subcommands.ts";
import type { Subcommands } from "./subcommands.ts";

/** The subcommands of `client`, by name. */
export const CLIENT_SUBCOMMANDS: Subcommands = {
  getname: { arity: 2, run: getName, help: ["GETNAME", "Return the name of the current connection."] },
  getredir: { arity: 2, run: getRedirection, help: ["GETREDIR", "Return -1: there is no tracking of keys."] },
  id: { arity: 2, run: id, help: ["ID", "Return the ID of the current connection."] },
  info: { arity: 2, run: info, help: ["INFO", "Return information about the current client connection."] },
  kill: {
    arity: -3,
    run: kill,
    help: ["KILL <ip:port> | <filter> <value> [<filter> <value> ...]", "Kill connections. The filters are below."],
  },
  list: {
    arity: -2,
    run: list,
    help: [
      "LIST [<filter> <value> ...]",
      "Return information about client connections that match all filters:",
      "* ID <id> [<id> ...], TYPE NORMAL|PUBSUB|MASTER|REPLICA, NAME <name>, USER <username>",
      "* ADDR <ip:port>, LADDR <ip:port>, IP <ip>, LIB-NAME <name>, LIB-VER <version>",
      "* FLAGS <letters>, DB <index>; NOT- before any of these means the opposite",
      "* MAXAGE <seconds>, IDLE <seconds>: at least this long; SKIPME YES|NO",
    ],
  },
  pause: {
    arity: -3,
    run: pause,
    help: [
      "PAUSE <timeout> [WRITE|ALL]",
      "Suspend all, or just write, clients for <timeout> milliseconds.",
    ],
  },
  reply: {
    arity: 3,
    run: replyMode,
    help: ["REPLY (ON|OFF|SKIP)", "Control the replies sent to the current connection."],
  },
  setname: { arity: 3, run: setName, help: ["SETNAME <name>", "Assign the name <name> to the current connection."] },
  setinfo: { arity: 4, run: setInfo, help: ["SETINFO LIB-NAME|LIB-VER <value>", "Set what the client's library is."] },
  unblock: {
    arity: -3,
    run: unblock,
    help: ["UNBLOCK <clientid> [TIMEOUT|ERROR]", "Unblock the specified blocked client."],
  },
  unpause: { arity: 2, run: unpause, help: ["UNPAUSE", "Stop the current client pause, resuming traffic."] },
  "no-evict": {
    arity: 3,
    run: noEvict,
    help: ["NO-EVICT (ON|OFF)", "Close this connection after all others when clients hold too much."],
  },
  "no-touch": {
    arity: 3,
    run: noTouch,
    help: ["NO-TOUCH (ON|OFF)", "Let the reads of this connection leave the order of eviction alone."],
  },
};

/**
 * The number of clients that are described between two looks at the clock, which takes about a tenth of a millisecond.
 */
const CLIENTS_PER_STEP_COUNT = 32;

/**
 * `client id | getname | setname name | setinfo … | list … | info | kill … | unblock … | pause … | unpause | reply … |
 * no-evict … | no-touch …` shows or changes connections.
 */
export function client(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  return runSubcommand(CLIENT_SUBCOMMANDS, context, request, reply);
}

/**
 * Returns `name` if it does not break the lists that show it.
 *
 * @throws {ReplyError} when it contains spaces or special characters, or is too long
 */
export function checkClientName(name: string, what = "Client names"): string {
  if (!/^[!-~]*$/.test(name)) {
    throw new ReplyError("ERR", `${what} cannot contain spaces, newlines or special characters.`);
  }
  if (name.length > CLIENT_NAME_MAX_BYTES) {
    throw new ReplyError("ERR", `${what} cannot be longer than ${CLIENT_NAME_MAX_BYTES} bytes`);
  }
  return name;
}

function id(context: ConnectionContext, _request: Request, reply: Reply): void {
  reply.integer(context.client.id);
}

function getName(context: ConnectionContext, _request: Request, reply: Reply): void {
  if (context.client.name === "") reply.nil();
  else reply.text(context.client.name);
}

function getRedirection(_context: ConnectionContext, _request: Request, reply: Reply): void {
  reply.integer(-1);
}

function setName(context: ConnectionContext, request: Request, reply: Reply): void {
  context.client.name = checkClientName(request.text(2));
  reply.ok();
}

function setInfo(context: ConnectionContext, request: Request, reply: Reply): void {
  const { client } = context;
  if (request.is(2, "lib-name")) client.libraryName = checkClientName(request.text(3), "lib-name");
  else if (request.is(2, "lib-ver")) client.libraryVersion = checkClientName(request.text(3), "lib-ver");
  else throw new ReplyError("ERR", `Unrecognized option '${request.text(2)}'`);
  reply.ok();
}

function noEvict(context: ConnectionContext, request: Request, reply: Reply): void {
  context.client.isKept = onOrOff(request, 2);
  reply.ok();
}

function noTouch(context: ConnectionContext, request: Request, reply: Reply): Promise<void> | undefined {
  context.client.touchesNothing = onOrOff(request, 2);
  reply.ok();
  // After a wait, the connection checks its state again.
  return context.client.executing ? undefined : Promise.resolve();
}

function onOrOff(request: Request, index: number): boolean {
  if (request.is(index, "on")) return true;
  if (request.is(index, "off")) return false;
  throw syntaxError();
}

function info(context: ConnectionContext, _request: Request, reply: Reply): void {
  reply.verbatim(describeClient(context.client, context.client, "client|info", performance.now()));
}

function list(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const filter = new ClientFilter("Invalid client ID", false).read(request, 2);
  const { client: own } = context;
  const all = context.shared.clients;
  // As in Redis, clients that are named are listed in the order of their numbers in the request.
  const named = filter.ids?.map((id) => all.get(id)).filter((client) => client !== undefined);
  const clients: readonly ClientState[] = named ?? [...all.values()];
  const nowMs = performance.now();
  let lines = "";
  let next = 0;
  const describing = inSlices(context, () => {
    const stop = Math.min(clients.length, next + CLIENTS_PER_STEP_COUNT);
    for (; next < stop; next++) {
      const client = clients[next]!;
      // A client that is described later may have left meanwhile.
      if (context.shared.clients.get(client.id) !== client || !filter.matches(client, own, nowMs)) continue;
      lines += describeClient(client, own, "client|list", nowMs);
    }
    return next === clients.length;
  });
  if (describing !== undefined) return describing.then(() => reply.verbatim(lines));
  reply.verbatim(lines);
}

function kill(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const { client: own, shared: { clients } } = context;
  const nowMs = performance.now();
  const isOld = request.count === 3;
  const filter = new ClientFilter("client-id should be greater than 0", !isOld);
  const address = isOld ? request.text(2) : undefined;
  if (!isOld) filter.read(request, 2);
  const doomed = [...clients.values()].filter((client) => {
    return address === undefined ? filter.matches(client, own, nowMs) : client.address === address;
  });
  if (isOld && doomed.length === 0) throw new ReplyError("ERR", "No such client");
  for (const client of doomed) {
    if (client === own) client.closing = true;
    else client.connection.kill();
  }
  if (isOld) reply.ok();
  else reply.integer(doomed.length);
  // After any wait, even the shortest, the connection checks whether it has to end.
  if (own.closing && !own.executing) return Promise.resolve();
}

function unblock(context: ConnectionContext, request: Request, reply: Reply): void {
  if (request.count > 4) {
    throw new ReplyError(
      "ERR",
      "unknown subcommand or wrong number of arguments for 'unblock'. Try CLIENT HELP.",
    );
  }
  let isError = false;
  if (request.count === 4 && request.is(3, "error")) isError = true;
  else if (request.count === 4 && !request.is(3, "timeout")) {
    throw new ReplyError("ERR", "CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  const pending = context.shared.clients.get(roundedInteger(request, 2))?.waiter;
  const waiter = pending?.isPostponed === true ? undefined : pending;
  if (isError) waiter?.refuse(new ReplyError("UNBLOCKED", "client unblocked via CLIENT UNBLOCK"));
  else waiter?.expire();
  reply.integer(waiter === undefined ? 0 : 1);
}
