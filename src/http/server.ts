/**
 * A server of HTTP/1.1 on one port, beside the clients of a role. It knows no routes: a handler makes the responses.
 *
 * Deno's own server bounds neither its connections nor the time of a request's head, and cannot replace certificates.
 * This one is made of the parts that serve the role's clients (net/listener.ts, net/clients.ts) and has their bounds:
 * a limit of connections and of handshakes, deadlines, and an end in order.
 *
 * @module
 */

import {
  HTTP_ACCEPTS_PER_TURN_COUNT,
  HTTP_CONNECTIONS_MAX_COUNT,
  HTTP_HANDSHAKE_COST_MS,
  HTTP_REQUEST_COST_MS,
  HTTP_SPARE_CONNECTIONS_COUNT,
  HTTP_VIEWERS_MAX_COUNT,
} from "../limits.ts";
import { Clients } from "../net/clients.ts";
import type { Listener } from "../net/listener.ts";
import type { HttpHandler } from "./message.ts";
import { HttpSession } from "./session.ts";
import { OutgoingBytes } from "./outgoing_bytes.ts";
import { TimeShare } from "./time_share.ts";

/** The share of the connections that are served at a time. */
const SERVED_SHARE = HTTP_CONNECTIONS_MAX_COUNT / (HTTP_CONNECTIONS_MAX_COUNT + HTTP_SPARE_CONNECTIONS_COUNT);

/** The share of the served connections that may view event streams. */
const VIEWERS_SHARE = HTTP_VIEWERS_MAX_COUNT / HTTP_CONNECTIONS_MAX_COUNT;

/** The listener and the functions of {@linkcode HttpServer}. */
export interface HttpServerOptions {
  /** The server owns it. */
  readonly listener: Listener;
  /** Returns the response to each request. */
  readonly handle: HttpHandler;
  /** The paths whose requests go before others, such as those that ask whether the role is alive. */
  readonly urgentPaths?: ReadonlySet<string>;
  /**
   * The most connections at a time. Two thirds of them are served. The rest are in a handshake, or are being closed.
   */
  readonly connections?: number;
  /** Logs a warning. */
  readonly warn: (message: string, fields: Record<string, string | number>) => void;
  /** Logs an exception that nothing should throw. */
  readonly reportBug: (error: unknown) => void;
}

/** A server that runs. It accepts connections from the constructor's call until {@linkcode stop}. */
export class HttpServer {
  readonly #listener: Listener;
  readonly #clients: Clients<HttpSession>;
  readonly #timeShare = new TimeShare();
  #ids = 0;

  constructor(options: HttpServerOptions) {
    const { listener, handle, warn, reportBug, urgentPaths = new Set() } = options;
    const { connections = HTTP_CONNECTIONS_MAX_COUNT + HTTP_SPARE_CONNECTIONS_COUNT } = options;
    const maxCount = Math.max(1, Math.floor(connections * SERVED_SHARE));
    const viewersMaxCount = Math.max(1, Math.floor(maxCount * VIEWERS_SHARE));
    const timeShare = this.#timeShare;
    const share = { handle, reportBug, timeShare, urgentPaths, outgoing: new OutgoingBytes(), viewersMaxCount };
    let mayAccept = 0;
    this.#listener = listener;
    this.#clients = new Clients<HttpSession>({
      listener,
      maxCount,
      maxConnections: connections,
      displaces: true,
      pace: () => {
        // In a turn for every few, connections that have left already end before newcomers need their places.
        if (mayAccept === 0) return timeShare.next(true).then(() => void (mayAccept = HTTP_ACCEPTS_PER_TURN_COUNT));
        mayAccept--;
        timeShare.spend(HTTP_REQUEST_COST_MS);
        return undefined;
      },
      open: (socket) => {
        if (listener.tls) timeShare.spend(HTTP_HANDSHAKE_COST_MS);
        return new HttpSession(socket, ++this.#ids, share);
      },
      warn: (message, fields) => warn(`${message} (--metrics)`, fields),
    });
  }

  /** The address listened on, with the real port. */
  get address(): Deno.NetAddr {
    return this.#listener.address;
  }

  /** Whether connections speak TLS. */
  get tls(): boolean {
    return this.#listener.tls;
  }

  /** The connections being served, and those since the start. */
  get connections(): Pick<Clients<HttpSession>, "count" | "accepted" | "rejected" | "handshakeFailures" | "lost"> {
    return this.#clients;
  }

  /**
   * Serves new connections with another certificate; existing connections stay.
   *
   * @throws {StartError} when the certificate cannot be used; then nothing has changed
   */
  replaceCertificate(certificate: { readonly cert: string; readonly key: string }): void {
    this.#clients.replaceCertificate(certificate);
  }

  /** Stops listening, ends event streams, and waits for the responses under way. Safe to call twice. */
  async stop(): Promise<void> {
    const stopped = this.#clients.stop();
    this.#timeShare.close();
    await stopped;
  }
}
