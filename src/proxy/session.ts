/**
 * Serves one client's connection to the proxy: takes its requests in batches, and gives them to the router.
 *
 * ```text
 * read once → every whole request in it → router, on the client's link → read …
 * ```
 *
 * The session is entered when something was read and when the connection ends. In between, the router and the servers'
 * replies use the client's link (client/client_link.ts), which writes the replies in the order of the requests. The
 * session knows no protocol: role/request_reader.ts reads them, and the link's dialect has what else differs between
 * them.
 *
 * Reading continues while replies are awaited, so a client may pipeline. How far it gets ahead is bounded
 * (client/backpressure.ts). So a client that does not read its replies, or works with a slow server, costs a bounded
 * amount of memory, and no other client waits for it.
 *
 * Some requests must not overtake those before them, or be overtaken (`hello` changes what replies look like). For them
 * the session waits until the link is *idle*: no request is in flight.
 *
 * @module
 */

import { ProtocolError, ReplyError } from "../errors.ts";
import { BATCH_CLOCK_BYTES, BATCH_CLOCK_COUNT, WRITE_TIMEOUT_MS } from "../limits.ts";
import type { ClientSession } from "../net/clients.ts";
import type { ServedSocket } from "../net/socket.ts";
import { FOREIGN_PROTOCOL_LINE, Taken } from "../role/request_reader.ts";
import { isDisconnection } from "../net/socket_errors.ts";
import { ClientLink, type LinkHost } from "./client/client_link.ts";
import type { Connections } from "./connections.ts";
import type { Router } from "./routing/router.ts";

/** The proxy as its sessions see it: the objects that they share. */
export interface SessionHost extends LinkHost {
  readonly router: Router;
  readonly connections: Connections;
  /** The number of requests that all sessions have taken. */
  commands: number;
  /** Logs an exception that nothing should throw. */
  reportBug(error: unknown): void;
}

/** One connection that is being served. */
export class Session implements ClientSession {
  readonly #host: SessionHost;
  readonly #link: ClientLink;

  /**
   * @param socket a connection after its handshake, which the session owns
   * @param isTrusted whether the client may run commands without a password, because it is this process itself
   */
  constructor(socket: ServedSocket, host: SessionHost, isTrusted = false) {
    this.#host = host;
    this.#link = new ClientLink(socket, host, isTrusted);
  }

  /** Serves the connection until it ends, and closes it. Never rejects because of what the peer does. */
  async run(): Promise<void> {
    const link = this.#link;
    const { reader, backpressure } = link;
    const { connection } = reader;
    const { slices } = this.#host;
    try {
      if (!await connection.fill()) return;
      if (!this.#chooseProtocol()) {
        link.outbox.append(FOREIGN_PROTOCOL_LINE, 0, FOREIGN_PROTOCOL_LINE.length);
        return await link.endRefused();
      }
      this.#host.connections.add(link);
      for (;;) {
        if (link.stopped !== undefined) return await link.stopped;
        if (!this.#takeRequests()) return await link.endRefused();
        while (!link.isEnding && backpressure.isShut) {
          await backpressure.pass();
          if (!this.#takeRequests()) return await link.endRefused();
        }
        link.order.endBatch();
        reader.release();
        if (connection.isMoving) await connection.move(slices);
        if (!await connection.fill()) break;
        if (connection.hasReadMuch && slices.isTurnLong) await slices.readTurn();
      }
      // The client may have ended only its own side, and wait for its replies.
      await link.endInOrder();
    } catch (error) {
      // A connection that was lost, or closed by a deadline, ends the session and nothing else.
      if (error instanceof ProtocolError) await this.#refuseRequest(error);
      else if (!isDisconnection(error)) this.#host.reportBug(error);
    } finally {
      link.close();
      // Nothing reads any more.
      reader.free();
    }
  }

  /**
   * Ends the connection because of a request for which no memory is left. Never rejects because of what the peer does.
   */
  async #refuseRequest(error: ProtocolError): Promise<void> {
    try {
      this.#fail(`Protocol error: ${error.message}`);
      await this.#link.endRefused();
    } catch (error) {
      if (!isDisconnection(error)) this.#host.reportBug(error);
    }
  }

  /** Chooses the protocol by the first byte. Returns `false` when the byte belongs to no protocol. */
  #chooseProtocol(): boolean {
    const protocol = this.#link.reader.chooseProtocol();
    if (protocol === "resp") this.#link.speak(2);
    return protocol !== "unknown";
  }

