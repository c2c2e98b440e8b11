/**
 * A request that any server can answer, and that the next one is asked when one has nothing.
 *
 * @module
 */

import type { ConnectionError } from "../../errors.ts";
import { BackendRequest } from "../../route/backend_request.ts";
import type { Pool } from "../../route/pool.ts";
import type { PendingReply } from "../client/client_link.ts";

/** Such a request. */
export class FirstNonNil extends BackendRequest {
  readonly #pending: PendingReply;
  readonly #pools: readonly Pool[];
  readonly #bytes: Uint8Array;
  #next = 0;

  /**
   * @param pools in the order in which they are asked
   * @param bytes the request, owned
   */
  constructor(pending: PendingReply, pools: readonly Pool[], bytes: Uint8Array) {
    super();
    this.#pending = pending;
    this.#pools = pools;
    this.#bytes = bytes;
    this.repeatable = true;
  }

  /** Asks the next server. */
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
