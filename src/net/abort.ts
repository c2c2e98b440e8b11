/**
 * Giving a connection up, whatever state it is in.
 *
 * `close()` leaves the descriptor of a TLS connection open while a handshake or a write waits for the peer, until the
 * peer leaves. So what was closed is looked for a little later, and shut down if it is still there.
 *
 * @module
 */

import { ABORT_DELAY_MS } from "../limits.ts";
import type { Socket } from "./socket.ts";
import { type SocketAddresses, SystemSockets } from "./system_socket.ts";

/** What it takes to give a connection up. */
export type Abortable = Pick<Socket, "close" | "localAddr" | "remoteAddr">;

/** Connections given up whose descriptors are still to be freed, and who waits for that. */
let aborted: { addresses: SocketAddresses; done: () => void }[] = [];

/**
 * Closes a connection whatever state it is in. `close()` alone leaves the descriptor open while a handshake or a write
 * waits for the peer.
 *
 * @returns when the descriptor has been dealt with, which is done for several connections together
 */
export function abort(socket: Abortable): Promise<void> {
  closeQuietly(socket);
  return freeDescriptor(socket);
}

/** As {@linkcode abort}, of a connection that is closed: closing it again takes 30 µs, since that throws. */
export function freeDescriptor({ localAddr, remoteAddr }: Omit<Abortable, "close">): Promise<void> {
  const addresses = { local: localAddr, remote: remoteAddr };
  if (aborted.length === 0) setTimeout(shutDownAborted, ABORT_DELAY_MS);
  const { promise, resolve } = Promise.withResolvers<void>();
  aborted.push({ addresses, done: resolve });
  return promise;
}

/** Shuts down what is left of all aborted connections. Most are freed by `close` and are not found any more. */
function shutDownAborted(): void {
  const batch = aborted;
  aborted = [];
  try {
    using sockets = SystemSockets.open();
    for (const descriptor of sockets.find(batch.map((entry) => entry.addresses))) sockets.shutDown(descriptor);
  } catch {
    // Without the C library such a descriptor is freed when the peer leaves; the listener has told of it at start.
  }
  for (const { done } of batch) done();
}

/** Closes a connection that may be closed already. */
export function closeQuietly(socket: Pick<Socket, "close">): void {
  try {
    socket.close();
  } catch {
    // It was closed before.
  }
}
