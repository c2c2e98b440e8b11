/**
 * Makes TLS connections that accept any certificate, for `--insecure`.
 *
 * Deno's own API always verifies the chain, and its switch to skip that holds for the whole process. `node:tls` in Deno
 * can skip it for one connection. This module wraps such a stream as a {@linkcode Socket}. It is loaded only when an
 * insecure connection is made.
 *
 * @module
 */

import { connect as connectTcp, isIP, type Socket as NodeSocket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { abort } from "./abort.ts";
import type { Socket } from "./socket.ts";
import type { ConnectOptions, SocketDialer } from "./socket_dialer.ts";

/** Makes connections whose peers may show any certificate. */
export class InsecureDialer implements SocketDialer<NodeSocket> {
  readonly #options: ConnectOptions;

  constructor(options: ConnectOptions) {
    this.#options = options;
  }

  async dial(address: string, signal: AbortSignal): Promise<NodeSocket> {
    const tcp = connectTcp({ host: address, port: this.#options.port });
    // A stream that has begun to read cannot become TLS.
    tcp.pause();
    await settled(tcp, "connect", signal);
    return tcp;
  }

  hangUp(tcp: NodeSocket): void {
    tcp.destroy();
  }

  /** Finishes a TLS handshake without looking at the peer's certificate. */
  async secure(tcp: NodeSocket, signal: AbortSignal): Promise<Socket> {
    tcp.setNoDelay(true);
    tcp.setKeepAlive(true);
    const { hostname, serverName = hostname } = this.#options;
    // An address must not be a server name (RFC 6066). As `host` it is not sent; with neither, "localhost" would be.
    const name = isIP(serverName) === 0 ? { servername: serverName } : { host: serverName };
    const addresses = addressesOf(tcp);
    const tls = connectTls({ socket: tcp, ...name, rejectUnauthorized: false });
    try {
      await settled(tls, "secureConnect", signal);
      // The event comes after a failed handshake too; only a finished one has shown a certificate.
      if (tls.getPeerCertificate() === null) throw new Error("the peer does not speak TLS");
    } catch (error) {
      await abort({ ...addresses, close: () => tls.destroy() });
      throw error;
    }
    return new StreamSocket(tls, addresses);
  }
}

/** Returns a promise that resolves at `event`. At an error or an abort it rejects, and the stream is destroyed. */
function settled(stream: NodeSocket, event: "connect" | "secureConnect", signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  function fail(error: unknown): void {
    stream.destroy();
    reject(error);
  }
  function abort(): void {
    fail(signal.reason);
  }
  stream.once(event, resolve);
  // The listener stays attached: an error event without a listener ends the process.
  stream.on("error", fail);
  stream.once("close", () => fail(new Error("the peer closed the connection")));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  return promise.finally(() => signal.removeEventListener("abort", abort));
}

interface Addresses {
  localAddr: Deno.NetAddr;
  remoteAddr: Deno.NetAddr;
}

function addressesOf(stream: NodeSocket): Addresses {
  return {
    localAddr: { transport: "tcp", hostname: stream.localAddress ?? "", port: stream.localPort ?? 0 },
    remoteAddr: { transport: "tcp", hostname: stream.remoteAddress ?? "", port: stream.remotePort ?? 0 },
  };
}

/** A Node stream as a socket. It buffers at most one chunk: the stream is paused until the chunk is read. */
class StreamSocket implements Socket {
  readonly localAddr: Deno.NetAddr;
  readonly remoteAddr: Deno.NetAddr;
  #stream: TLSSocket;
  #chunks: Uint8Array[] = [];
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: TLSSocket, addresses: Addresses) {
    this.#stream = stream;
    this.localAddr = addresses.localAddr;
    this.remoteAddr = addresses.remoteAddr;
    stream.pause();
    stream.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      stream.pause();
      this.#wake?.();
    });
    stream.on("end", () => this.#finish());
    stream.on("close", () => this.#finish());
    stream.on("error", (error: Error) => {
      this.#error ??= error;
      this.#finish();
    });
  }

  #finish(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async read(target: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return null;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#stream.resume();
      await promise;
      this.#wake = undefined;
    }
    const chunk = this.#chunks[0] ?? new Uint8Array();
    const count = Math.min(chunk.length, target.length);
    target.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    return count;
  }

  write(source: Uint8Array): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    if (this.#error !== undefined || this.#ended) {
      reject(this.#error ?? new Deno.errors.BrokenPipe("the connection is closed"));
    } else {
      this.#stream.write(source, (error) => error ? reject(error) : resolve(source.length));
    }
    return promise;
  }

  close(): void {
    this.#stream.destroy();
    this.#finish();
  }
}
