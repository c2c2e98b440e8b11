/**
 * Listening and accepting.
 *
 * Options are set once, on the listening socket: accepted ones inherit them on Linux.
 *
 * A listener has one certificate for good. For another certificate a second one listens on the same address, and the first
 * is closed some seconds later. No connection is lost in between:
 *
 * ```text
 * before     A                         the port is A's alone
 * listen     A B    new connections → B    (SO_REUSEPORT, and a program that tells the system which one)
 * later        B                       A has accepted all that were on their way to it, and is closed
 * ```
 *
 * Closing resets whatever waits to be accepted, hence the pause; and without the program half of the connections would go
 * on to A. SO_REUSEPORT is set on A only when B comes, so that a second program is refused the port, as it always is by
 * one that does not ask for sharing.
 *
 * @module
 */

import { ConnectionError, messageOf, StartError } from "../errors.ts";
import {
  ACCEPT_RETRY_MAX_MS,
  ACCEPT_RETRY_MIN_MS,
  HANDSHAKE_TIMEOUT_MS,
  LOST_IN_A_ROW_MAX_COUNT,
  WRITE_TIMEOUT_MS,
} from "../limits.ts";
import { abort, closeQuietly } from "./abort.ts";
import { connectReason, errorCodeOf, formatPeer, listenReason } from "./socket_errors.ts";
import {
  SO_ACCEPTCONN,
  SO_KEEPALIVE,
  SO_REUSEPORT,
  SystemSockets,
  TCP_NODELAY,
  TCP_USER_TIMEOUT,
} from "./system_socket.ts";

/** Where and how to listen. */
export interface ListenOptions {
  /** An IP address or a name of this machine, without brackets. */
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The certificate chain in PEM. Without `cert` and `key` the listener is plaintext. */
  readonly cert?: string;
  /** The private key in PEM. */
  readonly key?: string;
}

/** Accepts connections on one address. Made by {@linkcode listen} and {@linkcode replaceListener}. */
export class Listener {
  /** The address listened on, with the real port. */
  readonly address: Deno.NetAddr;
  /** Whether connections speak TLS. */
  readonly tls: boolean;
  /** Why the socket options could not be set; `undefined` when they are set. Replies then may take 40 ms more. */
  readonly untuned: string | undefined;
  /** The socket's number in this process; `undefined` when it could not be found. */
  readonly descriptor: number | undefined;
  /** All that listen on the address, in the system's order: of listening, but the last one takes the place of one that leaves. */
  readonly group: Listener[];
  /** How many have listened on the address before. */
  readonly generation: number;
  #listener: Deno.TcpListener | Deno.TlsListener;
  #closed = Promise.withResolvers<void>();
  #isClosed = false;

  /** Use {@linkcode listen}. */
  constructor(listener: Deno.TcpListener | Deno.TlsListener, tls: boolean, group: Listener[] = []) {
    this.#listener = listener;
    this.address = listener.addr;
    this.tls = tls;
    this.group = group;
    this.generation = Math.max(-1, ...group.map(({ generation }) => generation)) + 1;
    const { descriptor, problem } = tune(this.address, group.map(({ descriptor }) => descriptor));
    this.descriptor = descriptor;
    this.untuned = problem;
    group.push(this);
  }

  /** Whether {@linkcode close} was called. */
  get closed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when {@linkcode close} is called. */
  get whenClosed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Waits for a connection. Its handshake is still to do: see {@linkcode handshake}.
   *
   * @throws the system's error; then this connection is lost, and the next accept may succeed
   */
  accept(): Promise<Deno.TcpConn | Deno.TlsConn> {
    return this.#listener.accept();
  }

