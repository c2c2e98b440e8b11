/**
 * Outgoing connections.
 *
 * `Deno.connectTls` takes no signal, resolves before the handshake, and its result cannot switch Nagle's algorithm off;
 * so a TCP connection is made first, and becomes TLS afterwards.
 *
 * @module
 */

import { ConnectionError } from "../errors.ts";
import { CONNECT_TIMEOUT_MS } from "../limits.ts";
import { abort, closeQuietly } from "./abort.ts";
import type { Socket } from "./socket.ts";
import { connectReason, errorCodeOf, formatPeer } from "./socket_errors.ts";

/** Where and how to connect. */
export interface ConnectOptions {
  /** An IP address without brackets, or a name. */
  readonly hostname: string;
  readonly port: number;
  /** Certificates in PEM that are trusted beside the public roots. */
  readonly caCerts?: readonly string[];
  /** Believes any certificate. */
  readonly insecure?: boolean;
  /** Speaks no TLS. */
  readonly plaintext?: boolean;
  /** The name that the peer's certificate has to be for, unless that is `hostname`. */
  readonly serverName?: string;
  /** How long all of it may take, the handshake included. */
  readonly timeoutMs?: number;
  /** Ends the attempt. */
  readonly signal?: AbortSignal;
}

/**
 * Connects: name lookup, TCP and TLS handshake under one deadline, without Nagle's delay, with keep-alive.
 *
 * @returns a socket whose handshake is done; the caller closes it
 * @throws {ConnectionError} with the address and a reason for people
 *
 * @example
 * ```ts ignore
 * const socket = await connect({ hostname: "127.0.0.1", port: 9443, caCerts: [ca] });
 * await writeAll(socket, request);
 * ```
 */
export async function connect(options: ConnectOptions): Promise<Socket> {
  const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
  const deadline = new AbortController();
  const timer = setTimeout(() => {
    deadline.abort(new Deno.errors.TimedOut(`no answer within ${timeoutMs} ms`));
  }, timeoutMs);
  const signal = options.signal === undefined ? deadline.signal : AbortSignal.any([deadline.signal, options.signal]);
  try {
    return await connectWithin(options, signal);
  } catch (error) {
    const peer = formatPeer(options.hostname, options.port);
    const cause = signal.aborted ? signal.reason : error;
    const reason = connectReason(cause, options.serverName ?? options.hostname);
    throw new ConnectionError(peer, `Cannot connect to ${peer}: ${reason}`, false, { cause });
  } finally {
    clearTimeout(timer);
  }
}

/** Tries every address that the name may mean; the last failure counts. */
async function connectWithin(options: ConnectOptions, signal: AbortSignal): Promise<Socket> {
  let failure: unknown;
  for (const hostname of candidatesOf(options.hostname)) {
    try {
      return await connectOnce(hostname, options, signal);
    } catch (error) {
      failure = error;
      if (signal.aborted || !isRefusal(error)) break;
    }
  }
  throw failure;
}

/** Deno tries only the first address of a name, which for `localhost` may be the one of the two nobody listens on. */
function candidatesOf(hostname: string): string[] {
  return hostname.toLowerCase() === "localhost" ? ["127.0.0.1", "::1"] : [hostname];
}

async function connectOnce(hostname: string, options: ConnectOptions, signal: AbortSignal): Promise<Socket> {
  const { port, caCerts = [], insecure = false, plaintext = false, serverName = options.hostname } = options;
  if (insecure && !plaintext) {
    const { connectInsecure } = await import("./insecure_socket.ts");
    return await connectInsecure({ hostname, port, serverName, signal });
  }
  const tcp = await Deno.connect({ hostname, port, signal });
  if (signal.aborted) {
    tcp.close();
    throw signal.reason;
  }
  tcp.setNoDelay(true);
  tcp.setKeepAlive(true);
  if (plaintext) return tcp;
  let tls: Deno.TlsConn;
  try {
    tls = await Deno.startTls(tcp, { hostname: serverName, caCerts: [...caCerts] });
  } catch (error) {
    closeQuietly(tcp);
    throw error;
  }
  await handshakeUnless(signal, tls);
  return tls;
}

async function handshakeUnless(signal: AbortSignal, tls: Deno.TlsConn): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  function fail(): void {
    reject(signal.reason);
  }
  signal.addEventListener("abort", fail, { once: true });
  try {
    if (signal.aborted) fail();
    await Promise.race([tls.handshake(), promise]);
  } catch (error) {
    await abort(tls);
    throw error;
  } finally {
    signal.removeEventListener("abort", fail);
  }
}

/** Whether another address of the same name is worth a try. */
function isRefusal(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionRefused || errorCodeOf(error) === "ECONNREFUSED" ||
    errorCodeOf(error) === "ENETUNREACH" || errorCodeOf(error) === "EADDRNOTAVAIL";
}
