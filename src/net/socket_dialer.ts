/**
 * What the connector and its two ways to connect have in common: the options of a connection, and what a dialer makes.
 *
 * @module
 */

import type { Dialer } from "./happy_eyeballs.ts";
import type { Socket } from "./socket.ts";

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

/** Makes TCP connections, and sockets of them. */
export interface SocketDialer<T> extends Dialer<T> {
  /** Finishes the TLS handshake, if there is to be one. Gives the connection up when that fails. */
  secure(connection: T, signal: AbortSignal): Promise<Socket>;
}