  /** Accepts no more; connections made stay. Safe to call twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    leaveGroup(this);
    this.#listener.close();
    this.#closed.resolve();
  }
}

/**
 * Listens for TLS, or without a certificate for plaintext.
 *
 * @throws {StartError} when the port is in use, the address is not of this machine, or the certificate is unusable
 */
export function listen(options: ListenOptions): Listener {
  const { hostname, port, cert, key } = options;
  try {
    if (cert === undefined || key === undefined) return new Listener(Deno.listen({ hostname, port }), false);
    return new Listener(Deno.listenTls({ hostname, port, cert, key }), true);
  } catch (error) {
    throw new StartError(`Cannot listen on ${formatPeer(hostname, port)}: ${listenReason(error)}`, { cause: error });
  }
}

/**
 * Listens on the same address with another certificate; see the module's comment. From now on new connections come to the
 * listener returned. `replaced` still accepts those on their way to it, and is to be closed some seconds later.
 *
 * @throws {StartError} when the certificate is unusable, or the system does not let the address be shared; then nothing
 * has changed
 */
export function replaceListener(replaced: Listener, certificate: { cert: string; key: string }): Listener {
  const { address: { hostname, port }, group } = replaced;
  let listener: Listener | undefined;
  try {
    using sockets = SystemSockets.open();
    for (const { descriptor } of group) {
      if (descriptor === undefined || !sockets.setOption(descriptor, SO_REUSEPORT, 1)) {
        throw new Error("the system does not let the address be shared");
      }
    }
    listener = new Listener(Deno.listenTls({ hostname, port, ...certificate, reusePort: true }), true, group);
    const { descriptor } = listener;
    if (descriptor === undefined || !sockets.steerConnections(descriptor, group.length - 1)) {
      throw new Error("the system does not let connections be sent to the new listener");
    }
    return listener;
  } catch (error) {
    listener?.close();
    const where = formatPeer(hostname, port);
    throw new StartError(`Cannot listen on ${where} with another certificate: ${listenReason(error)}`, {
      cause: error,
    });
  }
}

/** Has the system forget a listener that closes, and send new connections to the newest that is left. */
function leaveGroup(leaving: Listener): void {
  const { group, descriptor } = leaving;
  const place = group.indexOf(leaving);
  const last = group.pop()!;
  if (place < group.length) group[place] = last;
  if (group.length === 0 || descriptor === undefined) return;
  const newest = group.reduce((newer, each) => each.generation > newer.generation ? each : newer);
  try {
    using sockets = SystemSockets.open();
    // The runtime closes it in a later turn; the order of those that are left shall be known now.
    sockets.shutDown(descriptor);
    if (newest.descriptor !== undefined) sockets.steerConnections(newest.descriptor, group.indexOf(newest));
  } catch {
    // Without the C library there is never a second one.
  }
}

/** Sets the options that accepted sockets inherit; tells why not when it cannot. */
function tune(
  local: Deno.NetAddr,
  others: readonly (number | undefined)[],
): { descriptor?: number; problem?: string } {
  const where = formatPeer(local.hostname, local.port);
  try {
    using sockets = SystemSockets.open();
    // Connections that others have accepted have the same address.
    const descriptor = sockets.find([{ local }]).find((each) => {
      return !others.includes(each) && sockets.getOption(each, SO_ACCEPTCONN) === 1;
    });
    if (descriptor === undefined) return { problem: `Cannot find the descriptor of ${where}` };
    const done = sockets.setOption(descriptor, TCP_NODELAY, 1) &&
      sockets.setOption(descriptor, SO_KEEPALIVE, 1) &&
      sockets.setOption(descriptor, TCP_USER_TIMEOUT, WRITE_TIMEOUT_MS);
    return done ? { descriptor } : { descriptor, problem: `Cannot set the options of ${where}: the system refused` };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/** What {@linkcode acceptLoop} tells its caller. */
export interface AcceptHandlers {
  /** Takes over one connection, whose handshake is still to do. It may run as long as the connection does. */
  onConnection(socket: Deno.TcpConn | Deno.TlsConn): Promise<void> | void;
  /** Returns a promise when the next connection has to wait until it resolves. */
  whenRoom?(): Promise<void> | undefined;
  /** One accept failed, or `onConnection` did. The loop goes on, after `delayMs`. */
  onError(error: unknown, delayMs: number): void;
  /** A peer was gone before it was accepted. The next one is accepted at once. */
  onLost?(): void;
}

/** What the system says when it has nothing left to accept with; Deno has no class for any of them. */
const EXHAUSTED_CODES: readonly unknown[] = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"];

/** Whether accepting again at once would fail in the same way. */
function isExhausted(error: unknown): boolean {
  return EXHAUSTED_CODES.includes(errorCodeOf(error)) ||
    /too many open files|no buffer space|cannot allocate memory/i.test(messageOf(error));
}

/**
 * Accepts connections until the listener is closed.
 *
 * An accept that fails since nothing is left to accept with (a descriptor, memory) is repeated after a growing pause. Any other
 * failure is of one connection alone, such as a peer that has reset it before, and must not hold up those queued after it:
 * the next one is accepted at once.
 *
 * @returns when the listener has been closed; never rejects
 */
export async function acceptLoop(listener: Listener, handlers: AcceptHandlers): Promise<void> {
  let delayMs = ACCEPT_RETRY_MIN_MS;
  let lost = 0;
  while (!listener.closed) {
    const room = handlers.whenRoom?.();
    if (room !== undefined) {
      await Promise.race([room, listener.whenClosed]);
      continue;
    }
    let socket: Deno.TcpConn | Deno.TlsConn;
    try {
      socket = await listener.accept();
    } catch (error) {
      if (listener.closed) return;
      if (!isExhausted(error)) {
        handlers.onLost?.();
        // A turn of the event loop, should there be a failure that stays.
        if (++lost % LOST_IN_A_ROW_MAX_COUNT === 0) await pauseUnlessClosed(listener, ACCEPT_RETRY_MIN_MS);
        continue;
      }
      handlers.onError(error, delayMs);
      await pauseUnlessClosed(listener, delayMs);
      delayMs = Math.min(delayMs * 2, ACCEPT_RETRY_MAX_MS);
      continue;
    }
    delayMs = ACCEPT_RETRY_MIN_MS;
    lost = 0;
    serve(socket, handlers);
  }
}

/** Runs one connection's handler; what it throws is reported, and costs only that connection. */
async function serve(socket: Deno.TcpConn | Deno.TlsConn, handlers: AcceptHandlers): Promise<void> {
  try {
    await handlers.onConnection(socket);
  } catch (error) {
    closeQuietly(socket);
    handlers.onError(error, 0);
  }
}

async function pauseUnlessClosed(listener: Listener, delayMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs);
  await Promise.race([promise, listener.whenClosed]);
  clearTimeout(timer);
}

/**
 * Finishes the TLS handshake of an accepted connection; a plaintext one has none. On failure the connection is closed
 * and its descriptor freed.
 *
 * @param timeoutMs how long the peer has
 * @throws {ConnectionError} with the peer's address, when it is too slow, does not speak TLS or has left
 */
export async function handshake(socket: Deno.TcpConn | Deno.TlsConn, timeoutMs = HANDSHAKE_TIMEOUT_MS): Promise<void> {
  if (!("handshake" in socket)) return;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Deno.errors.TimedOut(`no handshake within ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    await Promise.race([socket.handshake(), late.promise]);
  } catch (error) {
    const { hostname, port } = socket.remoteAddr;
    await abort(socket);
    const peer = formatPeer(hostname, port);
    const reason = connectReason(error, hostname);
    throw new ConnectionError(peer, `Cannot finish the TLS handshake with ${peer}: ${reason}`, false, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
