/**
 * Outgoing connections.
 *
 * ```text
 * name ──► lookup ──► addresses ──► TCP to one of them ──► TLS, with the name ──► socket
 *                         ▲            (happy_eyeballs.ts)    │
 *                         └──── the handshake has failed ◄────┘
 * ```
 *
 * All of it has one deadline, which holds whatever the system does: a lookup, which cannot be cancelled, is left alone when
 * the time is over.
 *
 * A TLS handshake that fails, for whatever reason, lets the next address be tried: a port that is forwarded to nowhere, or a
 * machine that was taken over by somebody else, must not hide a server that works. Each address has to show a certificate for
 * the name. While there are other addresses, one handshake may take half of the time that is left.
 *
 * `Deno.connectTls` takes no signal, resolves before the handshake, and its result cannot switch Nagle's algorithm off;
 * so a TCP connection is made first, and becomes TLS afterwards.
 *
 * A program that may connect to some names only, as the library's user may have decided (`--allow-net=cache.example`), cannot
 * connect to their addresses: there the runtime looks the name up, and tries its first address only.
 *
 * @module
 */

import { isIpAddress } from "../address.ts";
import { ConnectionError } from "../errors.ts";
import { ADDRESSES_LISTED_MAX_COUNT, CONNECT_TIMEOUT_MS } from "../limits.ts";
import { abort, closeQuietly } from "./abort.ts";
import { type AddressFailure, AddressRace } from "./happy_eyeballs.ts";
import { systemLookups } from "./name_lookup.ts";
import type { Socket } from "./socket.ts";
import type { ConnectOptions, SocketDialer } from "./socket_dialer.ts";
import { connectReason, formatPeer, lacksAddress, showsStranger, showsUnreachable } from "./socket_errors.ts";

/**
 * Connects: name lookup, TCP and TLS handshake under one deadline, without Nagle's delay, with keep-alive.
 *
 * @returns a socket whose handshake is done; the caller closes it
 * @throws {ConnectionError} with the address and a reason for people
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect } from "./connector.ts";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const { port } = listener.addr;
 * const socket = await connect({ hostname: "127.0.0.1", port, plaintext: true });
 * using peer = await listener.accept();
 * assertEquals(socket.localAddr, peer.remoteAddr);
 * socket.close();
 * ```
 */
