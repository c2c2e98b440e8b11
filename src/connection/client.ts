/**
 * The subcommands of `client`: information about connections, and settings of one. Every exported function but
 * `checkClientName` is the command of its name.
 *
 * @module
 */

import { parseInteger64 } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import { CLIENT_FIXED_BYTES, CLIENT_NAME_MAX_BYTES } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
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
    help: [
      "KILL <ip:port> | [ID <id>] [ADDR <ip:port>] [LADDR <ip:port>] [TYPE <type>] [USER <username>] [SKIPME YES|NO]",
      "Kill connections.",
    ],
  },
  list: {
    arity: -2,
    run: list,
    help: ["LIST [TYPE NORMAL|PUBSUB|MASTER|REPLICA] [ID <id> ...]", "Return information about client connections."],
  },
  setname: { arity: 3, run: setName, help: ["SETNAME <name>", "Assign the name <name> to the current connection."] },
  setinfo: { arity: 4, run: setInfo, help: ["SETINFO LIB-NAME|LIB-VER <value>", "Set what the client's library is."] },
  unblock: {
    arity: -3,
    run: unblock,
    help: ["UNBLOCK <clientid> [TIMEOUT|ERROR]", "Unblock the specified blocked client."],
  },
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
 * `client id | getname | setname name | setinfo … | list … | info | kill … | unblock … | no-evict … | no-touch …` shows
 * or changes connections.
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
  reply.verbatim(describe(context.client, context, "client|info", performance.now()));
}

function list(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  let clients: readonly ClientState[] = [...context.shared.clients.values()];
  if (request.count === 4 && request.is(2, "type")) {
    const type = typeArgument(request, 3);
    clients = clients.filter((client) => typeOf(client) === type);
  } else if (request.count > 3 && request.is(2, "id")) {
    const wanted: ClientState[] = [];
    for (let i = 3; i < request.count; i++) {
      const number = parseInteger64(request.bytes, request.start(i), request.length(i));
      if (number === undefined) throw new ReplyError("ERR", "Invalid client ID");
      const client = context.shared.clients.get(Number(number));
      if (client !== undefined) wanted.push(client);
    }
    clients = wanted;
  } else if (request.count !== 2) {
    throw syntaxError();
  }
  const nowMs = performance.now();
  let lines = "";
  let next = 0;
  const describing = inSlices(context, () => {
    const stop = Math.min(clients.length, next + CLIENTS_PER_STEP_COUNT);
    for (; next < stop; next++) {
      const client = clients[next]!;
      // A client that is described later may have left meanwhile.
      if (context.shared.clients.get(client.id) === client) lines += describe(client, context, "client|list", nowMs);
    }
    return next === clients.length;
  });
  if (describing !== undefined) return describing.then(() => reply.verbatim(lines));
  reply.verbatim(lines);
}

/** The type of a client, as in `client list … TYPE`. */
type ClientType = "normal" | "pubsub" | "master" | "replica";

function typeOf(client: ClientState): ClientType {
  return client.subscriptions > 0 ? "pubsub" : "normal";
}

function typeArgument(request: Request, index: number): ClientType {
  const name = request.text(index).toLowerCase();
  if (name === "slave") return "replica";
  if (name === "normal" || name === "pubsub" || name === "master" || name === "replica") return name;
  throw new ReplyError("ERR", `Unknown client type '${request.text(index)}'`);
}

/**
 * Returns one line about a client, with Redis's names for those fields that exist here. It is one template because
 * there may be many clients.
 *
 * @param command the command that is running
 */
function describe(client: ClientState, context: ConnectionContext, command: string, nowMs: number): string {
  const isOwn = client === context.client;
  const queued = client.transaction?.count ?? client.executedCount;
  const running = client.executedCount < 0 ? command : "exec";
  return `id=${client.id} addr=${client.address} laddr=${client.localAddress} name=${client.name}` +
    ` age=${secondsSince(client.createdMs, nowMs)} idle=${isOwn ? 0 : secondsSince(client.lastMs, nowMs)}` +
    ` flags=${flagsOf(client)} db=0 sub=${client.channels.size} psub=${client.patterns.size}` +
    ` multi=${queued} tot-mem=${client.account.bytes + CLIENT_FIXED_BYTES}` +
    ` watch=${client.watched.size} cmd=${isOwn ? running : client.lastCommand} user=default` +
    ` resp=${client.version} lib-name=${client.libraryName} lib-ver=${client.libraryVersion}\n`;
}

function secondsSince(sinceMs: number, nowMs: number): number {
  return Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
}

function flagsOf(client: ClientState): string {
  let flags = "";
  if (client.subscriptions > 0) flags += "P";
  if (client.transaction !== undefined || client.executedCount >= 0) flags += "x";
  if (client.waiter !== undefined) flags += "b";
  if (client.isKept) flags += "e";
  if (client.touchesNothing) flags += "T";
  return flags === "" ? "N" : flags;
}

/** The properties that clients must have to be killed. */
interface KillFilter {
  id?: number;
  address?: string;
  localAddress?: string;
  type?: ClientType;
  skipsMe: boolean;
}

function kill(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const isOld = request.count === 3;
  const filter = isOld ? { address: request.text(2), skipsMe: false } : killFilter(request);
  const doomed = [...context.shared.clients.values()].filter((client) => {
    return (filter.id === undefined || client.id === filter.id) &&
      (filter.address === undefined || client.address === filter.address) &&
      (filter.localAddress === undefined || client.localAddress === filter.localAddress) &&
      (filter.type === undefined || typeOf(client) === filter.type) &&
      !(filter.skipsMe && client === context.client);
  });
  if (isOld && doomed.length === 0) throw new ReplyError("ERR", "No such client");
  for (const client of doomed) {
    if (client === context.client) client.closing = true;
    else client.connection.kill();
  }
  if (isOld) reply.ok();
  else reply.integer(doomed.length);
  // After any wait, even the shortest, the connection checks whether it has to end.
  if (context.client.closing && !context.client.executing) return Promise.resolve();
}

function killFilter(request: Request): KillFilter {
  const filter: KillFilter = { skipsMe: true };
  for (let i = 2; i < request.count; i += 2) {
    if (i + 1 === request.count) throw syntaxError();
    if (request.is(i, "id")) {
      filter.id = Number(parseInteger64(request.bytes, request.start(i + 1), request.length(i + 1)) ?? NaN);
      if (!(filter.id > 0)) throw new ReplyError("ERR", "client-id should be greater than 0");
    } else if (request.is(i, "addr")) filter.address = request.text(i + 1);
    else if (request.is(i, "laddr")) filter.localAddress = request.text(i + 1);
    else if (request.is(i, "type")) filter.type = typeArgument(request, i + 1);
    else if (request.is(i, "user")) {
      // There is only one user.
      if (request.text(i + 1) !== "default") throw new ReplyError("ERR", `No such user '${request.text(i + 1)}'`);
    } else if (request.is(i, "skipme")) {
      if (!request.is(i + 1, "yes") && !request.is(i + 1, "no")) throw syntaxError();
      filter.skipsMe = request.is(i + 1, "yes");
    } else throw syntaxError();
  }
  return filter;
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
  const waiter = context.shared.clients.get(roundedInteger(request, 2))?.waiter;
  if (isError) waiter?.refuse(new ReplyError("UNBLOCKED", "client unblocked via CLIENT UNBLOCK"));
  else waiter?.expire();
  reply.integer(waiter === undefined ? 0 : 1);
}
