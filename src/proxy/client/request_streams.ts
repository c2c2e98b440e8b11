/**
 * The requests of one client on their way to the servers: one stream for each server, so that a server runs them in
 * order.
 *
 * A long request is copied in slices before it is sent, and is charged to the client until its reply has come. While
 * the connection to a server is congested, the client's next request is not taken (backpressure.ts).
 *
 * @module
 */

import { copyBytes } from "../../bytes.ts";
import { finishInSlices, type Sliced } from "../../connection/in_slices.ts";
import { ConnectionError } from "../../errors.ts";
import { LONG_FRAME_BYTES, STEP_BYTES } from "../../limits.ts";
import { type ClientAccount, Held } from "../../memory/client_memory.ts";
import { type BackendRequest, type Carrier, RequestStream } from "../../route/backend_request.ts";
import type { Pool } from "../../route/pool.ts";
import type { Dialect } from "../backend/dialect.ts";
import type { Backpressure } from "./backpressure.ts";
import { ReplyPlace } from "./reply_place.ts";

/** A request above this size is charged to its client; the buffers of shorter ones are bounded. */
const UNCHARGED_REQUEST_MAX_BYTES = 64 * 1024;

/** The link of the client whose requests are sent. */
export interface StreamsOwner extends Sliced {
  /** The protocol of the client, which is that of its requests. */
  readonly dialect: Dialect;
  /** Identifies the assignment of slots to servers: another object after each change. */
  readonly ownership: unknown;
}

/** Returns why a request that was not sent has no reply. */
function unsent({ address }: Pool, reason: string): ConnectionError {
  return new ConnectionError(address, `server "${address}": ${reason}`, false);
}

/** The streams of one client. */
export class RequestStreams {
  readonly #owner: StreamsOwner;
  readonly #backpressure: Backpressure;
  readonly #account: ClientAccount;
  readonly #streams = new Map<Pool, RequestStream>();

  /** @param account is charged for long requests */
  constructor(owner: StreamsOwner, backpressure: Backpressure, account: ClientAccount) {
    this.#owner = owner;
    this.#backpressure = backpressure;
    this.#account = account;
  }

  /** Sends a request, whose frame is `bytes[start, start + size)`, borrowed until return. */
  send(pool: Pool, request: BackendRequest, bytes: Uint8Array, start: number, size: number): void {
    if (size >= LONG_FRAME_BYTES) return this.#backpressure.hold(this.#sendLong(pool, request, bytes, start, size));
    if (size > UNCHARGED_REQUEST_MAX_BYTES && request instanceof ReplyPlace) {
      if (!this.#account.tryCharge(Held.Request, size)) {
        return request.refuse("ERR", this.#account.refusal(Held.Request));
      }
      request.sentBytes = size;
    }
    this.#holdWhile(pool.send(this.#streamTo(pool), request, bytes, start, size));
  }

  /** Copies a long request in slices, and sends it. Never rejects. */
  async #sendLong(pool: Pool, request: BackendRequest, bytes: Uint8Array, start: number, size: number): Promise<void> {
    const owner = this.#owner;
    const account = this.#account;
    if (!account.tryCharge(Held.Request, size)) return request.fail(unsent(pool, account.refusal(Held.Request)));
    if (request instanceof ReplyPlace) request.sentBytes = size;
    const { ownership } = owner;
    const copy = new Uint8Array(size);
    let length = 0;
    const step = () => {
      const part = Math.min(STEP_BYTES, size - length);
      copyBytes(bytes, start + length, copy, length, part);
      length += part;
      return length === size;
    };
    try {
      await finishInSlices(owner, step);
    } catch (error) {
      return request.fail(unsent(pool, (error as Error).message));
    }
    if (ownership !== owner.ownership) return request.fail(unsent(pool, "its slots have moved; try again"));
    this.sendOwned(pool, request, copy, size);
    if (!(request instanceof ReplyPlace)) account.release(Held.Request, size);
  }

  /**
   * Sends a long request, whose frame is `bytes[0, size)`. The bytes belong to the server's connection from then on.
   */
  sendOwned(pool: Pool, request: BackendRequest, bytes: Uint8Array<ArrayBuffer>, size: number): void {
    this.#holdWhile(pool.sendOwned(this.#streamTo(pool), request, bytes, size));
  }

  #holdWhile(congested: Carrier | undefined): void {
    if (congested === undefined || this.#backpressure.blocked) return;
    this.#backpressure.blocked = true;
    congested.whenRelieved(() => this.#backpressure.blocked = false);
  }

  #streamTo(pool: Pool): RequestStream {
    return this.#streams.get(pool) ?? this.#addStream(pool);
  }

  #addStream(pool: Pool): RequestStream {
    // A new stream is rare, so this is when servers are forgotten that were removed from the list.
    for (const known of this.#streams.keys()) if (known.closed) this.#streams.delete(known);
    const stream = new RequestStream(this.#owner.dialect);
    this.#streams.set(pool, stream);
    return stream;
  }

  /** Forgets all streams: the client speaks another protocol, or has gone. */
  clear(): void {
    this.#streams.clear();
  }
}
