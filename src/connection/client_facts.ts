/**
 * The facts about a client that `client list` shows, and by which clients are chosen.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { CLIENT_FIXED_BYTES } from "../limits.ts";
import type { ClientState } from "./client_state.ts";

/** The type of a client, as in `client list TYPE`. */
export type ClientType = "normal" | "pubsub" | "master" | "replica";

/** Returns the type of a client. A client that monitors is normal, as in Redis. */
export function typeOf(client: ClientState): ClientType {
  return client.subscriptions > 0 ? "pubsub" : "normal";
}

/**
 * Returns the type with a name.
 *
 * @throws {ReplyError} when there is none
 */
export function typeNamed(name: string): ClientType {
  const lower = name.toLowerCase();
  if (lower === "slave") return "replica";
  if (lower === "normal" || lower === "pubsub" || lower === "master" || lower === "replica") return lower;
  throw new ReplyError("ERR", `Unknown client type '${name}'`);
}

/** The flags that {@linkcode flagsOf} may return. */
export const FLAGS = "OPxbeTN";

/** Returns Redis's letters for the state of a client. */
export function flagsOf(client: ClientState): string {
  let flags = "";
  if (client.isMonitoring) flags += "O";
  if (client.subscriptions > 0) flags += "P";
  if (client.transaction !== undefined || client.executedCount >= 0) flags += "x";
  if (client.waiter !== undefined) flags += "b";
  if (client.isKept) flags += "e";
  if (client.touchesNothing) flags += "T";
  return flags === "" ? "N" : flags;
}

/**
 * Returns one line about a client, with Redis's names for those fields that exist here. It is one template because
 * there may be many clients.
 *
 * @param own the client that asks
 * @param command the command that is running
 * @param nowMs the present by `performance.now()`
 */
export function describeClient(client: ClientState, own: ClientState, command: string, nowMs: number): string {
  const isOwn = client === own;
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
