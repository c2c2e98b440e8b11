/**
 * Connections to servers: trusted, authenticated, and known to reply.
 *
 * A connection counts as open when the first request on it has a reply (`auth` or `ping`; in RESP `hello`, which also
 * selects the version): a stopped process still accepts connections, and a port may belong to any program. The proxy
 * sends `info server` with it, whose reply identifies the server (identities.ts).
 *
 * @module
 */

import { isLoopback, parseAddress } from "../../address.ts";
import { ConnectionError, ProtocolError, ReplyError, UsageError } from "../../errors.ts";
import { CONNECT_TIMEOUT_MS, GREETING_REPLY_MAX_BYTES } from "../../limits.ts";
import { type ClientAccount, UNLIMITED_ACCOUNT } from "../../memory/client_memory.ts";
import { abort } from "../../net/abort.ts";
import { Connection } from "../../net/connection.ts";
import { connect } from "../../net/connector.ts";
import type { Socket } from "../../net/socket.ts";
import { showsStranger, showsUnreachable } from "../../net/socket_errors.ts";
import { readDefaultAuthority } from "../../role/certificate_files.ts";
import type { FrameMeasure } from "../../route/framing.ts";
import type { Verdict } from "../../route/probe.ts";
import { type Dialect, readText } from "./dialect.ts";
import { type Identity, parseIdentity } from "./identities.ts";

/** How to reach the servers. */
export interface BackendSettings {
  /** Certificates in PEM that verify the servers'; by default the local authority for loopback addresses. */
  readonly authority?: string | undefined;
  /** The time at which the first of them expires, in ms since 1970, if known. */
  readonly authorityExpiresMs?: number | undefined;
  /** The password, or several, of which the first accepted one is used. */
  readonly password?: string | readonly string[] | undefined;
  /** Whether to connect without TLS. This is for loopback addresses only. */
  readonly plaintext: boolean;
  /** The longest time until the first reply, in ms. */
  readonly connectTimeoutMs?: number;
}

/** The owner of connections. */
export interface BackendHost {
  /** The account that is charged for incomplete replies. */
  readonly account?: ClientAccount;
  /** The passwords to use; by default those of the settings. */
  readonly passwords?: ServersPasswords;
  /** Throws when the server that has replied must not be used. Without it, every server may. */
  admit?(identity: Identity): void;
}

/**
 * The passwords for each server. The one that it accepted last comes first, since each refusal counts as a wrong
 * password.
 */
export class ServersPasswords {
  readonly #passwords: readonly string[];
  readonly #accepted = new Map<string, string>();

  constructor(password: BackendSettings["password"] = []) {
    this.#passwords = [password].flat();
  }

