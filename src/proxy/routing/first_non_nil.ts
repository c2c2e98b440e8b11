/**
 * A request that any server can execute. It is sent to the next server when one replies nil.
 *
 * @module
 */

import type { ConnectionError } from "../../errors.ts";
import { BackendRequest } from "../../route/backend_request.ts";
import type { Pool } from "../../route/pool.ts";
import type { PendingReply } from "../client/client_link.ts";

/** A request that is sent to one server after another, until a reply is not nil. */
export class FirstNonNil extends BackendRequest {
  readonly #pending: PendingReply;
  readonly #pools: readonly Pool[];
  readonly #bytes: Uint8Array;
  #next = 0;

  /**
   * Creates the request.
   *
   * @param pools the servers, in the order of the requests
   * @param bytes the request, owned
   */
  constructor(pending: PendingReply, pools: readonly Pool[], bytes: Uint8Array) {
    super();
    this.#pending = pending;
    this.#pools = pools;
    this.#bytes = bytes;
    this.repeatable = true;
  }

  /** Sends the request to the next server. */
  ask(): void {
    this.#pending.link.streams.send(this.#pools[this.#next++]!, this, this.#bytes, 0, this.#bytes.length);
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    const isLast = this.#next === this.#pools.length;
    if (isLast || !this.#pending.link.dialect.isNil(bytes, start)) this.#pending.succeed(bytes, start, end);
    else this.ask();
  }

  override fail(error: ConnectionError): void {
    this.#pending.fail(error);
  }
}
