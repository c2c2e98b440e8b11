/**
 * Makes outgoing connections.
 *
 * ```text
 * name ──► lookup ──► addresses ──► TCP to one of them ──► TLS, with the name ──► socket
 *                         ▲            (happy_eyeballs.ts)    │
 *                         └──── the handshake has failed ◄────┘
 * ```
 *
 * One deadline covers all steps. A lookup cannot be cancelled, so the connector stops waiting for it at the deadline.
 *
 * After a TLS handshake fails for any reason, the next address is tried: a port that is forwarded to a dead machine, or
 * a machine that another program has taken over, must not hide a server that works. Each address has to show a
 * certificate for the name. While other addresses are left, one handshake may take half of the remaining time.
 *
 * `Deno.connectTls` takes no signal, resolves before the handshake, and its connection cannot switch Nagle's algorithm
 * off. So a TCP connection is made first, and TLS is started on it.
 *
 * A program with permission for some names only, such as `--allow-net=cache.example`, cannot connect to their
 * addresses. Then the runtime looks the name up, and tries its first address only.
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
 * Connects to a server: looks its name up, connects and finishes the TLS handshake, all within one deadline. The
 * connection has no Nagle delay, and has keep-alive.
 *
 * @returns a socket whose handshake is done; the caller closes it
 * @throws {ConnectionError} with the address and a readable reason
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
  // Every system has these two addresses for that name, but not every /etc/hosts lists both.
  if (name === "localhost" || name === "localhost.") race.addKnown(["127.0.0.1", "::1"]);
  else if (isIpAddress(name) || !mayConnectAnywhere()) race.addKnown([name]);
  else race.addLookup(systemLookups.find(name));
}

function mayConnectAnywhere(): boolean {
  return Deno.permissions.querySync({ name: "net" }).state === "granted";
}

/** Finishes the TLS handshake in time. `endsMs` is the deadline of all addresses; Infinity when no other is left. */
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

/** Returns the most useful error: preferably one that does not mean that the server is gone, or another program. */
function causeOf(failures: readonly AddressFailure[], lookupProblem: string): unknown {
  const all = failures.map(({ error }) => error);
  if (lookupProblem !== "") return new Error(lookupProblem);
  if (all.length === 0) return new Error(NO_ADDRESS);
  // That this machine has no IPv6 does not matter when the name has other addresses.
  const errors = all.some((error) => !lacksAddress(error)) ? all.filter((error) => !lacksAddress(error)) : all;
  return errors.find((error) => !showsUnreachable(error) && !showsStranger(error)) ?? errors.at(-1);
}

const NO_ADDRESS = "that name has no address";

/** Returns the reason why there is no connection, with each address that was tried. */
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

/** Makes connections with Deno's own sockets. */
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
