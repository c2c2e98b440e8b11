/**
 * Listens, accepts connections, and replaces certificates without losing a connection.
 *
 * Socket options are set once, on the listening socket. Accepted sockets inherit them.
 *
 * A listener cannot change its certificate. For another certificate a second listener listens on the same address, and
 * the first is closed some seconds later:
 *
 * ```text
 * before     A                             only A has the port
 * listen     A B    new connections → B    (SO_REUSEPORT, and a BPF program that chooses the socket)
 * later        B                           A has accepted all connections on their way to it, and is closed
 * ```
 *
 * Closing a listener resets the connections that wait to be accepted, hence the delay. Without the BPF program half of
 * the new connections would still go to A. SO_REUSEPORT is set on A only when B is created, so that until then the
 * system refuses the port to any other program.
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
import { PLATFORM, type Platform } from "../operating_system.ts";
import { abort, closeQuietly } from "./abort.ts";
import { connectReason, errorCodeOf, formatPeer, listenReason } from "./socket_errors.ts";
import { SystemSockets } from "./system_socket.ts";

/** The address to listen on, and the certificate. */
export interface ListenOptions {
  /** An IP address or a name of this machine, without brackets. */
  readonly hostname: string;
  /** The port to listen on; 0 lets the system choose. */
  readonly port: number;
  /** The certificate chain in PEM. Without `cert` and `key` the listener is plaintext. */
  readonly cert?: string;
  /** The private key in PEM. */
  readonly key?: string;
}

/** Accepts connections on one address. {@linkcode listen} and {@linkcode replaceListener} make it. */
export class Listener {
  /** The address listened on, with the real port. */
  readonly address: Deno.NetAddr;
  /** Whether connections speak TLS. */
  readonly tls: boolean;
  /**
   * The reason why the socket options could not be set, so that replies may take 40 ms more; `undefined` when they are
   * set.
   */
  readonly untuned: string | undefined;
  /** The socket's descriptor; `undefined` when it could not be found. */
  readonly descriptor: number | undefined;
  /**
   * All listeners on the address, in the order of the system: a new one is the last, and when one is closed, the last
   * one takes its place.
   */
  readonly group: Listener[];
  /** The number of listeners on the address before this one. */
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

  /** A promise that resolves when {@linkcode close} is called. */
  get whenClosed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Waits for a connection. The caller finishes its TLS handshake with {@linkcode handshake}.
   *
   * @throws the system's error; then this connection is lost, and the next call may succeed
   */
  accept(): Promise<Deno.TcpConn | Deno.TlsConn> {
    return this.#listener.accept();
  }

