/**
 * One connection of the load generator: it sends a pipeline, waits for all replies, sends the next.
 *
 * It costs as little as it can, since what it costs is taken from what it measures: two calls into the runtime a pipeline,
 * and of each reply a look at its first bytes. One reply of each pipeline is compared with its request as a whole. A wrong
 * one ends the run.
 *
 * @module
 */

import { connect } from "../../src/net/connector.ts";
import { type Socket, writeAll } from "../../src/net/socket.ts";
import type { Latencies } from "../../src/route/latencies.ts";
import { CHECKED_BYTES, type LoadRequests } from "./load_requests.ts";
import type { Endpoint } from "./resp_connection.ts";

/** A connection. Not for two callers at a time. */
export class LoadConnection {
  readonly #socket: Socket;
  #replies = new Uint8Array(0);
  #sampled = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects. */
  static async connect({ hostname, port, authority }: Endpoint): Promise<LoadConnection> {
    const security = authority === undefined ? { plaintext: true } : { caCerts: [authority] };
    return new LoadConnection(await connect({ hostname, port, ...security }));
  }

  /**
   * Sends requests until it is `endMs`, the same ones again when it has sent them all.
   *
   * @param first the request that it begins with
   * @param latencies gets the time from the moment that a pipeline was sent until each of its replies was read
   * @returns how many were answered
   */
  async run(
    requests: LoadRequests,
    first: number,
    pipeline: number,
    endMs: number,
    latencies: Latencies,
  ): Promise<number> {
    let answered = 0;
    for (let at = first; performance.now() < endMs; at += pipeline) {
      if (at + pipeline > requests.count) at = 0;
      await this.exchange(requests, at, pipeline, latencies);
      answered += pipeline;
    }
    return answered;
  }

  /** Sends one pipeline, of `count` requests from the one at `first` on, and waits for its replies. */
  async exchange(requests: LoadRequests, first: number, count: number, latencies?: Latencies): Promise<void> {
    const size = count * requests.replySize;
    if (this.#replies.length !== size) this.#replies = new Uint8Array(size);
    const replies = this.#replies;
    const begunMs = performance.now();
    // Replies tell that it has arrived: waiting for that first would be a turn of the event loop more.
    const writing = writeAll(this.#socket, requests.slice(first, count));
    // When it fails reading fails as well, or waits in vain.
    writing.catch(() => this.close());
    let whole = 0;
    let checked = 0;
    for (let end = 0; end < size;) {
      const length = await this.#socket.read(end === 0 ? replies : replies.subarray(end));
      if (length === null) throw new Error("Cannot measure: the connection was closed");
      end += length;
      const begun = Math.floor((end - CHECKED_BYTES) / requests.replySize) + 1;
      requests.checkHeaders(replies, checked, begun, end);
      checked = Math.max(checked, begun);
      const before = whole;
      whole = Math.floor(end / requests.replySize);
      if (whole > before) latencies?.add(performance.now() - begunMs, whole - before);
    }
    await writing;
    this.#sampled = (this.#sampled + 1) % count;
    requests.checkValue(replies, this.#sampled, first);
  }

  /** Closes the connection. Idempotent. */
  close(): void {
    try {
      this.#socket.close();
    } catch {
      // It was closed before.
    }
  }
}
