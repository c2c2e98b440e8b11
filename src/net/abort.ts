/**
 * Closes a connection in any state, and frees its descriptor.
 *
 * While a handshake or a write waits for the peer, `close()` leaves the descriptor of a TLS connection open until the
 * peer leaves. So a closed connection is looked up a little later, and shut down if its descriptor is still open.
 *
 * @module
 */

import { ABORT_DELAY_MS } from "../limits.ts";
import type { Socket } from "./socket.ts";
import { type SocketAddresses, SystemSockets } from "./system_socket.ts";

/** The part of a socket that is needed to abort its connection. */
export type Abortable = Pick<Socket, "close" | "localAddr" | "remoteAddr">;

/** The aborted connections whose descriptors are not freed yet; `done` resolves the caller's promise. */
let aborted: { addresses: SocketAddresses; done: () => void }[] = [];

/**
 * Closes a connection in any state. `close()` alone leaves the descriptor open while a handshake or a write waits for
 * the peer.
 *
 * @returns a promise that resolves when the descriptor is free; one search frees those of several connections
 */
export function abort(socket: Abortable): Promise<void> {
  closeQuietly(socket);
  return freeDescriptor(socket);
}

/**
 * Does what {@linkcode abort} does for a connection that is closed already: closing it again throws, which takes 30 µs.
 */
export function freeDescriptor({ localAddr, remoteAddr }: Omit<Abortable, "close">): Promise<void> {
  const addresses = { local: localAddr, remote: remoteAddr };
  if (aborted.length === 0) setTimeout(shutDownAborted, ABORT_DELAY_MS);
  const { promise, resolve } = Promise.withResolvers<void>();
  aborted.push({ addresses, done: resolve });
  return promise;
}

/** Shuts down the aborted connections that are still open. `close` has freed most of them, which are not found. */
function shutDownAborted(): void {
  const batch = aborted;
  aborted = [];
  try {
    using sockets = SystemSockets.open();
    for (const descriptor of sockets.find(batch.map((entry) => entry.addresses))) sockets.shutDown(descriptor);
  } catch {
    // Without the C library the descriptor is freed when the peer leaves. The listener has reported that at the start.
  }
  for (const { done } of batch) done();
}

/** Closes a connection that may be closed already, without throwing. */
export function closeQuietly(socket: Pick<Socket, "close">): void {
  try {
    socket.close();
  } catch {
    // It was closed before.
  }
}
