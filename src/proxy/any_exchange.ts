/**
 * A request that any server can answer, and that the next one is asked when one has nothing.
 *
 * @module
 */

import type { ConnectionError } from "../errors.ts";
import { Exchange } from "../route/exchange.ts";
import type { Pool } from "../route/pool.ts";
import type { Slot } from "./slot.ts";

/** Such a request. */
export class AnyExchange extends Exchange {
  readonly #slot: Slot;
  readonly #pools: readonly Pool[];
  readonly #bytes: Uint8Array;
  #next = 0;

  /**
   * @param pools in the order in which they are asked
   * @param bytes the request, owned
   */
  constructor(slot: Slot, pools: readonly Pool[], bytes: Uint8Array) {
    super();
    this.#slot = slot;
    this.#pools = pools;
    this.#bytes = bytes;
    this.repeatable = true;
  }

  /** Asks the next server. */
  ask(): void {
    this.#slot.client.send(this.#pools[this.#next++]!, this, this.#bytes, 0, this.#bytes.length);
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    const isLast = this.#next === this.#pools.length;
    if (isLast || !this.#slot.client.dialect.isNil(bytes, start)) this.#slot.succeed(bytes, start, end);
    else this.ask();
  }

  override fail(error: ConnectionError): void {
    this.#slot.fail(error);
  }
}