  /** Returns the passwords to try at a server, in order; empty when none is configured. */
  of(address: string): readonly string[] {
    const accepted = this.#accepted.get(address);
    if (accepted === undefined) return this.#passwords;
    return [accepted, ...this.#passwords.filter((each) => each !== accepted)];
  }

  /** Remembers that a server has accepted a password. Servers that accept the first one need no entry. */
  accept(address: string, password: string): void {
    if (password === this.#passwords[0]) this.#accepted.delete(address);
    else this.#accepted.set(address, password);
  }
}

/**
 * Refuses to send plaintext over a network.
 *
 * @throws {UsageError} when `address` is not on this machine
 */
export function checkPlaintext(address: string): void {
  if (isLoopback(parseAddress(address).hostname)) return;
  throw new UsageError(`Cannot talk to server "${address}" without TLS: expected a loopback address`);
}

/**
 * Connects to the server at `address` and authenticates, in a dialect that the connection uses from then on.
 *
 * @returns a connection without unread bytes, which the caller owns
 * @throws {InmemError} whose message says why there is no connection
 */
export async function openBackend(
  dialect: Dialect,
  address: string,
  settings: BackendSettings,
  signal: AbortSignal,
  host: BackendHost = {},
): Promise<Connection> {
  const { hostname, port } = parseAddress(address);
  const { plaintext, authority, connectTimeoutMs: timeoutMs = CONNECT_TIMEOUT_MS } = settings;
  if (plaintext) checkPlaintext(address);
  const local = authority === undefined && isLoopback(hostname) && !plaintext ? readDefaultAuthority() : authority;
  const caCerts = local === undefined ? [] : [local];
  const begunMs = performance.now();
  const socket = await connect({ hostname, port, caCerts, plaintext, timeoutMs, signal });
  const connection = new Connection(freeingSocket(socket), host.account ?? UNLIMITED_ACCOUNT);
  const close = () => connection.close();
  const timer = setTimeout(close, Math.max(1, timeoutMs - (performance.now() - begunMs)));
  signal.addEventListener("abort", close, { once: true });
  try {
    const passwords = host.passwords ?? new ServersPasswords(settings.password);
    const identity = await authenticate(dialect, address, connection, passwords);
    host.admit?.(identity);
    return connection;
  } catch (error) {
    const isLate = connection.closed && !signal.aborted;
    connection.close();
    if (isLate) throw new ConnectionError(address, `no answer within ${timeoutMs} ms`, false, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", close);
  }
}

/**
 * Returns what an error of {@linkcode openBackend} says about the server. A deadline says nothing, since the server may
 * be busy; nor does a shortage on this machine, such as of descriptors or name servers.
 */
export function judgeBackend(error: unknown): Verdict {
  if (error instanceof ReplyError) return "alive";
  if (error instanceof ProtocolError) return "gone";
  // Without a cause, the server has closed the connection.
  const isClosed = error instanceof ConnectionError && error.cause === undefined;
  const cause = error instanceof ConnectionError ? error.cause : error;
  return isClosed || showsUnreachable(cause) || showsStranger(cause) ? "gone" : "unknown";
}

/** Returns a socket whose `close` also frees the descriptor while a server that has stopped blocks a write. */
function freeingSocket(socket: Socket): Pick<Socket, "read" | "write" | "close"> {
  let writing = false;
  return {
    read: (target) => socket.read(target),
    write: async (source) => {
      writing = true;
      try {
        return await socket.write(source);
      } finally {
        writing = false;
      }
    },
    close: () => writing ? void abort(socket) : socket.close(),
  };
}

/** Sends the first request with each password until one is accepted, and waits for the reply. */
async function authenticate(
  dialect: Dialect,
  address: string,
  connection: Connection,
  passwords: ServersPasswords,
): Promise<Identity> {
  const candidates = passwords.of(address);
  for (const password of candidates.slice(0, -1)) {
    try {
      const identity = await greet(dialect, address, connection, password);
      passwords.accept(address, password);
      return identity;
    } catch (error) {
      if (!(error instanceof ReplyError) || error.code !== "WRONGPASS") throw error;
    }
    // The request after it is refused as well.
    await takeReply(address, connection, dialect.measure(), () => {});
  }
  const last = candidates.at(-1);
  const identity = await greet(dialect, address, connection, last);
  if (last !== undefined) passwords.accept(address, last);
  return identity;
}

/** Sends the first request and `info server`, and waits for both replies. */
async function greet(
  dialect: Dialect,
  address: string,
  connection: Connection,
  password: string | undefined,
): Promise<Identity> {
  await connection.write(Uint8Array.from([...dialect.greeting(password), ...dialect.request(["info", "server"])]));
  const measure = dialect.measure();
  await takeReply(address, connection, measure, (bytes, start, end) => {
    if (dialect.grants(bytes, start)) return;
    throw refusedBy(dialect.refusal(bytes, start, end));
  });
  return await takeReply(address, connection, measure, (bytes, start, end) => {
    // The native protocol's first request, `ping`, is also granted without a password.
    const refusal = dialect.grants(bytes, start) ? undefined : dialect.refusal(bytes, start, end);
    if (refusal?.code === "NOAUTH") throw refusedBy(refusal);
    return parseIdentity(readText(dialect, bytes, start, end));
  });
}

function refusedBy({ code, message }: ReplyError): ReplyError {
  const reason = code === "NOAUTH" ? "it wants a password, which --servers-password-file gives" : message;
  return new ReplyError(code, `it refuses the proxy: ${code} ${reason}`);
}

/** Waits for the next reply, and returns the result of `read` for it. */
async function takeReply<T>(
  address: string,
  connection: Connection,
  measure: FrameMeasure,
  read: (bytes: Uint8Array, start: number, end: number) => T,
): Promise<T> {
  while (true) {
    const { buffer, start, end } = connection;
    const size = measure.size(buffer, start, end);
    if (size > 0) {
      connection.start += size;
      return read(buffer, start, start + size);
    }
    if (end - start > GREETING_REPLY_MAX_BYTES) {
      throw new ProtocolError(`it greets with more than ${GREETING_REPLY_MAX_BYTES} bytes`);
    }
    if (!await connection.fill()) throw new ConnectionError(address, "it closed the connection", true);
  }
}