  /** Makes an error the reply to the next request. */
  #fail(message: string): void {
    this.#link.order.open().refuse("ERR", message);
  }

  /** Sends the client the reason why it is not served, and closes the connection. */
  async reject(message: string): Promise<void> {
    const link = this.#link;
    try {
      // The protocol is known after the first byte.
      link.reader.linger();
      if (!await link.reader.connection.fill()) return;
      this.#chooseProtocol();
      this.#fail(message);
      await link.endRefused();
    } catch (error) {
      if (!isDisconnection(error)) this.#host.reportBug(error);
    } finally {
      link.close();
    }
  }

  /** Takes no more requests, and ends the connection once those in flight have got their replies. */
  stop(): Promise<void> {
    return this.#link.stop(new ReplyError("ERR", "the proxy is stopping"));
  }

  /** Closes the connection in any state. The promise resolves when its descriptor is free. */
  abort(): Promise<void> {
    return this.#link.abort();
  }

  /**
   * Closes the connection when the client has missed a deadline. `nowMs` is the present time by `performance.now()`.
   */
  sweep(nowMs: number): void {
    const link = this.#link;
    const { client, outbox, reader, backpressure } = link;
    if (reader.overdue(nowMs, !backpressure.isAwaited, outbox.writing) === undefined) return;
    if (client.subscriptions > 0 && outbox.writing) {
      const reason = `it has taken nothing for ${WRITE_TIMEOUT_MS} ms`;
      this.#host.disconnections.note(client, outbox.size, reason);
    }
    link.abort();
  }

  /**
   * Takes requests out of the buffer and routes them, up to the first that is incomplete or has to wait. A batch that
   * takes long continues after others had their turn.
   *
   * @returns `false` when nothing more can be taken: the next request cannot be found, or the client leaves
   */
  #takeRequests(): boolean {
    const link = this.#link;
    const { reader, backpressure } = link;
    const { connection, request } = reader;
    const host = this.#host;
    const { router } = host;
    const startedMs = performance.now();
    let untilClock = BATCH_CLOCK_COUNT;
    while (!link.isEnding && !backpressure.isShut) {
      const taken = reader.take();
      if (taken !== Taken.Request) {
        if (taken === Taken.Nothing) return true;
        this.#fail(reader.problem);
        if (taken === Taken.Lost) return false;
        continue;
      }
      const { requestStart } = reader;
      const { buffer, start: requestEnd } = connection;
      if (!router.route(link, request, buffer, requestStart, requestEnd)) {
        reader.putBack();
        backpressure.holdUntilIdle();
        return true;
      }
      host.commands++;
      untilClock -= requestEnd - requestStart < BATCH_CLOCK_BYTES ? 1 : BATCH_CLOCK_COUNT;
      if (untilClock > 0) continue;
      untilClock = BATCH_CLOCK_COUNT;
      this.#pauseAfter(startedMs);
    }
    return !link.isLeaving;
  }

  /** Lets others have a turn before the next request, when this batch has taken long since `startedMs`. */
  #pauseAfter(startedMs: number): void {
    const { slices } = this.#host;
    const { backpressure } = this.#link;
    const ranMs = performance.now() - startedMs;
    if (!slices.isLong(ranMs) || backpressure.isShut) return;
    slices.ranLong(ranMs);
    backpressure.hold(slices.next());
  }
}