  /** Stops accepting. Accepted connections stay open. Safe to call twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    leaveGroup(this);
    this.#listener.close();
    this.#closed.resolve();
  }
}

/**
 * Listens for TLS connections, or for plaintext ones without a certificate.
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
 * Listens on the same address with another certificate. From then on the system sends new connections to the returned
 * listener. `replaced` still accepts the connections on their way to it; the caller closes it some seconds later.
 *
 * @throws {StartError} when the certificate is unusable, or the system refuses to share the address; then nothing has
 * changed
 */
export function replaceListener(
  replaced: Listener,
  certificate: { cert: string; key: string },
  platform: Platform = PLATFORM,
): Listener {
  const { address: { hostname, port }, group } = replaced;
  let listener: Listener | undefined;
  try {
    if (!platform.has("certificateChange")) {
      throw new Error(`a restart is necessary, since ${platform.title} cannot send connections to another listener`);
    }
    using sockets = SystemSockets.open();
    for (const { descriptor } of group) {
      if (descriptor === undefined || !sockets.setOption(descriptor, "SO_REUSEPORT", 1)) {
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

/** Removes a listener that closes from its group, and makes the system send new connections to the newest one left. */
function leaveGroup(leaving: Listener): void {
  const { group, descriptor } = leaving;
  const place = group.indexOf(leaving);
  const last = group.pop()!;
  if (place < group.length) group[place] = last;
  if (group.length === 0 || descriptor === undefined) return;
  const newest = group.reduce((newer, each) => each.generation > newer.generation ? each : newer);
  try {
    using sockets = SystemSockets.open();
    // The runtime closes the socket in a later turn, but the system's order of the others has to change now.
    sockets.shutDown(descriptor);
    if (newest.descriptor !== undefined) sockets.steerConnections(newest.descriptor, group.indexOf(newest));
  } catch {
    // Without the C library there is never a second listener.
  }
}

/**
 * Sets the options that accepted sockets inherit. Returns the listening socket's descriptor, or what the problem is;
 * neither on a system without socket options, which the role reports.
 */
function tune(
  local: Deno.NetAddr,
  others: readonly (number | undefined)[],
  platform: Platform = PLATFORM,
): { descriptor?: number; problem?: string } {
  if (!platform.has("socketOptions")) return {};
  const where = formatPeer(local.hostname, local.port);
  try {
    using sockets = SystemSockets.open();
    // Accepted connections have the same local address.
    const descriptor = sockets.find([{ local }]).find((each) => {
      return !others.includes(each) && sockets.getOption(each, "SO_ACCEPTCONN") === 1;
    });
    if (descriptor === undefined) return { problem: `Cannot find the descriptor of ${where}` };
    const done = sockets.setOption(descriptor, "TCP_NODELAY", 1) &&
      sockets.setOption(descriptor, "SO_KEEPALIVE", 1) &&
      (!platform.has("userTimeout") || sockets.setOption(descriptor, "TCP_USER_TIMEOUT", WRITE_TIMEOUT_MS));
    return done ? { descriptor } : { descriptor, problem: `Cannot set the options of ${where}: the system refused` };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/** The functions that {@linkcode acceptLoop} calls. */
export interface AcceptHandlers {
  /** Serves a connection, whose TLS handshake is not done yet. Its promise may settle when the connection ends. */
  onConnection(socket: Deno.TcpConn | Deno.TlsConn): Promise<void> | void;
  /**
   * Returns a promise that resolves when the next connection may be accepted; `undefined` when it may be accepted now.
   */
  whenRoom?(): Promise<void> | undefined;
  /** Handles the failure of an accept or of `onConnection`. The loop continues after `delayMs`. */
  onError(error: unknown, delayMs: number): void;
  /** Handles a peer that left before it was accepted. The next one is accepted immediately. */
  onLost?(): void;
}

/** The system's error codes for lack of descriptors or memory. Deno has no error class for them. */
const EXHAUSTED_CODES: readonly unknown[] = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"];

/** Returns whether the system lacks descriptors or memory, so that an immediate retry would fail in the same way. */
function isExhausted(error: unknown): boolean {
  return EXHAUSTED_CODES.includes(errorCodeOf(error)) ||
    /too many open files|no buffer space|cannot allocate memory/i.test(messageOf(error));
}

/**
 * Accepts connections until the listener is closed.
 *
 * After an accept that failed for lack of descriptors or memory, the loop pauses, each time longer. Any other failure
 * concerns one connection only, such as one that its peer has reset. It must not delay the connections queued after it,
 * so the next one is accepted immediately.
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
        // If the failure is permanent, the pause lets the event loop run.
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

/** Runs the handler of one connection. An exception closes that connection only, and is reported. */
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
 * @param timeoutMs the longest time that the handshake may take
 * @throws {ConnectionError} with the peer's address, when it is too slow, does not speak TLS or has left
 */
export async function handshake(socket: Deno.TcpConn | Deno.TlsConn, timeoutMs = HANDSHAKE_TIMEOUT_MS): Promise<void> {
  try {
    await finishHandshake(socket, timeoutMs);
  } catch (error) {
    const { hostname, port } = socket.remoteAddr;
    await abort(socket);
    const peer = formatPeer(hostname, port);
    const reason = connectReason(error, hostname);
    throw new ConnectionError(peer, `Cannot finish the TLS handshake with ${peer}: ${reason}`, false, { cause: error });
  }
}

/**
 * Does what {@linkcode handshake} does, but leaves it to the caller to abort a connection whose handshake fails.
 *
 * @throws the error of the system or of TLS
 */
export async function finishHandshake(
  socket: Deno.TcpConn | Deno.TlsConn,
  timeoutMs = HANDSHAKE_TIMEOUT_MS,
): Promise<void> {
  if (!("handshake" in socket)) return;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Deno.errors.TimedOut(`no handshake within ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    await Promise.race([socket.handshake(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