export async function connect(options: ConnectOptions): Promise<Socket> {
  const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
  const endsMs = performance.now() + timeoutMs;
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new Deno.errors.TimedOut(`no answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const signal = options.signal === undefined ? deadline.signal : AbortSignal.any([deadline.signal, options.signal]);
  try {
    // Loaded only when asked for.
    if (!options.insecure || options.plaintext) {
      return await connectWith(new SystemDialer(options), options, signal, endsMs);
    }
    const { InsecureDialer } = await import("./insecure_socket.ts");
    return await connectWith(new InsecureDialer(options), options, signal, endsMs);
  } finally {
    clearTimeout(timer);
  }
}

async function connectWith<T>(
  dialer: SocketDialer<T>,
  options: ConnectOptions,
  signal: AbortSignal,
  endsMs: number,
): Promise<Socket> {
  const race = new AddressRace(dialer, signal);
  try {
    addAddresses(race, options.hostname);
    for (;;) {
      const winner = await race.next();
      if (winner === undefined) throw causeOf(race.failures, race.lookupProblem);
      try {
        return await secureInTime(dialer, winner.connection, signal, race.hasMore ? endsMs : Infinity);
      } catch (error) {
        if (signal.aborted) throw error;
        race.failed(winner.address, error);
      }
    }
  } catch (error) {
    const peer = formatPeer(options.hostname, options.port);
    const cause = signal.aborted ? signal.reason : error;
    const reason = explain(options, cause, signal.aborted, race);
    throw new ConnectionError(peer, `Cannot connect to ${peer}: ${reason}`, false, { cause });
  }
}

function addAddresses<T>(race: AddressRace<T>, hostname: string): void {
  const name = hostname.toLowerCase();
  // Every system has these two for that name, and not all have both in their files.
  if (name === "localhost" || name === "localhost.") race.addKnown(["127.0.0.1", "::1"]);
  else if (isIpAddress(name) || !mayConnectAnywhere()) race.addKnown([name]);
  else race.addLookup(systemLookups.find(name));
}

function mayConnectAnywhere(): boolean {
  return Deno.permissions.querySync({ name: "net" }).state === "granted";
}

/** Secures a connection; `endsMs` is when the time is over for all addresses, if there are others. */
async function secureInTime<T>(
  dialer: SocketDialer<T>,
  connection: T,
  signal: AbortSignal,
  endsMs: number,
): Promise<Socket> {
  if (endsMs === Infinity) return await dialer.secure(connection, signal);
  const share = new AbortController();
  const shareMs = Math.max(1, Math.ceil((endsMs - performance.now()) / 2));
  const reason = new Deno.errors.TimedOut(`no TLS handshake within ${shareMs} ms`);
  const timer = setTimeout(() => share.abort(reason), shareMs);
  try {
    return await dialer.secure(connection, AbortSignal.any([signal, share.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/** The error that tells most of a server: one that does not say that it is gone, if there is one. */
function causeOf(failures: readonly AddressFailure[], lookupProblem: string): unknown {
  const all = failures.map(({ error }) => error);
  if (lookupProblem !== "") return new Error(lookupProblem);
  if (all.length === 0) return new Error(NO_ADDRESS);
  // That this machine has no IPv6 says nothing, if the name has other addresses.
  const errors = all.some((error) => !lacksAddress(error)) ? all.filter((error) => !lacksAddress(error)) : all;
  return errors.find((error) => !showsUnreachable(error) && !showsStranger(error)) ?? errors.at(-1);
}

const NO_ADDRESS = "that name has no address";

/** Why there is no connection, with each address that was tried. */
function explain<T>(options: ConnectOptions, cause: unknown, isAborted: boolean, race: AddressRace<T>): string {
  const { failures, lookupProblem, isLookingUp } = race;
  const host = options.serverName ?? options.hostname;
  const reasonOf = (error: unknown) => connectReason(error, host);
  const parts = failures.slice(0, ADDRESSES_LISTED_MAX_COUNT).map(({ address, error }) => {
    return address === options.hostname ? reasonOf(error) : `${address}: ${reasonOf(error)}`;
  });
  if (failures.length > parts.length) parts.push(`and ${failures.length - parts.length} more addresses`);
  if (lookupProblem !== "") parts.push(lookupProblem);
  if (isAborted) {
    parts.unshift(reasonOf(cause));
    if (isLookingUp) parts.push("the lookup of its name has not ended");
  }
  return parts.length === 0 ? reasonOf(cause) : parts.join("; ");
}

/** Connections of Deno's own. */
class SystemDialer implements SocketDialer<Deno.TcpConn> {
  readonly #options: ConnectOptions;

  constructor(options: ConnectOptions) {
    this.#options = options;
  }

  dial(address: string, signal: AbortSignal): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: address, port: this.#options.port, signal });
  }

  hangUp(tcp: Deno.TcpConn): void {
    closeQuietly(tcp);
  }

  async secure(tcp: Deno.TcpConn, signal: AbortSignal): Promise<Socket> {
    const { hostname, caCerts = [], plaintext = false, serverName = hostname } = this.#options;
    let tls: Deno.TlsConn;
    try {
      tcp.setNoDelay(true);
      tcp.setKeepAlive(true);
      if (plaintext) return tcp;
      tls = await Deno.startTls(tcp, { hostname: serverName, caCerts: [...caCerts] });
    } catch (error) {
      closeQuietly(tcp);
      throw error;
    }
    await handshakeUnless(signal, tls);
    return tls;
  }
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
