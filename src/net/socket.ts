/**
 * The sockets of the roles, which add to Deno's what it lacks.
 *
 * - Every listener has a hostname, sends without Nagle's delay, and closes connections whose peers are gone or read
 *   nothing.
 * - An accepted or outgoing connection is usable only after its TLS handshake, which has a deadline.
 * - An aborted connection frees its descriptor, even while its handshake or a write waits for the peer.
 * - Accepting continues after one connection has failed.
 *
 * @module
 */

/** A stream of bytes in both directions. `Deno.TcpConn` and `Deno.TlsConn` implement it. */
export interface Socket {
  /** Reads at most `target.length` bytes, and `null` at the end. `target` is borrowed until the promise settles. */
  read(target: Uint8Array): Promise<number | null>;
  /** Writes a part of `source`, at least one byte. `source` is borrowed until the promise settles. */
  write(source: Uint8Array): Promise<number>;
  /** Closes the connection. Throws `BadResource` when it is closed already. */
  close(): void;
  readonly localAddr: Deno.NetAddr;
  readonly remoteAddr: Deno.NetAddr;
}

/** A socket whose peer a session serves. Besides Deno's, `memory_socket.ts` has one. */
export interface ServedSocket extends Socket {
  /** Ends this side of the connection in order: the peer reads `null` after the last byte. */
  closeWrite(): Promise<void>;
}

/**
 * Writes all of `bytes`, since one write may take only a part.
 *
 * @param bytes borrowed until the promise resolves
 */
export async function writeAll(socket: Pick<Socket, "write">, bytes: Uint8Array): Promise<void> {
  let start = 0;
  while (start < bytes.length) start += await socket.write(start === 0 ? bytes : bytes.subarray(start));
}
