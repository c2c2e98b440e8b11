/**
 * The types that the connector shares with its two dialers: the options of a connection, and the dialer.
 *
 * @module
 */

import type { Dialer } from "./happy_eyeballs.ts";
import type { Socket } from "./socket.ts";

/** The address to connect to, and how to connect. */
export interface ConnectOptions {
  /** An IP address without brackets, or a name. */
  readonly hostname: string;
  readonly port: number;
  /** Certificates in PEM that are trusted in addition to the public roots. */
  readonly caCerts?: readonly string[];
  /** Whether any certificate is accepted. */
  readonly insecure?: boolean;
  /** Whether the connection is without TLS. */
  readonly plaintext?: boolean;
  /** The name that the peer's certificate has to be for; `hostname` by default. */
  readonly serverName?: string;
  /** The longest time for the lookup, the connection and the handshake together, in ms. */
  readonly timeoutMs?: number;
  /** A signal that cancels the attempt. */
  readonly signal?: AbortSignal;
}

/** Makes TCP connections, and turns them into sockets. */
export interface SocketDialer<T> extends Dialer<T> {
  /** Finishes the TLS handshake, unless the connection is plaintext. On failure it closes the connection. */
  secure(connection: T, signal: AbortSignal): Promise<Socket>;
}
