/**
 * Sockets as the roles need them: what Deno offers, plus what it does not do by itself.
 *
 * - Every listener has a hostname, sends without Nagle's delay, and cuts off peers that are gone or take no bytes.
 * - An accepted or outgoing connection is usable only after its TLS handshake, which has a deadline.
 * - A connection that is given up frees its descriptor, even while its handshake or a write is stuck.
 * - Accepting never ends because one connection failed.
 *
 * @module
 */

/** One connection's bytes. `Deno.TcpConn` and `Deno.TlsConn` are such. */
export interface Socket {
  /** Reads what is there, at most `target.length` bytes; `null` at the end. `target` is borrowed until then. */
  read(target: Uint8Array): Promise<number | null>;
  /** Writes a part of `source`, at least one byte. `source` is borrowed until then. */
  write(source: Uint8Array): Promise<number>;
  /** Closes the connection. Throws `BadResource` when it was closed before. */
  close(): void;
  readonly localAddr: Deno.NetAddr;
  readonly remoteAddr: Deno.NetAddr;
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
