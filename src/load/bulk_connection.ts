/**
 * Opens connections for many requests, and authenticates on them.
 *
 * @module
 */

import type { ConnectionSettings } from "../client/client.ts";
import { ConnectionError, InmemError, messageOf, ProtocolError } from "../errors.ts";
import { CONNECT_TIMEOUT_MS } from "../limits.ts";
import { abort } from "../net/abort.ts";
import { Connection } from "../net/connection.ts";
import type { Socket } from "../net/socket.ts";
import { NativeRequestWriter } from "../wire/native/request_writer.ts";
import { RespRequestWriter } from "../wire/resp/request_writer.ts";
import { type BulkReply, NativeBulkReply, RespBulkReply } from "./bulk_reply.ts";

/** The protocol of a connection. */
export type BulkProtocol = "native" | "resp";

/** How to open a connection: `connectionSettings()` of client/client.ts returns it. */
export interface BulkSettings extends ConnectionSettings {
  /** The user to authenticate as, if it is not the default one. Only other servers than inmem have several. */
  readonly user?: string;
}

/** An open connection. */
export interface OpenConnection {
  readonly socket: Socket;
  readonly connection: Connection;
}

/**
 * Connects and authenticates, within the time limit.
 *
 * @throws {ConnectionError} when the connection fails; the message contains the reason
 * @throws {ReplyError} when the password is refused
 */
export async function openConnection(settings: BulkSettings, protocol: BulkProtocol): Promise<OpenConnection> {
  const { address, signal } = settings;
  const limitMs = Math.min(settings.timeoutMs, CONNECT_TIMEOUT_MS);
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(new Deno.errors.TimedOut(`no answer within ${limitMs} ms`)), limitMs);
  const either = signal === undefined ? deadline.signal : AbortSignal.any([deadline.signal, signal]);
  let socket: Socket | undefined;
  const hangUp = () => socket && abort(socket);
  try {
    socket = await settings.open(either);
    either.addEventListener("abort", hangUp);
    const connection = new Connection(socket);
    await authenticate(connection, protocol, settings);
    return { socket, connection };
  } catch (error) {
    if (socket !== undefined) await abort(socket);
    const cause = either.aborted ? either.reason : error;
    // The message of an inmem error, such as that of the connector or of a refusal, is complete.
    if (cause instanceof InmemError && !(cause instanceof ProtocolError)) throw cause;
    const message = either.aborted
      ? `Cannot connect to ${address}: ${messageOf(cause)}`
      : lossMessage(address, protocol, cause);
    throw new ConnectionError(address, message, false, { cause });
  } finally {
    clearTimeout(timer);
    either.removeEventListener("abort", hangUp);
  }
}

/** Tries the passwords, if any, one after another until one is accepted. */
async function authenticate(
  connection: Connection,
  protocol: BulkProtocol,
  { user, passwords }: BulkSettings,
): Promise<void> {
  const reply = newReply(protocol);
  const writer = newWriter(protocol);
  for (const [i, password] of passwords.entries()) {
    writer.length = 0;
    writer.add(user === undefined ? ["auth", password] : ["auth", user, password]);
    await connection.write(writer.buffer.subarray(0, writer.length));
    while (!reply.find(connection.buffer, connection.start, connection.end)) {
      if (!await connection.fill()) throw new Deno.errors.UnexpectedEof();
    }
    connection.start = reply.end;
    if (!reply.isRefusal) return;
    const refusal = reply.refusal();
    if (refusal.code !== "WRONGPASS" || i + 1 === passwords.length) throw refusal;
  }
}

/** Returns what reads the replies in a protocol. */
export function newReply(protocol: BulkProtocol): BulkReply {
  return protocol === "native" ? new NativeBulkReply() : new RespBulkReply();
}

/** Returns what writes requests in a protocol. */
export function newWriter(protocol: BulkProtocol): NativeRequestWriter | RespRequestWriter {
  return protocol === "native" ? new NativeRequestWriter() : new RespRequestWriter();
}

/** Returns why a connection was lost, for people. */
export function lossMessage(address: string, protocol: BulkProtocol, error: unknown): string {
  if (error instanceof ProtocolError) {
    const name = protocol === "native" ? "inmem" : "Redis";
    return `Cannot understand ${address}: its replies are not in the protocol of ${name}`;
  }
  const closed = [Deno.errors.UnexpectedEof, Deno.errors.ConnectionReset, Deno.errors.BrokenPipe];
  const isClosed = closed.some((kind) => error instanceof kind);
  return `Lost the connection to ${address}: ${isClosed ? "the other side closed it" : messageOf(error)}`;
}
