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
 * A long request is split in steps, between which other clients' requests are routed.
 *
 * @module
 */

import type { CommandSpecification } from "../../catalog/specification.ts";
import { slotOf } from "../../key_slot.ts";
import { STEP_BYTES, STEP_ITEMS_COUNT } from "../../limits.ts";
import type { Pool } from "../../route/pool.ts";
import type { Request } from "../../wire/request.ts";
import type { RequestWriter } from "../../wire/request_writer.ts";
import type { Cluster } from "../backend/cluster.ts";

/** Most bytes that any protocol puts around an argument: `$`, ten digits and two line ends. */
const ARGUMENT_OVERHEAD_MAX_BYTES = 16;
/** What composing an argument takes, in bytes that are copied in the same time. */
const ARGUMENT_BYTES = STEP_BYTES / STEP_ITEMS_COUNT;

/** One part: the server and a chain of key numbers. */
interface Share {
  readonly pool: Pool;
  first: number;
  last: number;
  count: number;
  /** What its arguments take, rounded up. */
  size: number;
}

/** The keys of a request, by owner. Borrows the request. */
export class Split {
  /** For each key, in the order asked, the number of its part. */
  readonly partOf: Uint16Array;
  readonly #cluster: Cluster;
  readonly #shares: Share[] = [];
  readonly #shareOf: Int16Array;
  readonly #next: Int32Array;
  readonly #request: Request;
  readonly #firstKey: number;
  readonly #keyStep: number;
  readonly #slots: Uint16Array | undefined;
  /** How many keys are assigned to parts. */
  #assigned = 0;

  /**
   * @param request whose keys are complete: their number, and the values between them, were checked
   * @param slots the slot of each key, where the keys are to be assigned by {@linkcode assignSome}; else all are at once
   */
  constructor(cluster: Cluster, specification: CommandSpecification, request: Request, slots?: Uint16Array) {
    this.#cluster = cluster;
    this.#request = request;
    this.#firstKey = specification.firstKey;
    this.#keyStep = specification.keyStep;
    this.#slots = slots;
    const count = (request.count - this.#firstKey) / this.#keyStep;
    this.partOf = new Uint16Array(count);
    this.#next = new Int32Array(count).fill(-1);
    this.#shareOf = new Int16Array(cluster.pools.length).fill(-1);
    if (slots === undefined) this.#assign(count);
  }

  /** Assigns some more keys to parts. Returns whether all are. */
  assignSome(): boolean {
    this.#assign(Math.min(this.partOf.length, this.#assigned + STEP_ITEMS_COUNT));
    return this.#assigned === this.partOf.length;
  }

  #assign(end: number): void {
    const { pools, owners } = this.#cluster;
    const request = this.#request;
    for (let key = this.#assigned; key < end; key++) {
      const position = this.#firstKey + key * this.#keyStep;
      const slot = this.#slots?.[key] ?? slotOf(request.bytes, request.start(position), request.length(position));
      const owner = owners[slot]!;
      let index = this.#shareOf[owner]!;
      if (index < 0) {
        index = this.#shareOf[owner] = this.#shares.length;
        this.#shares.push({ pool: pools[owner]!, first: key, last: key, count: 0, size: 0 });
      }
      const share = this.#shares[index]!;
      this.partOf[key] = index;
      if (share.count > 0) this.#next[share.last] = key;
      share.last = key;
      share.count++;
      for (let i = position; i < position + this.#keyStep; i++) {
        share.size += request.length(i) + ARGUMENT_OVERHEAD_MAX_BYTES;
      }
    }
    this.#assigned = end;
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
  compose(part: number, composer: RequestWriter): void {
    const share = this.#shares[part]!;
    composer.begin(this.#request, 1 + share.count * this.#keyStep);
    for (let key = share.first; key >= 0; key = this.#next[key]!) {
      const position = this.#firstKey + key * this.#keyStep;
      composer.copy(this.#request, position, position + this.#keyStep - 1);
    }
    composer.end();
  }

  /** As {@linkcode compose}, in steps: composes some more with each call, and returns whether all is. */
  composing(part: number, composer: RequestWriter): () => boolean {
    const share = this.#shares[part]!;
    const request = this.#request;
    composer.begin(request, 1 + share.count * this.#keyStep);
    composer.reserve(share.size);
    let key = share.first;
    let argument = 0;
    let from = 0;
    return () => {
      for (let left = STEP_BYTES; left > 0 && key >= 0;) {
        const before = composer.length;
        from = composer.copyPart(request, this.#firstKey + key * this.#keyStep + argument, from, left);
        left -= composer.length - before + ARGUMENT_BYTES;
        if (from >= 0) continue;
        from = 0;
        if (++argument < this.#keyStep) continue;
        argument = 0;
        key = this.#next[key]!;
      }
      if (key >= 0) return false;
      composer.end();
      return true;
    };
  }
}
