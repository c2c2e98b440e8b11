/**
 * Listening and accepting.
 *
 * Options are set once, on the listening socket: accepted ones inherit them on Linux.
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
import { SO_KEEPALIVE, SystemSockets, TCP_NODELAY, TCP_USER_TIMEOUT } from "./system_socket.ts";

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
  /**
   * Allows another listener to be opened on the same address later, which then `replaces` this one. A port that another
   * process uses is still refused.
   */
  readonly reusePort?: boolean;
  /** The listener that this one takes over from; close it afterwards. Both need `reusePort`. */
  readonly replaces?: Listener;
}

/** Accepts connections on one address. Made by {@linkcode listen}. */
export class Listener {
  /** The address listened on, with the real port. */
  readonly address: Deno.NetAddr;
  /** Whether connections speak TLS. */
  readonly tls: boolean;
  /** Why the socket options could not be set; `undefined` when they are set. Replies then may take 40 ms more. */
  readonly untuned: string | undefined;
  #listener: Deno.TcpListener | Deno.TlsListener;
  #closed = Promise.withResolvers<void>();
  #isClosed = false;

  /** Use {@linkcode listen}. */
  constructor(listener: Deno.TcpListener | Deno.TlsListener, tls: boolean) {
    this.#listener = listener;
    this.address = listener.addr;
    this.tls = tls;
    this.untuned = tune(this.address);
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
  const { hostname, port, cert, key, reusePort = false } = options;
  try {
    // Sharing a port hides that another process has it, so that is tried without sharing first.
    if (reusePort && port !== 0 && options.replaces === undefined) Deno.listen({ hostname, port }).close();
    if (cert === undefined || key === undefined) {
      return new Listener(Deno.listen({ hostname, port, reusePort }), false);
    }
    return new Listener(Deno.listenTls({ hostname, port, cert, key, reusePort }), true);
  } catch (error) {
    throw new StartError(`Cannot listen on ${formatPeer(hostname, port)}: ${listenReason(error)}`, { cause: error });
  }
}

/** Sets the options that accepted sockets inherit; tells why not when it cannot. */
function tune(local: Deno.NetAddr): string | undefined {
  try {
    using sockets = SystemSockets.open();
    const descriptors = sockets.find([{ local }]);
    if (descriptors.length === 0) return `Cannot find the descriptor of ${formatPeer(local.hostname, local.port)}`;
    for (const descriptor of descriptors) {
      const done = sockets.setOption(descriptor, TCP_NODELAY, 1) &&
        sockets.setOption(descriptor, SO_KEEPALIVE, 1) &&
        sockets.setOption(descriptor, TCP_USER_TIMEOUT, WRITE_TIMEOUT_MS);
      if (!done) return `Cannot set the options of ${formatPeer(local.hostname, local.port)}: the system refused`;
    }
    return undefined;
  } catch (error) {
    return messageOf(error);
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
