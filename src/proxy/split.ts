/**
 * Splits the keys of one command by the servers that own them.
 *
 * ```text
 * mget a b c d    a, c owned by X, b by Y, d by Z
 * partOf          [ 0, 1, 0, 2 ]           which part each key went to, in the order asked
 * requests        X: mget a c   Y: mget b   Z: mget d
 * ```
 *
 * Keys keep their order within a part. A chain of positions per part (`next`) lets each part be composed in one walk
 * over its own keys, so a request of a million keys costs one pass, whatever the number of servers.
 *
 * @module
 */

import type { CommandSpecification } from "../command/specification.ts";
import type { Pool } from "../route/pool.ts";
import { slotOf } from "../key_slot.ts";
import type { Request } from "../wire/request.ts";
import type { Cluster } from "./cluster.ts";
import type { RequestComposer } from "./dialect.ts";

/** One part: the server and a chain of key numbers. */
interface Share {
  readonly pool: Pool;
  first: number;
  last: number;
  count: number;
}

/** The keys of a request, by owner. Borrows the request. */
export class Split {
  /** For each key, in the order asked, the number of its part. */
  readonly partOf: Uint16Array;
  readonly #shares: Share[] = [];
  readonly #next: Int32Array;
  readonly #request: Request;
  readonly #firstKey: number;
  readonly #keyStep: number;

  /** @param request whose keys are complete: their number, and the values between them, were checked */
  constructor(cluster: Cluster, specification: CommandSpecification, request: Request) {
    this.#request = request;
    this.#firstKey = specification.firstKey;
    this.#keyStep = specification.keyStep;
    const count = (request.count - this.#firstKey) / this.#keyStep;
    this.partOf = new Uint16Array(count);
    this.#next = new Int32Array(count).fill(-1);
    const shareOf = new Int16Array(cluster.pools.length).fill(-1);
    for (let key = 0; key < count; key++) {
      const position = this.#firstKey + key * this.#keyStep;
      const owner = cluster.owners[slotOf(request.bytes, request.start(position), request.length(position))]!;
      const index = shareOf[owner]!;
      if (index < 0) {
        shareOf[owner] = this.#shares.length;
        this.partOf[key] = this.#shares.length;
        this.#shares.push({ pool: cluster.pools[owner]!, first: key, last: key, count: 1 });
      } else {
        const share = this.#shares[index]!;
        this.partOf[key] = index;
        this.#next[share.last] = key;
        share.last = key;
        share.count++;
      }
    }
  }

  /** How many servers own keys of the request. */
  get count(): number {
    return this.#shares.length;
  }

  /** The server of a part. */
  pool(part: number): Pool {
    return this.#shares[part]!.pool;
  }

  /** Composes the request with the keys of a part, and what stands behind each of them. */
  compose(part: number, composer: RequestComposer): void {
    const share = this.#shares[part]!;
    composer.begin(this.#request, 1 + share.count * this.#keyStep);
    for (let key = share.first; key >= 0; key = this.#next[key]!) {
      const position = this.#firstKey + key * this.#keyStep;
      composer.copy(this.#request, position, position + this.#keyStep - 1);
    }
    composer.end();
  }
}
